//! Messages that Valve's library made, released once.

use std::{ptr::NonNull, slice};

use gns_sys::{SteamAPI_SteamNetworkingMessage_t_Release, SteamNetworkingMessage_t};

/// A message that we own.
pub(crate) struct Message(NonNull<SteamNetworkingMessage_t>);

impl Message {
    /// Takes over a message; nothing for null.
    ///
    /// # Safety
    /// `raw` is null or a message of the library that nothing else owns.
    pub(crate) unsafe fn from_raw(raw: *mut SteamNetworkingMessage_t) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    /// Gives it up without releasing it.
    pub(crate) fn into_raw(self) -> *mut SteamNetworkingMessage_t {
        let raw = self.0.as_ptr();
        std::mem::forget(self);
        raw
    }

    /// Fills a message that was allocated with as many bytes as `payload` has.
    pub(crate) fn fill(&mut self, connection: u32, flags: i32, payload: &[u8]) {
        // SAFETY: we own the message, and `&mut self` makes this the only access.
        let fields = unsafe { self.0.as_mut() };
        fields.m_conn = connection;
        fields.m_nFlags = flags;
        let room = usize::try_from(fields.m_cbSize).unwrap_or(0);
        assert_eq!(room, payload.len(), "the library allocated what it was asked for");
        // SAFETY: the library allocated `m_cbSize` bytes at `m_pData`, which belong to the message
        // alone, and `payload` is as long.
        unsafe { fields.m_pData.cast::<u8>().copy_from_nonoverlapping(payload.as_ptr(), room) };
    }

    /// Through which connection it came.
    pub(crate) fn connection(&self) -> u32 {
        // SAFETY: we own the message, so it is alive and nothing writes to it while we read.
        unsafe { self.0.as_ref() }.m_conn
    }

    /// The content.
    pub(crate) fn payload(&self) -> &[u8] {
        // SAFETY: as in `connection`.
        let fields = unsafe { self.0.as_ref() };
        let Ok(len @ 1..) = usize::try_from(fields.m_cbSize) else {
            return &[];
        };
        // SAFETY: `m_pData` has `m_cbSize` bytes, which belong to the message that we own.
        unsafe { slice::from_raw_parts(fields.m_pData.cast(), len) }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: we own the message and give it up here.
        unsafe { SteamAPI_SteamNetworkingMessage_t_Release(self.0.as_ptr()) };
    }
}

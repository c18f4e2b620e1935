//! Owned messages of Valve's library: released exactly once, or given back to the library.

use std::ptr::NonNull;
use std::slice;

use gns_sys::{
    SteamAPI_SteamNetworkingMessage_t_Release, SteamNetworkingIdentity, SteamNetworkingMessage_t,
    k_nSteamNetworkingSend_Reliable,
};

/// One message that we own, received or not yet sent.
#[derive(Debug)]
pub(crate) struct Message(NonNull<SteamNetworkingMessage_t>);

/// Where a message goes and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) connection: u32,
    pub(crate) lane: u16,
    /// `k_nSteamNetworkingSend_*` bits, passed on as they are.
    pub(crate) flags: i32,
}

impl Message {
    /// Takes over a message that the library handed out.
    ///
    /// # Safety
    /// `raw` is null or a message of the library that nothing else owns.
    pub(crate) unsafe fn from_raw(raw: *mut SteamNetworkingMessage_t) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    /// Gives the message up without releasing it.
    pub(crate) fn into_raw(self) -> *mut SteamNetworkingMessage_t {
        let raw = self.0.as_ptr();
        std::mem::forget(self);
        raw
    }

    fn fields(&self) -> &SteamNetworkingMessage_t {
        // SAFETY: we own the message, so it is alive and nothing writes to it while we read.
        unsafe { self.0.as_ref() }
    }

    /// Sets connection, lane and flags of an outgoing message.
    pub(crate) fn address(&mut self, route: Route) {
        // SAFETY: we own the message, and `&mut self` makes this the only access.
        let fields = unsafe { self.0.as_mut() };
        fields.m_conn = route.connection;
        fields.m_idxLane = route.lane;
        fields.m_nFlags = route.flags;
    }

    /// The payload of a message to be sent, cleared and to be filled in.
    pub(crate) fn payload_mut(&mut self) -> &mut [u8] {
        // SAFETY: we own the message, and `&mut self` makes this the only access.
        let fields = unsafe { self.0.as_mut() };
        let Ok(len @ 1..) = usize::try_from(fields.m_cbSize) else {
            return &mut [];
        };
        let data: *mut u8 = fields.m_pData.cast();
        // SAFETY: the library allocated `m_cbSize` bytes at `m_pData`, which belong to the message
        // alone. It does not clear them, so this does before a slice covers them.
        unsafe {
            data.write_bytes(0, len);
            slice::from_raw_parts_mut(data, len)
        }
    }

    /// The payload.
    pub(crate) fn payload(&self) -> &[u8] {
        let fields = self.fields();
        let Ok(len @ 1..) = usize::try_from(fields.m_cbSize) else {
            return &[];
        };
        // SAFETY: `m_pData` has `m_cbSize` bytes, which belong to the message that we own.
        unsafe { slice::from_raw_parts(fields.m_pData.cast(), len) }
    }

    pub(crate) fn connection(&self) -> u32 {
        self.fields().m_conn
    }

    /// Who sent it, or whom it is for.
    pub(crate) fn identity(&self) -> SteamNetworkingIdentity {
        self.fields().m_identityPeer
    }

    pub(crate) fn lane(&self) -> u16 {
        self.fields().m_idxLane
    }

    pub(crate) fn is_reliable(&self) -> bool {
        self.fields().m_nFlags & k_nSteamNetworkingSend_Reliable != 0
    }

    /// The message number on its lane, counted from 1 by the sender.
    pub(crate) fn number(&self) -> i64 {
        self.fields().m_nMessageNumber
    }

    /// The library's clock when the message was complete, in microseconds.
    pub(crate) fn received_us(&self) -> i64 {
        self.fields().m_usecTimeReceived
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: we own the message and give it up here.
        unsafe { SteamAPI_SteamNetworkingMessage_t_Release(self.0.as_ptr()) };
    }
}

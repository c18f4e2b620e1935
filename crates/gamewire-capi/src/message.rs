//! `SteamNetworkingMessage_t`: made here, released by anybody, on any thread.
//!
//! Every message that this library hands out is a [`CMessage`], whose first field is what the
//! program sees. A message that is sent becomes an owner of bytes ([`InFlight`]): its content is
//! freed through its own function when the last byte of it is not needed any more, which may be on
//! another thread, or before the call returns.

use std::ffi::{c_int, c_void};

use bytes::Bytes;
use gamewire::{ConnectionHandle, MAX_MESSAGE_BYTES, Message, Outgoing, SendFlags, UserMessage};

use crate::{
    boundary::guard,
    memory,
    types::{SteamNetworkingIdentity, SteamNetworkingMessage_t},
};

/// The bit of `m_nFlags` that says reliable.
const RELIABLE: c_int = 8;

/// A message with what the library knows about it.
#[repr(C)]
struct CMessage {
    public: SteamNetworkingMessage_t,
    /// What keeps the content of a received message.
    received: Option<Bytes>,
    /// Set while the message goes back to the caller and must outlive its [`InFlight`].
    kept: bool,
}

const EMPTY: SteamNetworkingMessage_t = SteamNetworkingMessage_t {
    m_pData: std::ptr::null_mut(),
    m_cbSize: 0,
    m_conn: 0,
    m_identityPeer: SteamNetworkingIdentity::CLEAR,
    m_nConnUserData: 0,
    m_usecTimeReceived: 0,
    m_nMessageNumber: 0,
    m_pfnFreeData: None,
    m_pfnRelease: Some(release),
    m_nChannel: -1,
    m_nFlags: 0,
    m_nUserData: 0,
    m_idxLane: 0,
    _pad1__: 0,
};

/// A message with room for `size` bytes, for the application to fill and send; with 0 it has no
/// buffer, and the application sets its own. Null for a size below zero or without memory.
pub(crate) fn allocate(size: c_int) -> *mut SteamNetworkingMessage_t {
    let Ok(bytes) = usize::try_from(size) else { return std::ptr::null_mut() };
    let mut public = EMPTY;
    if bytes > 0 {
        public.m_pData = memory::allocate(bytes);
        if public.m_pData.is_null() {
            return std::ptr::null_mut();
        }
        public.m_cbSize = size;
        public.m_pfnFreeData = Some(free_buffer);
    }
    Box::into_raw(Box::new(CMessage { public, received: None, kept: false })).cast()
}

/// A received message as a program sees it.
pub(crate) fn received(message: Message) -> *mut SteamNetworkingMessage_t {
    let public = SteamNetworkingMessage_t {
        m_pData: message.payload.as_ptr().cast_mut().cast(),
        m_cbSize: c_int::try_from(message.payload.len()).unwrap_or(c_int::MAX),
        m_conn: message.connection.to_raw(),
        m_identityPeer: SteamNetworkingIdentity::from(&*message.peer),
        m_nConnUserData: message.connection_user_data,
        m_usecTimeReceived: i64::try_from(message.received.as_micros()).unwrap_or(i64::MAX),
        m_nMessageNumber: i64::try_from(message.number).unwrap_or(i64::MAX),
        m_pfnFreeData: Some(free_received),
        m_nFlags: if message.reliable { RELIABLE } else { 0 },
        m_nUserData: message.user_data,
        m_idxLane: message.lane,
        ..EMPTY
    };
    Box::into_raw(Box::new(CMessage { public, received: Some(message.payload), kept: false }))
        .cast()
}

/// `m_pfnFreeData` of a buffer from [`allocate`].
unsafe extern "C" fn free_buffer(message: *mut SteamNetworkingMessage_t) {
    guard((), || {
        // SAFETY: only messages of `allocate` have this function, with a buffer from there.
        unsafe {
            let data = std::mem::replace(&mut (*message).m_pData, std::ptr::null_mut());
            memory::free(data);
        }
    });
}

/// `m_pfnFreeData` of a received message.
unsafe extern "C" fn free_received(message: *mut SteamNetworkingMessage_t) {
    guard((), || {
        let message = message.cast::<CMessage>();
        // SAFETY: only messages of `received` have this function.
        unsafe {
            (*message).public.m_pData = std::ptr::null_mut();
            (*message).received = None;
        }
    });
}

/// `m_pfnRelease` of every message.
unsafe extern "C" fn release(message: *mut SteamNetworkingMessage_t) {
    guard((), || {
        if message.is_null() {
            return;
        }
        // SAFETY: a message of this library, released once: so the header demands.
        unsafe {
            let content = (*message).m_pData;
            if let Some(free) = (*message).m_pfnFreeData.filter(|_| !content.is_null()) {
                free(message);
            }
            drop(Box::from_raw(message.cast::<CMessage>()));
        }
    });
}

/// A message that was handed over to be sent, as an owner of its content.
struct InFlight(*mut CMessage);

// SAFETY: the library owns the message from the call on; the header allows its function to be
// called on any thread.
unsafe impl Send for InFlight {}
// SAFETY: shared access only reads the content, which nobody changes.
unsafe impl Sync for InFlight {}

impl AsRef<[u8]> for InFlight {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `outgoing` checked the size; the content lives until the message is released.
        unsafe {
            let message = &(*self.0).public;
            let size = usize::try_from(message.m_cbSize).unwrap_or(0);
            crate::boundary::bytes(message.m_pData.cast_const().cast(), size)
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // SAFETY: the last owner; the message lives until here.
        unsafe {
            if !(*self.0).kept {
                release(self.0.cast());
            }
        }
    }
}

/// A message handed over by `SendMessages`, ready to be sent; `None` if it makes no sense, in which
/// case it is still the caller's.
///
/// # Safety
/// A message of this library, which the caller does not touch from now on.
pub(crate) unsafe fn outgoing(message: *mut SteamNetworkingMessage_t) -> Option<Outgoing> {
    // SAFETY: the caller's promise.
    let public = unsafe { message.as_ref() }?;
    let size = usize::try_from(public.m_cbSize).ok()?;
    if public.m_pData.is_null() && size > 0 {
        return None;
    }
    let connection = ConnectionHandle::from_raw(public.m_conn)?;
    let (flags, lane) = (public.m_nFlags.cast_unsigned(), public.m_idxLane);
    let user_data = public.m_nUserData;
    let payload = Bytes::from_owner(InFlight(message.cast()));
    let mut outgoing = Outgoing::new(connection, payload, SendFlags::from_bits(flags));
    outgoing.lane = lane;
    outgoing.user_data = user_data;
    Some(outgoing)
}

/// Gives a message that was not sent back to the caller: only its [`Outgoing`] ends.
///
/// # Safety
/// `returned` is what [`outgoing`] made of `message`, all of it.
pub(crate) unsafe fn keep(message: *mut SteamNetworkingMessage_t, returned: Outgoing) {
    let message = message.cast::<CMessage>();
    // SAFETY: the caller's promise; the owner of the bytes goes between the two.
    unsafe {
        (*message).kept = true;
        drop(returned);
        (*message).kept = false;
    }
}

/// Releases a message through its own function.
///
/// # Safety
/// Null, or a message that is not released yet.
pub(crate) unsafe fn release_any(message: *mut SteamNetworkingMessage_t) {
    if message.is_null() {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(release) = (*message).m_pfnRelease {
            release(message);
        }
    }
}

/// Hands messages over to an array of a caller. Returns how many.
///
/// # Safety
/// Room for that many pointers.
pub(crate) unsafe fn hand_over(
    messages: Vec<Message>,
    places: *mut *mut SteamNetworkingMessage_t,
) -> c_int {
    let count = messages.len();
    for (index, message) in messages.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { places.add(index).write(received(message)) };
    }
    c_int::try_from(count).unwrap_or(c_int::MAX)
}

/// The same of messages that came through sessions, with their channels.
///
/// # Safety
/// Room for as many pointers as there are messages.
pub(crate) unsafe fn hand_over_of_users(
    messages: Vec<UserMessage>,
    places: *mut *mut SteamNetworkingMessage_t,
) -> c_int {
    let count = messages.len();
    for (index, UserMessage { message, channel }) in messages.into_iter().enumerate() {
        let message = received(message);
        // SAFETY: a message just made, and the caller's promise.
        unsafe {
            (*message).m_nChannel = channel;
            places.add(index).write(message);
        }
    }
    c_int::try_from(count).unwrap_or(c_int::MAX)
}

/// How many messages a caller has room for; 0 if it has none or names no place.
pub(crate) fn room(places: *mut *mut SteamNetworkingMessage_t, max: c_int) -> usize {
    if crate::boundary::is_usable(places) { usize::try_from(max).unwrap_or(0) } else { 0 }
}

/// The content of a call that copies; `None` if it makes no sense, or is larger than any message, in
/// which case it is not read: sizes below zero look like that.
///
/// # Safety
/// Null, or that many bytes.
pub(crate) unsafe fn content<'a>(data: *const c_void, size: u32) -> Option<&'a [u8]> {
    let size = usize::try_from(size).ok().filter(|size| *size <= MAX_MESSAGE_BYTES)?;
    if data.is_null() && size > 0 {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { crate::boundary::bytes(data.cast(), size) })
}

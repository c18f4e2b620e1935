//! Valve's library as safe calls.

use std::{
    collections::VecDeque,
    ffi::{CStr, CString, c_int, c_void},
    net::SocketAddr,
    ptr,
    sync::Mutex,
};

use anyhow::{Context as _, ensure};
use gns_sys as gns;

use crate::messages::Message;

pub(crate) use gns::ESteamNetworkingConnectionState as State;

/// Messages taken in one call.
const RECEIVE_BATCH: usize = 256;
/// Messages handed over in one call, at most.
const SEND_BATCH: usize = 256;
/// `ESteamNetworkingConfigScope`: everything in the process.
const GLOBAL: c_int = 1;
/// `ESteamNetworkingConfigDataType`: 32-bit integers.
const INT32: c_int = 1;
/// `k_EResultLimitExceeded`.
const LIMIT_EXCEEDED: i64 = 25;
/// `k_EResultOK`.
const OK: i32 = 1;

unsafe extern "C" {
    fn SteamNetworkingSockets_SetManualPollMode(manual: bool);
    fn SteamNetworkingSockets_Poll(max_wait_ms: c_int);
    fn SteamAPI_ISteamNetworkingUtils_SetConfigValue(
        utils: *mut gns::ISteamNetworkingUtils,
        value: c_int,
        scope: c_int,
        scope_object: isize,
        data_type: c_int,
        argument: *const c_void,
    ) -> bool;
}

/// A connection whose state changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) connection: u32,
    pub(crate) state: State,
    pub(crate) is_incoming: bool,
    pub(crate) end_reason: i32,
}

/// Changes that the library told and nobody took yet.
static CHANGES: Mutex<VecDeque<Change>> = Mutex::new(VecDeque::new());

/// The initialised library.
pub(crate) struct Library {
    sockets: *mut gns::ISteamNetworkingSockets,
    utils: *mut gns::ISteamNetworkingUtils,
    poll_group: u32,
}

impl Library {
    /// Starts it without a service thread, with values for the whole process.
    pub(crate) fn start(values: &[(c_int, i32)]) -> anyhow::Result<Self> {
        let mut error = [0; 1024];
        // SAFETY: the mode is set before anything else; the error buffer has the size of
        // SteamNetworkingErrMsg; no identity is a valid one.
        let started = unsafe {
            SteamNetworkingSockets_SetManualPollMode(true);
            gns::GameNetworkingSockets_Init(ptr::null(), &mut error)
        };
        // SAFETY: the library leaves a terminated text in the buffer, which was zeroed.
        let text = unsafe { CStr::from_ptr(error.as_ptr()) };
        ensure!(started, "the library did not start: {}", text.to_string_lossy());
        // SAFETY: the library is initialised; these return its process-wide interfaces.
        let (sockets, utils) = unsafe {
            (gns::SteamAPI_SteamNetworkingSockets_v009(), gns::SteamAPI_SteamNetworkingUtils_v003())
        };
        // SAFETY: initialised; the callback is a function that lives for ever.
        let poll_group = unsafe {
            gns::SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetConnectionStatusChanged(
                utils,
                Some(on_change),
            );
            gns::SteamAPI_ISteamNetworkingSockets_CreatePollGroup(sockets)
        };
        let library = Self { sockets, utils, poll_group };
        values.iter().try_for_each(|&(value, number)| library.set(value, number))?;
        Ok(library)
    }

    fn set(&self, value: c_int, number: i32) -> anyhow::Result<()> {
        // SAFETY: the argument points at an integer as the type says, which outlives the call.
        let set = unsafe {
            SteamAPI_ISteamNetworkingUtils_SetConfigValue(
                self.utils,
                value,
                GLOBAL,
                0,
                INT32,
                ptr::from_ref(&number).cast(),
            )
        };
        ensure!(set, "the library refused configuration value {value} = {number}");
        Ok(())
    }

    /// Listens.
    pub(crate) fn listen(&self, address: SocketAddr) -> anyhow::Result<()> {
        let address = raw_address(address)?;
        // SAFETY: the address outlives the call; there are no options.
        let socket = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(
                self.sockets,
                &address,
                0,
                ptr::null(),
            )
        };
        ensure!(socket != 0, "no listen socket");
        Ok(())
    }

    /// Starts to connect.
    pub(crate) fn connect(&self, address: SocketAddr) -> anyhow::Result<()> {
        let address = raw_address(address)?;
        // SAFETY: the address outlives the call; there are no options.
        let connection = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress(
                self.sockets,
                &address,
                0,
                ptr::null(),
            )
        };
        ensure!(connection != 0, "no connection");
        Ok(())
    }

    /// Accepts an incoming connection.
    pub(crate) fn accept(&self, connection: u32) -> anyhow::Result<()> {
        // SAFETY: the library checks the handle.
        let result = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_AcceptConnection(self.sockets, connection) as i32
        };
        ensure!(result == OK, "not accepted: EResult {result}");
        Ok(())
    }

    /// Puts a connection into the poll group that [`Library::receive`] reads.
    pub(crate) fn join_poll_group(&self, connection: u32) {
        // SAFETY: the library checks both handles.
        unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_SetConnectionPollGroup(
                self.sockets,
                connection,
                self.poll_group,
            );
        }
    }

    /// Does the library's work, waiting for some at most this long.
    pub(crate) fn poll(&self, max_wait_ms: c_int) {
        // SAFETY: manual poll mode is on, and only this thread polls.
        unsafe { SteamNetworkingSockets_Poll(max_wait_ms) };
    }

    /// The next change of a connection.
    pub(crate) fn next_change(&self) -> Option<Change> {
        let next = || CHANGES.lock().ok()?.pop_front();
        next().or_else(|| {
            // SAFETY: initialised; calls `on_change` on this thread.
            unsafe { gns::SteamAPI_ISteamNetworkingSockets_RunCallbacks(self.sockets) };
            next()
        })
    }

    /// Hands messages over in order; how many were taken.
    pub(crate) fn send<'a>(
        &self,
        connection: u32,
        flags: i32,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> anyhow::Result<usize> {
        let mut raw: Vec<_> = payloads
            .take(SEND_BATCH)
            .map(|payload| self.message(connection, flags, payload).map(Message::into_raw))
            .collect::<anyhow::Result<_>>()?;
        let mut results = [0; SEND_BATCH];
        // SAFETY: every pointer is a message that we own, and there is room for a result for each.
        // With `false` the library nulls the pointers that it took over and leaves us the others.
        unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_SendMessages(
                self.sockets,
                c_int::try_from(raw.len())?,
                raw.as_mut_ptr(),
                results.as_mut_ptr(),
                false,
            );
        }
        let results = &results[..raw.len()];
        for pointer in raw {
            // SAFETY: a pointer that is not null was left to us.
            drop(unsafe { Message::from_raw(pointer) });
        }
        let taken = results.iter().take_while(|result| **result > 0).count();
        match results.get(taken) {
            Some(&refused) if refused != -LIMIT_EXCEEDED => {
                anyhow::bail!("a message was refused: EResult {}", -refused)
            }
            _ => Ok(taken),
        }
    }

    fn message(&self, connection: u32, flags: i32, payload: &[u8]) -> anyhow::Result<Message> {
        let size = c_int::try_from(payload.len())?;
        // SAFETY: the size is not negative; the library hands out an owned message or null.
        let message = unsafe {
            Message::from_raw(gns::SteamAPI_ISteamNetworkingUtils_AllocateMessage(self.utils, size))
        };
        let mut message = message.context("the library allocated no message")?;
        message.fill(connection, flags, payload);
        Ok(message)
    }

    /// Takes messages of every connection in the poll group.
    pub(crate) fn receive(&self) -> impl Iterator<Item = Message> {
        let mut raw = [ptr::null_mut(); RECEIVE_BATCH];
        // SAFETY: the array has room for as many pointers as the count says.
        let count = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnPollGroup(
                self.sockets,
                self.poll_group,
                raw.as_mut_ptr(),
                RECEIVE_BATCH as c_int,
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: the library filled in as many pointers as it says, and gave the messages to us.
        raw.into_iter().take(count).filter_map(|pointer| unsafe { Message::from_raw(pointer) })
    }
}

fn raw_address(address: SocketAddr) -> anyhow::Result<gns::SteamNetworkingIPAddr> {
    let text = CString::new(address.to_string())?;
    let mut raw = gns::SteamNetworkingIPAddr::default();
    // SAFETY: the address is writable and the text terminated; both outlive the call.
    let parsed =
        unsafe { gns::SteamAPI_SteamNetworkingIPAddr_ParseString(&mut raw, text.as_ptr()) };
    ensure!(parsed, "the library does not understand {address}");
    Ok(raw)
}

/// Called by the library from `RunCallbacks`. Must not unwind.
unsafe extern "C" fn on_change(change: *mut gns::SteamNetConnectionStatusChangedCallback_t) {
    // SAFETY: the library passes a valid structure that lives for the call; it may be packed more
    // tightly than the binding says.
    let change = unsafe { change.read_unaligned() };
    if let Ok(mut changes) = CHANGES.lock() {
        changes.push_back(Change {
            connection: change.m_hConn,
            state: change.m_info.m_eState,
            is_incoming: change.m_info.m_hListenSocket != 0,
            end_reason: change.m_info.m_eEndReason,
        });
    }
}

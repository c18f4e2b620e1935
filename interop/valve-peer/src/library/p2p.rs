//! Connections by identity: signals out of the library and into it.

use std::collections::VecDeque;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::Mutex;

use anyhow::{Result, ensure};
use gns_sys as gns;

use super::{Library, count_of, identity_text, parse_identity};
use crate::config::{Assignment, Setting};
use crate::ffi::{self, RawOption};
use crate::protocol::{Closing, OnRequest};

/// `k_ESteamNetworkingConfig_Callback_CreateConnectionSignaling`.
const CREATE_SIGNALING_CALLBACK: c_int = 206;

/// Signals that wait for the driver; the channel is best effort, so what comes beyond is lost.
const MAX_SIGNALS: usize = 4096;

/// Signals of the library that were not taken yet. Its service thread adds to them at any time.
static SIGNALS: Mutex<VecDeque<Signal>> = Mutex::new(VecDeque::new());

/// One signal that the library wants to have delivered.
#[derive(Debug)]
pub(crate) struct Signal {
    /// 0: it refuses a request, and belongs to no connection.
    pub(crate) connection: u32,
    /// To whom, where that is known.
    pub(crate) identity: Option<String>,
    pub(crate) data: Vec<u8>,
}

/// Somebody asked for a connection.
#[derive(Debug)]
pub(crate) struct ConnectRequest {
    pub(crate) connection: u32,
    pub(crate) identity: String,
    pub(crate) virtual_port: i32,
    /// Whether it was given a channel for answers.
    pub(crate) taken: bool,
}

/// What one call of `ReceivedP2PCustomSignal` needs and finds out.
struct ReceiveContext<'a> {
    library: &'a Library,
    on_request: &'a OnRequest,
    requests: Vec<ConnectRequest>,
}

impl Library {
    /// Has the library ask us for channels where the driver gives none: for `ConnectP2P` and for
    /// sessions with users.
    pub(super) fn install_signaling(&self) -> Result<()> {
        type Create = unsafe extern "C" fn(
            *mut gns::ISteamNetworkingSockets,
            *const gns::SteamNetworkingIdentity,
            c_int,
            c_int,
        )
            -> *mut gns::ISteamNetworkingConnectionSignaling;
        let callback: Create = create_signaling;
        ensure!(
            self.set_global_callback(CREATE_SIGNALING_CALLBACK, callback as *const c_void),
            "the library refused the callback that creates channels"
        );
        Ok(())
    }

    /// Opens a listen socket on a virtual port.
    pub(crate) fn listen_p2p(&self, virtual_port: i32, settings: &[Setting]) -> Result<u32> {
        let assignments = self.assignments(settings)?;
        let options: Vec<RawOption> =
            assignments.iter().map(Assignment::to_option).collect::<Result<_>>()?;
        // SAFETY: the options outlive the call (texts live in `assignments`), and RawOption has the
        // layout of SteamNetworkingConfigValue_t.
        let socket = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_CreateListenSocketP2P(
                self.sockets,
                virtual_port,
                count_of(&options),
                options.as_ptr().cast(),
            )
        };
        ensure!(socket != 0, "the library opened no listen socket; its log says why");
        Ok(socket)
    }

    /// Starts to connect by identity with a channel of ours, and puts the connection into the poll
    /// group.
    pub(crate) fn connect_custom(
        &self,
        identity: Option<&str>,
        virtual_port: i32,
        settings: &[Setting],
    ) -> Result<u32> {
        let parsed = identity.map(parse_identity).transpose()?;
        let peer = parsed.as_ref().map_or(ptr::null(), ptr::from_ref);
        let assignments = self.assignments(settings)?;
        let options: Vec<RawOption> =
            assignments.iter().map(Assignment::to_option).collect::<Result<_>>()?;
        // SAFETY: the identity is null or valid, and outlives the call; options as for listening.
        // The library owns the channel from here on.
        let connection = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_ConnectP2PCustomSignaling(
                self.sockets,
                new_channel(identity),
                peer,
                virtual_port,
                count_of(&options),
                options.as_ptr().cast(),
            )
        };
        ensure!(connection != 0, "the library made no connection; its log says why");
        self.join_poll_group(connection);
        Ok(connection)
    }

    /// Starts to connect by identity with a channel that the library asks us for.
    pub(crate) fn connect_p2p(
        &self,
        identity: &str,
        virtual_port: i32,
        settings: &[Setting],
    ) -> Result<u32> {
        let peer = parse_identity(identity)?;
        let assignments = self.assignments(settings)?;
        let options: Vec<RawOption> =
            assignments.iter().map(Assignment::to_option).collect::<Result<_>>()?;
        // SAFETY: as for `connect_custom`.
        let connection = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_ConnectP2P(
                self.sockets,
                &peer,
                virtual_port,
                count_of(&options),
                options.as_ptr().cast(),
            )
        };
        ensure!(connection != 0, "the library made no connection; its log says why");
        self.join_poll_group(connection);
        Ok(connection)
    }

    /// Hands a signal to the library: whether it took it, and who asked for a connection with it.
    pub(crate) fn receive_signal(
        &self,
        data: &[u8],
        on_request: &OnRequest,
    ) -> (bool, Vec<ConnectRequest>) {
        let mut context = ReceiveContext { library: self, on_request, requests: Vec::new() };
        // SAFETY: the signal outlives the call, and so does the context, which the callbacks get
        // inside the call alone.
        let taken = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_ReceivedP2PCustomSignal2(
                self.sockets,
                data.as_ptr().cast(),
                count_of(data),
                ptr::from_mut(&mut context).cast(),
                Some(on_connect_request),
                Some(on_rejection_signal),
            )
        };
        (taken, context.requests)
    }

    /// Takes the signals that wait.
    pub(crate) fn take_signals(&self) -> VecDeque<Signal> {
        SIGNALS.lock().map(|mut signals| std::mem::take(&mut *signals)).unwrap_or_default()
    }

    /// Sets a callback of the global scope.
    pub(super) fn set_global_callback(&self, value: c_int, callback: *const c_void) -> bool {
        const GLOBAL: c_int = 1;
        const POINTER: c_int = 5;
        // SAFETY: for pointers the library takes the address of the pointer; it copies the value,
        // which is a function that lives for ever.
        unsafe {
            ffi::SteamAPI_ISteamNetworkingUtils_SetConfigValue(
                self.utils,
                value,
                GLOBAL,
                0,
                POINTER,
                ptr::from_ref(&callback).cast(),
            )
        }
    }
}

/// What the library calls a signaling object. It knows whom it leads to.
struct Channel {
    identity: Option<String>,
}

fn new_channel(identity: Option<&str>) -> *mut gns::ISteamNetworkingConnectionSignaling {
    let channel = Box::new(Channel { identity: identity.map(str::to_owned) });
    // SAFETY: the library gives the pointer back to these two functions only, and to
    // `release_channel` last and once.
    unsafe {
        gns::SteamAPI_ISteamNetworkingSockets_CreateCustomSignaling(
            Box::into_raw(channel).cast(),
            Some(send_signal),
            Some(release_channel),
        )
    }
}

/// Queues a signal; called by any thread, so it must not unwind.
fn queue(signal: Signal) {
    if let Ok(mut signals) = SIGNALS.lock()
        && signals.len() < MAX_SIGNALS
    {
        signals.push_back(signal);
    }
}

/// # Safety
/// `data` points at `len` bytes that live for the call.
unsafe fn bytes_at(data: *const c_void, len: c_int) -> Vec<u8> {
    match usize::try_from(len) {
        // SAFETY: the caller promises so many bytes.
        Ok(len @ 1..) => unsafe { slice::from_raw_parts(data.cast::<u8>(), len) }.to_vec(),
        _ => Vec::new(),
    }
}

unsafe extern "C" fn send_signal(
    channel: *mut c_void,
    connection: u32,
    _info: *const gns::SteamNetConnectionInfo_t,
    data: *const c_void,
    len: c_int,
) -> bool {
    // SAFETY: the library passes what `new_channel` made and did not release yet.
    let channel = unsafe { &*channel.cast::<Channel>() };
    // SAFETY: the library passes a signal that lives for the call.
    let data = unsafe { bytes_at(data, len) };
    queue(Signal { connection, identity: channel.identity.clone(), data });
    true
}

unsafe extern "C" fn release_channel(channel: *mut c_void) {
    // SAFETY: made by `new_channel`, and the library does not use it any more.
    drop(unsafe { Box::from_raw(channel.cast::<Channel>()) });
}

unsafe extern "C" fn create_signaling(
    _sockets: *mut gns::ISteamNetworkingSockets,
    peer: *const gns::SteamNetworkingIdentity,
    _local_virtual_port: c_int,
    _remote_virtual_port: c_int,
) -> *mut gns::ISteamNetworkingConnectionSignaling {
    // SAFETY: the library passes a valid identity that lives for the call.
    let identity = identity_text(unsafe { &*peer });
    new_channel(Some(&identity))
}

unsafe extern "C" fn on_connect_request(
    context: *mut c_void,
    connection: u32,
    peer: *const gns::SteamNetworkingIdentity,
    virtual_port: c_int,
) -> *mut gns::ISteamNetworkingConnectionSignaling {
    // SAFETY: `receive_signal` passes its context, and waits for the end of the call.
    let context = unsafe { &mut *context.cast::<ReceiveContext<'_>>() };
    // SAFETY: the library passes a valid identity that lives for the call.
    let identity = identity_text(unsafe { &*peer });
    let taken = match context.on_request {
        OnRequest::Offer => true,
        OnRequest::Accept => {
            context.library.accept(connection);
            true
        }
        OnRequest::Reject(Closing { reason, debug, .. }) => {
            context.library.close(connection, *reason, debug, false);
            false
        }
        OnRequest::Ignore => false,
    };
    let channel = if taken { new_channel(Some(&identity)) } else { ptr::null_mut() };
    context.requests.push(ConnectRequest { connection, identity, virtual_port, taken });
    channel
}

unsafe extern "C" fn on_rejection_signal(
    _context: *mut c_void,
    peer: *const gns::SteamNetworkingIdentity,
    data: *const c_void,
    len: c_int,
) {
    // SAFETY: the library passes a valid identity and a signal that live for the call.
    let (identity, data) = unsafe { (identity_text(&*peer), bytes_at(data, len)) };
    queue(Signal { connection: 0, identity: Some(identity), data });
}

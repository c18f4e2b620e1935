//! Valve's library as safe calls: the only place that calls its functions.

mod p2p;
mod users;

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_int};
use std::io::Write as _;
use std::ptr;
use std::sync::Mutex;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use gns_sys as gns;

use crate::config::{Assignment, ConfigTable, MAX_CONFIG_NUMBER, Scope, Setting};
use crate::ffi::{self, RawOption, text_at, text_of};
use crate::message::Message;

pub(crate) use self::users::SessionEvent;

/// `k_EResultOK`.
pub(crate) const RESULT_OK: i32 = 1;

/// Received messages taken from the library in one call.
pub(crate) const RECEIVE_BATCH: usize = 256;

/// Longest text of an address or identity, with room to spare.
const TEXT_BYTES: usize = 256;

/// Most lanes of a connection.
pub(crate) const MAX_LANES: usize = 255;

/// Largest text of `GetDetailedConnectionStatus` that is asked for.
const MAX_DETAILED_BYTES: usize = 1 << 20;

/// Largest certificate request that is asked for.
const MAX_CERTIFICATE_REQUEST_BYTES: usize = 4096;

/// State changes posted by the library and not yet taken. `RunCallbacks` fills it on the thread that
/// calls it, so it holds no more than one round.
static STATE_CHANGES: Mutex<VecDeque<StateChange>> = Mutex::new(VecDeque::new());

/// One `SteamNetConnectionStatusChangedCallback_t`.
#[derive(Clone, Copy)]
pub(crate) struct StateChange {
    pub(crate) connection: u32,
    pub(crate) old: gns::ESteamNetworkingConnectionState,
    pub(crate) info: gns::SteamNetConnectionInfo_t,
}

/// Real-time status of a connection and of its lanes.
pub(crate) struct RealTimeStatus {
    pub(crate) connection: gns::SteamNetConnectionRealTimeStatus_t,
    pub(crate) lanes: Vec<gns::SteamNetConnectionRealTimeLaneStatus_t>,
}

/// The initialised library. One per process; dropping it shuts the library down.
pub(crate) struct Library {
    sockets: *mut gns::ISteamNetworkingSockets,
    utils: *mut gns::ISteamNetworkingUtils,
    poll_group: u32,
    config: ConfigTable,
}

impl Library {
    /// Starts the library with an identity, or without one. `log_level` is
    /// `ESteamNetworkingSocketsDebugOutputType`, 0 to 8; the text goes to standard error.
    pub(crate) fn init(identity: Option<&str>, log_level: u32) -> Result<Self> {
        let identity = identity.map(parse_identity).transpose()?;
        let identity_pointer = identity.as_ref().map_or(ptr::null(), ptr::from_ref);
        let mut error = [0; 1024];
        // SAFETY: the identity is null or a valid one that outlives the call; the error buffer has
        // the size of SteamNetworkingErrMsg.
        let started = unsafe { gns::GameNetworkingSockets_Init(identity_pointer, &mut error) };
        ensure!(started, "the library did not start: {}", text_of(&error));
        // SAFETY: the library is initialised; these return its two process-wide interfaces.
        let (sockets, utils) = unsafe {
            (gns::SteamAPI_SteamNetworkingSockets_v009(), gns::SteamAPI_SteamNetworkingUtils_v003())
        };
        // SAFETY: initialised, as `Init` succeeded; the callbacks are functions that live for ever.
        let poll_group = unsafe {
            gns::SteamAPI_ISteamNetworkingUtils_SetDebugOutputFunction(
                utils,
                debug_level(log_level),
                Some(on_debug_output),
            );
            gns::SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetConnectionStatusChanged(
                utils,
                Some(on_state_change),
            );
            gns::SteamAPI_ISteamNetworkingSockets_CreatePollGroup(sockets)
        };
        let mut library = Self { sockets, utils, poll_group, config: ConfigTable::default() };
        library.read_config_table();
        library.install_signaling()?;
        library.install_session_callbacks()?;
        Ok(library)
    }

    fn read_config_table(&mut self) {
        for number in 1..=MAX_CONFIG_NUMBER {
            let mut data_type = 0;
            let mut scope = 0;
            // SAFETY: any number is allowed, and both outputs are writable integers; the name is
            // null or a static string.
            let name = unsafe {
                text_at(ffi::SteamAPI_ISteamNetworkingUtils_GetConfigValueInfo(
                    self.utils,
                    number,
                    &mut data_type,
                    &mut scope,
                ))
            };
            if !name.is_empty() {
                self.config.insert(name, number, data_type);
            }
        }
    }

    /// Sets one configuration value.
    pub(crate) fn set_config(&self, scope: Scope, setting: &Setting) -> Result<()> {
        let Assignment { number, argument } = self.config.resolve(setting)?;
        let (raw_scope, object) = scope.to_raw();
        // SAFETY: the argument points at a value of the named type, which outlives the call, or is
        // null; the library checks the number, the scope and the handle.
        let set = unsafe {
            ffi::SteamAPI_ISteamNetworkingUtils_SetConfigValue(
                self.utils,
                number,
                raw_scope,
                object,
                argument.data_type(),
                argument.as_pointer(),
            )
        };
        ensure!(set, "the library refused {} = {} at {scope:?}", setting.key, setting.value);
        Ok(())
    }

    fn assignments(&self, settings: &[Setting]) -> Result<Vec<Assignment>> {
        settings.iter().map(|setting| self.config.resolve(setting)).collect()
    }

    /// Opens a listen socket on an address such as `127.0.0.1:27100` or `[::]:27100`.
    pub(crate) fn listen(&self, address: &str, settings: &[Setting]) -> Result<u32> {
        let address = parse_address(address)?;
        let assignments = self.assignments(settings)?;
        let options: Vec<RawOption> =
            assignments.iter().map(Assignment::to_option).collect::<Result<_>>()?;
        // SAFETY: address and options outlive the call (texts live in `assignments`), and RawOption
        // has the layout of SteamNetworkingConfigValue_t.
        let socket = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(
                self.sockets,
                &address,
                count_of(&options),
                options.as_ptr().cast(),
            )
        };
        ensure!(socket != 0, "the library opened no listen socket; its log says why");
        Ok(socket)
    }

    /// The address that a listen socket is bound to.
    pub(crate) fn listen_address(&self, socket: u32) -> Option<String> {
        let mut address = gns::SteamNetworkingIPAddr::default();
        // SAFETY: the address is writable; the library checks the handle.
        let found = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_GetListenSocketAddress(
                self.sockets,
                socket,
                &mut address,
            )
        };
        found.then(|| address_text(&address))
    }

    pub(crate) fn close_listen(&self, socket: u32) -> bool {
        // SAFETY: the library checks the handle.
        unsafe { gns::SteamAPI_ISteamNetworkingSockets_CloseListenSocket(self.sockets, socket) }
    }

    /// Starts to connect, and puts the connection into the poll group.
    pub(crate) fn connect(&self, address: &str, settings: &[Setting]) -> Result<u32> {
        let address = parse_address(address)?;
        let assignments = self.assignments(settings)?;
        let options: Vec<RawOption> =
            assignments.iter().map(Assignment::to_option).collect::<Result<_>>()?;
        // SAFETY: as for `listen`.
        let connection = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress(
                self.sockets,
                &address,
                count_of(&options),
                options.as_ptr().cast(),
            )
        };
        ensure!(connection != 0, "the library made no connection; its log says why");
        self.join_poll_group(connection);
        Ok(connection)
    }

    /// Puts a connection into the one poll group that `receive` reads.
    pub(crate) fn join_poll_group(&self, connection: u32) -> bool {
        // SAFETY: the library checks both handles.
        unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_SetConnectionPollGroup(
                self.sockets,
                connection,
                self.poll_group,
            )
        }
    }

    /// Accepts an incoming connection; an EResult.
    pub(crate) fn accept(&self, connection: u32) -> i32 {
        // SAFETY: the library checks the handle.
        unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_AcceptConnection(self.sockets, connection) as i32
        }
    }

    /// Closes a connection; false for a handle that is not one.
    pub(crate) fn close(&self, connection: u32, reason: i32, debug: &str, linger: bool) -> bool {
        let debug = CString::new(debug.replace('\0', "")).expect("NULs were taken out");
        // SAFETY: the text outlives the call; the library checks handle and reason.
        unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_CloseConnection(
                self.sockets,
                connection,
                reason,
                debug.as_ptr(),
                linger,
            )
        }
    }

    /// Configures lanes; an EResult. Weights, where given, are as many as the priorities.
    pub(crate) fn configure_lanes(
        &self,
        connection: u32,
        priorities: &[i32],
        weights: Option<&[u16]>,
    ) -> Result<i32> {
        ensure!(
            weights.is_none_or(|weights| weights.len() == priorities.len()),
            "priorities and weights differ in number"
        );
        // SAFETY: both arrays have as many items as the count says (weights may be null) and
        // outlive the call.
        Ok(unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_ConfigureConnectionLanes(
                self.sockets,
                connection,
                count_of(priorities),
                priorities.as_ptr(),
                weights.map_or(ptr::null(), <[u16]>::as_ptr),
            ) as i32
        })
    }

    /// A message of `size` bytes, to be filled and sent.
    pub(crate) fn allocate(&self, size: usize) -> Result<Message> {
        let size = c_int::try_from(size).context("the message is larger than a C int")?;
        // SAFETY: the size is not negative; the library hands out an owned message or null.
        unsafe {
            Message::from_raw(gns::SteamAPI_ISteamNetworkingUtils_AllocateMessage(self.utils, size))
        }
        .ok_or_else(|| anyhow!("the library allocated no message of {size} bytes"))
    }

    /// Hands messages of one connection over, in order. Returns one result each: a message number, a
    /// negative EResult for the first one refused, 0 for those behind it. Messages that were not
    /// taken stay in `messages`.
    pub(crate) fn send(&self, messages: &mut VecDeque<Message>) -> Vec<i64> {
        let mut raw: Vec<_> = messages.drain(..).map(Message::into_raw).collect();
        let mut results = vec![0; raw.len()];
        // SAFETY: every pointer is a message that we own, and there is one result for each. With
        // `false` the library nulls the pointers that it took over and leaves us the others.
        unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_SendMessages(
                self.sockets,
                count_of(&raw),
                raw.as_mut_ptr(),
                results.as_mut_ptr(),
                false,
            );
        }
        for pointer in raw {
            // SAFETY: a pointer that is not null was left to us.
            messages.extend(unsafe { Message::from_raw(pointer) });
        }
        results
    }

    /// Ends the Nagle wait; an EResult.
    pub(crate) fn flush(&self, connection: u32) -> i32 {
        // SAFETY: the library checks the handle.
        unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_FlushMessagesOnConnection(
                self.sockets,
                connection,
            ) as i32
        }
    }

    /// Takes up to [`RECEIVE_BATCH`] messages of any connection.
    pub(crate) fn receive(&self) -> Vec<Message> {
        let mut raw = [ptr::null_mut(); RECEIVE_BATCH];
        // SAFETY: the array has room for as many pointers as the count says.
        let count = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnPollGroup(
                self.sockets,
                self.poll_group,
                raw.as_mut_ptr(),
                count_of(&raw),
            )
        };
        adopt(&raw, count)
    }

    /// Takes up to [`RECEIVE_BATCH`] messages of one connection.
    pub(crate) fn receive_from(&self, connection: u32) -> Vec<Message> {
        let mut raw = [ptr::null_mut(); RECEIVE_BATCH];
        // SAFETY: the array has room for as many pointers as the count says.
        let count = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnConnection(
                self.sockets,
                connection,
                raw.as_mut_ptr(),
                count_of(&raw),
            )
        };
        adopt(&raw, count)
    }

    /// Connection info; `None` for a handle that is not one.
    pub(crate) fn info(&self, connection: u32) -> Option<gns::SteamNetConnectionInfo_t> {
        let mut info = gns::SteamNetConnectionInfo_t::default();
        // SAFETY: the struct is writable; the library checks the handle.
        let found = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_GetConnectionInfo(
                self.sockets,
                connection,
                &mut info,
            )
        };
        found.then_some(info)
    }

    /// Real-time status with `lanes` lanes, or the EResult that says why not.
    pub(crate) fn real_time_status(
        &self,
        connection: u32,
        lanes: usize,
    ) -> Result<RealTimeStatus, i32> {
        let mut status = RealTimeStatus {
            connection: gns::SteamNetConnectionRealTimeStatus_t::default(),
            lanes: vec![gns::SteamNetConnectionRealTimeLaneStatus_t::default(); lanes],
        };
        // SAFETY: both outputs are writable and of the counts given.
        let result = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_GetConnectionRealTimeStatus(
                self.sockets,
                connection,
                &mut status.connection,
                count_of(&status.lanes),
                status.lanes.as_mut_ptr(),
            ) as i32
        };
        if result == RESULT_OK { Ok(status) } else { Err(result) }
    }

    /// The text of `GetDetailedConnectionStatus`.
    pub(crate) fn detailed_status(&self, connection: u32) -> Result<String> {
        let mut text: Vec<c_char> = vec![0; 16 << 10];
        loop {
            // SAFETY: the buffer is writable and of the size given.
            let result = unsafe {
                gns::SteamAPI_ISteamNetworkingSockets_GetDetailedConnectionStatus(
                    self.sockets,
                    connection,
                    text.as_mut_ptr(),
                    count_of(&text),
                )
            };
            match usize::try_from(result) {
                Err(_) => bail!("no such connection"),
                Ok(0) => return Ok(text_of(&text)),
                Ok(needed) => {
                    ensure!(
                        needed > text.len() && needed <= MAX_DETAILED_BYTES,
                        "the library wants {needed} bytes for the status text"
                    );
                    text.resize(needed, 0);
                }
            }
        }
    }

    /// Our own identity as text, where the library knows one.
    pub(crate) fn identity(&self) -> Option<String> {
        let mut identity = gns::SteamNetworkingIdentity::default();
        // SAFETY: the identity is writable.
        let known = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_GetIdentity(self.sockets, &mut identity)
        };
        known.then(|| identity_text(&identity))
    }

    /// The blob of `GetCertificateRequest`, for a certificate authority to sign.
    pub(crate) fn certificate_request(&self) -> Result<Vec<u8>> {
        let mut blob = vec![0_u8; MAX_CERTIFICATE_REQUEST_BYTES];
        let mut len = count_of(&blob);
        let mut error = [0; 1024];
        // SAFETY: the buffer is writable and of the size given; the error buffer has the size of
        // SteamNetworkingErrMsg.
        let made = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_GetCertificateRequest(
                self.sockets,
                &mut len,
                blob.as_mut_ptr().cast(),
                &mut error,
            )
        };
        ensure!(made, "the library made no certificate request: {}", text_of(&error));
        blob.truncate(usize::try_from(len).context("a negative length")?);
        Ok(blob)
    }

    /// Installs a signed certificate.
    pub(crate) fn set_certificate(&self, certificate: &[u8]) -> Result<()> {
        let mut error = [0; 1024];
        // SAFETY: the certificate outlives the call; the error buffer has the size of
        // SteamNetworkingErrMsg.
        let taken = unsafe {
            gns::SteamAPI_ISteamNetworkingSockets_SetCertificate(
                self.sockets,
                certificate.as_ptr().cast(),
                count_of(certificate),
                &mut error,
            )
        };
        ensure!(taken, "the library refused the certificate: {}", text_of(&error));
        Ok(())
    }

    /// Lets the library post its callbacks, and takes the state changes among them.
    pub(crate) fn run_callbacks(&self) -> VecDeque<StateChange> {
        // SAFETY: initialised; the callbacks run inside this call, on this thread.
        unsafe { gns::SteamAPI_ISteamNetworkingSockets_RunCallbacks(self.sockets) };
        std::mem::take(&mut *STATE_CHANGES.lock().expect("no code panics while it holds the lock"))
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: initialised, and nothing calls into the library afterwards. Messages that we
        // still own do not depend on it.
        unsafe { gns::GameNetworkingSockets_Kill() };
    }
}

/// The number of items, for a C count. Every list here is far below the limit.
fn count_of<T>(items: &[T]) -> c_int {
    c_int::try_from(items.len()).expect("lists given to the library are bounded by the protocol")
}

fn adopt(raw: &[*mut gns::SteamNetworkingMessage_t], count: c_int) -> Vec<Message> {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the library wrote `count` owned messages, and nothing else refers to them.
    raw.iter().take(count).filter_map(|&raw| unsafe { Message::from_raw(raw) }).collect()
}

fn parse_identity(text: &str) -> Result<gns::SteamNetworkingIdentity> {
    let c_text = CString::new(text).context("a NUL inside the identity")?;
    let mut identity = gns::SteamNetworkingIdentity::default();
    // SAFETY: the identity is writable and of the size given; the text outlives the call.
    let parsed = unsafe {
        gns::SteamNetworkingIdentity_ParseString(
            &mut identity,
            size_of::<gns::SteamNetworkingIdentity>(),
            c_text.as_ptr(),
        )
    };
    ensure!(parsed, "{text:?} is not an identity");
    Ok(identity)
}

/// The text form of an identity.
pub(crate) fn identity_text(identity: &gns::SteamNetworkingIdentity) -> String {
    let mut text = [0; TEXT_BYTES];
    // SAFETY: the buffer is writable and of the size given.
    unsafe { gns::SteamNetworkingIdentity_ToString(identity, text.as_mut_ptr(), text.len()) };
    text_of(&text)
}

fn parse_address(text: &str) -> Result<gns::SteamNetworkingIPAddr> {
    let c_text = CString::new(text).context("a NUL inside the address")?;
    let mut address = gns::SteamNetworkingIPAddr::default();
    // SAFETY: the address is writable; the text outlives the call.
    let parsed = unsafe { gns::SteamNetworkingIPAddr_ParseString(&mut address, c_text.as_ptr()) };
    ensure!(parsed, "{text:?} is not an address");
    Ok(address)
}

/// The text form of an address with its port.
pub(crate) fn address_text(address: &gns::SteamNetworkingIPAddr) -> String {
    let mut text = [0; TEXT_BYTES];
    // SAFETY: the buffer is writable and of the size given.
    unsafe { gns::SteamNetworkingIPAddr_ToString(address, text.as_mut_ptr(), text.len(), true) };
    text_of(&text)
}

fn debug_level(level: u32) -> gns::ESteamNetworkingSocketsDebugOutputType {
    use gns::ESteamNetworkingSocketsDebugOutputType as Level;
    match level {
        0 => Level::k_ESteamNetworkingSocketsDebugOutputType_None,
        1 => Level::k_ESteamNetworkingSocketsDebugOutputType_Bug,
        2 => Level::k_ESteamNetworkingSocketsDebugOutputType_Error,
        3 => Level::k_ESteamNetworkingSocketsDebugOutputType_Important,
        4 => Level::k_ESteamNetworkingSocketsDebugOutputType_Warning,
        5 => Level::k_ESteamNetworkingSocketsDebugOutputType_Msg,
        6 => Level::k_ESteamNetworkingSocketsDebugOutputType_Verbose,
        7 => Level::k_ESteamNetworkingSocketsDebugOutputType_Debug,
        8.. => Level::k_ESteamNetworkingSocketsDebugOutputType_Everything,
    }
}

/// Called by the library inside `RunCallbacks`.
unsafe extern "C" fn on_state_change(change: *mut gns::SteamNetConnectionStatusChangedCallback_t) {
    // SAFETY: the library passes a valid struct that lives for the call; its enums hold values of
    // the same header that the bindings come from.
    let change = unsafe { change.read_unaligned() };
    let change =
        StateChange { connection: change.m_hConn, old: change.m_eOldState, info: change.m_info };
    if let Ok(mut changes) = STATE_CHANGES.lock() {
        changes.push_back(change);
    }
}

/// Called by the library from any of its threads. Must not unwind, so a failed write is let go.
unsafe extern "C" fn on_debug_output(
    level: gns::ESteamNetworkingSocketsDebugOutputType,
    text: *const c_char,
) {
    // SAFETY: the library passes a NUL-terminated string that lives for the call.
    let text = unsafe { text_at(text) };
    let _ = writeln!(std::io::stderr(), "valve[{}] {}", level as u32, text.trim_end());
}

//! The library's life in a process: the objects that programs point to, and what is behind them
//! between `GameNetworkingSockets_Init` and `_Kill`.
//!
//! The objects are static, so that a pointer kept beyond `Kill` is harmless: its calls answer as for
//! a handle that does not exist.

use std::{
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use gamewire::{
    ConnectionHandle, HandleSpace, Identity, ListenSocketHandle, Options, PollGroupHandle, Sockets,
    ThreadHook, config::ScopeValues,
};

use crate::{
    signaling,
    vtables::{
        ISteamNetworkingMessages, ISteamNetworkingSockets, ISteamNetworkingUtils, MESSAGES,
        SOCKETS, UTILS,
    },
};

/// The global scope of configuration. It outlives `Kill`, as with Valve's library.
pub(crate) static GLOBAL: LazyLock<Arc<ScopeValues>> = LazyLock::new(ScopeValues::global);

/// One ISteamNetworkingSockets with the ISteamNetworkingMessages on top of it.
pub(crate) struct Interface {
    pub(crate) sockets: ISteamNetworkingSockets,
    pub(crate) messages: ISteamNetworkingMessages,
    running: ArcSwapOption<Sockets>,
}

impl Interface {
    const fn new() -> Self {
        Self {
            sockets: ISteamNetworkingSockets { vtable: SOCKETS },
            messages: ISteamNetworkingMessages { vtable: MESSAGES },
            running: ArcSwapOption::const_empty(),
        }
    }

    /// What is behind it; `None` before `Init` and after `Kill`.
    pub(crate) fn running(&self) -> Option<Arc<Sockets>> {
        self.running.load_full()
    }

    /// The pointer that programs know it by.
    pub(crate) fn pointer(&self) -> *mut ISteamNetworkingSockets {
        (&raw const self.sockets).cast_mut()
    }
}

/// The user's interface.
pub(crate) static USER: Interface = Interface::new();
/// The game server's interface, which comes to life when it is first asked for.
pub(crate) static GAME_SERVER: Interface = Interface::new();
/// The one ISteamNetworkingUtils, alive at all times.
pub(crate) static UTILITIES: ISteamNetworkingUtils = ISteamNetworkingUtils { vtable: UTILS };

static INTERFACES: [&Interface; 2] = [&USER, &GAME_SERVER];

/// What both interfaces are made with; `None` outside of `Init` and `Kill`.
static SETUP: Mutex<Option<Options>> = Mutex::new(None);

/// Whether the application does the service threads' work.
static MANUAL_POLL: AtomicBool = AtomicBool::new(false);

/// A function of the application for each service thread.
static THREAD_FUNCTION: Mutex<Option<extern "C" fn()>> = Mutex::new(None);

fn setup() -> MutexGuard<'static, Option<Options>> {
    SETUP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the user's interface. With the library up already, nothing happens.
pub(crate) fn init(identity: Option<Identity>) -> Result<(), String> {
    let mut setup = setup();
    if setup.is_some() {
        tracing::error!("GameNetworkingSockets_Init was called twice");
        return Ok(());
    }
    let mut options = crate::gamewire_functions::options()?;
    options.identity = match identity {
        None => Identity::localhost(),
        Some(Identity::Invalid) => return Err("The identity is invalid".to_owned()),
        Some(identity) => identity,
    };
    options.global_config = GLOBAL.clone();
    options.thread_hook = Some(ThreadHook::new(run_thread_function));
    start(&USER, options.clone())?;
    *setup = Some(options);
    Ok(())
}

/// Brings the game server's interface to life; `None` before `Init`.
pub(crate) fn game_server() -> Option<&'static Interface> {
    let setup = setup();
    let options = setup.as_ref()?;
    if GAME_SERVER.running().is_none() {
        let options = Options { handle_space: HandleSpace::High, ..options.clone() };
        if let Err(error) = start(&GAME_SERVER, options) {
            tracing::error!(error, "cannot start the game server's interface");
            return None;
        }
    }
    Some(&GAME_SERVER)
}

fn start(interface: &'static Interface, mut options: Options) -> Result<(), String> {
    options.manual_poll = MANUAL_POLL.load(Ordering::Acquire);
    let sockets = Sockets::new(options).map_err(|error| error.to_string())?;
    sockets.set_signaling_maker(Some(signaling::maker(interface)));
    interface.running.store(Some(Arc::new(sockets)));
    Ok(())
}

/// Ends everything. Calls that are on their way in other threads still finish.
pub(crate) fn kill() {
    let mut setup = setup();
    for interface in INTERFACES {
        drop(interface.running.swap(None));
    }
    *setup = None;
}

/// The interface that a pointer of a program means, and its instance if the library is up.
pub(crate) fn sockets(this: *const ISteamNetworkingSockets) -> Option<Arc<Sockets>> {
    let interface = INTERFACES.iter().find(|known| std::ptr::eq(&known.sockets, this))?;
    interface.running()
}

/// The instance behind a pointer, with the connection that a number stands for there; `None` if
/// either cannot be.
pub(crate) fn connection(
    this: *const ISteamNetworkingSockets,
    raw: u32,
) -> Option<(Arc<Sockets>, ConnectionHandle)> {
    Some((sockets(this)?, ConnectionHandle::from_raw(raw)?))
}

/// As [`connection`], for a listen socket.
pub(crate) fn listen_socket(
    this: *const ISteamNetworkingSockets,
    raw: u32,
) -> Option<(Arc<Sockets>, ListenSocketHandle)> {
    Some((sockets(this)?, ListenSocketHandle::from_raw(raw)?))
}

/// As [`connection`], for a poll group.
pub(crate) fn poll_group(
    this: *const ISteamNetworkingSockets,
    raw: u32,
) -> Option<(Arc<Sockets>, PollGroupHandle)> {
    Some((sockets(this)?, PollGroupHandle::from_raw(raw)?))
}

/// As [`sockets`], for a pointer to the messages interface.
pub(crate) fn sockets_of_messages(this: *const ISteamNetworkingMessages) -> Option<Arc<Sockets>> {
    let interface = INTERFACES.iter().find(|known| std::ptr::eq(&known.messages, this))?;
    interface.running()
}

/// The instance that a handle belongs to.
pub(crate) fn sockets_of_handle(handle: u32) -> Option<Arc<Sockets>> {
    if handle >> 31 == 0 { USER.running() } else { GAME_SERVER.running() }
}

/// The instance whose interface a configuration scope names by its address.
pub(crate) fn sockets_of_address(address: isize) -> Option<Arc<Sockets>> {
    sockets(std::ptr::with_exposed_provenance(address.cast_unsigned()))
}

/// Every instance that is up.
pub(crate) fn all_running() -> impl Iterator<Item = Arc<Sockets>> {
    INTERFACES.iter().filter_map(|interface| interface.running())
}

/// See [`Sockets::set_manual_poll`]; holds for instances made later, too.
pub(crate) fn set_manual_poll(manual: bool) {
    MANUAL_POLL.store(manual, Ordering::Release);
    all_running().for_each(|sockets| sockets.set_manual_poll(manual));
}

/// See [`Sockets::poll`]. The wait is spent on the user's interface.
pub(crate) fn poll(max_wait_ms: i32) {
    let max_wait = Duration::from_millis(u64::try_from(max_wait_ms).unwrap_or(0));
    if let Some(sockets) = GAME_SERVER.running() {
        sockets.poll(Duration::ZERO);
    }
    if let Some(sockets) = USER.running() {
        sockets.poll(max_wait);
    }
}

/// Sets what each service thread calls first.
pub(crate) fn set_thread_function(function: Option<extern "C" fn()>) {
    *THREAD_FUNCTION.lock().unwrap_or_else(PoisonError::into_inner) = function;
}

fn run_thread_function() {
    let function = *THREAD_FUNCTION.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(function) = function {
        function();
    }
}

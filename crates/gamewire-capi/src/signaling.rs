//! The application's signaling objects, called through their C++ vtables; and such objects made from
//! plain C functions.

use std::ffi::{c_int, c_void};

use gamewire::{
    ConfigId, ConnectionHandle, ConnectionInfo, ConnectionSignaling, Identity, SignalingMaker,
    SignalingRecvContext,
};

use crate::{
    boundary::guard,
    callbacks::{function_at, global_pointer},
    instance::Interface,
    types::{HSteamNetConnection, SteamNetConnectionInfo_t, SteamNetworkingIdentity},
    vtables::ISteamNetworkingSockets,
};

/// Methods of an ISteamNetworkingConnectionSignaling.
#[repr(C)]
pub struct ConnectionSignalingVtable {
    /// Sends a signal; false is fatal for the connection.
    pub SendSignal: unsafe extern "C" fn(
        *mut ISteamNetworkingConnectionSignaling,
        HSteamNetConnection,
        *const SteamNetConnectionInfo_t,
        *const c_void,
        c_int,
    ) -> bool,
    /// The library does not need it any more.
    pub Release: unsafe extern "C" fn(*mut ISteamNetworkingConnectionSignaling),
}

/// A channel of the application to one peer.
#[repr(C)]
pub struct ISteamNetworkingConnectionSignaling {
    /// Its methods.
    pub vtable: *const ConnectionSignalingVtable,
}

/// Methods of an ISteamNetworkingSignalingRecvContext.
#[repr(C)]
pub struct SignalingRecvContextVtable {
    /// Somebody wants to connect.
    pub OnConnectRequest: unsafe extern "C" fn(
        *mut ISteamNetworkingSignalingRecvContext,
        HSteamNetConnection,
        *const SteamNetworkingIdentity,
        c_int,
    ) -> *mut ISteamNetworkingConnectionSignaling,
    /// A refusal is to be sent.
    pub SendRejectionSignal: unsafe extern "C" fn(
        *mut ISteamNetworkingSignalingRecvContext,
        *const SteamNetworkingIdentity,
        *const c_void,
        c_int,
    ),
}

/// What the application says to one signal.
#[repr(C)]
pub struct ISteamNetworkingSignalingRecvContext {
    /// Its methods.
    pub vtable: *const SignalingRecvContextVtable,
}

/// A signaling object of the application, in the library's hands: released when it goes.
pub(crate) struct AppSignaling(*mut ISteamNetworkingConnectionSignaling);

// SAFETY: the header demands that these objects can be called from any thread.
unsafe impl Send for AppSignaling {}
// SAFETY: as above.
unsafe impl Sync for AppSignaling {}

impl AppSignaling {
    /// Takes an object over; `None` for null.
    ///
    /// # Safety
    /// Null, or an object that lives until it is released.
    pub(crate) unsafe fn take(object: *mut ISteamNetworkingConnectionSignaling) -> Option<Self> {
        (!object.is_null()).then(|| Self(object))
    }
}

impl ConnectionSignaling for AppSignaling {
    fn send_signal(
        &self,
        connection: ConnectionHandle,
        info: &ConnectionInfo,
        signal: &[u8],
    ) -> bool {
        let info = SteamNetConnectionInfo_t::from(info);
        let Ok(size) = c_int::try_from(signal.len()) else { return false };
        // SAFETY: the object lives until `Release`, and the pointers for the call.
        unsafe {
            ((*(*self.0).vtable).SendSignal)(
                self.0,
                connection.to_raw(),
                &raw const info,
                signal.as_ptr().cast(),
                size,
            )
        }
    }
}

impl Drop for AppSignaling {
    fn drop(&mut self) {
        // SAFETY: the object lives until this call, which is made once.
        unsafe { ((*(*self.0).vtable).Release)(self.0) };
    }
}

/// Makes the signaling object of a connection for which the application gives none: the interface,
/// the peer, our virtual port and its.
pub type FnSteamNetworkingSocketsCreateConnectionSignaling = Option<
    unsafe extern "C" fn(
        *mut ISteamNetworkingSockets,
        *const SteamNetworkingIdentity,
        c_int,
        c_int,
    ) -> *mut ISteamNetworkingConnectionSignaling,
>;

/// What asks the function in `Callback_CreateConnectionSignaling`, whatever is there at the time.
pub(crate) fn maker(interface: &'static Interface) -> SignalingMaker {
    SignalingMaker::new(move |peer, local_virtual_port, remote_virtual_port| {
        let address = global_pointer(ConfigId::CallbackCreateConnectionSignaling);
        let peer = SteamNetworkingIdentity::from(peer);
        // SAFETY: this value holds a function of this type or null, and what it returns is an object
        // of the application or null.
        unsafe {
            let function =
                function_at::<FnSteamNetworkingSocketsCreateConnectionSignaling>(address)?;
            let object = function(
                interface.pointer(),
                &raw const peer,
                local_virtual_port,
                remote_virtual_port,
            );
            Some(Box::new(AppSignaling::take(object)?) as Box<dyn ConnectionSignaling>)
        }
    })
}

/// A context of the application, for the length of one call.
pub(crate) struct AppRecvContext(pub(crate) *mut ISteamNetworkingSignalingRecvContext);

impl SignalingRecvContext for AppRecvContext {
    fn on_connect_request(
        &mut self,
        connection: ConnectionHandle,
        peer: &Identity,
        local_virtual_port: i32,
    ) -> Option<Box<dyn ConnectionSignaling>> {
        let peer = SteamNetworkingIdentity::from(peer);
        // SAFETY: the context lives for the call in which this happens, and what it returns is an
        // object of the application or null.
        unsafe {
            let signaling = ((*(*self.0).vtable).OnConnectRequest)(
                self.0,
                connection.to_raw(),
                &raw const peer,
                local_virtual_port,
            );
            Some(Box::new(AppSignaling::take(signaling)?))
        }
    }

    fn send_rejection_signal(&mut self, peer: &Identity, signal: &[u8]) {
        let peer = SteamNetworkingIdentity::from(peer);
        let Ok(size) = c_int::try_from(signal.len()) else { return };
        let signal = signal.as_ptr().cast();
        // SAFETY: as above.
        unsafe {
            ((*(*self.0).vtable).SendRejectionSignal)(self.0, &raw const peer, signal, size);
        }
    }
}

/// Sends a signal for `SteamAPI_ISteamNetworkingSockets_CreateCustomSignaling`.
pub type FSteamNetworkingSocketsCustomSignaling_SendSignal = Option<
    unsafe extern "C" fn(
        *mut c_void,
        HSteamNetConnection,
        *const SteamNetConnectionInfo_t,
        *const c_void,
        c_int,
    ) -> bool,
>;
/// Cleans up after it.
pub type FSteamNetworkingSocketsCustomSignaling_Release = Option<unsafe extern "C" fn(*mut c_void)>;
/// Answers a request to connect.
pub type FSteamNetworkingCustomSignalingRecvContext_OnConnectRequest = Option<
    unsafe extern "C" fn(
        *mut c_void,
        HSteamNetConnection,
        *const SteamNetworkingIdentity,
        c_int,
    ) -> *mut ISteamNetworkingConnectionSignaling,
>;
/// Sends a refusal.
pub type FSteamNetworkingCustomSignalingRecvContext_SendRejectionSignal =
    Option<unsafe extern "C" fn(*mut c_void, *const SteamNetworkingIdentity, *const c_void, c_int)>;

/// A signaling object made from plain functions.
#[repr(C)]
struct PlainSignaling {
    base: ISteamNetworkingConnectionSignaling,
    context: *mut c_void,
    send: FSteamNetworkingSocketsCustomSignaling_SendSignal,
    release: FSteamNetworkingSocketsCustomSignaling_Release,
}

static PLAIN_SIGNALING: ConnectionSignalingVtable =
    ConnectionSignalingVtable { SendSignal: plain_send, Release: plain_release };

/// Makes a signaling object; null without a function that sends.
pub(crate) fn plain_signaling(
    context: *mut c_void,
    send: FSteamNetworkingSocketsCustomSignaling_SendSignal,
    release: FSteamNetworkingSocketsCustomSignaling_Release,
) -> *mut ISteamNetworkingConnectionSignaling {
    if send.is_none() {
        return std::ptr::null_mut();
    }
    let base = ISteamNetworkingConnectionSignaling { vtable: &raw const PLAIN_SIGNALING };
    Box::into_raw(Box::new(PlainSignaling { base, context, send, release })).cast()
}

unsafe extern "C" fn plain_send(
    this: *mut ISteamNetworkingConnectionSignaling,
    connection: HSteamNetConnection,
    info: *const SteamNetConnectionInfo_t,
    signal: *const c_void,
    size: c_int,
) -> bool {
    let this = this.cast::<PlainSignaling>();
    // SAFETY: only objects of `plain_signaling` have this method.
    unsafe {
        (*this).send.is_some_and(|send| send((*this).context, connection, info, signal, size))
    }
}

unsafe extern "C" fn plain_release(this: *mut ISteamNetworkingConnectionSignaling) {
    guard((), || {
        // SAFETY: only objects of `plain_signaling` have this method, and it is called once.
        let this = unsafe { Box::from_raw(this.cast::<PlainSignaling>()) };
        if let Some(release) = this.release {
            // SAFETY: the application's function, with its context.
            unsafe { release(this.context) };
        }
    });
}

/// A context made from plain functions.
#[repr(C)]
pub(crate) struct PlainRecvContext {
    base: ISteamNetworkingSignalingRecvContext,
    context: *mut c_void,
    on_request: FSteamNetworkingCustomSignalingRecvContext_OnConnectRequest,
    reject: FSteamNetworkingCustomSignalingRecvContext_SendRejectionSignal,
}

static PLAIN_RECV_CONTEXT: SignalingRecvContextVtable = SignalingRecvContextVtable {
    OnConnectRequest: plain_on_request,
    SendRejectionSignal: plain_reject,
};

impl PlainRecvContext {
    pub(crate) fn new(
        context: *mut c_void,
        on_request: FSteamNetworkingCustomSignalingRecvContext_OnConnectRequest,
        reject: FSteamNetworkingCustomSignalingRecvContext_SendRejectionSignal,
    ) -> Self {
        let base = ISteamNetworkingSignalingRecvContext { vtable: &raw const PLAIN_RECV_CONTEXT };
        Self { base, context, on_request, reject }
    }

    /// The context as the object that it stands for.
    pub(crate) fn object(&mut self) -> *mut ISteamNetworkingSignalingRecvContext {
        (&raw mut *self).cast()
    }
}

unsafe extern "C" fn plain_on_request(
    this: *mut ISteamNetworkingSignalingRecvContext,
    connection: HSteamNetConnection,
    peer: *const SteamNetworkingIdentity,
    port: c_int,
) -> *mut ISteamNetworkingConnectionSignaling {
    let this = this.cast::<PlainRecvContext>();
    // SAFETY: only contexts of `PlainRecvContext::new` have this method.
    unsafe {
        match (*this).on_request {
            Some(on_request) => on_request((*this).context, connection, peer, port),
            None => std::ptr::null_mut(),
        }
    }
}

unsafe extern "C" fn plain_reject(
    this: *mut ISteamNetworkingSignalingRecvContext,
    peer: *const SteamNetworkingIdentity,
    signal: *const c_void,
    size: c_int,
) {
    let this = this.cast::<PlainRecvContext>();
    // SAFETY: only contexts of `PlainRecvContext::new` have this method.
    unsafe {
        if let Some(reject) = (*this).reject {
            reject((*this).context, peer, signal, size);
        }
    }
}

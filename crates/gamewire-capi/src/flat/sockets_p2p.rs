//! ISteamNetworkingSockets: connections by identity, and the application's own signaling.

use std::ffi::{c_int, c_void};

use crate::{
    boundary::{self, guard},
    identity, instance, options,
    signaling::{
        AppRecvContext, AppSignaling, FSteamNetworkingCustomSignalingRecvContext_OnConnectRequest,
        FSteamNetworkingCustomSignalingRecvContext_SendRejectionSignal,
        FSteamNetworkingSocketsCustomSignaling_Release,
        FSteamNetworkingSocketsCustomSignaling_SendSignal, ISteamNetworkingConnectionSignaling,
        ISteamNetworkingSignalingRecvContext, PlainRecvContext, plain_signaling,
    },
    types::{
        HSteamListenSocket, HSteamNetConnection, SteamNetworkingConfigValue_t,
        SteamNetworkingIdentity,
    },
    vtables::ISteamNetworkingSockets,
};

/// Listens on a virtual port. 0 if that cannot be.
///
/// # Safety
/// As many options as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_CreateListenSocketP2P(
    self_: *mut ISteamNetworkingSockets,
    nLocalVirtualPort: c_int,
    nOptions: c_int,
    pOptions: *const SteamNetworkingConfigValue_t,
) -> HSteamListenSocket {
    guard(0, || {
        // SAFETY: the caller's promise.
        let options = unsafe { options::read(nOptions, pOptions) };
        let (Some(sockets), Some(options)) = (instance::sockets(self_), options) else { return 0 };
        match sockets.create_listen_socket_p2p(nLocalVirtualPort, &options) {
            Ok(socket) => socket.to_raw(),
            Err(error) => {
                tracing::error!(%error, "cannot listen on a virtual port");
                0
            }
        }
    })
}

/// Connects to an identity by way of the rendezvous service. 0 if that cannot be.
///
/// # Safety
/// Null or an identity, and as many options as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_ConnectP2P(
    self_: *mut ISteamNetworkingSockets,
    identityRemote: *const SteamNetworkingIdentity,
    nRemoteVirtualPort: c_int,
    nOptions: c_int,
    pOptions: *const SteamNetworkingConfigValue_t,
) -> HSteamNetConnection {
    guard(0, || {
        // SAFETY: the caller's promise.
        let (peer, options) =
            unsafe { (identity::read(identityRemote), options::read(nOptions, pOptions)) };
        let (Some(sockets), Some(peer), Some(options)) = (instance::sockets(self_), peer, options)
        else {
            return 0;
        };
        match sockets.connect_p2p(&peer, nRemoteVirtualPort, &options) {
            Ok(connection) => connection.to_raw(),
            Err(error) => {
                tracing::error!(%peer, %error, "cannot connect to an identity");
                0
            }
        }
    })
}

/// Connects by way of the application's signaling, which is the library's from this call on: it is
/// released even if the call fails. 0 if that cannot be.
///
/// # Safety
/// A signaling object; null or an identity; as many options as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_ConnectP2PCustomSignaling(
    self_: *mut ISteamNetworkingSockets,
    pSignaling: *mut ISteamNetworkingConnectionSignaling,
    pPeerIdentity: *const SteamNetworkingIdentity,
    nRemoteVirtualPort: c_int,
    nOptions: c_int,
    pOptions: *const SteamNetworkingConfigValue_t,
) -> HSteamNetConnection {
    guard(0, || {
        // SAFETY: the caller's promise.
        let (signaling, peer, options) = unsafe {
            (
                AppSignaling::take(pSignaling),
                identity::read(pPeerIdentity),
                options::read(nOptions, pOptions),
            )
        };
        let (Some(signaling), Some(sockets), Some(options)) =
            (signaling, instance::sockets(self_), options)
        else {
            return 0;
        };
        let peer = peer.filter(|peer| !peer.is_invalid());
        match sockets.connect_p2p_custom_signaling(
            Box::new(signaling),
            peer.as_ref(),
            nRemoteVirtualPort,
            &options,
        ) {
            Ok(connection) => connection.to_raw(),
            Err(error) => {
                tracing::error!(%error, "cannot connect by custom signaling");
                0
            }
        }
    })
}

/// Takes one signal. False: it makes no sense.
///
/// # Safety
/// That many bytes, and a context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_ReceivedP2PCustomSignal(
    self_: *mut ISteamNetworkingSockets,
    pMsg: *const c_void,
    cbMsg: c_int,
    pContext: *mut ISteamNetworkingSignalingRecvContext,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let signal = unsafe { boundary::array(pMsg.cast::<u8>(), cbMsg) };
        let Some(sockets) = instance::sockets(self_) else { return false };
        if signal.is_empty() || pContext.is_null() {
            return false;
        }
        sockets.received_p2p_custom_signal(signal, &mut AppRecvContext(pContext))
    })
}

/// Makes a signaling object from plain functions; null without `fnSendSignal`.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_CreateCustomSignaling(
    ctx: *mut c_void,
    fnSendSignal: FSteamNetworkingSocketsCustomSignaling_SendSignal,
    fnRelease: FSteamNetworkingSocketsCustomSignaling_Release,
) -> *mut ISteamNetworkingConnectionSignaling {
    guard(std::ptr::null_mut(), || plain_signaling(ctx, fnSendSignal, fnRelease))
}

/// As `ReceivedP2PCustomSignal`, with plain functions in place of a context.
///
/// # Safety
/// That many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_ReceivedP2PCustomSignal2(
    self_: *mut ISteamNetworkingSockets,
    pMsg: *const c_void,
    cbMsg: c_int,
    ctx: *mut c_void,
    fnOnConnectRequest: FSteamNetworkingCustomSignalingRecvContext_OnConnectRequest,
    fnSendRejectionSignal: FSteamNetworkingCustomSignalingRecvContext_SendRejectionSignal,
) -> bool {
    let mut context = PlainRecvContext::new(ctx, fnOnConnectRequest, fnSendRejectionSignal);
    // SAFETY: the caller's promise, and a context that lives for the call.
    unsafe {
        SteamAPI_ISteamNetworkingSockets_ReceivedP2PCustomSignal(
            self_,
            pMsg,
            cbMsg,
            context.object(),
        )
    }
}

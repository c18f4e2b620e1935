//! Messages to users without connections: `ISteamNetworkingMessages`.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::ptr;
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use gns_sys as gns;

use super::{Library, RECEIVE_BATCH, adopt, count_of, identity_text, parse_identity};
use crate::message::Message;

/// `k_ESteamNetworkingConfig_Callback_MessagesSessionRequest`.
const SESSION_REQUEST_CALLBACK: i32 = 204;
/// `k_ESteamNetworkingConfig_Callback_MessagesSessionFailed`.
const SESSION_FAILED_CALLBACK: i32 = 205;

/// What happened to sessions and was not taken yet. `RunCallbacks` fills it on the thread that calls
/// it, so it holds no more than one round.
static SESSION_EVENTS: Mutex<VecDeque<SessionEvent>> = Mutex::new(VecDeque::new());

/// What the library says about sessions.
pub(crate) enum SessionEvent {
    /// A user without a session sent something.
    Request(String),
    /// A session ended by itself.
    Failed(Box<gns::SteamNetConnectionInfo_t>),
}

impl Library {
    /// Asks to hear of sessions.
    pub(super) fn install_session_callbacks(&self) -> Result<()> {
        let request: unsafe extern "C" fn(*mut gns::SteamNetworkingMessagesSessionRequest_t) =
            on_session_request;
        let failed: unsafe extern "C" fn(*mut gns::SteamNetworkingMessagesSessionFailed_t) =
            on_session_failed;
        let set = self.set_global_callback(SESSION_REQUEST_CALLBACK, request as *const c_void)
            && self.set_global_callback(SESSION_FAILED_CALLBACK, failed as *const c_void);
        ensure!(set, "the library refused the callbacks of sessions");
        Ok(())
    }

    fn messages() -> *mut gns::ISteamNetworkingMessages {
        // SAFETY: there is a `Library`, so it is initialised.
        unsafe { gns::SteamAPI_SteamNetworkingMessages_v002() }
    }

    /// Sends one message; an EResult.
    pub(crate) fn send_to_user(
        &self,
        identity: &str,
        channel: i32,
        flags: i32,
        payload: &[u8],
    ) -> Result<i32> {
        let identity = parse_identity(identity)?;
        let len = u32::try_from(payload.len()).context("a message beyond 32 bits")?;
        // SAFETY: identity and payload outlive the call.
        Ok(unsafe {
            gns::SteamAPI_ISteamNetworkingMessages_SendMessageToUser(
                Self::messages(),
                &identity,
                payload.as_ptr().cast(),
                len,
                flags,
                channel,
            ) as i32
        })
    }

    /// Takes up to [`RECEIVE_BATCH`] messages of a channel, with their senders.
    pub(crate) fn receive_on_channel(&self, channel: i32) -> Vec<(String, Message)> {
        let mut raw = [ptr::null_mut(); RECEIVE_BATCH];
        // SAFETY: the array has room for as many pointers as the count says.
        let count = unsafe {
            gns::SteamAPI_ISteamNetworkingMessages_ReceiveMessagesOnChannel(
                Self::messages(),
                channel,
                raw.as_mut_ptr(),
                count_of(&raw),
            )
        };
        let with_sender = |message: Message| (identity_text(&message.identity()), message);
        adopt(&raw, count).into_iter().map(with_sender).collect()
    }

    pub(crate) fn accept_session(&self, identity: &str) -> Result<bool> {
        let identity = parse_identity(identity)?;
        // SAFETY: the identity outlives the call.
        Ok(unsafe {
            gns::SteamAPI_ISteamNetworkingMessages_AcceptSessionWithUser(
                Self::messages(),
                &identity,
            )
        })
    }

    pub(crate) fn close_session(&self, identity: &str) -> Result<bool> {
        let identity = parse_identity(identity)?;
        // SAFETY: the identity outlives the call.
        Ok(unsafe {
            gns::SteamAPI_ISteamNetworkingMessages_CloseSessionWithUser(Self::messages(), &identity)
        })
    }

    pub(crate) fn close_session_channel(&self, identity: &str, channel: i32) -> Result<bool> {
        let identity = parse_identity(identity)?;
        // SAFETY: the identity outlives the call.
        Ok(unsafe {
            gns::SteamAPI_ISteamNetworkingMessages_CloseChannelWithUser(
                Self::messages(),
                &identity,
                channel,
            )
        })
    }

    /// The connection of a session. Its state is `None` where there is no session.
    pub(crate) fn session_info(&self, identity: &str) -> Result<gns::SteamNetConnectionInfo_t> {
        let identity = parse_identity(identity)?;
        let mut info = gns::SteamNetConnectionInfo_t::default();
        // SAFETY: the identity outlives the call, the info is writable, and the status may be null.
        unsafe {
            gns::SteamAPI_ISteamNetworkingMessages_GetSessionConnectionInfo(
                Self::messages(),
                &identity,
                &mut info,
                ptr::null_mut(),
            );
        }
        Ok(info)
    }

    /// Takes what happened to sessions; valid after `run_callbacks`.
    pub(crate) fn take_session_events(&self) -> VecDeque<SessionEvent> {
        SESSION_EVENTS.lock().map(|mut events| std::mem::take(&mut *events)).unwrap_or_default()
    }
}

fn note(event: SessionEvent) {
    if let Ok(mut events) = SESSION_EVENTS.lock() {
        events.push_back(event);
    }
}

/// Called by the library inside `RunCallbacks`.
unsafe extern "C" fn on_session_request(
    request: *mut gns::SteamNetworkingMessagesSessionRequest_t,
) {
    // SAFETY: the library passes a valid struct that lives for the call.
    let identity = unsafe { request.read_unaligned() }.m_identityRemote;
    note(SessionEvent::Request(identity_text(&identity)));
}

/// Called by the library inside `RunCallbacks`.
unsafe extern "C" fn on_session_failed(failed: *mut gns::SteamNetworkingMessagesSessionFailed_t) {
    // SAFETY: the library passes a valid struct that lives for the call.
    let info = unsafe { failed.read_unaligned() }.m_info;
    note(SessionEvent::Failed(Box::new(info)));
}

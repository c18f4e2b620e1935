//! Connections by identity, and sessions with users, in the life of the peer.

use anyhow::Result;
use gns_sys::ESteamNetworkingConnectionState as State;
use serde_json::{Value, json};

use super::{Session, result_fields};
use crate::content;
use crate::describe;
use crate::inbox::summary_of;
use crate::library::{RECEIVE_BATCH, RESULT_OK, SessionEvent};
use crate::output::Sink;
use crate::protocol::{ConnectTo, OnRequest, OnSession, PeerCommand, UserCommand, UserMessages};

/// What the driver said about requests, sessions and channels.
#[derive(Debug)]
pub(super) struct Peers {
    on_request: OnRequest,
    on_session: OnSession,
    /// Channels that are read.
    channels: Vec<i32>,
    /// Connections that came in by signals; there may be no listen socket that tells.
    pub(super) requested: Vec<u32>,
}

/// The virtual port of sessions with users, whose connections are the library's own.
const SESSIONS: i32 = 0x7fff_ffff;

/// Requests remembered at a time; the oldest make room.
const MAX_REQUESTED: usize = 4096;

impl Peers {
    pub(super) fn new() -> Self {
        Self {
            on_request: OnRequest::Offer,
            on_session: OnSession::Accept,
            channels: Vec::new(),
            requested: Vec::new(),
        }
    }

    pub(super) fn has_requested(&self, connection: u32) -> bool {
        self.requested.contains(&connection)
    }
}

impl Session {
    /// Reports signals, sessions and messages of users. Returns whether there is more at once.
    pub(super) fn turn_of_peers(&mut self, sink: &mut impl Sink) -> bool {
        for signal in self.library.take_signals() {
            sink.emit(json!({
                "event": "signal",
                "connection": signal.connection,
                "identity": signal.identity,
                "data": content::to_hex(&signal.data),
            }));
        }
        for event in self.library.take_session_events() {
            self.on_session_event(&event, sink);
        }
        let mut more = false;
        for channel in self.peers.channels.clone() {
            let messages = self.library.receive_on_channel(channel);
            more |= messages.len() == RECEIVE_BATCH;
            for (identity, message) in messages {
                let mut event = summary_of(&message);
                if let Some(fields) = event.as_object_mut() {
                    fields.insert("event".into(), "user_message".into());
                    fields.insert("identity".into(), identity.into());
                    fields.insert("channel".into(), channel.into());
                }
                sink.emit(event);
            }
        }
        more
    }

    fn on_session_event(&self, event: &SessionEvent, sink: &mut impl Sink) {
        match event {
            SessionEvent::Request(identity) => {
                sink.emit(json!({"event": "session_request", "identity": identity}));
                if self.peers.on_session == OnSession::Accept {
                    // False only for a text that is no identity; this is the library's own.
                    let accepted = self.library.accept_session(identity).unwrap_or(false);
                    let line = json!({
                        "event": "session_accepted", "identity": identity, "accepted": accepted,
                    });
                    sink.emit(line);
                }
            }
            SessionEvent::Failed(info) => {
                let mut line = describe::info(info);
                if let Some(fields) = line.as_object_mut() {
                    fields.insert("event".into(), "session_failed".into());
                }
                sink.emit(line);
            }
        }
    }

    pub(super) fn execute_on_peers(&mut self, command: PeerCommand) -> Result<Value> {
        Ok(match command {
            PeerCommand::Listen { virtual_port, options } => {
                json!({"socket": self.library.listen_p2p(virtual_port, &options)?})
            }
            PeerCommand::Connect { to, virtual_port, options } => {
                let connection = match to {
                    ConnectTo::Custom(identity) => {
                        self.library.connect_custom(identity.as_deref(), virtual_port, &options)?
                    }
                    ConnectTo::Default(identity) => {
                        self.library.connect_p2p(&identity, virtual_port, &options)?
                    }
                };
                json!({"connection": connection})
            }
            PeerCommand::Signal { data } => self.signal(&data),
            PeerCommand::OnRequest(on_request) => {
                self.peers.on_request = on_request;
                json!({})
            }
        })
    }

    fn signal(&mut self, data: &[u8]) -> Value {
        let (taken, requests) = self.library.receive_signal(data, &self.peers.on_request);
        let mut lines = Vec::new();
        for request in requests {
            if request.taken && request.virtual_port != SESSIONS {
                self.library.join_poll_group(request.connection);
                if self.peers.requested.len() == MAX_REQUESTED {
                    self.peers.requested.remove(0);
                }
                self.peers.requested.push(request.connection);
            }
            lines.push(json!({
                "connection": request.connection, "identity": request.identity,
                "virtual_port": request.virtual_port,
            }));
        }
        json!({"taken": taken, "requests": lines})
    }

    pub(super) fn execute_on_users(&mut self, command: UserCommand) -> Result<Value> {
        let library = &self.library;
        Ok(match command {
            UserCommand::Send { identity, channel, flags, messages } => {
                return self.send_to_user(&identity, channel, flags, messages);
            }
            UserCommand::Channels(channels) => {
                self.peers.channels = channels;
                json!({})
            }
            UserCommand::OnSession(on_session) => {
                self.peers.on_session = on_session;
                json!({})
            }
            UserCommand::Accept { identity } => json!({"ok": library.accept_session(&identity)?}),
            UserCommand::Close { identity } => json!({"ok": library.close_session(&identity)?}),
            UserCommand::CloseChannel { identity, channel } => {
                json!({"ok": library.close_session_channel(&identity, channel)?})
            }
            UserCommand::Status { identity } => {
                let info = library.session_info(&identity)?;
                let there = info.m_eState != State::k_ESteamNetworkingConnectionState_None;
                json!({"session": there, "info": describe::info(&info)})
            }
        })
    }

    /// Until the first refusal.
    fn send_to_user(
        &self,
        identity: &str,
        channel: i32,
        flags: i32,
        messages: UserMessages,
    ) -> Result<Value> {
        let send = |payload: &[u8]| self.library.send_to_user(identity, channel, flags, payload);
        let mut result = RESULT_OK;
        let mut accepted = 0;
        match messages {
            UserMessages::Literal(data) => {
                result = send(&data)?;
                accepted = u64::from(result == RESULT_OK);
            }
            UserMessages::Run { seed, sizes, first, count } => {
                for index in first..first + count {
                    let mut payload = vec![0; sizes.of(index)];
                    content::fill(&mut payload, seed, index);
                    result = send(&payload)?;
                    if result != RESULT_OK {
                        break;
                    }
                    accepted += 1;
                }
            }
        }
        let mut reply = result_fields(result);
        reply["accepted"] = accepted.into();
        Ok(reply)
    }
}

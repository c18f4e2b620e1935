//! The calls.

use std::sync::{Arc, atomic::Ordering};

use bytes::{BufMut as _, BytesMut};
use gamewire_proto::{connection::CloseRequest, event::ConnectionState, send::MAX_MESSAGE_BYTES};
use gamewire_wire::identity::Identity;

use super::{HEADER_BYTES, SESSION_VIRTUAL_PORT, UserMessage, UserSendError, header, table::Stage};
use crate::{
    Sockets,
    config::Config,
    core::Core,
    error::SendError,
    events::Event,
    handle::ConnectionHandle,
    message::{Outgoing, SendFlags},
    p2p::Channel,
    slot::Slot,
    status::{ConnectionInfo, RealTimeStatus},
};

/// Why a session's connection was closed: by the application, or because nobody used it (wire.md §8).
const REASON_CLOSED: i32 = 1001;
pub(super) const REASON_IDLE: i32 = 1002;

impl Sockets {
    /// Sends a message to a peer on a channel; a session is opened if there is none, and one that
    /// the peer asked for is accepted. Until a session is up every message goes reliably.
    ///
    /// # Errors
    /// See [`UserSendError`].
    #[doc(alias = "SendMessageToUser")]
    pub fn send_message_to_user(
        &self,
        peer: &Identity,
        payload: &[u8],
        flags: SendFlags,
        channel: i32,
    ) -> Result<(), UserSendError> {
        self.core.messages.use_messages();
        if peer.is_nobody() || payload.len() > MAX_MESSAGE_BYTES {
            return Err(UserSendError::Invalid);
        }
        let restart = flags.bits() & SendFlags::AUTO_RESTART_BROKEN_SESSION.bits() != 0;
        let connection = self.core.session_for_sending(peer, restart)?;
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + payload.len());
        bytes.put_slice(&header(channel));
        bytes.put_slice(payload);
        let up = self.state(connection) == Some(ConnectionState::Connected);
        // Before the peer is there, an unreliable message would most likely be in vain.
        let flags = if up { flags } else { SendFlags::RELIABLE };
        let sent = self.send(Outgoing::new(connection, bytes, flags));
        self.core.messages.used(self.core.clock.now(), peer, channel);
        match sent {
            Ok(_) => Ok(()),
            Err(SendError::LimitExceeded(_)) => Err(UserSendError::LimitExceeded),
            Err(SendError::Ignored(_)) => Err(UserSendError::Ignored),
            Err(SendError::TooLarge(_) | SendError::InvalidLane(_)) => Err(UserSendError::Invalid),
            Err(
                SendError::NoSuchConnection(_)
                | SendError::NoConnection(_)
                | SendError::NotTried(_),
            ) => Err(UserSendError::SessionBroken),
        }
    }

    /// Takes up to `max` messages that came on a channel, from whomever.
    #[doc(alias = "ReceiveMessagesOnChannel")]
    pub fn receive_messages_on_channel(&self, channel: i32, max: usize) -> Vec<UserMessage> {
        self.core.messages.use_messages();
        let taken = self.core.messages.take(channel, max);
        self.core.credit_sessions(&taken);
        taken
    }

    /// Accepts the session that a peer asked for ([`Event::MessagesSessionRequest`]). True: it is
    /// open, also if it was before.
    #[doc(alias = "AcceptSessionWithUser")]
    pub fn accept_session_with_user(&self, peer: &Identity) -> bool {
        self.core.messages.use_messages();
        let found = self.core.messages.find(peer, |session| (session.stage, session.connection));
        match found {
            Some((Stage::Requested, Some(connection))) => {
                self.core.accept_session(peer, connection)
            }
            Some((Stage::Open, _)) => true,
            Some((Stage::Requested | Stage::Over, _)) | None => false,
        }
    }

    /// Ends the session with a peer; messages that were not taken are gone. A message of the peer's
    /// that comes later asks for a new one. False: there is none.
    #[doc(alias = "CloseSessionWithUser")]
    pub fn close_session_with_user(&self, peer: &Identity) -> bool {
        let Some(connection) = self.core.messages.close(peer) else { return false };
        if let Some(connection) = connection {
            self.core.close_session(connection, REASON_CLOSED, "The session was closed");
        }
        true
    }

    /// Closes a channel of the session with a peer; the last one closes the session. False: there is
    /// no session.
    #[doc(alias = "CloseChannelWithUser")]
    pub fn close_channel_with_user(&self, peer: &Identity, channel: i32) -> bool {
        match self.core.messages.close_channel(peer, channel) {
            Some(true) => self.close_session_with_user(peer),
            Some(false) => true,
            None => false,
        }
    }

    /// The connection behind the session with a peer, also for a while after it failed. `None`:
    /// there is no session.
    #[doc(alias = "GetSessionConnectionInfo")]
    pub fn session_connection_info(
        &self,
        peer: &Identity,
    ) -> Option<(ConnectionInfo, Option<RealTimeStatus>)> {
        let (connection, last) =
            self.core.messages.find(peer, |session| (session.connection, session.last.clone()))?;
        let live = connection.and_then(|connection| {
            let info = self.connection_info(connection)?;
            let status = self.real_time_status(connection, 0).ok().map(|(status, _)| status);
            Some((info, status))
        });
        live.or_else(|| last.map(|info| (info, None)))
    }
}

impl Core {
    /// The connection that a message to a peer goes through.
    fn session_for_sending(
        self: &Arc<Self>,
        peer: &Identity,
        restart: bool,
    ) -> Result<ConnectionHandle, UserSendError> {
        let found = self.messages.find(peer, |session| (session.stage, session.connection));
        match found {
            Some((Stage::Open, Some(connection))) => Ok(connection),
            Some((Stage::Requested, Some(connection))) => {
                if self.accept_session(peer, connection) {
                    Ok(connection)
                } else {
                    Err(UserSendError::SessionBroken)
                }
            }
            Some((Stage::Over, _)) if !restart => Err(UserSendError::SessionBroken),
            Some(_) | None => self.open_session(peer),
        }
    }

    fn open_session(self: &Arc<Self>, peer: &Identity) -> Result<ConnectionHandle, UserSendError> {
        let options = [Config::SymmetricConnect(1)];
        let port = Some(SESSION_VIRTUAL_PORT);
        let connection =
            self.connect_peer(Channel::Default, Some(peer), port, &options).map_err(|error| {
                tracing::error!(%peer, %error, "no session can be opened");
                UserSendError::NoSession
            })?;
        let slot = self.connections.find(connection.to_raw()).ok_or(UserSendError::NoSession)?;
        if !self.messages.open(self.clock.now(), peer, connection, Stage::Open) {
            self.close_session(connection, REASON_CLOSED, "Too many sessions");
            return Err(UserSendError::NoSession);
        }
        slot.destination.store(self.messages.inbox.clone());
        Ok(connection)
    }

    fn accept_session(&self, peer: &Identity, connection: ConnectionHandle) -> bool {
        let Some(slot) = self.connections.find(connection.to_raw()) else { return false };
        let mut entropy = self.entropy();
        let accepted = self.drive_machine(&slot, |machine, now| machine.accept(now, &mut entropy));
        if accepted.is_ok() {
            self.messages.find(peer, |session| session.stage = Stage::Open);
        }
        accepted.is_ok()
    }

    /// A peer asks for a session: the connection is made and waits for the application.
    pub(crate) fn session_requested(&self, slot: &Arc<Slot>, peer: &Identity) {
        let now = self.clock.now();
        let known = self.messages.find(peer, |session| (session.stage, session.connection));
        if known.is_some_and(|(_, connection)| connection == Some(slot.handle)) {
            // A message to the peer has accepted it already.
            return;
        }
        if known.is_some_and(|(stage, _)| stage != Stage::Over) {
            // Its old connection is of no use to a peer that has forgotten it.
            if let Some(Some(old)) = self.messages.close(peer) {
                self.close_session(old, REASON_CLOSED, "Replaced by a newer session");
            }
        }
        if !self.messages.open(now, peer, slot.handle, Stage::Requested) {
            return;
        }
        slot.destination.store(self.messages.inbox.clone());
        self.events.push(Event::MessagesSessionRequest { peer: peer.clone() });
    }

    /// The state of a connection changed: true if it carries a session, whose changes are not the
    /// application's business.
    pub(crate) fn session_changed(&self, slot: &Slot, info: &ConnectionInfo) -> bool {
        if !is_session(slot) {
            return false;
        }
        if self.messages.on_state(self.clock.now(), info, slot.handle) {
            self.events.push(Event::MessagesSessionFailed(Box::new(info.clone())));
        }
        if let (Some(worker), Some(at)) = (&slot.worker, self.messages.next_look()) {
            worker.wake_by(at);
        }
        true
    }

    /// Ends sessions that nobody uses; when to look again.
    pub(crate) fn watch_sessions(&self, now: gamewire_proto::Time) -> Option<gamewire_proto::Time> {
        if self.messages.next_look()? <= now {
            for (connection, reason, text) in self.messages.idle(now) {
                self.close_session(connection, reason, text);
            }
        }
        self.messages.next_look()
    }

    fn close_session(&self, connection: ConnectionHandle, reason: i32, debug: &str) {
        let Some(slot) = self.connections.find(connection.to_raw()) else { return };
        if !slot.closed.swap(true, Ordering::AcqRel) {
            self.close(&slot, CloseRequest { reason, debug, linger: false });
        }
    }

    /// The application took messages of sessions: their headers count as taken, too.
    fn credit_sessions(&self, messages: &[UserMessage]) {
        for run in messages.chunk_by(|a, b| a.message.connection == b.message.connection) {
            let Some(slot) = self.connections.find(run[0].message.connection.to_raw()) else {
                continue;
            };
            let bytes = run.iter().map(|it| HEADER_BYTES + it.message.payload.len()).sum();
            self.consumed(&slot, run.len(), bytes);
        }
    }
}

/// Whether a connection carries a session, by its virtual port.
fn is_session(slot: &Slot) -> bool {
    slot.peer_side.as_ref().is_some_and(|side| side.is_session())
}

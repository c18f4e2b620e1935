//! What the application asks of a connection.

use gamewire_crypto::Entropy;

use super::{
    Connection,
    phase::{Goodbye, Phase},
};
use crate::{
    Time,
    config::{ConnectionConfig, LogLevels, ReceiveLimits, SendConfig},
    end::{EndInfo, EndReason},
    event::ConnectionState,
    handshake::Refusal,
    lane::LaneConfig,
    log::MessageLine,
    send::{EnqueueError, EnqueueReport, LaneError, OutgoingMessage},
};

/// Peers below this protocol version know no lanes (wire.md §5).
const MIN_LANES_VERSION: u32 = 11;

/// How the application ends a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloseRequest<'a> {
    /// 1000–2999; 0 stands for 1000, anything else becomes 1999.
    pub reason: i32,
    /// Text for people at the other end, cut to 127 bytes.
    pub debug: &'a str,
    /// Whether reliable messages that wait are delivered first.
    pub linger: bool,
}

/// Why a connection cannot be accepted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AcceptError {
    /// It was opened by us.
    #[error("the connection was opened from this side")]
    NotIncoming,
    /// It was accepted already, or it ended.
    #[error("the connection does not wait to be accepted")]
    WrongState,
    /// The key exchange failed; the connection is now broken for this reason.
    #[error("the handshake failed: {0}")]
    Handshake(Refusal),
}

/// Why a message was not taken. It is given back.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection has ended.
    #[error("the connection has ended")]
    NoConnection(OutgoingMessage),
    /// The application closed the connection already.
    #[error("the connection is closed")]
    InvalidState(OutgoingMessage),
    /// A no-delay message before the connection is up.
    #[error("not connected, and the message may not wait")]
    Ignored(OutgoingMessage),
    /// The queues refused it.
    #[error(transparent)]
    Refused(EnqueueError),
}

impl Connection {
    /// Accepts a connection that somebody else opened.
    ///
    /// # Errors
    /// See [`AcceptError`].
    pub fn accept(&mut self, now: Time, entropy: &mut dyn Entropy) -> Result<(), AcceptError> {
        let acceptor = match &self.phase {
            Phase::AwaitingAccept(acceptor) => acceptor,
            Phase::Requested(_) => return self.accept_request(now, entropy),
            Phase::Initiating(_) | Phase::Requesting(_) => return Err(AcceptError::NotIncoming),
            Phase::FindingRoute(_)
            | Phase::Connected
            | Phase::Lingering
            | Phase::ClosedByPeer
            | Phase::Broken(_)
            | Phase::FinWait(_)
            | Phase::Dead => return Err(AcceptError::WrongState),
        };
        match acceptor.accept(now, &self.config, entropy) {
            Ok((agreement, connect_ok)) => {
                self.begin_session(now, agreement, entropy);
                self.queue_control(connect_ok);
                self.enter(Phase::Connected);
                Ok(())
            }
            Err(refusal) => {
                self.break_off(now, refusal.reason, &refusal.debug);
                Err(AcceptError::Handshake(refusal))
            }
        }
    }

    /// Ends the connection. From now on the application sees none; what is left to say to the peer
    /// is said in the background until [`crate::event::Event::Drained`].
    pub fn close(&mut self, now: Time, request: CloseRequest<'_>) {
        let (reason, known) = EndReason::from_application(request.reason);
        let debug = if known { request.debug } else { "Invalid numeric reason code" };
        match &self.phase {
            Phase::Connected if request.linger && !self.queues.all_reliable_acked() => {
                self.end = Some(EndInfo::new(reason, debug));
                self.queues.flush();
                self.receiver.discard();
                self.enter(Phase::Lingering);
            }
            Phase::Initiating(_)
            | Phase::AwaitingAccept(_)
            | Phase::Requesting(_)
            | Phase::Requested(_)
            | Phase::FindingRoute(_)
            | Phase::Connected => {
                self.end = Some(EndInfo::new(reason, debug));
                self.say_goodbye();
                self.enter(Phase::FinWait(Goodbye::starting(now)));
            }
            // The reason it broke for stays; late packets go on being told.
            Phase::Broken(_) => self.enter(Phase::FinWait(Goodbye::starting(now))),
            Phase::ClosedByPeer => self.die(),
            Phase::Lingering | Phase::FinWait(_) | Phase::Dead => {}
        }
    }

    /// Forgets the connection without a word to the peer.
    pub fn abandon(&mut self) {
        if !self.is_drained() {
            self.die();
        }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// See [`SendError`]; the message comes back with it.
    pub fn send(
        &mut self,
        now: Time,
        message: OutgoingMessage,
    ) -> Result<EnqueueReport, SendError> {
        match self.state() {
            ConnectionState::Connected => {}
            ConnectionState::Connecting | ConnectionState::FindingRoute => {
                if message.no_delay {
                    return Err(SendError::Ignored(message));
                }
            }
            ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                return Err(SendError::NoConnection(message));
            }
            ConnectionState::None => return Err(SendError::InvalidState(message)),
        }
        let rate = match &self.session {
            Some(session) => session.controller.pacing_rate(),
            None => self.config.send.initial_rate(),
        };
        let (lane, bytes, reliable) = (message.lane, message.payload.len(), message.reliable);
        let report = self.queues.enqueue(now, message, rate).map_err(SendError::Refused)?;
        self.traffic_log().message_sent(|| MessageLine {
            lane,
            number: report.message_number,
            bytes,
            reliable: reliable || report.promoted,
        });
        if report.promoted {
            if self.promoted == 0 {
                tracing::warn!(
                    connection = self.local_id,
                    "an unreliable message was too large and goes reliably; so will others"
                );
            }
            self.promoted += 1;
        }
        Ok(report)
    }

    /// Ends the Nagle wait of everything queued.
    pub fn flush(&mut self) {
        self.queues.flush();
    }

    /// Configures the lanes for sending, and how their messages are delivered here.
    ///
    /// # Errors
    /// See [`LaneError`]; nothing changed then.
    pub fn configure_lanes(&mut self, lanes: &[LaneConfig]) -> Result<(), LaneError> {
        let version = self.peer.protocol_version;
        if lanes.len() > 1 && (1..MIN_LANES_VERSION).contains(&version) {
            return Err(LaneError::BadCount(lanes.len()));
        }
        self.queues.configure_lanes(lanes)?;
        for (lane, config) in (0..).zip(lanes) {
            self.receiver.set_lane_mode(lane, config.mode);
        }
        Ok(())
    }

    /// Changes limits and rates of a live connection.
    pub fn reconfigure(&mut self, send: SendConfig, mut receive: ReceiveLimits) {
        if self.peer.receive_window.is_some() {
            receive = receive.with_window();
        }
        self.queues.set_config(send.clone());
        self.receiver.set_limits(receive.clone());
        if let Some(session) = &mut self.session {
            session.reconfigure(&send);
        }
        self.config.send = send;
        self.config.receive = receive;
    }

    /// Changes what is logged of the traffic, from now on.
    pub fn set_log_levels(&mut self, levels: LogLevels) {
        self.config.log = levels;
        if let Some(session) = &mut self.session {
            session.log.levels = levels;
        }
    }

    /// Changes what the handshake goes by; without effect once a connection is accepted.
    pub fn set_handshake_config(&mut self, config: &ConnectionConfig) {
        if matches!(self.phase, Phase::AwaitingAccept(_) | Phase::Requested(_)) {
            self.config = config.clone();
            self.queues.set_config(config.send.clone());
            self.receiver.set_limits(config.receive.clone());
        }
    }

    /// Changes the timeouts; they hold from the next check on.
    pub fn set_timeouts(&mut self, initial: std::time::Duration, connected: std::time::Duration) {
        self.config.timeout_initial = initial;
        self.config.timeout_connected = connected;
    }
}

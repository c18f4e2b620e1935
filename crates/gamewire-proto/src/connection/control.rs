//! Control messages in: the handshake's answers and the peer's goodbyes.

use gamewire_crypto::Entropy;
use gamewire_wire::messages::{self, ConnectOk};

use super::{Connection, phase::Phase};
use crate::{
    Time,
    drops::DropReason,
    end::{EndInfo, EndReason},
    endpoint::{Control, encode_no_connection_echo},
};

impl Connection {
    /// A control message for this connection.
    pub fn handle_control(&mut self, now: Time, control: Control, entropy: &mut dyn Entropy) {
        match control {
            Control::ChallengeReply(reply) => self.challenge_reply(now, &reply),
            Control::ConnectOk(ok) => self.connect_ok(now, &ok, entropy),
            Control::ConnectRepeated { timestamp, answer_limit } => {
                self.connect_repeated(now, timestamp, answer_limit);
            }
            Control::Closed(closed) => self.closed_by_peer(&closed),
            Control::NoConnection(message) => self.no_connection(&message),
        }
    }

    fn challenge_reply(&mut self, now: Time, reply: &messages::ChallengeReply) {
        let Phase::Initiating(initiator) = &mut self.phase else {
            self.drops.count(DropReason::WrongState);
            return;
        };
        match initiator.on_challenge_reply(now, reply) {
            Ok(request) => self.queue_control(request),
            Err(refusal) => self.break_off(now, refusal.reason, &refusal.debug),
        }
    }

    fn connect_ok(&mut self, now: Time, ok: &ConnectOk, entropy: &mut dyn Entropy) {
        let Phase::Initiating(initiator) = &mut self.phase else {
            // A repeated answer to a repeated request: we have it already.
            self.drops.count(DropReason::WrongState);
            return;
        };
        match initiator.on_connect_ok(now, ok) {
            Ok(Some(agreement)) => {
                self.begin_session(now, agreement, entropy);
                self.enter(Phase::Connected);
            }
            Ok(None) => self.drops.count(DropReason::Malformed),
            Err(refusal) => {
                self.remote_id = ok.server_connection_id();
                self.break_off(now, refusal.reason, &refusal.debug);
            }
        }
    }

    fn connect_repeated(&mut self, now: Time, timestamp: Option<u64>, answer_limit: usize) {
        match &mut self.phase {
            Phase::Connected | Phase::Lingering => {
                let Some(session) = &self.session else { return };
                if let Some(ok) = session.connect_ok_again(timestamp, answer_limit) {
                    self.queue_control(ok);
                } else {
                    self.drops.count(DropReason::ReplyLimited);
                }
            }
            Phase::AwaitingAccept(acceptor) => acceptor.on_repeated(now, timestamp),
            Phase::Broken(_) | Phase::FinWait(_) => self.repeat_goodbye(now),
            Phase::Initiating(_)
            | Phase::Requesting(_)
            | Phase::Requested(_)
            | Phase::FindingRoute(_)
            | Phase::ClosedByPeer
            | Phase::Dead => self.drops.count(DropReason::WrongState),
        }
    }

    fn closed_by_peer(&mut self, closed: &messages::ConnectionClosed) {
        // Both ids together are the only proof that the message has. Each side may name the other's
        // as long as it cannot have learned it: an acceptor that refuses has not told us its own,
        // and an initiator that gives up early knows none of ours.
        let theirs = closed.from_connection_id() == self.remote_id
            || (self.remote_id == 0 && matches!(self.phase, Phase::Initiating(_)));
        let ours = closed.to_connection_id() == self.local_id
            || (closed.to_connection_id() == 0 && !self.peer_knows_our_id());
        if !(theirs && ours) {
            self.drops.count(DropReason::WrongPeer);
            return;
        }
        let mut echo = Vec::new();
        encode_no_connection_echo(closed, &mut echo);
        self.queue_control(echo);
        self.peer_closed(closed.reason_code(), closed.debug());
    }

    /// The peer ended the connection, and is known to be the one who says so.
    pub(super) fn peer_closed(&mut self, reason: u32, debug: &str) {
        match self.phase {
            Phase::Initiating(_)
            | Phase::AwaitingAccept(_)
            | Phase::Requesting(_)
            | Phase::Requested(_)
            | Phase::FindingRoute(_)
            | Phase::Connected => {
                let reason = i32::try_from(reason).unwrap_or(0);
                self.end = Some(EndInfo::new(EndReason(reason), debug));
                self.enter(Phase::ClosedByPeer);
            }
            // Our application closed it already: both sides are done.
            Phase::Lingering | Phase::FinWait(_) => self.die(),
            Phase::Broken(_) | Phase::ClosedByPeer | Phase::Dead => {}
        }
    }

    /// A data packet of the peer's was authentic, so that it has had our answer.
    fn peer_knows_our_id(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.acks.heard_anything())
    }

    /// Nothing seals this message: without both ids, anybody who can forge an address could end
    /// connections after some guessing. Who has forgotten the connection altogether can name but one
    /// of them; such a peer is given up by timeout, as Valve's library does.
    fn no_connection(&mut self, message: &messages::NoConnection) {
        let named = [message.from_connection_id(), message.to_connection_id()];
        if named != [self.remote_id, self.local_id] {
            self.drops.count(DropReason::WrongPeer);
            return;
        }
        self.peer_knows_nothing();
    }

    /// The peer knows nothing of the connection, and is known to be the one who says so.
    pub(super) fn peer_knows_nothing(&mut self) {
        match self.phase {
            Phase::Connected | Phase::FindingRoute(_) => {
                self.end = Some(EndInfo::new(
                    EndReason::MISC_PEER_SENT_NO_CONNECTION,
                    "Received unexpected 'no connection' from peer",
                ));
                self.enter(Phase::ClosedByPeer);
            }
            Phase::Lingering | Phase::FinWait(_) => self.die(),
            Phase::Initiating(_)
            | Phase::AwaitingAccept(_)
            | Phase::Requesting(_)
            | Phase::Requested(_)
            | Phase::Broken(_)
            | Phase::ClosedByPeer
            | Phase::Dead => self.drops.count(DropReason::WrongState),
        }
    }
}

//! Checks of ours and of the peer's (RFC 8445 §7).

use std::{net::SocketAddr, time::Duration};

use gamewire_proto::Time;

use super::{
    Agent, Base, DropReason, Input, PairState, Role, TraceStep, Transmit,
    checklist::PairKey,
    message::{self, CheckRequest},
    pair::{Due, Pair},
};
use crate::stun::{Class, Fingerprint, Message, TransactionId, attribute, method};

/// How long a pair that failed rests before it is tried again, while there is no route.
pub const RETRY: Duration = Duration::from_millis(500);

/// How often a pair in reserve is checked, which keeps it open.
pub const RESERVE_INTERVAL: Duration = Duration::from_secs(15);

impl Agent {
    /// STUN came: on a socket, or through a relay.
    pub(super) fn handle_stun(
        &mut self,
        now: Time,
        base: Base,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Input {
        let result = match Message::parse(datagram) {
            Err(_) => Err(DropReason::Malformed),
            Ok(message) if message.fingerprint() == Fingerprint::Wrong => {
                Err(DropReason::Fingerprint)
            }
            Ok(message) => match (message.class(), message.method()) {
                (Class::Request, method::BINDING) => self.handle_check(now, (base, from), &message),
                (Class::Indication, method::BINDING) => Ok(()),
                (Class::Success | Class::Error, _) => {
                    self.handle_response(now, (base, from), &message)
                }
                (Class::Request | Class::Indication, _) => Err(DropReason::Unexpected),
            },
        };
        result.map_or_else(Input::Dropped, |()| Input::Handled)
    }

    /// A check of the peer's. What is wrong with it is never told: Valve's peers do not either.
    fn handle_check(
        &mut self,
        now: Time,
        key: PairKey,
        message: &Message<'_>,
    ) -> Result<(), DropReason> {
        let (base, from) = key;
        let username = message.attribute(attribute::USERNAME).ok_or(DropReason::UserName)?;
        if !message::is_for(username, &self.config.credentials) {
            return Err(DropReason::UserName);
        }
        if !message.verify(self.config.credentials.local_password.as_bytes()) {
            return Err(DropReason::Integrity);
        }
        if !self.may_answer(key) {
            return Err(DropReason::Unexpected);
        }
        let id = message.transaction_id();
        let name = message::response_name(username, &self.config.credentials);
        let password = &self.config.credentials.local_password;
        self.send(base, from, message::response(id, from, &name, password));
        self.settle_roles(now, message);
        let priority = message.u32(attribute::PRIORITY).unwrap_or_default();
        let known = self.remotes.iter().any(|candidate| candidate.address == from);
        if !known && !self.learn_remote(now, from, priority) {
            return Err(DropReason::Limit);
        }
        self.pair_up(now);
        let Some(pair) = self.checklist.pair_mut(key) else {
            return Err(DropReason::Limit);
        };
        pair.heard = Some(now);
        self.output.trace(now, TraceStep::CheckReceived(self.path(key)));
        self.trigger(now, key);
        if message.attribute(attribute::USE_CANDIDATE).is_some() {
            self.on_nominated(now, key, id);
        }
        Ok(())
    }

    /// The peer's check makes us check the same pair (RFC 8445 §7.3.1.4). Where a check is under way
    /// another leaves at once, since what blocked the first may just have been opened; answers to
    /// both count.
    fn trigger(&mut self, now: Time, key: PairKey) {
        let state = self.checklist.pair(key).map(|pair| pair.state);
        match state {
            Some(PairState::Waiting | PairState::Failed) => self.checklist.trigger(key),
            Some(PairState::InProgress) => self.send_check(now, key),
            Some(PairState::Succeeded) | None => {}
        }
    }

    /// Whether checks that come there are answered: where nothing may be reached, nothing is told.
    fn may_answer(&self, (base, from): PairKey) -> bool {
        match base {
            Base::Socket(id) => self
                .locals
                .socket(id)
                .is_some_and(|socket| socket.may_reach(from.ip(), &self.config)),
            Base::Relay(id) => {
                self.relays.relay(id).is_some_and(|relay| relay.client.is_permitted(from.ip()))
            }
        }
    }

    /// Roles follow from who accepted the connection. Where both have the same, the tie-breakers
    /// decide without a word, since both see both (RFC 8445 §7.3.1.1 would have an error sent).
    fn settle_roles(&mut self, now: Time, message: &Message<'_>) {
        let (theirs, tie_breaker) =
            match (message.u64(attribute::ICE_CONTROLLING), message.u64(attribute::ICE_CONTROLLED))
            {
                (Some(tie_breaker), _) => (Role::Controlling, tie_breaker),
                (None, Some(tie_breaker)) => (Role::Controlled, tie_breaker),
                (None, None) => return,
            };
        if theirs != self.config.role || tie_breaker == self.tie_breaker {
            return;
        }
        let controls = self.tie_breaker > tie_breaker;
        let role = if controls { Role::Controlling } else { Role::Controlled };
        self.output.trace(now, TraceStep::RoleConflict(role));
        if role != self.config.role {
            self.config.role = role;
            self.nominee = None;
            self.consider(now);
        }
    }

    /// The response to something that we sent.
    fn handle_response(
        &mut self,
        now: Time,
        key: PairKey,
        message: &Message<'_>,
    ) -> Result<(), DropReason> {
        let (base, from) = key;
        if let Base::Socket(socket) = base
            && let Some(gathered) = self.gathering.handle_response(now, socket, from, message)
        {
            self.on_gathered(now, gathered);
            return Ok(());
        }
        let id = message.transaction_id();
        // From where it was sent to, or it proves nothing (RFC 8445 §7.2.5.2.1).
        if self.checklist.awaiting(id) != Some(key) {
            return Err(DropReason::UnknownTransaction);
        }
        let password = self.remote_password.as_deref().unwrap_or_default();
        if !message.verify(password.as_bytes()) {
            return Err(DropReason::Integrity);
        }
        if message.class() == Class::Error {
            return Err(DropReason::Unexpected);
        }
        if let Some(mapped) = message.xor_address(attribute::XOR_MAPPED_ADDRESS) {
            self.learn_local(now, base, mapped, from);
        }
        let answer = self.checklist.pair_mut(key).and_then(|pair| pair.on_answer(now, id));
        let answer = answer.ok_or(DropReason::UnknownTransaction)?;
        if let Some(rtt) = answer.rtt {
            self.output.trace(now, TraceStep::CheckAnswered(self.path(key), rtt));
        }
        self.schedule(now, key, id);
        self.on_valid(now, key, answer.nominates);
        Ok(())
    }

    /// Whether checks can leave from a base to an address.
    pub(super) fn is_ready(&self, (base, remote): PairKey) -> bool {
        let known = self.remote_password.is_some();
        let permitted = match base {
            Base::Socket(_) => true,
            Base::Relay(id) => {
                self.relays.relay(id).is_some_and(|relay| relay.client.is_permitted(remote.ip()))
            }
        };
        known && permitted && !self.config.credentials.remote_ufrag.is_empty()
    }

    /// Whether a check waits for its turn.
    pub(super) fn has_next(&self) -> bool {
        self.checklist.has_next(|pair| self.is_ready(pair.key()))
    }

    /// Lets the next new check leave if it is time.
    pub(super) fn pace(&mut self, now: Time) {
        if now < self.next_check {
            return;
        }
        if let Some(key) = self.checklist.next(now, |pair| self.is_ready(pair.key())) {
            self.checklist.untrigger(key);
            self.next_check = now + self.config.check_interval;
            self.send_check(now, key);
        }
    }

    /// A new check leaves.
    pub(super) fn send_check(&mut self, now: Time, key: PairKey) {
        let id = self.ids.generate();
        let nominates = self.config.role == Role::Controlling && self.nominee == Some(key);
        if let Some(pair) = self.checklist.pair_mut(key) {
            pair.start_check(now, id, nominates);
            self.output.trace(now, TraceStep::CheckSent(self.path(key)));
            self.transmit_check(now, key, id, nominates);
        }
    }

    fn transmit_check(&mut self, _now: Time, key: PairKey, id: TransactionId, nominates: bool) {
        let (base, remote) = key;
        let Some(password) = &self.remote_password else {
            return;
        };
        let request = CheckRequest {
            id,
            priority: self.prflx_priority(base),
            role: self.config.role,
            tie_breaker: self.tie_breaker,
            nominates,
        };
        let payload = request.write(&self.config.credentials, password);
        self.send(base, remote, payload);
    }

    /// Checks that are due are sent again, or have failed.
    pub(super) fn retransmit(&mut self, now: Time) {
        let due = |pair: &&Pair| pair.due().is_some_and(|due| due <= now);
        let keys: Vec<PairKey> = self.checklist.iter().filter(due).map(Pair::key).collect();
        for key in keys {
            let due = self.checklist.pair_mut(key).and_then(|pair| pair.on_due(now));
            match due {
                Some(Due::SendAgain(id, nominates)) => {
                    self.transmit_check(now, key, id, nominates);
                    self.on_silence(now, key);
                }
                Some(Due::Failed) => self.on_failed(now, key),
                None => {}
            }
        }
    }

    fn on_failed(&mut self, now: Time, key: PairKey) {
        let Some(pair) = self.checklist.pair_mut(key) else {
            return;
        };
        if pair.is_worth_another_check() {
            self.send_check(now, key);
            return;
        }
        pair.state = PairState::Failed;
        pair.tried = true;
        pair.next = now + RETRY;
        pair.forget_nomination();
        self.output.trace(now, TraceStep::CheckFailed(self.path(key)));
        if self.nominee == Some(key) {
            self.nominee = None;
        }
        if self.selected == Some(key) {
            self.lost(now, key);
        }
        self.consider(now);
    }

    /// Sends from a base.
    pub(super) fn send(&mut self, base: Base, destination: SocketAddr, payload: Vec<u8>) {
        let transmit = match base {
            Base::Socket(socket) => Transmit { socket, destination, payload },
            Base::Relay(id) => {
                let Some(relay) = self.relays.relay(id) else {
                    return;
                };
                let mut wrapped = Vec::new();
                relay.client.encapsulate(destination, &payload, &mut wrapped);
                let destination = relay.client.server();
                Transmit { socket: relay.socket, destination, payload: wrapped }
            }
        };
        self.output.transmit(transmit);
    }
}

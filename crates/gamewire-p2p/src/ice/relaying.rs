//! The agent's business with relays.

use std::{net::SocketAddr, time::Duration};

use gamewire_proto::Time;

use super::{
    Agent, Base, CandidateTypes, DataRange, DropReason, IceEvent, Input, PairState, RelayId,
    SocketId, StreamData, TraceStep, Transmit, TurnServer,
    gather::ASK_AGAIN,
    relays::{self, Opened, Told},
};
use crate::{
    stun::{Class, Message, is_stun},
    turn::{Outcome, TurnError},
};

impl Agent {
    /// Another TURN server is known, its name resolved perhaps. One too many is left out.
    pub fn add_turn_server(&mut self, now: Time, server: TurnServer) {
        let servers = &mut self.config.turn_servers;
        if servers.len() >= Self::MAX_SERVERS || servers.contains(&server) {
            return;
        }
        servers.push(server);
        self.open_relays(now);
        self.proceed(now);
    }

    /// The stream asked for by [`IceEvent::OpenStream`] is open.
    pub fn stream_connected(&mut self, now: Time, socket: SocketId) {
        let ids = self.relays.of_socket(socket);
        for id in ids.into_iter().filter(|_| socket.is_stream()) {
            let Some(relay) = self.relays.relay_mut(id) else {
                continue;
            };
            relay.client.start(now);
            let server = relay.client.server();
            self.output.trace(now, TraceStep::ServerAsked(server, socket));
        }
        self.proceed(now);
    }

    /// Bytes came on a stream. Yields the data in them.
    pub fn handle_stream(&mut self, now: Time, socket: SocketId, bytes: &[u8]) -> Vec<StreamData> {
        let mut data = Vec::new();
        for id in self.relays.of_socket(socket).into_iter().filter(|_| socket.is_stream()) {
            let Some(relay) = self.relays.relay_mut(id) else {
                continue;
            };
            let server = relay.client.server();
            let Some(frames) = relay.frames(bytes) else {
                self.output.dropped(now, DropReason::Malformed, server);
                self.close_stream(now, id, socket);
                continue;
            };
            for frame in frames {
                match self.handle_from_server(now, id, &frame) {
                    Input::Data { path, range } => {
                        let payload = frame[range.start..range.end].to_vec();
                        data.push(StreamData { path, payload });
                    }
                    Input::Handled => {}
                    Input::Dropped(reason) => self.output.dropped(now, reason, server),
                }
            }
        }
        self.proceed(now);
        data
    }

    fn close_stream(&mut self, now: Time, id: RelayId, socket: SocketId) {
        self.output.event(IceEvent::CloseStream(socket));
        self.drop_relay(now, id, ASK_AGAIN);
    }

    /// The stream could not be opened, or ended.
    pub fn stream_closed(&mut self, now: Time, socket: SocketId) {
        for id in self.relays.of_socket(socket).into_iter().filter(|_| socket.is_stream()) {
            if let Some(relay) = self.relays.relay(id) {
                self.output.trace(now, TraceStep::ServerSilent(relay.client.server()));
            }
            self.drop_relay(now, id, ASK_AGAIN);
        }
        self.proceed(now);
    }

    /// The connection is over: lent addresses are given back. What is to be sent for that must be sent
    /// before the events are heeded, which close streams.
    pub fn close(&mut self, now: Time) {
        let relays: Vec<_> = self.relays.iter().map(|relay| (relay.id, relay.socket)).collect();
        for (id, socket) in relays {
            if let Some(relay) = self.relays.relay_mut(id) {
                relay.client.release(now);
            }
            self.tell(now);
            if socket.is_stream() {
                self.output.event(IceEvent::CloseStream(socket));
            }
        }
    }

    /// Each server without a relay is asked for one.
    pub(super) fn open_relays(&mut self, now: Time) {
        if !self.config.enable.contains(CandidateTypes::RELAY) {
            return;
        }
        let servers = &self.config.turn_servers;
        let opened = self.relays.open_missing(now, servers, self.locals.sockets(), &mut self.ids);
        for opened in opened {
            match opened {
                Opened::Asked { server, socket } => {
                    self.output.trace(now, TraceStep::ServerAsked(server, socket));
                }
                Opened::Stream { server, socket, tls } => {
                    self.output.event(IceEvent::OpenStream { socket, address: server, tls });
                }
            }
        }
    }

    /// Something came from a TURN server: data of a peer's, or an answer to us.
    pub(super) fn handle_from_server(&mut self, now: Time, id: RelayId, datagram: &[u8]) -> Input {
        let Some(relay) = self.relays.relay_mut(id) else {
            return Input::Dropped(DropReason::UnknownSocket);
        };
        if let Some(data) = relay.client.data(datagram) {
            let key = (Base::Relay(id), data.peer);
            let range = DataRange { start: data.range.start, end: data.range.end };
            let inner = &datagram[data.range];
            if is_stun(inner) {
                return self.handle_stun(now, key.0, key.1, inner);
            }
            if inner.is_empty() {
                return Input::Dropped(DropReason::Empty);
            }
            return Input::Data { path: self.path(key), range };
        }
        let Ok(message) = Message::parse(datagram) else {
            return Input::Dropped(DropReason::Malformed);
        };
        if matches!(message.class(), Class::Success | Class::Error)
            && relay.client.handle_response(now, &message)
        {
            return Input::Handled;
        }
        Input::Dropped(DropReason::UnknownTransaction)
    }

    /// What the relays have to say is said.
    pub(super) fn tell(&mut self, now: Time) {
        while let Some(told) = self.relays.poll() {
            match told {
                Told::Transmit { socket, destination, payload } => {
                    self.output.transmit(Transmit { socket, destination, payload });
                }
                Told::Outcome { id, server, outcome } => {
                    self.on_outcome(now, id, server, outcome);
                }
            }
        }
        if self.relays.may_ask_again(now) {
            self.open_relays(now);
        }
    }

    fn on_outcome(&mut self, now: Time, id: RelayId, server: SocketAddr, outcome: Outcome) {
        match outcome {
            Outcome::Allocated { relayed, mapped: _ } => {
                self.output.trace(now, TraceStep::ServerAnswered(server, relayed));
                if let Some(relay) = self.relays.relay(id) {
                    let candidate = relay.candidate(relayed);
                    self.add_local_candidate(now, candidate);
                }
                self.pair_up(now);
            }
            Outcome::Permitted(ip) => self.output.trace(now, TraceStep::PeerPermitted(ip)),
            Outcome::Forbidden(ip, error) => {
                self.output.trace(now, TraceStep::PeerForbidden(ip, relays::code(error)));
                let keys: Vec<_> = self
                    .checklist
                    .iter()
                    .map(super::pair::Pair::key)
                    .filter(|(base, remote)| *base == Base::Relay(id) && remote.ip() == ip)
                    .collect();
                keys.into_iter().for_each(|key| self.give_up(now, key));
            }
            Outcome::Ended(error) => {
                let step = match relays::code(error) {
                    0 => TraceStep::ServerSilent(server),
                    code => TraceStep::ServerRefused(server, code),
                };
                self.output.trace(now, step);
                let socket = self.relays.relay(id).map(|relay| relay.socket);
                if let Some(socket) = socket.filter(|socket| socket.is_stream()) {
                    self.output.event(IceEvent::CloseStream(socket));
                }
                // 437: it was there once, and the server has forgotten it.
                let forgotten = error == TurnError::Refused(437);
                let again = if forgotten { relays::AFTER_FORGETTING } else { ASK_AGAIN };
                self.drop_relay(now, id, again);
            }
        }
    }

    /// Nothing can be sent along a pair.
    fn give_up(&mut self, now: Time, key: super::checklist::PairKey) {
        if let Some(pair) = self.checklist.pair_mut(key) {
            pair.state = PairState::Failed;
            pair.tried = true;
            pair.forget_nomination();
        }
        if self.nominee == Some(key) {
            self.nominee = None;
        }
        if self.selected == Some(key) {
            self.lost(now, key);
        }
    }

    /// A relay is gone.
    pub(super) fn drop_relay(&mut self, now: Time, id: RelayId, ask_again: Duration) {
        self.relays.remove(now, id, ask_again);
        self.remove_base(now, Base::Relay(id));
    }
}

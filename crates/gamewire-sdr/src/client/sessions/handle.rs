//! What comes from relays, and the statistics that go there.

use bytes::Bytes;
use gamewire_proto::Time;
use gamewire_wire::{
    address::Address,
    messages::relay::{
        ConnectOk, ConnectionClosed, ConnectionStatsClientToRouter,
        ConnectionStatsP2pClientToRouter, ConnectionStatsP2pRouterToClient,
        ConnectionStatsRouterToClient, GameserverSessionEstablished, NoConnection,
        NoSessionRelayToClient, P2pBadRouteRouterToClient, P2pSessionEstablished,
        connection_stats_client_to_router::Flags,
    },
    relay::{DataKind, DataPacket, Datagram, decode, encode, id, parse},
};
use std::time::Duration;

use super::{
    super::{Measurement, ToRelay},
    Purpose, RelaySessions, SessionEvent,
    slot::{Slot, Target},
};

/// A target that the relay has not confirmed is told again after this.
const TARGET_RETRY: Duration = Duration::from_millis(250);
const ACK_REQUESTS: u32 = Flags::AckRequestRelay as u32 | Flags::AckRequestImmediate as u32;

impl RelaySessions {
    /// Takes a datagram from a relay. False if it is none of this connection's.
    pub fn handle_datagram(
        &mut self,
        now: Time,
        from: Address,
        datagram: &[u8],
        measurement: &mut Measurement,
    ) -> bool {
        let Some(index) = self.slots.iter().position(|slot| slot.candidate.relay == from) else {
            return self.on_late_data(from, datagram);
        };
        match parse(datagram) {
            Ok(Datagram::Data(packet)) => self.on_data(now, index, &packet),
            Ok(Datagram::Control { id, body }) => {
                self.on_control(now, index, (id, body), measurement).is_some()
            }
            Ok(Datagram::Ping(_)) | Err(_) => false,
        }
    }

    fn is_ours(&self, packet: &DataPacket<'_>) -> bool {
        let header = &packet.header;
        header.kind == DataKind::Relay && !header.is_session_id && header.id == self.connection_id
    }

    /// Packets that were on their way when their relay was left.
    fn on_late_data(&mut self, from: Address, datagram: &[u8]) -> bool {
        if !self.retired.iter().any(|(relay, _)| *relay == from) {
            return false;
        }
        match parse(datagram) {
            Ok(Datagram::Data(packet)) if self.is_ours(&packet) => {
                self.push_data(&packet);
                true
            }
            _ => false,
        }
    }

    fn push_data(&mut self, packet: &DataPacket<'_>) {
        self.push_event(SessionEvent::Data {
            e2e_sequence: packet.header.e2e_sequence,
            time_since_previous: packet.header.time_since_previous.map(|time| time.e2e),
            payload: Bytes::copy_from_slice(packet.payload),
        });
    }

    fn on_data(&mut self, now: Time, index: usize, packet: &DataPacket<'_>) -> bool {
        let is_ours = self.is_ours(packet);
        let slot = self.slots.get_mut(index).filter(|slot| is_ours && slot.is_established());
        let Some(slot) = slot else { return false };
        slot.on_heard(now);
        slot.to_ack = Some((packet.header.relay_sequence, now));
        self.push_data(packet);
        true
    }

    /// The session of a message that names our connection.
    fn slot_of(&mut self, index: usize, connection_id: Option<u32>) -> Option<&mut Slot> {
        let own = self.connection_id;
        self.slots.get_mut(index).filter(|_| connection_id == Some(own))
    }

    /// `None` for what is not ours or not a message.
    fn on_control(
        &mut self,
        now: Time,
        index: usize,
        (id, body): (u8, &[u8]),
        measurement: &mut Measurement,
    ) -> Option<()> {
        match id {
            id::GAMESERVER_SESSION_ESTABLISHED => {
                let message: GameserverSessionEstablished = decode(body).ok()?;
                self.slot_of(index, message.connection_id)?;
                self.on_established(now, index, message.seconds_until_shutdown, None);
            }
            id::P2P_SESSION_ESTABLISHED => {
                let message: P2pSessionEstablished = decode(body).ok()?;
                self.slot_of(index, message.connection_id)?;
                let token = message.relay_routing_token;
                self.on_established(now, index, message.seconds_until_shutdown, token);
            }
            id::NO_SESSION => {
                let message: NoSessionRelayToClient = decode(body).ok()?;
                let slot = self.slot_of(index, message.connection_id)?;
                let relay = slot.candidate.relay;
                // While it is being opened, a fresh challenge is all that is wrong as a rule.
                let is_opening = !slot.is_established();
                match message.challenge {
                    Some(challenge) if is_opening && message.seconds_until_shutdown.is_none() => {
                        let time = message.server_time.unwrap_or(0);
                        measurement.note_challenge(now, relay, challenge, time);
                        slot.wait_for_challenge(now);
                    }
                    Some(_) | None => slot.is_refused = true,
                }
            }
            id::STATS => {
                let message: ConnectionStatsRouterToClient = decode(body).ok()?;
                let slot = self.slot_of(index, message.client_connection_id)?;
                slot.on_heard(now);
                note_shutdown(slot, now, message.seconds_until_shutdown);
                for ack in message.ack_relay.iter().take(8) {
                    slot.on_ack(now, *ack);
                }
                if let Some(quality) = message.quality_e2e {
                    self.push_event(SessionEvent::PeerQuality(Box::new(quality)));
                }
            }
            id::P2P_STATS_CLIENT => return self.on_p2p_stats(now, index, body),
            id::P2P_BAD_ROUTE => {
                let message: P2pBadRouteRouterToClient = decode(body).ok()?;
                self.slot_of(index, message.connection_id)?;
                let token = message.failed_relay_routing_token?;
                self.forget_token(&token);
            }
            id::CONNECT_OK => {
                let message: ConnectOk = decode(body).ok()?;
                self.slot_of(index, message.client_connection_id)?.on_heard(now);
                self.push_event(SessionEvent::ConnectOk(Box::new(message)));
            }
            id::CONNECTION_CLOSED => {
                let message: ConnectionClosed = decode(body).ok()?;
                self.slot_of(index, message.to_connection_id)?.on_heard(now);
                self.push_event(SessionEvent::Closed(Box::new(message)));
            }
            id::NO_CONNECTION => {
                let message: NoConnection = decode(body).ok()?;
                self.slot_of(index, message.to_connection_id)?.on_heard(now);
                if message.end_to_end == Some(true) {
                    self.push_event(SessionEvent::NoConnection);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn on_established(
        &mut self,
        now: Time,
        index: usize,
        seconds_until_shutdown: Option<u32>,
        token: Option<Bytes>,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let is_new = slot.on_established(now);
        note_shutdown(slot, now, seconds_until_shutdown);
        let has_new_token = token.is_some() && slot.token != token;
        slot.token = token.or(slot.token.take());
        if has_new_token {
            self.peer.revise();
            self.push_event(SessionEvent::RoutesChanged);
        }
        if !is_new {
            return;
        }
        if !self.is_ready {
            self.is_ready = true;
            // The first that answers is the primary, until a better one is there.
            self.slots.swap(0, index);
            self.announced = self.slots.first().map(|slot| slot.candidate.relay);
            self.push_event(SessionEvent::Ready);
            self.reconsider_at = now + super::REQUEST_TIMEOUT;
        } else if index > 0 {
            // Tells the server of this way, for when it is needed.
            let flags =
                ACK_REQUESTS | Flags::AckRequestE2e as u32 | Flags::NotPrimarySession as u32;
            self.send_stats(now, index, flags);
        }
    }

    fn on_p2p_stats(&mut self, now: Time, index: usize, body: &[u8]) -> Option<()> {
        let message: ConnectionStatsP2pRouterToClient = decode(body).ok()?;
        let slot = self.slot_of(index, message.connection_id)?;
        slot.on_heard(now);
        note_shutdown(slot, now, message.seconds_until_shutdown);
        for ack in message.ack_relay.iter().take(8) {
            slot.on_ack(now, *ack);
        }
        if let (Some(target), Some(revision)) =
            (&mut slot.target, message.ack_forward_target_revision)
            && target.revision == revision
        {
            target.is_acked = true;
        }
        if let Some(acked) = message.ack_peer_routes_revision {
            self.peer.acked = Some(acked);
        }
        if let Some(routes) = message.routes {
            self.handle_peer_routes(&routes);
        }
        if let Some(quality) = message.quality_e2e {
            self.push_event(SessionEvent::PeerQuality(Box::new(quality)));
        }
        Some(())
    }

    /// Sends a session's relay our statistics, with these flags.
    pub(super) fn send_stats(&mut self, now: Time, index: usize, flags: u32) {
        let connection_id = Some(self.connection_id);
        let Some(slot) = self.slots.get_mut(index) else { return };
        let sequence = slot.on_sent(now);
        if flags & ACK_REQUESTS != 0 {
            slot.on_probe(now, sequence);
        }
        let ack_relay = slot.to_ack.take().map(|(sequence, at)| {
            let delay = (now.micros_since(at) / 64).min(u64::from(u16::MAX));
            u32::from(sequence) << 16 | delay as u32
        });
        let mut bytes = Vec::new();
        match &self.purpose {
            Purpose::Hosted(_) => {
                let message = ConnectionStatsClientToRouter {
                    ack_relay: ack_relay.into_iter().collect(),
                    flags: Some(flags),
                    client_connection_id: connection_id,
                    seq_num_c2r: Some(sequence.into()),
                    ..ConnectionStatsClientToRouter::default()
                };
                encode(id::STATS, &message, &mut bytes);
            }
            Purpose::P2p(_) => {
                let target = slot.target.as_ref();
                let message = ConnectionStatsP2pClientToRouter {
                    ack_relay: ack_relay.into_iter().collect(),
                    flags: Some(flags),
                    forward_target_relay_routing_token: target.map(|target| target.token.clone()),
                    forward_target_revision: target.map(|target| target.revision),
                    ack_peer_routes_revision: self.peer.revision,
                    connection_id,
                    seq_num_c2r: Some(sequence.into()),
                    ..ConnectionStatsP2pClientToRouter::default()
                };
                encode(id::P2P_STATS_CLIENT, &message, &mut bytes);
            }
        }
        let to = slot.candidate.relay;
        self.transmits.push_back(ToRelay { to, bytes });
    }

    /// Tells each relay the best of the peer's relays, until it confirms.
    pub(super) fn aim(&mut self, now: Time, measurement: &Measurement) {
        if !matches!(self.purpose, Purpose::P2p(_)) {
            return;
        }
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get(index).filter(|slot| slot.is_established()) else {
                continue;
            };
            let Some(best) = self.peer.best(slot.candidate.pop, measurement) else { continue };
            let due = match &slot.target {
                Some(target) if target.token == best.token => {
                    !target.is_acked && now >= target.told_at + TARGET_RETRY
                }
                Some(_) | None => true,
            };
            if !due {
                continue;
            }
            let Some(slot) = self.slots.get_mut(index) else { continue };
            let revision = match &slot.target {
                Some(target) if target.token == best.token => target.revision,
                Some(_) | None => slot.last_revision + 1,
            };
            slot.last_revision = revision;
            slot.target =
                Some(Target { token: best.token, revision, is_acked: false, told_at: now });
            let primary = if index == 0 { 0 } else { Flags::NotPrimarySession as u32 };
            self.send_stats(now, index, ACK_REQUESTS | primary);
        }
    }

    /// Tells the peer, over the relays, of changed routes: where there are no signals any more.
    pub fn send_routes(&mut self, now: Time, measurement: &Measurement) {
        let (routes, revision) = self.local_routes(measurement);
        if self.peer.acked == Some(revision) || !matches!(self.purpose, Purpose::P2p(_)) {
            return;
        }
        let ack = self.peer.revision;
        let connection_id = Some(self.connection_id);
        for slot in self.slots.iter_mut().filter(|slot| slot.is_established()) {
            let sequence = slot.on_sent(now);
            let message = ConnectionStatsP2pClientToRouter {
                routes: Some(routes.clone()),
                ack_peer_routes_revision: ack,
                connection_id,
                seq_num_c2r: Some(sequence.into()),
                ..ConnectionStatsP2pClientToRouter::default()
            };
            let mut bytes = Vec::new();
            encode(id::P2P_STATS_CLIENT, &message, &mut bytes);
            self.transmits.push_back(ToRelay { to: slot.candidate.relay, bytes });
        }
    }
}

fn note_shutdown(slot: &mut Slot, now: Time, seconds: Option<u32>) {
    slot.stops_at = seconds.map(|seconds| now + Duration::from_secs(seconds.into()));
}

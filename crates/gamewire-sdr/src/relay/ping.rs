//! Pings: those of clients are answered, servers and other relays are measured.

use std::collections::BTreeMap;

use bytes::Bytes;
use gamewire_proto::Time;
use gamewire_wire::{
    address::Address,
    messages::relay::{
        GameserverPingReplyData, GameserverPingRequestBody, GameserverPingRequestEnvelope,
        IpAddress, RouterPingReply, SignedMessageGeneric, router_ping_reply,
    },
    relay::{PingRequest, decode, id},
};
use prost::Message as _;

use super::{Moment, PING_INTERVAL, Relay, RelayDrop, Side, interior, limits, reach};
use crate::PopId;
use limits::{SourceBucket, UNCONFIRMED_SERVER_PACKETS};

/// Most PoPs of each list in a ping reply.
const MAX_LISTED_POPS: usize = 96;
/// Most servers that are measured in one go; the others come next.
const MAX_SERVER_PINGS: usize = 256;
/// Padding of a request to a server, so that its answer need not be longer.
const SERVER_PING_PAD: usize = 160;
/// Round trips above this are mistakes, in microseconds.
const MAX_RTT_US: u64 = 5_000_000;
/// Content of a datagram between relays: the time at the sender, answered as it came.
pub(super) const KIND_PING: u8 = 4;
/// The answer.
pub(super) const KIND_PONG: u8 = 5;

impl Relay {
    pub(super) fn on_ping(
        &mut self,
        at: Moment,
        from: Address,
        ping: &PingRequest,
        length: usize,
    ) -> Result<(), RelayDrop> {
        if !self.sources.take(at.now, from, SourceBucket::Pings) {
            return Err(RelayDrop::SourceLimit);
        }
        let (ipv4, ipv6) = reach::split(from);
        let mut reply = RouterPingReply {
            client_timestamp: Some(ping.timestamp),
            client_cookie: Some(ping.cookie),
            your_public_ip: ipv4,
            your_public_ipv6: ipv6,
            your_public_port: Some(from.port().into()),
            server_time: Some(at.unix as u32),
            challenge: Some(self.issue_challenge(at, from)),
            seconds_until_shutdown: self.seconds_until_shutdown(at),
            scoring_penalty_relay_cluster: (self.options.penalty > 0)
                .then_some(self.options.penalty),
            ..RouterPingReply::default()
        };
        if ping.minimal {
            reply.flags = Some(router_ping_reply::Flags::MaybeMoreDataCenters as u32);
        } else {
            let centers = self.data_center_pings();
            (reply.latency_datacenter_ids, reply.latency_ping_ms) = centers.into_iter().unzip();
            let clusters = self.cluster_pings();
            (reply.latency_datacenter_ids_p2p, reply.latency_ping_ms_p2p) =
                clusters.into_iter().unzip();
        }
        self.answer(from, id::ROUTER_PING_REPLY, &reply, length)?;
        self.counters.pings += 1;
        Ok(())
    }

    /// To the data centres: measured to servers there, else as far as the relays there are.
    fn data_center_pings(&self) -> Vec<(u32, u32)> {
        let own = self.options.pop;
        let pops = self.config.pops.iter().map(|pop| pop.id);
        let listed = pops.filter_map(|pop| {
            let measured = self.server_pings.get(&pop).copied();
            Some((pop.as_u32(), measured.or_else(|| self.config.interior_ping(own, pop))?))
        });
        listed.take(MAX_LISTED_POPS).collect()
    }

    /// To the relays of other PoPs: measured, else usual.
    fn cluster_pings(&self) -> Vec<(u32, u32)> {
        let own = self.options.pop;
        let mut measured: BTreeMap<PopId, u32> = BTreeMap::new();
        for (_, peer) in self.interior.peers() {
            if let Some(rtt_us) = peer.rtt_us {
                let ms = rtt_us.div_ceil(1000);
                measured.entry(peer.pop).and_modify(|best| *best = ms.min(*best)).or_insert(ms);
            }
        }
        let with_relays = self.config.pops.iter().filter(|pop| !pop.relays.is_empty());
        let listed = with_relays.filter_map(|pop| {
            let ms = if pop.id == own {
                Some(0)
            } else {
                let measured = measured.get(&pop.id).copied();
                measured.or_else(|| self.config.interior_ping(own, pop.id))
            };
            Some((pop.id.as_u32(), ms?))
        });
        listed.take(MAX_LISTED_POPS).collect()
    }

    pub(super) fn ping_relays(&mut self, at: Moment) {
        let own = self.interior.own_id();
        let ids: Vec<u32> =
            self.interior.peers().map(|(id, _)| id).filter(|id| *id != own).collect();
        for relay in ids {
            let route = super::TokenRoute { relay, shard: 0 };
            let Some(to) = self.interior.address(route) else { continue };
            let interior = &mut self.interior;
            self.batch.push(Side::Interior, to, |out| {
                interior.seal(relay, out, |out| {
                    out.push(KIND_PING);
                    out.extend_from_slice(&at.now.as_micros().to_le_bytes());
                });
            });
        }
    }

    pub(super) fn on_relay_ping(
        &mut self,
        relay: u32,
        from: Address,
        body: &[u8],
    ) -> Result<(), RelayDrop> {
        if body.len() != 8 {
            return Err(RelayDrop::Malformed);
        }
        let interior: &mut interior::Interior = &mut self.interior;
        self.batch.push(Side::Interior, from, |out| {
            interior.seal(relay, out, |out| {
                out.push(KIND_PONG);
                out.extend_from_slice(body);
            });
        });
        Ok(())
    }

    pub(super) fn on_relay_pong(
        &mut self,
        at: Moment,
        relay: u32,
        body: &[u8],
    ) -> Result<(), RelayDrop> {
        let sent = u64::from_le_bytes(body.try_into().map_err(|_| RelayDrop::Malformed)?);
        let rtt_us = at.now.as_micros().checked_sub(sent).filter(|&rtt| rtt <= MAX_RTT_US);
        let rtt_us = rtt_us.ok_or(RelayDrop::Malformed)?;
        if let Some(peer) = self.interior.peer_mut(relay) {
            peer.on_pong(rtt_us as u32);
        }
        Ok(())
    }

    pub(super) fn ping_servers(&mut self, at: Moment) {
        let pop = self.options.pop.as_u32();
        let due = |pinged: Option<Time>| pinged.is_none_or(|at_| at.now >= at_ + PING_INTERVAL);
        let servers = self.sessions.servers.iter_mut();
        let servers = servers.filter(|(_, server)| due(server.pinged_at)).take(MAX_SERVER_PINGS);
        for (&address, server) in servers {
            let affordable = server.is_confirmed
                || server.unconfirmed.take(at.now, UNCONFIRMED_SERVER_PACKETS, 1);
            if !affordable {
                continue;
            }
            server.pinged_at = Some(at.now);
            let (v4, v6) = reach::split(address);
            let body = GameserverPingRequestBody {
                relay_popid: Some(pop),
                your_public_ip: Some(IpAddress { v4, v6 }),
                your_public_port: Some(address.port().into()),
                relay_unix_time: Some(at.unix),
                routing_secret: Some(server.routing_secret),
                my_ips: Vec::new(),
                echo: Some(Bytes::copy_from_slice(&at.now.as_micros().to_le_bytes())),
            };
            let envelope = GameserverPingRequestEnvelope {
                signed_data: Some(body.encode_to_vec().into()),
                dummy_pad: Some(Bytes::from_static(&[0; SERVER_PING_PAD])),
                ..GameserverPingRequestEnvelope::default()
            };
            self.batch.push(Side::Interior, address, |out| {
                gamewire_wire::relay::encode(id::GAMESERVER_PING_REQUEST, &envelope, out);
            });
        }
    }

    /// The answer of a server; only the echo is believed, and only from a server of a session.
    pub(super) fn on_server_ping_reply(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
    ) -> Result<(), RelayDrop> {
        let server = self.sessions.servers.get_mut(&from).ok_or(RelayDrop::WrongServer)?;
        let signed: SignedMessageGeneric = decode(body).map_err(|_| RelayDrop::Malformed)?;
        let data = signed.signed_data.unwrap_or_default();
        let data: GameserverPingReplyData = decode(&data).map_err(|_| RelayDrop::Malformed)?;
        let sent = data.echo.as_deref().and_then(|echo| <[u8; 8]>::try_from(echo).ok());
        let sent = sent.map(u64::from_le_bytes);
        if sent.is_none() || sent != server.pinged_at.map(Time::as_micros) {
            return Err(RelayDrop::Unexpected);
        }
        // As many as the config has PoPs, whatever tickets name.
        if self.config.pop(server.pop).is_none() {
            return Ok(());
        }
        let rtt_us = at.now.as_micros().saturating_sub(sent.unwrap_or(0));
        let ms = u32::try_from(rtt_us.div_ceil(1000)).unwrap_or(u32::MAX);
        let best = self.server_pings.entry(server.pop).or_insert(ms);
        // The nearest server counts; a slow rise follows changes of the way.
        *best = if ms <= *best { ms } else { *best + (ms - *best) / 8 };
        Ok(())
    }
}

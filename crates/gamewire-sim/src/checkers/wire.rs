//! What passes on the wire, and the rules that a sender keeps to (wire.md §5).
//!
//! Packet numbers are read of every packet; frames only where the cipher is none, since this
//! checker holds no keys.

mod flow;

use std::{collections::BTreeMap, net::SocketAddr};

use gamewire_proto::Time;
use gamewire_wire::{
    limits::{MAX_UDP_PAYLOAD, MIN_PADDED},
    udp::{self, Datagram},
};

use self::flow::Flow;
use super::Violations;
use crate::{network::Delivery, world::Tap};

/// What a scenario lets pass.
#[derive(Clone, Copy, Debug)]
pub struct WireRules {
    /// Whether packets are not encrypted, so that frames can be read.
    pub plain: bool,
    /// Largest datagram with data that is sent, bytes (`MTU_PacketSize`, or what may be tried).
    pub mtu: usize,
    /// Whether handshakes may be altered on the way, so that a side may hold wrong ids.
    pub ids_may_be_wrong: bool,
    /// Number of the first packet in each direction.
    pub first_packet_number: u64,
}

/// A direction: the sender's address and the connection id that it writes to.
type Direction = (SocketAddr, u32);

/// Watches all connections of a world.
#[derive(Debug)]
pub struct WireChecker {
    rules: WireRules,
    flows: BTreeMap<Direction, Flow>,
    /// For each direction the one back.
    reverse: BTreeMap<Direction, Direction>,
    /// Bytes that may be answered to an address that is not proven, by (answerer, address).
    unproven: BTreeMap<(SocketAddr, SocketAddr), Allowance>,
    /// What was found, to be taken out.
    pub violations: Violations,
    data_packets: u64,
    packets_read: u64,
}

/// How much a host may send to an address.
#[derive(Debug, Default)]
struct Allowance {
    proven: bool,
    received: u64,
    sent: u64,
}

impl WireChecker {
    /// A checker that has seen nothing.
    pub fn new(rules: WireRules) -> Self {
        Self {
            rules,
            flows: BTreeMap::new(),
            reverse: BTreeMap::new(),
            unproven: BTreeMap::new(),
            violations: Violations::default(),
            data_packets: 0,
            packets_read: 0,
        }
    }

    /// Learns of a connection: the address and id of each side. Handshakes on the wire teach it too.
    pub fn register(&mut self, sides: [(SocketAddr, u32); 2]) {
        let [(one, one_id), (other, other_id)] = sides;
        let (forth, back) = ((one, other_id), (other, one_id));
        if self.reverse.contains_key(&forth) {
            return;
        }
        self.reverse.insert(forth, back);
        self.reverse.insert(back, forth);
        for (direction, to) in [(forth, other), (back, one)] {
            self.flows.insert(direction, Flow::new(self.rules.first_packet_number));
            // Whoever shares a connection has proven its address.
            self.unproven.entry((direction.0, to)).or_default().proven = true;
        }
    }

    /// Data packets seen.
    pub fn data_packets(&self) -> u64 {
        self.data_packets
    }

    /// Packets whose frames were read.
    pub fn packets_read(&self) -> u64 {
        self.packets_read
    }

    fn check_sent(
        &mut self,
        now: Time,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), String> {
        let is_data = udp::peek_connection_id(datagram).is_some();
        if datagram.len() > MAX_UDP_PAYLOAD && !is_data {
            return Err(format!("a datagram of {} bytes", datagram.len()));
        }
        match udp::parse(datagram).map_err(|error| format!("sent what is no datagram: {error}"))? {
            Datagram::Data(packet) => {
                if datagram.len() > self.rules.mtu {
                    return Err(format!("{} bytes exceed the mtu", datagram.len()));
                }
                self.data_packets += 1;
                let direction = (from, packet.header.to_connection_id);
                self.check_packet(now, direction, packet, datagram)
            }
            Datagram::ConnectOk(ok) => {
                let ids = [(to, ok.client_connection_id()), (from, ok.server_connection_id())];
                self.register(ids);
                Ok(())
            }
            Datagram::ChallengeRequest(_) => {
                if datagram.len() < MIN_PADDED {
                    return Err("a challenge request without padding".into());
                }
                // The asker names nobody's address but its own.
                self.unproven.entry((from, to)).or_default().proven = true;
                Ok(())
            }
            Datagram::ChallengeReply(_)
            | Datagram::ConnectRequest(_)
            | Datagram::ConnectionClosed(_)
            | Datagram::NoConnection(_) => Ok(()),
        }?;
        self.check_amplification(from, to, datagram.len())
    }

    fn check_amplification(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        len: usize,
    ) -> Result<(), String> {
        let allowance = self.unproven.entry((from, to)).or_default();
        allowance.sent += len as u64;
        if !allowance.proven && allowance.sent > allowance.received {
            return Err(format!(
                "{} bytes to an unproven address that sent {}",
                allowance.sent, allowance.received
            ));
        }
        Ok(())
    }

    fn check_packet(
        &mut self,
        _now: Time,
        direction: Direction,
        packet: udp::DataPacket<'_>,
        datagram: &[u8],
    ) -> Result<(), String> {
        let Some(back) = self.reverse.get(&direction).copied() else {
            if self.rules.ids_may_be_wrong {
                return Ok(());
            }
            return Err(format!("a packet to the unknown connection {:08x}", direction.1));
        };
        let Some(mut flow) = self.flows.remove(&direction) else {
            return Ok(());
        };
        let peer = self.flows.get(&back);
        let plain = self.rules.plain.then(|| &datagram[packet.payload_offset..]);
        let result = flow.on_sent(packet.header.packet_number_low, plain, peer);
        self.packets_read += u64::from(plain.is_some());
        self.flows.insert(direction, flow);
        result
    }

    fn note_delivered(&mut self, delivery: &Delivery) {
        let Delivery { from, to, datagram, altered } = delivery;
        let allowance = self.unproven.entry((*to, *from)).or_default();
        allowance.received += datagram.len() as u64;
        if *altered {
            return;
        }
        match udp::parse(datagram) {
            Ok(Datagram::Data(packet)) => {
                let direction = (*from, packet.header.to_connection_id);
                let Some(back) = self.reverse.get(&direction).copied() else {
                    return;
                };
                let Some(mut flow) = self.flows.remove(&direction) else {
                    return;
                };
                if let Some(reverse) = self.flows.get_mut(&back) {
                    let plain = self.rules.plain.then(|| &datagram[packet.payload_offset..]);
                    flow.on_delivered(packet.header.packet_number_low, plain, reverse);
                }
                self.flows.insert(direction, flow);
            }
            Ok(Datagram::ConnectRequest(_)) => allowance.proven = true,
            Ok(
                Datagram::ChallengeRequest(_)
                | Datagram::ChallengeReply(_)
                | Datagram::ConnectOk(_)
                | Datagram::ConnectionClosed(_)
                | Datagram::NoConnection(_),
            )
            | Err(_) => {}
        }
    }
}

impl Tap for WireChecker {
    fn on_sent(&mut self, now: Time, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        if let Err(what) = self.check_sent(now, from, to, datagram) {
            self.violations.add(now, format!("on the wire from {from}: {what}"));
        }
    }

    fn on_delivered(&mut self, _: Time, delivery: &Delivery) {
        self.note_delivered(delivery);
    }
}

#[cfg(test)]
mod tests;

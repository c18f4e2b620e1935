//! Statistics fed with anything: traffic, times, and messages of a peer that lies.

use std::time::Duration;

use gamewire_proto::{
    Time,
    stats::{Arrival, LinkStats, MAX_INLINE_STATS_BYTES, SentContent, SentPacket, StatsAction},
};
use gamewire_wire::{messages::UdpStats, snp::AckBlock};
use prost::Message as _;

use crate::input::Input;

const START: Time = Time::from_micros(3_000_000_000_000);
/// A timer that goes off so often at one moment would never stop.
const MAX_TIMEOUTS: usize = 16;

struct Link {
    stats: LinkStats,
    now: Time,
    next_number: u64,
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut link = Link { stats: LinkStats::new(START, input.u32()), now: START, next_number: 2 };
    while !input.is_empty() {
        link.step(&mut input);
    }
    link.look();
}

impl Link {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 8 {
            0 => {
                let bytes = input.sized_bytes(1300);
                if let Ok(message) = UdpStats::decode(bytes) {
                    self.stats.on_stats_received(self.now, &message);
                }
            }
            1 => self.send(input.byte()),
            2 => {
                let arrival = match input.byte() % 6 {
                    0 => Arrival::InOrder,
                    1 => Arrival::Gap { missing: 1 + input.u64() / 2 },
                    2 => Arrival::OutOfOrder,
                    3 => Arrival::OutOfOrderCorrected,
                    4 => Arrival::Duplicate,
                    _ => Arrival::TooOld,
                };
                let since = input.flag().then(|| input.u16());
                self.stats.on_packet_received(self.now, usize::from(input.u16()), arrival, since);
            }
            3 => {
                let rtt = Duration::from_micros(input.u64() >> input.below(64));
                self.stats.on_ping_sample(self.now, rtt);
            }
            4 => {
                let blocks: Vec<AckBlock> = (0..input.below(8))
                    .map(|_| AckBlock { acked: u32::from(input.byte()), missing: input.u32() })
                    .collect();
                let latest = self.next_number.saturating_sub(u64::from(input.byte()));
                self.stats.on_ack_frame(self.now, latest, blocks);
            }
            5 => self.stats.on_packet_lost(self.next_number - 1 - u64::from(input.flag())),
            6 => self.look(),
            _ => self.wait(Duration::from_micros(u64::from(input.u32()) >> input.below(32))),
        }
    }

    fn send(&mut self, choice: u8) {
        let stats = self.stats.inline_stats_for_packet(self.now, choice & 1 != 0);
        if let Some(stats) = &stats {
            assert!(stats.encoded_len() <= MAX_INLINE_STATS_BYTES);
        }
        let content = match choice >> 1 & 3 {
            0 => SentContent::AcksOnly,
            1 => SentContent::Unreliable,
            _ => SentContent::Reliable,
        };
        let packet = SentPacket {
            packet_number: self.next_number,
            bytes: 100 + usize::from(choice),
            content,
            stats: stats.as_ref(),
        };
        self.stats.on_packet_sent(self.now, packet);
        self.next_number += 1;
    }

    /// Lets time pass as a driver does: every timer is served, and none spins.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time.min(Duration::from_secs(30));
        let mut at_once = 0;
        while let Some(deadline) = self.stats.deadline()
            && deadline <= end
        {
            at_once = if deadline > self.now { 0 } else { at_once + 1 };
            assert!(at_once < MAX_TIMEOUTS, "a timer spins");
            self.now = self.now.max(deadline);
            match self.stats.on_timeout(self.now) {
                StatsAction::Nothing => {}
                StatsAction::Send(_) => self.send(0),
            }
        }
        self.now = self.now.max(end);
    }

    fn look(&mut self) {
        let seen = self.stats.real_time(self.now);
        for quality in [seen.quality_local, seen.quality_remote].into_iter().flatten() {
            assert!((0.0..=1.0).contains(&quality), "quality {quality}");
        }
        for rate in [
            seen.out_packets_per_s,
            seen.out_bytes_per_s,
            seen.in_packets_per_s,
            seen.in_bytes_per_s,
        ] {
            assert!(rate.is_finite() && rate >= 0.0, "rate {rate}");
        }
        let _ = self.stats.snapshot(self.now);
    }
}

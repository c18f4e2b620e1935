//! How large packets may be (RFC 8899), between peers that negotiated it.
//!
//! Probes of padding go up a ladder of sizes while the sender has packets to fill; a size is used once
//! a probe of it was acknowledged. A probe's loss is none to the congestion control. Where large
//! packets vanish and small ones arrive, the size falls back to the configured one and the search
//! begins anew.

use std::time::Duration;

use gamewire_wire::{
    extensions,
    limits::MAX_LARGE_UDP_PAYLOAD,
    messages::UdpStats,
    snp::PacketWriter,
    udp::{self, DataHeader},
};

use super::{
    session::Session,
    transmit::{PACKET_OVERHEAD, base_mtu},
};
use crate::{
    Time,
    config::SendConfig,
    recovery::SizeReport,
    send::SendQueues,
    stats::{FLAG_ACK_REQUEST_E2E, FLAG_ACK_REQUEST_IMMEDIATE, SentContent, SentPacket},
};

/// Sizes that are tried, in bytes of UDP payload: what tunnels leave of Ethernet's 1500; Ethernet over
/// IPv6 and over IPv4; jumbo frames of 4 and 9 KB over IPv6; loopback, with a step in between.
const LADDER: [usize; 8] = [1372, 1412, 1452, 1472, 4052, 8952, 32_720, 65_487];

/// A size is given up after so many lost probes.
const MAX_ATTEMPTS: u8 = 3;

/// After a search that ended at a loss, when the next one begins (RFC 8899 section 5.1.1).
const RAISE_INTERVAL: Duration = Duration::from_secs(600);

/// How long sizes are not tried that the path swallowed.
const BLACK_HOLE_COOL_DOWN: Duration = Duration::from_secs(60);

/// A packet is no larger than what leaves in this time, in microseconds, so that the next urgent
/// message does not wait long behind it.
const PACKET_TIME_US: u64 = 1000;

/// Sizes up to this are tried at any rate, in bytes.
const ALWAYS_WORTH_IT: usize = 1472;

/// Where the search is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Search {
    /// The next size may be tried; so many probes of it were lost.
    Ready { attempts: u8 },
    /// A probe is under way, and lost at `until` at the latest.
    Waiting { bytes: usize, attempts: u8, until: Time },
    /// The next size does not arrive; another search begins at `again`.
    Ended { again: Time },
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct PathMtu {
    base: usize,
    /// Nothing larger is tried: by configuration, or 0 where the peer does not take it.
    limit: usize,
    /// What the path is known to carry.
    size: usize,
    search: Search,
    /// What the path swallowed, and until when that is believed.
    ceiling: Option<(usize, Time)>,
}

impl PathMtu {
    pub(super) fn new(config: &SendConfig, features: u64) -> Self {
        let negotiated = features & extensions::LARGE_PACKETS != 0;
        let limit = if negotiated { config.mtu_limit.min(MAX_LARGE_UDP_PAYLOAD) } else { 0 };
        let base = base_mtu(config.mtu);
        Self { base, limit, size: base, search: Search::Ready { attempts: 0 }, ceiling: None }
    }

    /// Another configuration: the search begins anew where it allows less than is in use.
    pub(super) fn reconfigure(&mut self, config: &SendConfig, features: u64) {
        let new = Self::new(config, features);
        if (new.base, new.limit) != (self.base, self.limit) {
            *self = new;
        }
    }

    /// What the path is known to carry, in bytes of UDP payload.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The size to probe now, where packets take up to `worth` bytes. Notices that a probe is overdue.
    fn wanted(&mut self, now: Time, worth: usize) -> Option<usize> {
        match self.search {
            Search::Waiting { bytes, until, .. } if now >= until => self.on_probe_lost(now, bytes),
            Search::Ended { again } if now >= again => self.search = Search::Ready { attempts: 0 },
            Search::Ready { .. } | Search::Waiting { .. } | Search::Ended { .. } => {}
        }
        let Search::Ready { .. } = self.search else {
            return None;
        };
        let ceiling = self.ceiling.filter(|&(_, until)| now < until).map(|(bytes, _)| bytes);
        let limit = self.limit.min(worth);
        let next = LADDER.into_iter().find(|&step| step > self.size);
        let next = next.filter(|&step| ceiling.is_none_or(|ceiling| step < ceiling))?;
        // The configured limit is a step, too.
        let next = if next > self.limit { self.limit } else { next };
        (next > self.size && next <= limit).then_some(next)
    }

    fn on_probe_sent(&mut self, bytes: usize, until: Time) {
        let attempts = match self.search {
            Search::Ready { attempts } | Search::Waiting { attempts, .. } => attempts,
            Search::Ended { .. } => 0,
        };
        self.search = Search::Waiting { bytes, attempts, until };
    }

    fn on_probe_lost(&mut self, now: Time, lost: usize) {
        let Search::Waiting { bytes, attempts, .. } = self.search else {
            return;
        };
        if bytes == lost {
            let attempts = attempts + 1;
            self.search = if attempts < MAX_ATTEMPTS {
                Search::Ready { attempts }
            } else {
                Search::Ended { again: now + RAISE_INTERVAL }
            };
        }
    }

    /// Takes in what became of large packets.
    fn on_report(&mut self, now: Time, report: &SizeReport) {
        if let Some(bytes) = report.probe_acked.filter(|&bytes| bytes > self.size) {
            self.size = bytes.min(self.limit);
            self.search = Search::Ready { attempts: 0 };
        }
        if let Some(bytes) = report.probe_lost {
            self.on_probe_lost(now, bytes);
        }
        if let Some(bytes) = report.too_large.filter(|_| self.size > self.base) {
            self.size = self.base;
            self.search = Search::Ready { attempts: 0 };
            self.ceiling = Some((bytes, now + BLACK_HOLE_COOL_DOWN));
        }
    }
}

impl Session {
    /// Whether both sides take packets above the usual size.
    pub(super) fn takes_large_packets(&self) -> bool {
        self.traits.features & extensions::LARGE_PACKETS != 0
    }

    /// Bytes of UDP payload that the next data packet may have.
    pub(super) fn packet_size(&self) -> usize {
        self.mtu.size().min(self.worthwhile_size()).max(self.mtu.base)
    }

    /// What leaves in the time that one packet may take.
    fn worthwhile_size(&self) -> usize {
        let bytes = self.controller.pacing_rate().map(|rate| rate / (1_000_000 / PACKET_TIME_US));
        bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Looks at what became of large packets.
    pub(super) fn judge_sizes(&mut self, now: Time) {
        let report = self.recovery.take_size_report();
        if report != SizeReport::default() {
            self.mtu.on_report(now, &report);
        }
    }

    /// Writes a probe if one is due and packets are being filled; its length.
    pub(super) fn write_mtu_probe(
        &mut self,
        now: Time,
        out: &mut Vec<u8>,
        queues: &SendQueues,
    ) -> Option<usize> {
        if self.mtu.limit <= self.mtu.size || !self.recovery.may_send() {
            return None;
        }
        if !self.fills_packets(queues) {
            return None;
        }
        let worth = self.worthwhile_size().max(ALWAYS_WORTH_IT);
        let bytes = self.mtu.wanted(now, worth)?;
        let number = self.recovery.next_packet_number();
        let start = out.len();
        let header = DataHeader {
            to_connection_id: self.remote_id,
            packet_number_low: number as u16,
            time_since_previous: None,
        };
        let flags = FLAG_ACK_REQUEST_E2E | FLAG_ACK_REQUEST_IMMEDIATE;
        let stats = UdpStats { stats: None, flags: Some(flags) };
        udp::encode_data_header(&header, Some(&stats), out);
        let plaintext_start = out.len();
        let room = bytes.saturating_sub(plaintext_start - start + self.sealer.overhead());
        let mut writer = PacketWriter::new(out, room);
        writer.stop_waiting(number, self.recovery.stop_waiting_before());
        writer.pad();
        self.sealer.seal(number, out, plaintext_start);
        let len = out.len() - start;
        self.recovery.on_mtu_probe_sent(now, len);
        self.mtu.on_probe_sent(len, now + self.recovery.pto() * u32::from(MAX_ATTEMPTS));
        let content = SentContent::AcksOnly;
        let packet = SentPacket { packet_number: number, bytes: len, content, stats: None };
        self.stats.on_packet_sent(now, packet);
        Some(len)
    }
}

// A packet of the least size on the ladder holds data.
const _: () = assert!(LADDER[0] > PACKET_OVERHEAD);

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time::from_micros(1_000_000);
    const PATIENCE: Duration = Duration::from_millis(100);

    fn config(mtu: usize, mtu_limit: usize) -> SendConfig {
        SendConfig { mtu, mtu_limit, ..SendConfig::default() }
    }

    /// Searches over a path that carries `path` bytes; the size found and probes sent.
    fn search(mtu: &mut PathMtu, mut now: Time, path: usize) -> (usize, usize) {
        let mut probes = 0;
        while let Some(bytes) = mtu.wanted(now, usize::MAX) {
            probes += 1;
            mtu.on_probe_sent(bytes, now + PATIENCE);
            if bytes <= path {
                let report = SizeReport { probe_acked: Some(bytes), ..SizeReport::default() };
                mtu.on_report(now, &report);
            } else {
                // Nobody says so: it is found by waiting.
                assert_eq!(mtu.wanted(now, usize::MAX), None);
                now += PATIENCE;
            }
        }
        (mtu.size(), probes)
    }

    #[test]
    fn climbs_to_what_the_path_carries() {
        for (path, found, probes) in [
            (1300, 1300, 3),
            (1400, 1372, 4),
            (1452, 1452, 6),
            (1472, 1472, 7),
            (8972, 8952, 9),
            (65_507, 65_487, 8),
        ] {
            let mut mtu = PathMtu::new(&config(1300, 65_507), extensions::ALL);
            assert_eq!(search(&mut mtu, T0, path), (found, probes), "{path}");
        }
    }

    #[test]
    fn tries_nothing_unless_negotiated_and_allowed() {
        let mut mtu = PathMtu::new(&config(1300, 65_507), 0);
        assert_eq!(search(&mut mtu, T0, 65_507), (1300, 0));
        let mut mtu = PathMtu::new(&config(1200, 1200), extensions::ALL);
        assert_eq!(search(&mut mtu, T0, 65_507), (1200, 0));
        let mut mtu = PathMtu::new(&config(1300, 5000), extensions::ALL);
        assert_eq!(search(&mut mtu, T0, 65_507), (5000, 6));
        let mut mtu = PathMtu::new(&config(1300, 65_507), extensions::ALL);
        assert_eq!(mtu.wanted(T0, 1472), Some(1372));
        mtu.size = 1472;
        assert_eq!(mtu.wanted(T0, 4051), None, "at this rate it would not be used");
    }

    #[test]
    fn searches_again_after_a_while() {
        let mut mtu = PathMtu::new(&config(1300, 65_507), extensions::ALL);
        search(&mut mtu, T0, 1452);
        assert_eq!(mtu.wanted(T0 + Duration::from_secs(590), usize::MAX), None);
        let later = T0 + Duration::from_secs(602);
        assert_eq!(search(&mut mtu, later, 8952), (8952, 6));
    }

    #[test]
    fn falls_back_where_large_packets_vanish() {
        let mut mtu = PathMtu::new(&config(1300, 65_507), extensions::ALL);
        assert_eq!(search(&mut mtu, T0, 8952).0, 8952);
        let report = SizeReport { too_large: Some(8952), ..SizeReport::default() };
        mtu.on_report(T0, &report);
        assert_eq!(mtu.size(), 1300);
        // It climbs again, but not to what vanished until some time has passed.
        assert_eq!(search(&mut mtu, T0, 8952).0, 4052);
        let later = T0 + BLACK_HOLE_COOL_DOWN;
        assert_eq!(search(&mut mtu, later, 8952).0, 8952);
    }
}

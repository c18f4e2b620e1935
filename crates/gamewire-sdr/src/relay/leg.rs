//! What a relay knows of one leg of a session: its sequence numbers, what is missing, what to
//! acknowledge.

use gamewire_proto::Time;
use gamewire_wire::messages::{ConnectionQuality, LinkInstantaneousStats, LinkLifetimeStats};

/// Longest time since the previous packet that is told, in microseconds.
const MAX_TIME_SINCE_PREVIOUS_US: u64 = 250_000;
/// Rates are taken over at least this, in microseconds.
const RATE_WINDOW_US: u64 = 1_000_000;
/// A sequence number this far ahead is a new start, not a gap.
const MAX_GAP: u16 = 0x1000;

/// Counts of packets and bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    packets: u64,
    bytes: u64,
}

impl Traffic {
    fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    sent: Traffic,
    received: Traffic,
    sequenced: u64,
    dropped: u64,
    out_of_order: u64,
    duplicate: u64,
}

/// One leg: a client's or a server's.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    next_sequence: u16,
    last_sent: Option<Time>,
    highest: Option<u16>,
    ack: Option<(u16, Time)>,
    since: Time,
    total: Counts,
    window: (Time, Counts),
}

impl Leg {
    pub(super) fn new(now: Time, first_sequence: u16) -> Self {
        Self {
            next_sequence: first_sequence,
            last_sent: None,
            highest: None,
            ack: None,
            since: now,
            total: Counts::default(),
            window: (now, Counts::default()),
        }
    }

    /// The sequence number of the next packet.
    pub(super) const fn next_sequence(&self) -> u16 {
        self.next_sequence
    }

    /// Takes a sequence number for a packet; also the time since the one before, in 16 µs.
    pub(super) fn on_sent(&mut self, now: Time, bytes: usize) -> (u16, u16) {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        let since =
            self.last_sent.map_or(MAX_TIME_SINCE_PREVIOUS_US, |sent| now.micros_since(sent));
        self.last_sent = Some(now);
        self.total.sent.add(bytes);
        (sequence, (since.min(MAX_TIME_SINCE_PREVIOUS_US) / 16) as u16)
    }

    /// Takes note of a packet that came in.
    pub(super) fn on_received(&mut self, now: Time, sequence: u16, bytes: usize) {
        let counts = &mut self.total;
        counts.received.add(bytes);
        match self.highest {
            None => self.highest = Some(sequence),
            Some(highest) => match sequence.wrapping_sub(highest) {
                0 => counts.duplicate += 1,
                ahead @ 1..MAX_GAP => {
                    counts.sequenced += u64::from(ahead);
                    counts.dropped += u64::from(ahead - 1);
                    self.highest = Some(sequence);
                }
                behind if behind > u16::MAX - MAX_GAP => {
                    // It was counted as lost when later ones came first.
                    counts.out_of_order += 1;
                    counts.dropped = counts.dropped.saturating_sub(1);
                }
                _ => self.highest = Some(sequence),
            },
        }
        self.ack = Some((sequence, now));
    }

    /// The acknowledgement of the last packet: its number and how long ago it came, in 64 µs.
    pub(super) fn take_ack(&mut self, now: Time) -> Option<u32> {
        let (sequence, at) = self.ack.take()?;
        let delay = (now.micros_since(at) / 64).min(u64::from(u16::MAX));
        Some(u32::from(sequence) << 16 | delay as u32)
    }

    /// What came and went, for the other end of the leg. Rates are since the last report.
    pub(super) fn quality(&mut self, now: Time) -> ConnectionQuality {
        let (start, then) = self.window;
        let elapsed = now.micros_since(start).max(RATE_WINDOW_US);
        let rate = |now: u64, then: u64, unit: u64| {
            let count = u128::from(now.saturating_sub(then)) * u128::from(unit) * 1_000_000;
            u32::try_from(count / u128::from(elapsed)).unwrap_or(u32::MAX)
        };
        let total = self.total;
        let (sequenced, dropped) = (
            total.sequenced.saturating_sub(then.sequenced),
            total.dropped.saturating_sub(then.dropped),
        );
        let dropped_pct = (dropped * 100).checked_div(sequenced).unwrap_or(0).min(100);
        let instantaneous = LinkInstantaneousStats {
            out_packets_per_sec_x10: Some(rate(total.sent.packets, then.sent.packets, 10)),
            out_bytes_per_sec: Some(rate(total.sent.bytes, then.sent.bytes, 1)),
            in_packets_per_sec_x10: Some(rate(total.received.packets, then.received.packets, 10)),
            in_bytes_per_sec: Some(rate(total.received.bytes, then.received.bytes, 1)),
            packets_dropped_pct: Some(dropped_pct as u32),
            ..LinkInstantaneousStats::default()
        };
        self.window = (now, total);
        ConnectionQuality { instantaneous: Some(instantaneous), lifetime: Some(self.lifetime(now)) }
    }

    fn lifetime(&self, now: Time) -> LinkLifetimeStats {
        let total = &self.total;
        let seconds = now.micros_since(self.since) / 1_000_000;
        LinkLifetimeStats {
            connected_seconds: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
            packets_sent: Some(total.sent.packets),
            kb_sent: Some(total.sent.bytes / 1024),
            packets_recv: Some(total.received.packets),
            kb_recv: Some(total.received.bytes / 1024),
            packets_recv_sequenced: Some(total.sequenced),
            packets_recv_dropped: Some(total.dropped),
            packets_recv_out_of_order: Some(total.out_of_order),
            packets_recv_duplicate: Some(total.duplicate),
            ..LinkLifetimeStats::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_reordering_and_acks() {
        let start = Time::from_micros(5_000_000);
        let mut leg = Leg::new(start, 0xffff);
        for sequence in [0xfffe, 0xffff, 2, 1, 3, 3] {
            leg.on_received(start, sequence, 100);
        }
        let total = leg.total;
        assert_eq!((total.dropped, total.out_of_order, total.duplicate), (1, 1, 1));
        assert_eq!(leg.take_ack(start.plus_micros(640)), Some(3 << 16 | 10));
        assert_eq!(leg.take_ack(start), None, "once");
        leg.on_received(start, 3 + 0x2000, 100);
        assert_eq!(leg.total.dropped, 1, "a jump is a new start");
        assert_eq!(leg.on_sent(start, 10), (0xffff, 15_625));
        assert_eq!(leg.on_sent(start.plus_micros(160), 10), (0, 10));
        leg.on_received(start, 7, 1);
        assert_eq!(leg.take_ack(Time::FAR_FUTURE).unwrap() & 0xffff, 0xffff);
    }

    #[test]
    fn quality_reports_what_happened_since_the_last() {
        let start = Time::from_micros(0);
        let mut leg = Leg::new(start, 0);
        for sequence in (0..200u16).filter(|n| n % 10 != 5) {
            leg.on_received(start, sequence, 1000);
            leg.on_sent(start, 100);
        }
        let now = start.plus_micros(2_000_000);
        let report = leg.quality(now);
        let instantaneous = report.instantaneous.unwrap();
        assert_eq!(instantaneous.in_packets_per_sec_x10, Some(900));
        assert_eq!(instantaneous.in_bytes_per_sec, Some(90_000));
        assert_eq!(instantaneous.packets_dropped_pct, Some(10));
        assert_eq!(report.lifetime.unwrap().connected_seconds, Some(2));
        let quiet = leg.quality(now.plus_micros(2_000_000)).instantaneous.unwrap();
        assert_eq!(quiet.in_packets_per_sec_x10, Some(0));
    }
}

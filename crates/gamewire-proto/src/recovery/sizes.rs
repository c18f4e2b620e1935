//! What became of large packets: probes for the path's limit, and losses that only packets above
//! some size suffer.
//!
//! A path whose limit fell swallows large packets and lets small ones through. A loss points to that
//! while no packet of at least its size was delivered that left after it; ordinary loss hits packets
//! of all sizes and is soon followed by such a delivery.

use std::collections::VecDeque;

/// Losses that point to a limit before the path is taken to have one.
const STRIKES: usize = 3;

/// Packets that differ by less, in bytes, are of one size: headers and statistics vary.
const SLACK: u16 = 128;

/// Sizes whose newest delivery is remembered.
const MAX_DELIVERIES: usize = 8;

/// One packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Packet {
    number: u64,
    bytes: u16,
}

impl Packet {
    /// Whether its delivery shows that the path carries packets of so many bytes.
    fn covers(self, bytes: u16) -> bool {
        self.bytes >= bytes.saturating_sub(SLACK)
    }
}

/// What is new since the last report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SizeReport {
    /// Size of the largest probe that arrived, in bytes.
    pub probe_acked: Option<usize>,
    /// Size of the last probe that was lost, in bytes.
    pub probe_lost: Option<usize>,
    /// The path swallows packets of this size, and smaller ones arrive.
    pub too_large: Option<usize>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    /// Packets up to this size are not looked at.
    base: u16,
    /// The newest delivery of each size, of which none is both older and smaller than another: by
    /// ascending number and descending size.
    delivered: VecDeque<Packet>,
    /// Losses that point to a limit.
    lost: Vec<Packet>,
    report: SizeReport,
}

impl Sizes {
    pub(super) fn reset(&mut self, base: usize) {
        *self = Self { base: u16::try_from(base).unwrap_or(u16::MAX), ..Self::default() };
    }

    pub(super) fn take_report(&mut self) -> SizeReport {
        std::mem::take(&mut self.report)
    }

    #[inline]
    pub(super) fn on_acked(&mut self, number: u64, bytes: u16, is_probe: bool) {
        if bytes > self.base && self.base > 0 {
            self.large_acked(Packet { number, bytes }, is_probe);
        }
    }

    fn large_acked(&mut self, packet: Packet, is_probe: bool) {
        if is_probe {
            let before = self.report.probe_acked.unwrap_or(0);
            self.report.probe_acked = Some(before.max(usize::from(packet.bytes)));
        }
        self.lost.retain(|lost| lost.number > packet.number || !packet.covers(lost.bytes));
        let newer = |known: &Packet| known.number >= packet.number && known.bytes >= packet.bytes;
        if self.delivered.iter().any(newer) {
            return;
        }
        self.delivered.retain(|known| known.number > packet.number || known.bytes > packet.bytes);
        let at = self.delivered.partition_point(|known| known.number < packet.number);
        self.delivered.insert(at, packet);
        if self.delivered.len() > MAX_DELIVERIES {
            self.delivered.pop_front();
        }
    }

    #[inline]
    pub(super) fn on_lost(&mut self, number: u64, bytes: u16, is_probe: bool) {
        if is_probe {
            self.report.probe_lost = Some(usize::from(bytes));
        } else if bytes > self.base && self.base > 0 {
            self.large_lost(Packet { number, bytes });
        }
    }

    fn large_lost(&mut self, packet: Packet) {
        let newer = |known: &Packet| known.number > packet.number && known.covers(packet.bytes);
        if self.delivered.iter().any(newer) {
            return;
        }
        self.lost.push(packet);
        if self.lost.len() >= STRIKES {
            let least = self.lost.iter().map(|lost| usize::from(lost.bytes)).min();
            self.report.too_large = least;
            self.lost.clear();
            self.delivered.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Sizes {
        let mut sizes = Sizes::default();
        sizes.reset(1300);
        sizes
    }

    #[test]
    fn a_later_delivery_of_the_size_forgives_losses() {
        let mut sizes = sizes();
        for round in 0..100 {
            let first = round * 10;
            for number in first..first + 2 {
                sizes.on_lost(number, 9000, false);
            }
            sizes.on_acked(first + 2, 9000, false);
            // Declared late, but older than that delivery.
            sizes.on_lost(first + 1, 8000, false);
            assert_eq!(sizes.take_report(), SizeReport::default());
        }
    }

    #[test]
    fn losses_behind_the_last_delivery_of_the_size_show_a_limit() {
        let mut sizes = sizes();
        for number in 1..50 {
            sizes.on_acked(number, 9000, false);
        }
        sizes.on_lost(60, 9000, false);
        sizes.on_acked(63, 1400, false);
        sizes.on_acked(64, 1300, false);
        sizes.on_lost(61, 8000, false);
        // An ack that comes late says nothing of the packets behind.
        sizes.on_acked(55, 9000, false);
        assert_eq!(sizes.take_report().too_large, None);
        sizes.on_lost(65, 9000, false);
        assert_eq!(sizes.take_report().too_large, Some(8000));
    }

    #[test]
    fn packets_of_the_usual_size_and_probes_are_no_sign() {
        let mut sizes = sizes();
        for number in 0..10 {
            sizes.on_lost(number, 1300, false);
            sizes.on_lost(number, 9000, true);
        }
        let report = SizeReport { probe_lost: Some(9000), ..SizeReport::default() };
        assert_eq!(sizes.take_report(), report);
        sizes.on_acked(11, 1452, true);
        assert_eq!(sizes.take_report().probe_acked, Some(1452));
    }

    #[test]
    fn the_record_of_deliveries_is_bounded() {
        let mut sizes = sizes();
        for number in 0..1000 {
            sizes.on_acked(number, 60_000 - number as u16, false);
            assert!(sizes.delivered.len() <= MAX_DELIVERIES);
        }
        sizes.on_acked(1000, 65_000, false);
        assert_eq!(sizes.delivered.len(), 1);
    }
}

//! How many segments a packet may hold: the peer takes only so many and does not say how many
//! (`RecvMaxSegmentsPerPacket`; packets above are never acknowledged).
//!
//! The limit is found from what becomes of packets. Where those with many segments stay
//! unacknowledged while ones with fewer arrive, the cap comes down; a packet now and then tries a
//! little more. Ordinary loss hits packets of all sizes and so leaves the cap alone, or brings it
//! down for a moment. Towards Valve's receivers it is the same.

/// Where nothing is known: what peers take at the most (`RecvMaxSegmentsPerPacket`).
const UNLIMITED: u16 = 1300;

/// Packets with more segments than any acknowledged one that must be lost, with none of their like
/// acknowledged in between, before the cap comes down.
const STRIKES: u8 = 3;

/// Packets with no more segments than others had that arrived, lost in a row, before that arrival
/// is no longer believed: the peer may have lowered its limit.
const DOUBTS: u8 = 8;

/// One in so many packets at the cap tries more than the cap.
const EXPLORE_EVERY: u16 = 64;

/// A trial is larger than the cap by this part of it, and by one segment at the least.
const EXPLORE_SHARE: u16 = 4;

/// Each unanswered probe timeout divides the segments of the next probes by this.
const PROBE_DIVISOR: u16 = 4;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct SegmentLimit {
    /// What a packet may hold.
    cap: u16,
    /// Most segments that arrived in one packet; forgotten by and by where such packets are lost.
    proven: u16,
    /// Lost packets with more than that, and the fewest segments among them.
    strikes: u8,
    fewest_lost: u16,
    /// Lost packets in a row with no more than that.
    doubts: u8,
    /// Packets at the cap since the last trial.
    full_packets: u16,
    /// Most segments in a packet since anything was acknowledged.
    unanswered: u16,
    /// What a probe may hold.
    probe_cap: u16,
}

impl SegmentLimit {
    pub(super) fn new() -> Self {
        Self {
            cap: UNLIMITED,
            proven: 0,
            strikes: 0,
            fewest_lost: UNLIMITED,
            doubts: 0,
            full_packets: 0,
            unanswered: 0,
            probe_cap: UNLIMITED,
        }
    }

    /// Most segments for the packet to be filled now.
    pub(super) fn for_packet(&self) -> u16 {
        if self.full_packets < EXPLORE_EVERY {
            return self.cap;
        }
        self.cap.saturating_add((self.cap / EXPLORE_SHARE).max(1)).min(UNLIMITED)
    }

    /// Most segments for a probe: fewer with each that stayed unanswered.
    pub(super) fn for_probe(&self) -> u16 {
        self.cap.min(self.probe_cap)
    }

    /// A packet was filled with so many.
    pub(super) fn on_filled(&mut self, segments: u16) {
        self.unanswered = self.unanswered.max(segments);
        if segments > self.cap {
            self.full_packets = 0;
        } else if segments == self.cap {
            self.full_packets += 1;
        }
    }

    /// Nothing was acknowledged for a probe timeout.
    pub(super) fn on_probe_timeout(&mut self) {
        // What is in flight may be older than the last ack.
        let known = if self.unanswered > 0 { self.unanswered } else { self.proven };
        self.probe_cap = (self.probe_cap.min(known) / PROBE_DIVISOR).max(1);
    }

    /// A packet with so many arrived.
    pub(super) fn on_acked(&mut self, segments: u16) {
        self.unanswered = 0;
        self.probe_cap = UNLIMITED;
        if segments > self.cap {
            self.cap = segments;
        }
        if segments > self.proven {
            self.proven = segments;
            self.forget_strikes();
        }
        if segments > self.proven / 2 {
            self.doubts = 0;
        }
    }

    /// A packet with so many is lost.
    pub(super) fn on_lost(&mut self, segments: u16) {
        if segments <= 1 {
            return;
        }
        if segments <= self.proven {
            self.doubts += 1;
            if self.doubts >= DOUBTS {
                self.doubts = 0;
                self.proven /= 2;
            }
            return;
        }
        self.strikes += 1;
        self.fewest_lost = self.fewest_lost.min(segments);
        if self.strikes >= STRIKES {
            let lower = (self.fewest_lost / 2).max(self.proven).max(1);
            self.cap = self.cap.min(lower);
            self.full_packets = 0;
            self.forget_strikes();
        }
    }

    fn forget_strikes(&mut self) {
        self.strikes = 0;
        self.fewest_lost = UNLIMITED;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends full packets of up to `wanted` segments to a peer that takes `limit`, five to a flight,
    /// probing as recovery does; how many packets were lost until `count` arrived.
    fn play(limits: &mut SegmentLimit, limit: u16, wanted: u16, count: u32) -> u32 {
        let (mut arrived, mut lost) = (0, 0);
        while arrived < count {
            let mut failed = Vec::new();
            let mut got_through = false;
            for _ in 0..5 {
                let segments = limits.for_packet().min(wanted);
                limits.on_filled(segments);
                if segments <= limit {
                    (arrived, got_through) = (arrived + 1, true);
                    limits.on_acked(segments);
                } else {
                    failed.push(segments);
                }
            }
            while !got_through {
                limits.on_probe_timeout();
                let segments = limits.for_probe().min(wanted);
                limits.on_filled(segments);
                if segments <= limit {
                    (arrived, got_through) = (arrived + 1, true);
                    limits.on_acked(segments);
                } else {
                    failed.push(segments);
                }
            }
            lost += failed.len() as u32;
            failed.into_iter().for_each(|segments| limits.on_lost(segments));
        }
        lost
    }

    #[test]
    fn nothing_is_limited_until_something_points_to_it() {
        let mut limits = SegmentLimit::new();
        assert_eq!(play(&mut limits, 1300, 400, 1000), 0);
        assert_eq!(limits.for_packet(), UNLIMITED);
    }

    #[test]
    fn the_limit_of_the_peer_is_found_and_approached() {
        for limit in [1, 2, 4, 30, 64, 399] {
            let mut limits = SegmentLimit::new();
            let lost = play(&mut limits, limit, 400, 2);
            assert!(lost <= 60, "{limit}: {lost} lost before anything went through");
            play(&mut limits, limit, 400, 5000);
            let cap = limits.cap;
            assert!(cap <= limit && cap >= (limit / 5 * 4).max(1), "{limit}: {cap}");
            let lost = play(&mut limits, limit, 400, 10_000);
            assert!(lost <= 10_000 / u32::from(EXPLORE_EVERY) + 10, "{limit}: {lost} lost later");
        }
    }

    #[test]
    fn a_peer_that_lowers_its_limit_is_noticed() {
        let mut limits = SegmentLimit::new();
        play(&mut limits, 1300, 400, 100);
        let lost = play(&mut limits, 4, 400, 200);
        assert!(limits.cap <= 4 && lost < 200, "{} {lost}", limits.cap);
        play(&mut limits, 1300, 400, 5000);
        assert!(limits.cap >= 400, "raised again, it grows: {}", limits.cap);
    }

    #[test]
    fn loss_that_hits_all_alike_leaves_the_cap_alone() {
        let mut limits = SegmentLimit::new();
        limits.on_acked(40);
        for turn in 0..10_000_u32 {
            let segments = 20 + (turn * 7 % 40) as u16;
            limits.on_filled(segments);
            // Every third packet is lost.
            if turn % 3 == 0 { limits.on_lost(segments) } else { limits.on_acked(segments) }
        }
        assert!(limits.for_packet() >= 59, "{}", limits.for_packet());
    }

    #[test]
    fn an_outage_makes_probes_small_and_leaves_the_rest() {
        let mut limits = SegmentLimit::new();
        limits.on_acked(100);
        limits.on_filled(100);
        let probes: Vec<u16> = (0..5)
            .map(|_| {
                limits.on_probe_timeout();
                limits.for_probe()
            })
            .collect();
        assert_eq!(probes, [25, 6, 1, 1, 1]);
        assert_eq!(limits.for_packet(), UNLIMITED);
        limits.on_acked(1);
        assert_eq!(limits.for_probe(), UNLIMITED);
    }
}

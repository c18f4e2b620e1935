//! What a packet carried, as far as its fate matters.

use smallvec::SmallVec;

/// Data in a packet that [`super::SendQueues`] wants to hear about again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SentRange {
    /// Bytes of a lane's reliable stream.
    Stream { lane: u8, len: u16, start: u64 },
    /// Whole reliable messages of a lane, unordered, with consecutive numbers.
    Whole { lane: u8, count: u16, first: u64 },
    /// Part of one reliable message of a lane, unordered.
    Part { lane: u8, len: u16, offset: u32, number: u64 },
    /// An unreliable message: once it is acknowledged, the peer knows of its number.
    Seen { lane: u8, number: u64 },
}

/// What a packet carried: [`super::SendQueues::fill`] writes it, [`crate::recovery`] keeps it, and it
/// comes back with [`super::SendQueues::on_acked`] or [`super::SendQueues::on_lost`].
///
/// Holds without allocation what most packets carry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SentContent {
    pub(super) ranges: SmallVec<[SentRange; 2]>,
    segments: u16,
    /// Bytes of unreliable messages.
    unreliable: u16,
    reliable: bool,
    carries_data: bool,
}

impl SentContent {
    /// Whether there is no application data in it.
    pub fn is_empty(&self) -> bool {
        !self.carries_data
    }

    /// Whether there is data in it that must arrive, so that the peer acknowledges it promptly.
    pub fn is_reliable(&self) -> bool {
        self.reliable
    }

    /// Segments in it.
    pub fn segments(&self) -> u16 {
        self.segments
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.ranges.clear();
        self.segments = 0;
        self.unreliable = 0;
        self.reliable = false;
        self.carries_data = false;
    }

    pub(super) fn push_stream(&mut self, lane: u8, start: u64, len: u16) {
        self.count_segment();
        self.reliable = true;
        if let Some(SentRange::Stream { lane: last_lane, start: last_start, len: last_len }) =
            self.ranges.last_mut()
            && *last_lane == lane
            && *last_start + u64::from(*last_len) == start
        {
            *last_len += len;
            return;
        }
        self.ranges.push(SentRange::Stream { lane, len, start });
    }

    pub(super) fn push_whole(&mut self, lane: u8, number: u64) {
        self.count_segment();
        self.reliable = true;
        if let Some(SentRange::Whole { lane: last_lane, count, first }) = self.ranges.last_mut()
            && *last_lane == lane
            && *first + u64::from(*count) == number
        {
            *count += 1;
            return;
        }
        self.ranges.push(SentRange::Whole { lane, count: 1, first: number });
    }

    pub(super) fn push_part(&mut self, lane: u8, number: u64, offset: u32, len: u16) {
        self.count_segment();
        self.reliable = true;
        self.ranges.push(SentRange::Part { lane, len, offset, number });
    }

    pub(super) fn push_seen(&mut self, lane: u8, number: u64, len: u16) {
        self.push_unreliable(len);
        self.ranges.push(SentRange::Seen { lane, number });
    }

    pub(super) fn push_unreliable(&mut self, len: u16) {
        self.count_segment();
        self.unreliable += len;
    }

    /// Bytes of unreliable messages in it.
    pub(super) fn unreliable_bytes(&self) -> u64 {
        u64::from(self.unreliable)
    }

    /// The packet is lost, and [`super::SendQueues::on_lost`] was told: unreliable messages in it are
    /// not under way any more, whatever else is heard of it.
    pub(crate) fn give_up_unreliable(&mut self) {
        self.unreliable = 0;
    }

    fn count_segment(&mut self) {
        self.segments = self.segments.saturating_add(1);
        self.carries_data = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_small_and_merges_neighbours() {
        assert!(size_of::<SentContent>() <= 64, "{}", size_of::<SentContent>());
        assert_eq!(size_of::<SentRange>(), 16);
        let mut content = SentContent::default();
        for (lane, start, len) in [(0, 1, 10), (0, 11, 5), (0, 20, 1), (1, 21, 2)] {
            content.push_stream(lane, start, len);
        }
        content.push_whole(1, 7);
        content.push_whole(1, 8);
        content.push_whole(1, 10);
        let expected = [
            SentRange::Stream { lane: 0, len: 15, start: 1 },
            SentRange::Stream { lane: 0, len: 1, start: 20 },
            SentRange::Stream { lane: 1, len: 2, start: 21 },
            SentRange::Whole { lane: 1, count: 2, first: 7 },
            SentRange::Whole { lane: 1, count: 1, first: 10 },
        ];
        assert_eq!(content.ranges.as_slice(), expected);
        assert!(content.is_reliable() && !content.is_empty());
        assert_eq!(content.segments(), 7, "merged ranges are segments of their own");
        content.clear();
        assert!(!content.is_reliable() && content.is_empty() && content.segments() == 0);
        content.push_seen(0, 1, 10);
        assert!(!content.is_reliable() && !content.is_empty());
    }
}

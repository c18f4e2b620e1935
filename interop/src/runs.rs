//! What is to be sent: runs of messages, and how a lane's unreliable ones are known to be through.

use gamewire::SendFlags;
use serde_json::{Value, json};

use crate::content;

/// Messages 0, 1, 2 … of one seed on one lane with one reliability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The lane.
    pub lane: u16,
    /// Sent reliably.
    pub reliable: bool,
    /// Further flags, such as no Nagle.
    pub flags: SendFlags,
    /// Message `i` has `sizes[i % len]` bytes.
    pub sizes: Vec<usize>,
    /// How many.
    pub count: u64,
}

impl Run {
    /// Reliable messages on lane 0.
    pub fn reliable(sizes: &[usize], count: u64) -> Self {
        let flags = SendFlags::from_bits(0);
        Self { lane: 0, reliable: true, flags, sizes: sizes.to_vec(), count }
    }

    /// Unreliable messages on lane 0.
    pub fn unreliable(sizes: &[usize], count: u64) -> Self {
        Self { reliable: false, ..Self::reliable(sizes, count) }
    }

    /// The same on another lane.
    #[must_use]
    pub fn on_lane(self, lane: u16) -> Self {
        Self { lane, ..self }
    }

    /// The same with further flags.
    #[must_use]
    pub fn with_flags(self, flags: SendFlags) -> Self {
        Self { flags, ..self }
    }

    /// Different for every lane and reliability, so that a message in the wrong place is noticed.
    pub fn seed(&self) -> u64 {
        1000 + u64::from(self.lane) * 2 + u64::from(self.reliable)
    }

    /// The size of message `index`.
    pub fn size(&self, index: u64) -> usize {
        let position = index % self.sizes.len() as u64;
        self.sizes[usize::try_from(position).expect("below a length")]
    }

    /// The content of message `index`.
    pub fn message(&self, index: u64) -> Vec<u8> {
        content::message(self.seed(), index, self.size(index))
    }

    /// All flags.
    pub fn send_flags(&self) -> SendFlags {
        if self.reliable { self.flags | SendFlags::RELIABLE } else { self.flags }
    }

    /// Payload of all messages, bytes.
    pub fn bytes(&self) -> u64 {
        (0..self.count).map(|index| self.size(index) as u64).sum()
    }

    /// The peer's command to send messages `first … first + count − 1`.
    pub fn command(&self, connection: &Value, first: u64, count: u64) -> Value {
        json!({
            "cmd": "send", "connection": connection, "lane": self.lane, "seed": self.seed(),
            "flags": self.send_flags().bits(), "sizes": self.sizes, "first": first, "count": count,
        })
    }

    /// What the peer is to expect.
    pub fn expectation(&self) -> Value {
        json!({
            "lane": self.lane, "reliable": self.reliable, "seed": self.seed(),
            "sizes": self.sizes, "count": self.count,
        })
    }
}

/// Runs in which every lane with unreliable messages ends with a reliable one that is sent behind
/// them: once it is there, so are they, or they are lost.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The runs; at most one per lane and reliability.
    pub runs: Vec<Run>,
    /// Lanes whose reliable run keeps its last message until all else was handed over.
    pub marked: Vec<u16>,
}

impl Plan {
    /// Completes runs by the messages that mark the end.
    pub fn new(runs: &[Run]) -> Self {
        let mut plan = Self { runs: runs.to_vec(), marked: Vec::new() };
        for run in runs.iter().filter(|run| !run.reliable) {
            plan.marked.push(run.lane);
            let on_lane = |other: &&mut Run| other.reliable && other.lane == run.lane;
            match plan.runs.iter_mut().find(on_lane) {
                Some(reliable) => reliable.count += 1,
                None => plan.runs.push(Run::reliable(&[16], 1).on_lane(run.lane)),
            }
        }
        plan
    }

    /// How many messages of a run go first.
    pub fn first_part(&self, run: &Run) -> u64 {
        run.count - u64::from(run.reliable && self.marked.contains(&run.lane))
    }

    /// How many lanes it takes.
    pub fn lanes(&self) -> usize {
        self.runs.iter().map(|run| usize::from(run.lane) + 1).max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_with_unreliable_messages_ends_with_a_reliable_one() {
        let plan = Plan::new(&[
            Run::unreliable(&[5], 10),
            Run::unreliable(&[5], 10).on_lane(2),
            Run::reliable(&[7, 9], 4).on_lane(2),
            Run::reliable(&[7], 4).on_lane(3),
        ]);
        let counts: Vec<_> = plan
            .runs
            .iter()
            .map(|run| (run.lane, run.reliable, run.count, plan.first_part(run)))
            .collect();
        let expected = [
            (0, false, 10, 10),
            (2, false, 10, 10),
            (2, true, 5, 4),
            (3, true, 4, 4),
            (0, true, 1, 0),
        ];
        assert_eq!(counts, expected);
        assert_eq!(plan.lanes(), 4);
        assert_eq!(plan.runs[2].bytes(), 7 + 9 + 7 + 9 + 7);
    }
}

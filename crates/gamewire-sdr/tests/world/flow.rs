//! What became of the packets of one direction.

use std::{collections::BTreeMap, time::Duration};

use gamewire_proto::Time;

/// The packets of one direction, by number.
#[derive(Default)]
pub(super) struct Flow {
    sent: u16,
    /// When each was sent, and whether it came.
    pub(super) packets: BTreeMap<u16, (Time, bool)>,
    pub(super) last_arrival: Option<Time>,
    pub(super) longest_gap: Duration,
}

impl Flow {
    pub(super) fn next(&mut self, now: Time) -> u16 {
        self.sent += 1;
        self.packets.insert(self.sent, (now, false));
        self.sent
    }

    pub(super) fn arrived(&mut self, now: Time, number: u16) {
        if let Some((_, came)) = self.packets.get_mut(&number) {
            *came = true;
        }
        if let Some(last) = self.last_arrival {
            self.longest_gap = self.longest_gap.max(now - last);
        }
        self.last_arrival = Some(now);
    }

    /// Of those sent long enough ago.
    pub(super) fn counts(&self, now: Time) -> (u64, u64) {
        let due = self.packets.values().filter(|(sent, _)| now - *sent > Duration::from_secs(1));
        due.fold(
            (0, 0),
            |(came, lost), (_, ok)| if *ok { (came + 1, lost) } else { (came, lost + 1) },
        )
    }

    pub(super) fn pause(&mut self) {
        self.last_arrival = None;
    }
}

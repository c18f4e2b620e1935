//! How much reliable data each side has room for, between peers that negotiated to tell.
//!
//! A packet with an ack says how much room there is beyond what it acknowledges; if it says nothing
//! of it, there is as much as the handshake announced. So each ack is a complete account, and a lost
//! one does no harm once a later one arrives.

use std::time::Duration;

use crate::{Time, config::ReceiveLimits};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct ReceiveWindow {
    /// What the peer announced in the handshake; `None`: nothing was negotiated.
    pub(super) remote: Option<u64>,
    /// The newest packet that told of the peer's room.
    told_by: u64,
    last_question: Time,
    /// What we announced, and what the peer was told last.
    announced: u64,
    told: u64,
    /// There is much more room than the peer was told.
    news: bool,
}

/// What a packet tells of its sender's room.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) acked: bool,
    pub(super) room: Option<u64>,
}

impl ReceiveWindow {
    pub(super) fn new(now: Time, remote: Option<u64>, limits: &ReceiveLimits) -> Self {
        let announced = limits.window() as u64;
        Self { remote, told_by: 0, last_question: now, announced, told: announced, news: false }
    }

    /// A packet was read to its end; the peer's room, if it told of it and none newer did.
    pub(super) fn on_told(&mut self, now: Time, packet_number: u64, told: Told) -> Option<u64> {
        let announced = self.remote?;
        if packet_number <= self.told_by || (!told.acked && told.room.is_none()) {
            return None;
        }
        self.told_by = packet_number;
        self.last_question = now;
        Some(told.room.unwrap_or(announced))
    }

    /// When to ask for the peer's room if nothing is heard of it.
    pub(super) fn next_question(&self, pto: Duration) -> Time {
        self.last_question + pto
    }

    /// The peer is asked.
    pub(super) fn asked(&mut self, now: Time) {
        self.last_question = now;
    }

    /// A packet leaves: what it must tell of our `room`.
    pub(super) fn tell(&mut self, room: u64) -> Option<u64> {
        self.remote?;
        self.told = room;
        let news = std::mem::take(&mut self.news);
        (news || room != self.announced).then_some(room)
    }

    /// The application took messages, and there is so much room now.
    pub(super) fn on_consumed(&mut self, room: u64) {
        self.news |= self.is_tight() && room >= self.told + self.announced / 4;
    }

    /// Whether the peer was told that there is little room.
    pub(super) fn is_tight(&self) -> bool {
        self.remote.is_some() && self.told < self.announced / 2
    }

    /// Whether a packet must leave to tell of room.
    pub(super) fn has_news(&self) -> bool {
        self.news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time::from_micros(1_000_000);

    fn window(remote: Option<u64>) -> ReceiveWindow {
        let limits = ReceiveLimits { window_bytes: Some(8000), ..ReceiveLimits::default() };
        ReceiveWindow::new(T0, remote, &limits)
    }

    #[test]
    fn silence_means_as_much_as_announced() {
        let mut window = window(Some(5000));
        let told = |acked, room| Told { acked, room };
        assert_eq!(window.on_told(T0, 7, told(true, Some(100))), Some(100));
        assert_eq!(window.on_told(T0, 6, told(true, None)), None, "older than what is known");
        assert_eq!(window.on_told(T0, 8, told(false, None)), None, "it says nothing at all");
        assert_eq!(window.on_told(T0, 9, told(true, None)), Some(5000));
        assert_eq!(window.next_question(Duration::from_secs(1)), T0 + Duration::from_secs(1));
    }

    #[test]
    fn tells_whenever_it_is_not_as_announced() {
        let mut window = window(Some(5000));
        assert_eq!(window.tell(8000), None);
        assert!(!window.is_tight());
        assert_eq!(window.tell(1000), Some(1000));
        assert!(window.is_tight());
        window.on_consumed(2000);
        assert!(!window.has_news());
        window.on_consumed(3000);
        assert!(window.has_news());
        assert_eq!(window.tell(3000), Some(3000));
        assert!(!window.has_news());
        window.on_consumed(8000);
        assert_eq!(window.tell(8000), Some(8000), "there may be no ack that says it by silence");
    }

    #[test]
    fn says_nothing_to_peers_that_did_not_ask_for_it() {
        let mut window = window(None);
        assert_eq!(window.tell(10), None);
        window.on_consumed(8000);
        assert!(!window.has_news() && !window.is_tight());
        assert_eq!(window.on_told(T0, 5, Told { acked: true, room: None }), None);
    }
}

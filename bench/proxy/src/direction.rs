//! What happens to packets that go one way. Decides only; the sockets are elsewhere.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Bytes that wait before a limited link; more are dropped. One round trip of 50 ms at 2.5 MB/s.
const QUEUE_BYTES: f64 = 125_000.0;
/// Bytes on an unlimited link, at most: the proxy's own protection.
const MOST_BYTES: usize = 256 << 20;

/// What a link does to packets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// From one end to the other.
    pub(crate) delay: Duration,
    /// Packets lost, of a million.
    pub(crate) loss_ppm: u32,
    /// What it carries; 0 for no limit.
    pub(crate) bytes_per_s: u64,
}

/// A generator of the kind xorshift64*: small, and good enough for dice.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn roll_ppm(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        u32::try_from((high * 1_000_000) >> 32).expect("less than a million")
    }
}

/// One way of the link.
#[derive(Debug)]
pub(crate) struct Direction {
    link: Link,
    dice: Dice,
    /// When the link has sent what waits before it.
    free_at: Option<Instant>,
    queue: VecDeque<(Instant, Vec<u8>)>,
    queued_bytes: usize,
    spare: Vec<Vec<u8>>,
}

impl Direction {
    pub(crate) fn new(link: Link, seed: u64) -> Self {
        Self {
            link,
            // Zero is the one state that the generator never leaves.
            dice: Dice(seed.max(1)),
            free_at: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            spare: Vec::new(),
        }
    }

    /// A packet enters the link.
    pub(crate) fn push(&mut self, now: Instant, packet: &[u8]) {
        if self.dice.roll_ppm() < self.link.loss_ppm {
            return;
        }
        let Some(sent) = self.sent_at(now, packet.len()) else {
            return;
        };
        if self.queued_bytes + packet.len() > MOST_BYTES {
            return;
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(packet);
        self.queued_bytes += packet.len();
        self.queue.push_back((sent + self.link.delay, buffer));
    }

    /// When the link will have sent it; nothing if the queue before it is full.
    fn sent_at(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        if self.link.bytes_per_s == 0 {
            return Some(now);
        }
        let rate = self.link.bytes_per_s as f64;
        let start = self.free_at.map_or(now, |free| free.max(now));
        if (start - now).as_secs_f64() * rate > QUEUE_BYTES {
            return None;
        }
        let sent = start + Duration::from_secs_f64(bytes as f64 / rate);
        self.free_at = Some(sent);
        Some(sent)
    }

    /// When the next packet arrives at the other end.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        Some(self.queue.front()?.0)
    }

    /// A packet that has arrived by now. Give it back with [`Direction::recycle`].
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.next_arrival()? > now {
            return None;
        }
        let (_, packet) = self.queue.pop_front()?;
        self.queued_bytes -= packet.len();
        Some(packet)
    }

    /// Keeps the buffer of a packet for others.
    pub(crate) fn recycle(&mut self, packet: Vec<u8>) {
        self.spare.push(packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = Link { delay: Duration::from_millis(25), loss_ppm: 0, bytes_per_s: 0 };

    #[test]
    fn packets_arrive_after_the_delay_and_in_order() {
        let mut direction = Direction::new(LINK, 1);
        let start = Instant::now();
        direction.push(start, b"a");
        direction.push(start, b"b");
        assert_eq!(direction.pop(start + Duration::from_millis(24)), None);
        let late = start + Duration::from_millis(25);
        assert_eq!(direction.pop(late).unwrap(), b"a");
        assert_eq!(direction.pop(late).unwrap(), b"b");
        assert_eq!(direction.pop(late), None);
    }

    #[test]
    fn a_limited_link_spaces_packets_and_drops_beyond_its_queue() {
        let mut direction = Direction::new(Link { bytes_per_s: 1_000_000, ..LINK }, 1);
        let start = Instant::now();
        (0..200).for_each(|_| direction.push(start, &[0; 1000]));
        // 126 have room in the queue or are being sent.
        assert_eq!(direction.queue.len(), 126);
        let last = direction.queue.back().unwrap().0;
        assert_eq!((last - start).as_millis(), 126 + 25);
    }

    #[test]
    fn a_seed_repeats_its_losses() {
        let arrived = |seed| {
            let mut direction = Direction::new(Link { loss_ppm: 20_000, ..LINK }, seed);
            let now = Instant::now();
            (0_u32..100_000).for_each(|index| direction.push(now, &index.to_le_bytes()));
            direction.queue.into_iter().map(|(_, packet)| packet).collect::<Vec<_>>()
        };
        assert_eq!(arrived(7), arrived(7));
        assert_ne!(arrived(7), arrived(8));
        let lost = 100_000 - arrived(7).len();
        assert!((1_800..2_200).contains(&lost), "{lost}");
    }
}

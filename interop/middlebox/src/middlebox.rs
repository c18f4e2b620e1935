//! Two devices and what lies between them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io,
    time::{Duration, Instant},
};

use gamewire_proto::Time;
use gamewire_sim::{
    network::{Link, LinkConfig, LinkCounters},
    rng::{Rng, mix},
};

use crate::Tun;

/// Largest packet that a device hands over.
const MAX_PACKET_BYTES: usize = 65_536;
/// Packets taken from one device before the other gets its turn.
const PACKETS_PER_TURN: usize = 64;
/// Packets under way in one direction; what comes on top is lost.
const MAX_UNDER_WAY: usize = 1 << 16;

/// One way through.
struct Way {
    link: Link,
    rng: Rng,
    /// When what arrives, by number: the earliest first, and those of one moment in order.
    due: BinaryHeap<Reverse<(Time, u64)>>,
    under_way: BTreeMap<u64, Vec<u8>>,
    next_number: u64,
}

impl Way {
    fn new(config: LinkConfig, seed: u64) -> Self {
        let (link, rng) = (Link::new(config), Rng::new(seed));
        Self { link, rng, due: BinaryHeap::new(), under_way: BTreeMap::new(), next_number: 0 }
    }

    fn enter(&mut self, now: Time, packet: &[u8]) {
        for arrival in self.link.arrivals(now, packet, &mut self.rng) {
            if self.under_way.len() < MAX_UNDER_WAY {
                self.due.push(Reverse((arrival.at, self.next_number)));
                self.under_way.insert(self.next_number, packet.to_vec());
                self.next_number += 1;
            }
        }
    }

    fn next_due(&self) -> Option<Time> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    fn leave(&mut self, now: Time) -> Option<Vec<u8>> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse((_, number)) = self.due.pop()?;
        self.under_way.remove(&number)
    }
}

/// See the crate's documentation.
pub struct Middlebox {
    tuns: [Tun; 2],
    /// From the first device to the second, and back.
    ways: [Way; 2],
    start: Instant,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Middlebox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Middlebox").field("tuns", &self.tuns).finish_non_exhaustive()
    }
}

impl Middlebox {
    /// Between two devices; the first link leads from the first device to the second, and the other
    /// one back. Rate limits of links count here, too, but `tc tbf` is the better judge of them.
    pub fn new(tuns: [Tun; 2], links: [LinkConfig; 2], seed: u64) -> Self {
        let [there, back] = links;
        let ways = [Way::new(there, mix(seed, 1)), Way::new(back, mix(seed, 2))];
        Self { tuns, ways, start: Instant::now(), buffer: vec![0; MAX_PACKET_BYTES] }
    }

    /// What became of the packets so far, in each direction.
    pub fn counters(&self) -> [LinkCounters; 2] {
        [self.ways[0].link.counters(), self.ways[1].link.counters()]
    }

    /// Carries packets for ever.
    ///
    /// # Errors
    /// A device is gone.
    pub fn run(&mut self) -> io::Result<()> {
        loop {
            self.turn()?;
        }
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn turn(&mut self) -> io::Result<()> {
        let next = self.ways.iter().filter_map(Way::next_due).min();
        wait(&self.tuns, next.map(|at| at.since(self.now())))?;
        for side in 0..2 {
            for _ in 0..PACKETS_PER_TURN {
                let now = self.now();
                let Some(packet) = self.tuns[side].receive(&mut self.buffer)? else { break };
                self.ways[side].enter(now, packet);
            }
        }
        let now = self.now();
        for side in 0..2 {
            while let Some(packet) = self.ways[side].leave(now) {
                self.tuns[1 - side].send(&packet);
            }
        }
        Ok(())
    }
}

/// Until a packet waits or the time is over.
fn wait(tuns: &[Tun; 2], timeout: Option<Duration>) -> io::Result<()> {
    let poll = |tun: &Tun| libc::pollfd { fd: tun.descriptor(), events: libc::POLLIN, revents: 0 };
    let mut polled = [poll(&tuns[0]), poll(&tuns[1])];
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos().cast_signed()),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the array and the timeout outlive the call, the length is that of the array, and a
    // null pointer for the signal mask is allowed.
    let rc = unsafe {
        libc::ppoll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout, std::ptr::null())
    };
    match rc {
        0.. => Ok(()),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use gamewire_sim::rng::PerMillion;

    use super::*;

    fn at(micros: u64) -> Time {
        Time::from_micros(micros)
    }

    /// What comes out of a way into which a hundred packets went, one each millisecond.
    fn carried(config: LinkConfig, seed: u64) -> Vec<(u64, u8)> {
        let mut way = Way::new(config, seed);
        let mut out = Vec::new();
        for now in 0..400 {
            if now < 100 {
                way.enter(at(now * 1_000), &[now as u8]);
            }
            while let Some(packet) = way.leave(at(now * 1_000)) {
                out.push((now, packet[0]));
            }
        }
        assert!(way.under_way.is_empty() && way.due.is_empty());
        out
    }

    #[test]
    fn a_delay_keeps_the_order() {
        let config = LinkConfig { delay: Duration::from_millis(20), ..LinkConfig::default() };
        let expected: Vec<(u64, u8)> = (0..100).map(|n| (n + 20, n as u8)).collect();
        assert_eq!(carried(config, 1), expected);
    }

    #[test]
    fn a_seed_decides_what_is_lost_swapped_and_doubled() {
        let some = PerMillion::percent(10);
        let config = LinkConfig {
            loss: some,
            duplicate: some,
            reorder: some,
            reorder_delay: Duration::from_millis(5),
            ..LinkConfig::default()
        };
        let out = carried(config, 7);
        assert_eq!(out, carried(config, 7));
        assert_ne!(out, carried(config, 8));
        assert!((90..115).contains(&out.len()), "{}", out.len());
        assert!(!out.is_sorted_by_key(|(_, packet)| *packet), "none was overtaken");
    }
}

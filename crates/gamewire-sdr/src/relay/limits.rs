//! What a relay grants, in numbers, and the buckets that count it.

use std::net::IpAddr;

use gamewire_crypto::{Entropy, cookie::ChallengeKey};
use gamewire_proto::Time;
use gamewire_wire::address::Address;

/// Pings that one source (IPv4 address or IPv6 /64) may send per second, and at once.
pub const PINGS_PER_SOURCE: Rate = Rate { per_second: 50, burst: 50 };
/// Session requests that one source may send per second, and at once.
pub const SESSION_REQUESTS_PER_SOURCE: Rate = Rate { per_second: 10, burst: 20 };
/// Answers to what belongs to no session that one source is given per second, and at once.
pub const STRAY_ANSWERS_PER_SOURCE: Rate = Rate { per_second: 10, burst: 20 };
/// Signatures that a shard checks per second, and at once: what a flood may cost.
pub const SIGNATURE_CHECKS: Rate = Rate { per_second: 4000, burst: 1000 };
/// Packets per second of a session in each direction, unless its ticket grants more; a quarter of
/// a second's worth at once.
pub const SESSION_PACKETS_PER_SECOND: u32 = 2000;
/// Bytes per second of a session in each direction, unless its ticket grants more.
pub const SESSION_BYTES_PER_SECOND: u32 = 1_500_000;
/// The most that a ticket may grant, in packets per second.
pub const MAX_SESSION_PACKETS_PER_SECOND: u32 = 20_000;
/// The most that a ticket may grant, in bytes per second.
pub const MAX_SESSION_BYTES_PER_SECOND: u32 = 25_000_000;
/// Packets to a server that has not answered yet, per second and at once, whatever the number of
/// sessions: a ticket for somebody who is no server makes no flood.
pub const UNCONFIRMED_SERVER_PACKETS: Rate = Rate { per_second: 10, burst: 20 };
/// Sessions that one ticket may have at a time: a client needs three, and some for changing over.
pub const MAX_SESSIONS_PER_TICKET: u32 = 8;
/// Peer-to-peer sessions that one identity may have at a time.
pub const MAX_SESSIONS_PER_IDENTITY: u32 = 64;
/// Sessions that one source may have at a time; many players may share an address.
pub const MAX_SESSIONS_PER_SOURCE: u32 = 512;
/// Sessions of a shard, unless configured otherwise.
pub const DEFAULT_MAX_SESSIONS: usize = 65_536;
/// Slots for sources. Sources that fall into one slot share it; nothing grows.
const SOURCE_SLOTS: usize = 1 << 15;

/// How often something may happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Per second, in the long run.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// A token bucket. Its parts are millionths, so that slow rates fill smoothly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    level: u64,
    filled_at: Time,
}

const PARTS: u64 = 1_000_000;

impl Bucket {
    /// A full one.
    pub(super) fn new(now: Time, rate: Rate) -> Self {
        Self { level: u64::from(rate.burst) * PARTS, filled_at: now }
    }

    /// Takes `amount`, or nothing if it does not hold so much.
    pub(super) fn take(&mut self, now: Time, rate: Rate, amount: u32) -> bool {
        let elapsed_us = now.micros_since(self.filled_at);
        let full = u64::from(rate.burst) * PARTS;
        let gained = elapsed_us.saturating_mul(u64::from(rate.per_second));
        self.level = self.level.saturating_add(gained).min(full);
        self.filled_at = self.filled_at.max(now);
        let wanted = u64::from(amount) * PARTS;
        if self.level < wanted {
            return false;
        }
        self.level -= wanted;
        true
    }
}

/// Which of a source's buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SourceBucket {
    Pings,
    SessionRequests,
    StrayAnswers,
}

impl SourceBucket {
    const fn rate(self) -> Rate {
        match self {
            Self::Pings => PINGS_PER_SOURCE,
            Self::SessionRequests => SESSION_REQUESTS_PER_SOURCE,
            Self::StrayAnswers => STRAY_ANSWERS_PER_SOURCE,
        }
    }
}

/// The buckets of all sources, in a table of fixed size.
pub(super) struct SourceLimits {
    slots: Box<[[Bucket; 3]]>,
    hasher: ChallengeKey,
}

impl SourceLimits {
    pub(super) fn new(now: Time, entropy: &mut dyn Entropy) -> Self {
        let fresh = [
            Bucket::new(now, PINGS_PER_SOURCE),
            Bucket::new(now, SESSION_REQUESTS_PER_SOURCE),
            Bucket::new(now, STRAY_ANSWERS_PER_SOURCE),
        ];
        Self {
            slots: vec![fresh; SOURCE_SLOTS].into_boxed_slice(),
            hasher: ChallengeKey::generate(entropy),
        }
    }

    /// Whether a source may do this once more.
    pub(super) fn take(&mut self, now: Time, from: Address, bucket: SourceBucket) -> bool {
        // The keyed hash keeps others from choosing whose slot they share.
        let hash = self.hasher.issue(0, &source(from)) >> 16;
        let index = (hash as usize) % self.slots.len();
        self.slots[index][bucket as usize].take(now, bucket.rate(), 1)
    }
}

/// Whom the limits per source are counted for: an IPv4 address, or an IPv6 /64.
pub(super) fn source(address: Address) -> Address {
    match address.ip() {
        IpAddr::V4(ip) => Address::from_v4(ip, 0),
        IpAddr::V6(ip) => {
            let network = ip.to_bits() & !u128::from(u64::MAX);
            Address::from_v6(network.into(), 0)
        }
    }
}

/// What one session may send in one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    packets: Bucket,
    bytes: Bucket,
    packet_rate: Rate,
    byte_rate: Rate,
}

impl Allowance {
    pub(super) fn new(now: Time, packets_per_second: u32, bytes_per_second: u32) -> Self {
        let rate = |per_second: u32| Rate { per_second, burst: (per_second / 4).max(2000) };
        let (packet_rate, byte_rate) = (
            Rate { per_second: packets_per_second, burst: (packets_per_second / 4).max(1) },
            rate(bytes_per_second),
        );
        Self {
            packets: Bucket::new(now, packet_rate),
            bytes: Bucket::new(now, byte_rate),
            packet_rate,
            byte_rate,
        }
    }

    pub(super) fn take(&mut self, now: Time, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.packets.take(now, self.packet_rate, 1) && self.bytes.take(now, self.byte_rate, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gamewire_crypto::SeededEntropy;

    #[test]
    fn buckets() {
        let rate = Rate { per_second: 10, burst: 3 };
        let start = Time::from_micros(1_000_000);
        let mut bucket = Bucket::new(start, rate);
        let took =
            |bucket: &mut Bucket, now: Time| (0..100).filter(|_| bucket.take(now, rate, 1)).count();
        assert_eq!(took(&mut bucket, start), 3);
        assert_eq!(took(&mut bucket, start.plus_micros(99_999)), 0);
        assert_eq!(took(&mut bucket, start.plus_micros(100_000)), 1);
        assert_eq!(took(&mut bucket, start.plus_micros(60_000_000)), 3);
        // A clock that jumps back gives nothing.
        assert_eq!(took(&mut bucket, start), 0);
        assert_eq!(took(&mut bucket, Time::FAR_FUTURE), 3);
        assert!(!bucket.take(Time::FAR_FUTURE, rate, u32::MAX));
    }

    #[test]
    fn sources_are_counted_apart_and_ipv6_by_network() {
        let now = Time::from_micros(0);
        let mut limits = SourceLimits::new(now, &mut SeededEntropy::new(1));
        let mut count = |text: &str| {
            let from = text.parse().unwrap();
            (0..100).filter(|_| limits.take(now, from, SourceBucket::SessionRequests)).count()
        };
        assert_eq!(count("192.0.2.1:1"), 20);
        assert_eq!(count("192.0.2.1:2"), 0, "another port is the same source");
        assert_eq!(count("192.0.2.2:1"), 20);
        assert_eq!(count("[2001:db8::1]:1"), 20);
        assert_eq!(count("[2001:db8::ffff:1]:1"), 0);
        assert_eq!(count("[2001:db8:0:1::1]:1"), 20);
    }

    #[test]
    fn a_session_is_held_to_packets_and_bytes() {
        let now = Time::from_micros(0);
        let mut small = Allowance::new(now, 2000, 1_500_000);
        assert_eq!((0..10_000).filter(|_| small.take(now, 50)).count(), 500);
        let mut large = Allowance::new(now, 2000, 1_500_000);
        assert_eq!((0..10_000).filter(|_| large.take(now, 1300)).count(), 288);
    }
}

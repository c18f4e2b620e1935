mod measures;
mod reports;
mod schedule;

use std::time::Duration;

use crate::Time;

use super::*;

/// The library's clock does not start at zero either.
const START_US: u64 = 3_000_000_000_000;

fn at_us(us: u64) -> Time {
    Time::from_micros(START_US + us)
}

fn at_ms(ms: u64) -> Time {
    at_us(ms * 1000)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn link() -> LinkStats {
    LinkStats::new(at_ms(0), 7)
}

fn sent(packet_number: u64, content: SentContent, stats: Option<&UdpStats>) -> SentPacket<'_> {
    SentPacket { packet_number, bytes: 100, content, stats }
}

#[test]
fn a_connection_affords_it() {
    let size = size_of::<LinkStats>();
    assert!(size <= 1536, "{size} bytes");
}

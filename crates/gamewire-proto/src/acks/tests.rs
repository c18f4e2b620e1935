use std::collections::{BTreeMap, BTreeSet};

use gamewire_wire::snp::{Frame, FrameHints, FrameReader};
use proptest::prelude::*;

use super::*;

mod lessons;
mod model;
mod scheduling;

/// A packet has this much room unless a test says otherwise.
const ROOM: usize = 1000;

const START: Time = Time::from_micros(3_000_000_000_000);

/// What an ack frame says, parsed back from its bytes.
#[derive(Debug)]
struct Said {
    latest: u64,
    delay: Option<u16>,
    /// From newest to oldest: (last of a run not received, its length).
    missing: Vec<(u64, u64)>,
    len: usize,
}

impl Said {
    /// Whether the frame says that `number`, no more than `latest`, was received.
    fn received(&self, number: u64) -> bool {
        assert!(number <= self.latest);
        !self.missing.iter().any(|&(last, len)| number <= last && last - number < len)
    }

    /// Numbers from `floor` to `latest` said to be received.
    fn acked(&self, floor: u64) -> BTreeSet<u64> {
        (floor..=self.latest).filter(|&number| self.received(number)).collect()
    }
}

struct LastSent(u64);

impl FrameHints for LastSent {
    fn message_number(&self, _lane: u16) -> u64 {
        1
    }

    fn stream_position(&self, _lane: u16) -> u64 {
        1
    }

    fn last_sent_packet(&self) -> u64 {
        self.0
    }
}

/// Writes an ack frame and reads it as the peer would.
fn write(acks: &mut ReceivedPackets, now: Time, max_len: usize) -> Option<Said> {
    let mut bytes = vec![];
    let mut writer = PacketWriter::new(&mut bytes, ROOM);
    if !acks.write_ack(now, &mut writer, max_len) {
        assert!(bytes.is_empty());
        return None;
    }
    assert!(bytes.len() <= max_len);
    let mut reader = FrameReader::new(&bytes, 1);
    let hints = LastSent(acks.newest());
    let Ok(Some(Frame::Ack(frame))) = reader.next(&hints) else { panic!("not an ack frame") };
    assert!(frame.blocks().len() <= MAX_ACK_BLOCKS);
    let mut missing = vec![];
    let mut at = frame.latest + 1;
    for block in frame.blocks() {
        at -= u64::from(block.acked);
        if block.missing > 0 {
            missing.push((at - 1, u64::from(block.missing)));
            at -= u64::from(block.missing);
        }
    }
    assert_eq!(reader.next(&hints), Ok(None));
    Some(Said { latest: frame.latest, delay: frame.delay, missing, len: bytes.len() })
}

/// Records packets of no need, all at once.
fn receive(acks: &mut ReceivedPackets, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        acks.on_packet(START, number, AckNeed::None, true);
    }
}

/// Past every wait for reordering.
fn settled() -> Time {
    START + REORDER_WAIT
}

#[test]
fn nothing_is_said_before_anything_came() {
    let mut acks = ReceivedPackets::new(1);
    assert!(write(&mut acks, START, ROOM).is_none());
    assert_eq!(acks.deadline(), None);
    assert_eq!((acks.newest(), acks.expand(2)), (1, 2));
}

#[test]
fn frames_say_the_truth_newest_to_oldest() {
    type Row = (&'static [u64], u64, &'static [(u64, u64)]);
    let table: &[Row] = &[
        (&[2], 2, &[]),
        (&[2, 3, 4], 4, &[]),
        (&[3], 3, &[(2, 1)]),
        (&[2, 4], 4, &[(3, 1)]),
        (&[2, 4, 3], 4, &[]),
        (&[5, 2], 5, &[(4, 2)]),
        (&[2, 5, 3, 9, 10], 10, &[(8, 3), (4, 1)]),
        (&[100], 100, &[(99, 98)]),
        (&[10, 8, 6, 4, 3, 5, 7, 9], 10, &[(2, 1)]),
    ];
    for (numbers, latest, missing) in table {
        let mut acks = ReceivedPackets::new(1);
        receive(&mut acks, numbers.iter().copied());
        let said = write(&mut acks, settled(), ROOM).expect("something came");
        assert_eq!(said.latest, *latest, "{numbers:?}");
        assert_eq!(said.missing, *missing, "{numbers:?}");
    }
}

#[test]
fn an_exact_frame_is_five_bytes_long() {
    let mut acks = ReceivedPackets::new(1);
    receive(&mut acks, 2..5000);
    assert_eq!(write(&mut acks, START, 5).map(|said| said.len), Some(5));
}

#[test]
fn the_delay_counts_from_the_packet_named() {
    let mut acks = ReceivedPackets::new(1);
    receive(&mut acks, [2]);
    acks.on_packet(START + Duration::from_millis(1), 4, AckNeed::None, true);
    // Held at 2, as 3 may still come; then 4 is named.
    for (micros, latest, delay) in [
        (1000, 2, Some(31)),
        (1031, 2, Some(32)),
        (2000, 4, Some(31)),
        (2_000_000, 4, Some(62_468)),
        (1000 + 0xfffe * 32 + 31, 4, Some(0xfffe)),
        (1000 + 0xffff * 32, 4, None),
        (90_000_000, 4, None),
    ] {
        let said = write(&mut acks, START.plus_micros(micros), ROOM).expect("something came");
        assert_eq!((said.latest, said.delay), (latest, delay), "{micros}");
    }
}

#[test]
fn more_gaps_than_fit_are_said_one_frame_after_the_other() {
    for room in [7, 12, 40, 90, 200, ROOM] {
        let mut acks = ReceivedPackets::new(1);
        let truth: BTreeSet<u64> = (2..900).filter(|number| number % 3 != 0).collect();
        receive(&mut acks, truth.iter().copied());
        let mut told = BTreeSet::new();
        let mut frames = 0;
        acks.request_ack(settled(), Duration::ZERO);
        while acks.deadline().is_some_and(|deadline| deadline <= settled()) {
            let said = write(&mut acks, settled(), room).expect("room for a block");
            let acked = said.acked(2);
            assert!(acked.is_subset(&truth), "a false 'received' with room for {room}");
            told.extend(acked);
            frames += 1;
            assert!(frames <= 299, "no progress with room for {room}");
        }
        assert_eq!(told, truth, "room {room}");
        assert_eq!(acks.deadline(), None);
        // From now on the newest is named each time, and what was said before may be left out.
        let said = write(&mut acks, settled(), room).expect("something came");
        assert_eq!(said.latest, 899);
        assert!(said.acked(2).is_subset(&truth));
    }
}

#[test]
fn once_the_peer_stops_waiting_everything_fits_again() {
    let mut acks = ReceivedPackets::new(1);
    receive(&mut acks, (2..900).filter(|number| number % 3 != 0));
    let first = write(&mut acks, settled(), ROOM).expect("something came");
    assert!(first.latest < 899);
    assert!(acks.deadline().is_some_and(|deadline| deadline <= settled()));
    assert!(!acks.on_stop_waiting(900, 800));
    let said = write(&mut acks, settled(), ROOM).expect("something came");
    assert_eq!(said.latest, 899);
    let truth: BTreeSet<u64> = (800..900).filter(|number| number % 3 != 0).collect();
    assert_eq!(said.acked(800), truth);
    assert_eq!(acks.deadline(), None);
}

#[test]
fn no_room_says_nothing_and_does_not_spin() {
    let mut acks = ReceivedPackets::new(1);
    receive(&mut acks, [3]);
    acks.request_ack(START, Duration::ZERO);
    for room in 0..5 {
        assert!(write(&mut acks, settled(), room).is_none());
    }
    let deadline = acks.deadline().expect("still to be said");
    assert!(deadline > settled() && deadline <= settled() + REORDER_WAIT);
    assert!(write(&mut acks, settled(), 6).is_some());
    assert_eq!(acks.deadline(), None);
}

#[test]
fn runs_longer_than_a_block_can_count() {
    let jump = 3_000_000;
    let mut acks = ReceivedPackets::new(1);
    receive(&mut acks, [2, jump]);
    let said = write(&mut acks, settled(), ROOM).expect("fits");
    assert!(said.received(2) && said.received(jump));
    assert!(!said.received(3) && !said.received(jump / 2) && !said.received(jump - 1));
    // Beyond what a frame can count, nothing is said rather than something false.
    let far = 1 << 40;
    receive(&mut acks, [far]);
    if let Some(said) = write(&mut acks, settled(), ROOM) {
        assert!(said.latest < far);
    }
}

#[test]
fn sequence_events() {
    let mut acks = ReceivedPackets::new(1);
    let mut event = |number, keep| acks.on_packet(START, number, AckNeed::None, keep);
    assert_eq!(event(2, true), SequenceEvent::InOrder);
    assert_eq!(event(3, false), SequenceEvent::InOrder);
    assert_eq!(event(7, true), SequenceEvent::Gap { missing: 3 });
    assert_eq!(event(5, true), SequenceEvent::OutOfOrder);
    assert_eq!(event(8, true), SequenceEvent::InOrder);
}

#[test]
fn memory_is_bounded_and_the_oldest_is_forgotten_first() {
    let mut acks = ReceivedPackets::new(1);
    let count = 3 * MAX_RECEIVED_RANGES as u64;
    receive(&mut acks, (1..=count).map(|index| 2 * index));
    assert_eq!(acks.ranges.len(), MAX_RECEIVED_RANGES);
    let said = write(&mut acks, settled(), ROOM).expect("something came");
    assert!(said.acked(2).iter().all(|number| number % 2 == 0));
    assert!(!said.received(2), "forgotten, so it must not be acked unsaid");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A window of 128 numbers against a set.
    #[test]
    fn seen_window_is_a_set(
        start in prop_oneof![Just(0u64), Just((1 << 16) - 9), Just((1 << 32) - 9), Just(1 << 48)],
        steps in prop::collection::vec((0u64..40, 0u64..200, any::<bool>()), 1..120),
    ) {
        let mut window = SeenWindow::<2>::new(start);
        let mut seen = BTreeSet::new();
        let mut newest = start;
        for (ahead, back, far) in steps {
            let ahead = if far { ahead * 20 } else { ahead };
            let number = (newest + ahead).saturating_sub(back);
            let expected = if number > newest {
                Freshness::New
            } else if newest - number >= 128 {
                Freshness::TooOld
            } else if number <= start || seen.contains(&number) {
                Freshness::Duplicate
            } else {
                Freshness::New
            };
            prop_assert_eq!(window.freshness(number), expected);
            window.mark(number);
            seen.insert(number);
            newest = newest.max(number);
            prop_assert_eq!(window.newest(), newest);
        }
    }
}

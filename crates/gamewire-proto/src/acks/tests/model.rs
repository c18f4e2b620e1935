//! Against sets of numbers.

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// A packet, so far from the newest one; refused if not `keep`.
    Packet {
        offset: i64,
        keep: bool,
        need: u8,
    },
    /// A stop-waiting frame: packet number so far past the newest, `before` so far below that.
    StopWaiting {
        ahead: u64,
        back: i64,
    },
    /// An ack frame in so little room.
    Write {
        room: usize,
    },
    Wait {
        micros: u64,
    },
    Request {
        micros: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let packet = (prop_oneof![6 => 1i64..3, 2 => -12i64..12, 1 => -80i64..90], 0u8..10, 0u8..3)
        .prop_map(|(offset, keep, need)| Step::Packet { offset, keep: keep > 0, need });
    prop_oneof![
        12 => packet,
        1 => (0u64..3, prop_oneof![4 => 0i64..60, 1 => -5i64..200])
            .prop_map(|(ahead, back)| Step::StopWaiting { ahead, back }),
        3 => prop_oneof![Just(ROOM), 0usize..30].prop_map(|room| Step::Write { room }),
        2 => (0u64..1500).prop_map(|micros| Step::Wait { micros }),
        1 => prop_oneof![Just(0u64), 0u64..5000].prop_map(|micros| Step::Request { micros }),
    ]
}

struct Model {
    start: u64,
    newest: u64,
    seen: BTreeSet<u64>,
    kept: BTreeMap<u64, Time>,
    floor: u64,
    stop_waiting: (u64, u64),
}

impl Model {
    fn freshness(&self, number: u64) -> Freshness {
        if number > self.newest {
            Freshness::New
        } else if self.newest - number >= DUPLICATE_WINDOW {
            Freshness::TooOld
        } else if number <= self.start || self.seen.contains(&number) {
            Freshness::Duplicate
        } else {
            Freshness::New
        }
    }

    fn stop_waiting(&mut self, packet: u64, before: u64) -> bool {
        let newer = packet > self.stop_waiting.0;
        if before >= packet || (newer && before < self.stop_waiting.1) {
            return true;
        }
        if newer {
            self.stop_waiting = (packet, before);
        }
        self.floor = self.floor.max(before);
        false
    }

    /// Judges a frame; `exact` if it had room for all there could be.
    fn check(&self, said: &Said, now: Time, exact: bool) -> Result<(), TestCaseError> {
        let arrived = self.kept.get(&said.latest);
        prop_assert!(arrived.is_some(), "{} was not received", said.latest);
        let units = now.micros_since(*arrived.expect("checked")) / 32;
        prop_assert_eq!(said.delay, u16::try_from(units).ok().filter(|&units| units < 0xffff));
        for number in self.floor..=said.latest {
            let kept = self.kept.contains_key(&number);
            prop_assert!(kept || !said.received(number), "false 'received' {}", number);
            prop_assert!(!exact || kept == said.received(number), "false 'missing' {}", number);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn frames_expand_to_the_truth(
        start in prop_oneof![
            Just(1u64),
            Just((1 << 16) - 30),
            Just((1 << 31) - 30),
            Just((1u64 << 32) - 30),
            Just((1u64 << 48) - 30),
        ],
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut acks = ReceivedPackets::new(start);
        let mut now = START;
        let mut model = Model {
            start,
            newest: start,
            seen: BTreeSet::new(),
            kept: BTreeMap::new(),
            floor: start + 1,
            stop_waiting: (0, 0),
        };
        for step in steps {
            match step {
                Step::Packet { offset, keep, need } => {
                    let number = model.newest.saturating_add_signed(offset);
                    prop_assert_eq!(acks.expand(number as u16), number);
                    prop_assert_eq!(acks.freshness(number), model.freshness(number));
                    if model.freshness(number) != Freshness::New {
                        continue;
                    }
                    let needs = [AckNeed::None, AckNeed::Delayed, AckNeed::Immediate];
                    acks.on_packet(now, number, needs[usize::from(need)], keep);
                    model.seen.insert(number);
                    model.newest = model.newest.max(number);
                    if keep {
                        model.kept.insert(number, now);
                    }
                }
                Step::StopWaiting { ahead, back } => {
                    let packet = model.newest + ahead;
                    let before = packet.saturating_add_signed(-back);
                    prop_assert_eq!(
                        acks.on_stop_waiting(packet, before),
                        model.stop_waiting(packet, before)
                    );
                }
                Step::Write { room } => {
                    let asked = model.kept.range(model.floor..).next_back();
                    match write(&mut acks, now, room) {
                        Some(said) => {
                            let ranges = acks.ranges.len();
                            model.check(&said, now, room == ROOM && ranges <= MAX_ACK_BLOCKS)?;
                            if acks.deadline().is_none() {
                                prop_assert_eq!(Some(&said.latest), asked.map(|(number, _)| number));
                            }
                        }
                        None => prop_assert!(asked.is_none() || room < 10),
                    }
                }
                Step::Wait { micros } => now = now.plus_micros(micros),
                Step::Request { micros } => acks.request_ack(now, Duration::from_micros(micros)),
            }
            prop_assert!(acks.ranges.len() <= MAX_RECEIVED_RANGES);
        }
    }

    /// Whatever the room, a driver that obeys the deadline tells everything, and the peer, whose
    /// stop-waiting number follows what it was told, never believes a false 'received'.
    #[test]
    fn everything_is_told_in_the_end(
        lost in prop::collection::vec(0u64..1000, 0..500),
        room in 12usize..300,
        follows in any::<bool>(),
    ) {
        let lost: BTreeSet<u64> = lost.into_iter().collect();
        let truth: BTreeSet<u64> = (2..1000).filter(|number| !lost.contains(number)).collect();
        let mut acks = ReceivedPackets::new(1);
        let mut told = BTreeSet::new();
        let mut floor = 2;
        let mut now = START;
        let mut listen = |acks: &mut ReceivedPackets, now: Time, floor: &mut u64| {
            let said = write(acks, now, room).expect("room for a block");
            let acked = said.acked(*floor);
            assert!(acked.is_subset(&truth));
            told.extend(acked);
            said.latest
        };
        for &number in &truth {
            now = now.plus_micros(100);
            acks.on_packet(now, number, AckNeed::Delayed, true);
            if acks.deadline().is_some_and(|deadline| deadline <= now) {
                let latest = listen(&mut acks, now, &mut floor);
                if follows && latest < number && !acks.on_stop_waiting(number, latest) {
                    floor = floor.max(latest);
                }
            }
        }
        let mut frames = 0;
        while let Some(deadline) = acks.deadline() {
            now = now.max(deadline);
            listen(&mut acks, now, &mut floor);
            frames += 1;
            prop_assert!(frames < 1000, "no end");
        }
        prop_assert_eq!(told, truth);
    }
}

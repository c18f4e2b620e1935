mod link;

use std::time::Duration;

use proptest::prelude::*;

use self::link::Link;
use super::*;
use crate::{config::SendConfig, congestion::FixedRate, lane::LaneConfig};

fn report(outcome: AckOutcome) -> AckReport {
    match outcome {
        AckOutcome::Processed(report) => report,
        AckOutcome::NeverSent => panic!("sent"),
    }
}

/// A link with `count` packets of reliable data sent, one per millisecond from now on, numbers 2 on.
fn sent(count: u64) -> Link {
    let mut link = Link::new(2);
    for _ in 0..count {
        link.enqueue(0, true, &[7; 100]);
        link.send(false);
        link.advance_ms(1);
    }
    link
}

#[test]
fn an_ack_frees_everything() {
    let mut link = sent(10);
    assert_eq!(link.recovery.last_sent(), 11);
    assert!(link.recovery.bytes_in_flight() > 1000);
    let report = report(link.hear_frame(11, Some(0), &[]));
    assert_eq!((report.acked_packets, report.newest_acked), (10, Some(11)));
    assert_eq!(report.acked_bytes, link.ledger.acked);
    assert_eq!(report.rtt, Some(Duration::from_millis(1)));
    assert_eq!(link.recovery.bytes_in_flight(), 0);
    assert_eq!(link.recovery.packets.len(), 0, "no record is kept");
    assert_eq!(link.recovery.deadline(), None);
    assert_eq!(link.recovery.stop_waiting_before(), 11);
    assert!(link.queues.all_reliable_acked());
}

#[test]
fn three_newer_acks_declare_a_packet_lost_two_do_not() {
    let mut link = sent(5); // 2..=6
    let first = report(link.hear_frame(4, None, &[(2, 1)])); // 3, 4; 2 is missing
    assert_eq!((first.acked_packets, first.lost_packets), (2, 0), "reordering is no loss");
    assert_eq!(link.recovery.stop_waiting_before(), 2);
    let second = report(link.hear_frame(5, None, &[(3, 1)]));
    assert_eq!((second.acked_packets, second.lost_packets), (1, 1));
    assert_eq!(link.ledger.losses[0].newest_lost, 2);
    assert_eq!(link.queues.ready_at(link.now), Some(link.now), "its data goes again");
    let number = link.send(false);
    assert!(number == 7 && link.recovery.bytes_in_flight() > 0);
}

#[test]
fn time_declares_a_packet_lost() {
    let mut link = sent(2);
    link.recovery.seed_rtt(Duration::from_millis(8));
    report(link.hear_frame(3, Some(0), &[(1, 1)]));
    // 9/8 of the larger of smoothed (7/8·8 + 1/8·1) and latest (1 ms), from when 2 left.
    let deadline = link.recovery.deadline().expect("the loss timer");
    let sent_at = link.now.as_micros() - 2000;
    assert_eq!(deadline.as_micros(), sent_at + 7125 * 9 / 8);
    link.now = deadline;
    let probe = link.recovery.on_timeout(link.now, &mut link.queues, &mut link.ledger);
    assert_eq!(probe, None);
    assert_eq!(link.recovery.take_timer_losses().0, 1);
    assert_eq!(link.recovery.take_timer_losses().0, 0);
    assert!(!link.queues.all_reliable_acked());
    assert_eq!(link.queues.ready_at(link.now), Some(link.now));
    assert_eq!(link.recovery.bytes_in_flight(), 0);
}

#[test]
fn a_late_ack_of_a_lost_packet_keeps_its_data_from_going_again() {
    let mut link = sent(6);
    report(link.hear_frame(7, Some(0), &[(5, 1)]));
    assert_eq!(link.queues.ready_at(link.now), Some(link.now));
    let late = report(link.hear_frame(7, Some(0), &[]));
    assert_eq!((late.spurious_losses, late.acked_packets), (1, 1));
    assert_eq!(link.ledger.spurious, link.ledger.lost);
    assert_eq!(link.queues.ready_at(link.now), None, "nothing to send again");
    assert!(link.queues.all_reliable_acked());
    assert_eq!(link.recovery.packets.len(), 0);
}

#[test]
fn what_the_peer_need_not_report_is_not_acknowledged_by_silence() {
    let mut link = sent(6);
    report(link.hear_frame(7, Some(0), &[(5, 1)]));
    link.advance_ms(400);
    link.enqueue(0, true, &[1; 10]);
    link.send(false); // tells to wait for 2 no more
    assert!(link.recovery.stop_waiting_before() > 2);
    report(link.hear_frame(8, Some(0), &[]));
    assert!(!link.recovery.holes.is_empty(), "2 stays lost: nobody said that it arrived");
    assert_eq!(link.ledger.spurious, 0);
    // Its data went again in packet 8.
    assert!(link.queues.all_reliable_acked());
    link.advance_ms(600);
    link.enqueue(0, true, &[1; 10]);
    link.send(false);
    assert!(link.recovery.holes.is_empty(), "and is forgotten in the end");
}

#[test]
fn acks_of_what_was_never_sent_change_nothing() {
    let mut link = sent(3); // 2..=4
    for latest in [5, 6, 100, 40_000] {
        assert_eq!(link.hear_frame(latest, Some(0), &[]), AckOutcome::NeverSent);
    }
    assert_eq!(link.ledger.samples.len(), 0);
    assert_eq!(link.recovery.newest_acked(), 1);
    assert_eq!(report(link.hear_frame(4, Some(0), &[])).acked_packets, 3);
    let again = report(link.hear_frame(4, Some(0), &[]));
    assert_eq!(again, AckReport::default(), "said twice counts once");
    assert_eq!(report(link.hear_frame(1, Some(0), &[])), AckReport::default());
}

#[test]
fn counts_of_the_wire_are_never_walked() {
    let start = 1 << 40;
    let mut link = Link::new(start);
    link.enqueue(0, true, &[1; 10]);
    link.send(false);
    for _ in 0..20_000 {
        report(link.hear_frame(start, None, &[(1, 800_000), (800_000, 800_000), (1, 1)]));
        report(link.hear_frame(start, None, &[(0, 800_000); 200]));
    }
    assert_eq!(link.recovery.newest_acked(), start);
}

#[test]
fn round_trips_take_the_delay_off_and_nonsense_is_ignored() {
    // (elapsed µs, delay in 32 µs, sample µs)
    let table: &[(u64, Option<u16>, Option<u64>)] = &[
        (50_000, Some(0), Some(50_000)),
        (50_000, Some(1000), Some(18_000)),
        (50_000, None, None),
        (1000, Some(62), Some(0)), // −984 µs
        (1000, Some(63), None),    // −1016 µs
        (2_000_000, Some(0), Some(2_000_000)),
        (2_000_001, Some(0), None),
        (2_500_000, Some(31_250), Some(1_500_000)),
    ];
    for &(elapsed_us, delay, expected) in table {
        let mut link = Link::new(2);
        link.enqueue(0, true, &[1]);
        link.send(false);
        link.now = link.now.plus_micros(elapsed_us);
        let report = report(link.hear_frame(2, delay, &[]));
        assert_eq!(report.rtt, expected.map(Duration::from_micros), "{elapsed_us} {delay:?}");
        assert_eq!(link.recovery.rtt().is_measured(), expected.is_some());
    }
    let mut link = sent(4);
    report(link.hear_frame(3, Some(0), &[]));
    link.advance_ms(500);
    assert_eq!(report(link.hear_frame(3, Some(0), &[])).rtt, None, "said before");
}

#[test]
fn silence_brings_probes_that_back_off_and_count_nothing_as_lost() {
    let mut link = sent(3);
    link.recovery.seed_rtt(Duration::from_millis(20));
    let pto = link.recovery.pto(); // 20 + 4·10 + 50
    assert_eq!(pto, Duration::from_millis(110));
    let in_flight = link.recovery.bytes_in_flight();
    let mut last = link.now.plus_micros(0).as_micros() - 1000;
    for expected_ms in [110, 220, 440, 880, 1760, 2000, 2000] {
        let deadline = link.recovery.deadline().expect("the probe timer");
        assert_eq!(deadline.as_micros() - last, expected_ms * 1000);
        link.now = deadline;
        let probe = link.recovery.on_timeout(link.now, &mut link.queues, &mut link.ledger);
        assert_eq!(probe, Some(Probe { packets: 2 }));
        assert_eq!(link.queues.ready_at(link.now), Some(link.now), "old data goes again");
        link.send(true);
        last = link.now.as_micros();
    }
    assert_eq!((link.ledger.ptos, link.ledger.lost), (7, 0));
    assert!(link.recovery.bytes_in_flight() > in_flight);
    while !link.out.is_empty() {
        link.deliver(0);
    }
    link.acknowledge();
    link.hear(0);
    assert!(link.queues.all_reliable_acked());
    link.enqueue(0, true, &[1]);
    link.send(false);
    let deadline = link.recovery.deadline().expect("the probe timer");
    assert_eq!(deadline, link.now + link.recovery.pto(), "backing off is over");
}

#[test]
fn acks_alone_arm_no_timer() {
    let mut link = Link::new(2);
    link.send(false); // empty
    assert_eq!((link.recovery.deadline(), link.recovery.bytes_in_flight()), (None, 0));
    link.send(true); // empty, asks
    link.now = link.recovery.deadline().expect("armed");
    let probe = link.recovery.on_timeout(link.now, &mut link.queues, &mut link.ledger);
    assert_eq!(probe, Some(Probe { packets: 1 }), "without data, one");
    report(link.hear_frame(3, Some(0), &[]));
    assert_eq!((link.recovery.deadline(), link.recovery.bytes_in_flight()), (None, 0));
}

#[test]
fn unreliable_data_with_nothing_behind_it_is_asked_about_and_then_lost() {
    let mut link = Link::new(2);
    link.recovery.seed_rtt(Duration::from_millis(20));
    link.enqueue(0, false, &[1; 50]);
    link.send(false); // 2
    let asked_at = link.now + link.recovery.pto() * UNASKED_PTOS;
    assert_eq!(link.recovery.deadline(), Some(asked_at));
    link.now = asked_at;
    let probe = link.recovery.on_timeout(link.now, &mut link.queues, &mut link.ledger);
    assert_eq!(probe, Some(Probe { packets: 1 }));
    assert!(link.recovery.bytes_in_flight() > 0, "silence alone proves nothing");
    assert_eq!((link.ledger.ptos, link.ledger.lost), (0, 0));
    link.send(true); // 3
    link.advance_ms(20);
    let report = report(link.hear_frame(3, Some(0), &[(1, 1)]));
    assert_eq!((report.acked_packets, report.lost_packets), (1, 1));
    assert!(link.ledger.lost > 50);
    assert_eq!((link.recovery.deadline(), link.recovery.bytes_in_flight()), (None, 0));
}

#[test]
fn unreliable_data_missing_below_an_ack_is_lost_in_time() {
    let mut link = Link::new(2);
    link.recovery.seed_rtt(Duration::from_millis(20));
    link.enqueue(0, false, &[1; 50]);
    link.send(false); // 2
    link.send(true); // 3
    link.advance_ms(5);
    report(link.hear_frame(3, Some(0), &[(1, 1)]));
    assert!(link.recovery.bytes_in_flight() > 0, "it may still come");
    link.now = link.recovery.deadline().expect("the loss timer");
    let probe = link.recovery.on_timeout(link.now, &mut link.queues, &mut link.ledger);
    assert_eq!((probe, link.recovery.bytes_in_flight()), (None, 0));
    assert_eq!(link.recovery.take_timer_losses().0, 1);
}

#[test]
fn at_the_lead_limit_only_probes_go() {
    let mut link = Link::new(2);
    let mut packets = 0;
    while link.recovery.may_send() {
        link.enqueue(0, false, &[1]);
        link.send(false);
        packets += 1;
    }
    assert_eq!(packets, 0x2000);
    assert_eq!(link.recovery.packets_past_newest_acked(), 0x2000);
    let deadline = link.recovery.deadline().expect("unreliable data alone: ask");
    assert!(deadline <= link.now);
    let probe = link.recovery.on_timeout(link.now, &mut link.queues, &mut link.ledger);
    assert_eq!(probe, Some(Probe { packets: 1 }));
    let probe_number = link.send(true);
    assert!(link.recovery.deadline().is_some_and(|deadline| deadline > link.now), "then it waits");
    report(link.hear_frame(probe_number, Some(0), &[(1, 0x2000)]));
    assert!(link.recovery.may_send());
    let losses = link.ledger.losses.iter();
    let lost: u64 = losses.map(|loss| loss.packets).sum();
    assert_eq!(lost, 0x2000 - 2, "all but the two that may merely be late");
    let behind = probe_number - link.recovery.stop_waiting_before();
    assert!(behind <= MAX_AWAITED_LOST as u64 + PACKET_THRESHOLD, "{behind}");
}

#[test]
fn the_record_stays_bounded_under_loss_and_the_peer_is_told_promptly() {
    let mut link = Link::new(2);
    link.recovery.seed_rtt(Duration::from_millis(50));
    for round in 0..40_000u64 {
        link.enqueue(0, true, &[1]);
        link.send(false);
        link.now = link.now.plus_micros(10);
        if round % 3 == 0 {
            link.out.pop_front();
        } else {
            link.deliver(0);
        }
        if round % 16 == 15 {
            link.acknowledge();
            link.hear(0);
            let behind = link.recovery.last_sent() - link.recovery.stop_waiting_before();
            assert!(behind <= 3 * MAX_AWAITED_LOST as u64 + 24, "round {round}: {behind}");
        }
        assert!(link.recovery.packets.len() <= MAX_SENT_PACKETS + 1);
    }
    link.settle();
    assert_eq!(link.model.reliable.len(), 40_000);
}

/// lessons.md 5.2, 692c40f: packet numbers beyond 32 bits; and around the other edges.
#[test]
fn packet_numbers_cross_every_edge() {
    for edge in [1u64 << 16, 1 << 31, 1 << 32, 1 << 48] {
        let mut link = Link::new(edge - 50);
        for round in 0..100u8 {
            link.enqueue(0, true, &[round; 300]);
            link.send(false);
            link.advance_ms(1);
            if round % 5 == 0 {
                link.out.pop_front();
            }
            while link.out.len() > 2 {
                link.deliver(1);
            }
            if round % 4 == 0 {
                link.acknowledge();
                link.hear(0);
            }
        }
        link.settle();
        assert!(link.recovery.last_sent() > edge + 40);
        let payloads: Vec<u8> = link.model.reliable.iter().map(|m| m.payload[0]).collect();
        assert_eq!(payloads, (0..100).collect::<Vec<u8>>());
    }
}

/// lessons.md 5.2, dfdc473: a packet that the socket refused counts as lost like any other.
#[test]
fn packets_that_never_left_the_socket_lose_no_data() {
    let mut link = Link::new(2);
    link.enqueue(0, true, &[9; 5000]);
    while link.queues.ready_at(link.now).is_some() {
        link.send(false);
    }
    link.out.clear(); // EWOULDBLOCK for all of them
    link.settle();
    assert_eq!(link.model.reliable[0].payload, [9; 5000]);
}

/// lessons.md 5.2, GNS#414: a burst of a thousand reliable packets over a slow path, with loss and
/// reordering, neither upsets the bookkeeping nor ends anything.
#[test]
fn a_burst_over_a_slow_path_with_loss_and_reordering_arrives() {
    let mut link = Link::new(2);
    for index in 0..1000u16 {
        link.enqueue(0, true, &[index as u8; 1000]);
    }
    link.send_all();
    link.advance_ms(400);
    for step in 0..3000usize {
        if link.out.is_empty() {
            break;
        }
        let index = (step * 7919) % link.out.len();
        if step % 10 == 3 {
            link.out.remove(index);
        } else {
            link.deliver(index);
        }
        if step % 5 == 0 {
            link.acknowledge();
        }
        if step % 7 == 0 && !link.back.is_empty() {
            let last = link.back.len() - 1;
            link.hear(last);
        }
        link.timers();
        link.send_all();
    }
    link.settle();
    assert_eq!(link.model.reliable.len(), 1000);
}

/// lessons.md 5.2, GNS#20: what comes twice is acknowledged twice and counted once.
#[test]
fn every_ack_may_come_any_number_of_times() {
    let mut link = sent(20);
    while !link.out.is_empty() {
        link.deliver(0);
        link.acknowledge();
    }
    let copies: Vec<_> = link.back.iter().cloned().collect();
    for _ in 0..3 {
        link.back.extend(copies.iter().rev().cloned());
    }
    let mut acked = 0;
    while !link.back.is_empty() {
        acked += link.hear(0).map_or(0, |report| report.acked_packets);
    }
    assert_eq!(acked, 20);
    assert_eq!(link.recovery.bytes_in_flight(), 0);
}

/// lessons.md 5.2, GNS#280 and a39de80: the receiver refuses a packet for want of room and does not
/// acknowledge it; its data comes again until it is taken.
#[test]
fn packets_refused_by_the_receiver_come_again() {
    let mut link = Link::new(2);
    for index in 0..50u8 {
        link.enqueue(0, true, &[index; 900]);
    }
    let mut refused = 0;
    for step in 0..2000usize {
        link.advance_ms(5);
        link.timers();
        link.send_all();
        while let Some((number, plaintext)) = link.out.pop_front() {
            if (step + number as usize).is_multiple_of(3) {
                refused += 1; // seen, never acknowledged
            } else {
                link.arrive(number, &plaintext);
            }
        }
        link.acknowledge();
        link.hear(0);
        if link.queues.all_reliable_acked() {
            break;
        }
    }
    assert!(refused > 10);
    assert_eq!(link.model.reliable.len(), 50);
    assert!(link.queues.all_reliable_acked());
}

#[test]
fn samples_tell_the_delivery_rate() {
    let mut link = Link::new(2);
    // 100 packets of a kilobyte, one per millisecond, each acknowledged 20 ms later.
    for step in 0..120u64 {
        if step < 100 {
            link.enqueue(0, true, &[1; 1000]);
            link.send(false);
        }
        if step >= 20 {
            report(link.hear_frame(2 + step - 20, Some(0), &[]));
        }
        link.advance_ms(1);
    }
    let sample = link.ledger.samples[80];
    let rate = (sample.delivered - sample.prior_delivered) as f64 / sample.interval.as_secs_f64();
    let expected = f64::from(u32::try_from(link.ledger.acked / 100).expect("small")) * 1000.0;
    assert!((rate / expected - 1.0).abs() < 0.06, "{rate} instead of {expected}");
    assert_eq!(sample.min_rtt, Some(Duration::from_millis(20)));
    assert!(!sample.app_limited);
    link.recovery.on_app_limited();
    link.enqueue(0, true, &[1]);
    let number = link.send(false);
    report(link.hear_frame(number, Some(0), &[]));
    assert!(link.ledger.samples.last().expect("one more").app_limited);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enqueue { lane: u16, reliable: bool, len: usize },
    Send,
    Deliver(usize),
    Duplicate(usize),
    Drop(usize),
    Acknowledge,
    Hear(usize),
    DropAck(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u16..3, prop::bool::weighted(0.8), 0usize..4000)
            .prop_map(|(lane, reliable, len)| Step::Enqueue { lane, reliable, len }),
        4 => Just(Step::Send),
        5 => (0usize..6).prop_map(Step::Deliver),
        1 => (0usize..6).prop_map(Step::Duplicate),
        2 => (0usize..6).prop_map(Step::Drop),
        3 => Just(Step::Acknowledge),
        3 => (0usize..3).prop_map(Step::Hear),
        1 => (0usize..3).prop_map(Step::DropAck),
        2 => (0u64..200).prop_map(Step::Advance),
    ]
}

fn play(link: &mut Link, step: Step, expected: &mut [Vec<Vec<u8>>; 3]) {
    match step {
        Step::Enqueue { lane, reliable, len } => {
            let payload: Vec<u8> = (0..len).map(|at| (at * 13 + len) as u8).collect();
            link.enqueue(lane, reliable, &payload);
            if reliable {
                expected[usize::from(lane)].push(payload);
            }
        }
        Step::Send => {
            link.send(false);
        }
        Step::Deliver(index) => link.deliver(index),
        Step::Duplicate(index) => {
            if let Some((number, plaintext)) = link.out.get(index).cloned() {
                link.arrive(number, &plaintext);
            }
        }
        Step::Drop(index) => {
            link.out.remove(index);
        }
        Step::Acknowledge => link.acknowledge(),
        Step::Hear(index) => {
            link.hear(index);
        }
        Step::DropAck(index) => {
            link.back.remove(index);
        }
        Step::Advance(ms) => link.advance_ms(ms),
    }
    link.timers();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever is lost, doubled or reordered, every reliable byte arrives exactly as it was sent,
    /// in order on its lane, and the bookkeeping ends empty.
    #[test]
    fn every_reliable_byte_arrives(
        steps in prop::collection::vec(step(), 1..150),
        edge in prop::sample::select(vec![2u64, 1 << 16, 1 << 31, 1 << 32, 1 << 48]),
        unordered in any::<bool>(),
    ) {
        let mut link = Link::new(edge.saturating_sub(30).max(2));
        let mode = if unordered {
            crate::lane::DeliveryMode::Unordered
        } else {
            crate::lane::DeliveryMode::Standard
        };
        let third = LaneConfig { priority: -1, mode, ..LaneConfig::default() };
        link.queues
            .configure_lanes(&[LaneConfig::default(), LaneConfig::default(), third])
            .expect("three lanes");
        link.queues.set_peer(crate::send::PeerLimits {
            features: gamewire_wire::extensions::ALL,
            ..crate::send::PeerLimits::default()
        });
        let mut expected = [const { Vec::new() }; 3];
        for step in steps {
            play(&mut link, step, &mut expected);
        }
        link.settle();
        for (lane, messages) in expected.iter_mut().enumerate() {
            let list = if lane == 2 && unordered { &link.model.unordered } else { &link.model.reliable };
            let mut arrived: Vec<Vec<u8>> = list
                .iter()
                .filter(|message| usize::from(message.lane) == lane)
                .map(|message| message.payload.clone())
                .collect();
            if lane == 2 && unordered {
                arrived.sort();
                messages.sort();
            }
            prop_assert_eq!(&arrived, messages);
        }
        prop_assert_eq!(link.recovery.bytes_in_flight(), 0);
        prop_assert_eq!(link.queues.backlog().sent_unacked_reliable, 0);
        prop_assert_eq!(link.queues.backlog().pending_bytes(), 0);
    }
}

#[test]
fn a_fixed_rate_hears_of_the_first_round_trip() {
    let mut link = sent(1);
    let config = SendConfig { rate_min: 1024, rate_max: 1 << 20, ..SendConfig::default() };
    let mut controller = FixedRate::new(&config, None);
    let mut frame = Vec::new();
    gamewire_wire::snp::PacketWriter::new(&mut frame, 100).ack(2, Some(0), true, &[]);
    link.advance_ms(9);
    let frame = crate::send::tests::model::read_ack(&frame, 2);
    link.recovery.on_ack(link.now, &frame, &mut link.queues, &mut controller);
    assert_eq!(controller.pacing_rate(), Some(438_000));
}

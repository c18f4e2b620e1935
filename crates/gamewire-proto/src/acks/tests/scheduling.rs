use super::*;

/// Past the start of the connection, when every second packet is acked.
fn warmed_up() -> (ReceivedPackets, u64) {
    let mut acks = ReceivedPackets::new(1);
    for number in 2..2 + u64::from(START_PACKETS) {
        acks.on_packet(START, number, AckNeed::Delayed, true);
    }
    write(&mut acks, START, ROOM).expect("something came");
    assert_eq!(acks.deadline(), None);
    let next = acks.newest() + 1;
    (acks, next)
}

#[test]
fn unreliable_packets_schedule_no_ack() {
    let (mut acks, next) = warmed_up();
    receive(&mut acks, next..next + 1000);
    assert_eq!(acks.deadline(), None);
}

#[test]
fn reliable_data_is_acked_in_time_or_in_numbers() {
    let (mut acks, next) = warmed_up();
    acks.on_packet(START, next, AckNeed::Delayed, true);
    assert_eq!(acks.deadline(), Some(START + MAX_ACK_DELAY));
    let later = START.plus_micros(500);
    for number in next + 1..next + u64::from(ACK_EVERY_PACKETS) - 1 {
        acks.on_packet(later, number, AckNeed::Delayed, true);
        assert_eq!(acks.deadline(), Some(START + MAX_ACK_DELAY));
    }
    let last = next + u64::from(ACK_EVERY_PACKETS) - 1;
    acks.on_packet(later, last, AckNeed::Delayed, true);
    assert_eq!(acks.deadline(), Some(later));
    assert!(write(&mut acks, later, ROOM).is_some());
    assert_eq!(acks.deadline(), None);
}

#[test]
fn the_start_of_a_connection_is_acked_quickly() {
    let mut acks = ReceivedPackets::new(1);
    acks.on_packet(START, 2, AckNeed::Delayed, true);
    assert_eq!(acks.deadline(), Some(START + MAX_ACK_DELAY));
    acks.on_packet(START, 3, AckNeed::Delayed, true);
    assert_eq!(acks.deadline(), Some(START));
}

#[test]
fn a_gap_is_held_back_for_a_moment_and_then_said() {
    let (mut acks, next) = warmed_up();
    receive(&mut acks, [next + 1]);
    assert_eq!(acks.deadline(), Some(settled()));
    let early = write(&mut acks, START.plus_micros(999), ROOM).expect("something came");
    assert_eq!((early.latest, early.missing.len()), (next - 1, 0));
    assert_eq!(acks.deadline(), Some(settled()), "the rest is still to be said");
    let said = write(&mut acks, settled(), ROOM).expect("something came");
    assert_eq!((said.latest, said.missing), (next + 1, vec![(next, 1)]));
    assert_eq!(acks.deadline(), None);
}

#[test]
fn pure_reordering_is_never_reported_missing() {
    let (mut acks, next) = warmed_up();
    receive(&mut acks, [next + 2, next + 1]);
    assert_eq!(acks.deadline(), Some(settled()));
    receive(&mut acks, [next]);
    assert_eq!(acks.deadline(), None, "nothing is missing, and nothing asks for an ack");
    let said = write(&mut acks, START, ROOM).expect("something came");
    assert_eq!((said.latest, said.missing), (next + 2, vec![]));
}

#[test]
fn a_filled_gap_leaves_the_deadline_of_the_data() {
    let (mut acks, next) = warmed_up();
    acks.on_packet(START, next + 1, AckNeed::Delayed, true);
    assert_eq!(acks.deadline(), Some(settled()));
    acks.on_packet(START.plus_micros(10), next, AckNeed::Delayed, true);
    assert_eq!(acks.deadline(), Some(START + MAX_ACK_DELAY));
}

#[test]
fn many_packets_beyond_a_gap_end_the_wait() {
    let (mut acks, next) = warmed_up();
    receive(&mut acks, next + 1..next + REORDER_PACKETS);
    assert_eq!(acks.deadline(), Some(settled()));
    receive(&mut acks, [next + REORDER_PACKETS]);
    assert_eq!(acks.deadline(), Some(START));
    let said = write(&mut acks, START, ROOM).expect("something came");
    assert_eq!(said.missing, vec![(next, 1)]);
}

#[test]
fn a_packet_reported_missing_is_acked_soon_when_it_comes() {
    let (mut acks, next) = warmed_up();
    receive(&mut acks, [next + 1]);
    write(&mut acks, settled(), ROOM).expect("something came");
    assert_eq!(acks.deadline(), None);
    acks.on_packet(settled(), next, AckNeed::None, true);
    assert_eq!(acks.deadline(), Some(settled() + REORDER_WAIT));
}

#[test]
fn requests_are_kept() {
    let (mut acks, next) = warmed_up();
    acks.request_ack(START, Duration::from_millis(50));
    assert_eq!(acks.deadline(), Some(START + Duration::from_millis(50)));
    acks.on_packet(START, next, AckNeed::Delayed, true);
    assert_eq!(acks.deadline(), Some(START + MAX_ACK_DELAY));
    acks.request_ack(START, Duration::ZERO);
    assert_eq!(acks.deadline(), Some(START));
    write(&mut acks, START, ROOM).expect("something came");
    assert_eq!(acks.deadline(), None);
}

#[test]
fn an_immediate_need_does_not_wait_for_reordering() {
    let (mut acks, next) = warmed_up();
    acks.on_packet(START, next + 1, AckNeed::Immediate, true);
    assert_eq!(acks.deadline(), Some(START));
    assert_eq!(write(&mut acks, START, ROOM).map(|said| said.latest), Some(next + 1));
}

#[test]
fn a_refused_packet_schedules_nothing() {
    let (mut acks, next) = warmed_up();
    acks.on_packet(START, next, AckNeed::Delayed, false);
    assert_eq!(acks.deadline(), None);
}

pub(crate) mod model;
mod modes;

use bytes::Bytes;
use gamewire_wire::{extensions, snp::SegmentKind};

use self::model::{Model, Seen};
use super::*;
use crate::lane::DeliveryMode;

const NOW: Time = Time::from_micros(3_000_000_000_000);
const PACKET: usize = 1232;

fn after(micros: u64) -> Time {
    NOW.plus_micros(micros)
}

fn queues() -> SendQueues {
    SendQueues::new(SendConfig::default())
}

fn content(len: usize, seed: usize) -> Bytes {
    (0..len).map(|index| (index * 7 + seed * 31 + index / 251) as u8).collect()
}

fn message(len: usize, reliable: bool) -> OutgoingMessage {
    OutgoingMessage { payload: content(len, len), reliable, ..OutgoingMessage::default() }
}

fn on_lane(len: usize, lane: u16) -> OutgoingMessage {
    OutgoingMessage { lane, ..message(len, true) }
}

fn push(queues: &mut SendQueues, message: OutgoingMessage) -> u64 {
    queues.enqueue(NOW, message, None).unwrap().message_number
}

fn lanes(queues: &mut SendQueues, table: &[(i32, u16)]) {
    let configs: Vec<LaneConfig> = table
        .iter()
        .map(|&(priority, weight)| LaneConfig { priority, weight, ..LaneConfig::default() })
        .collect();
    queues.configure_lanes(&configs).unwrap();
}

/// Fills one packet; its plaintext and what it carries.
fn fill(queues: &mut SendQueues, now: Time, room: usize) -> (Vec<u8>, SentContent) {
    let (mut out, mut sent) = (Vec::new(), SentContent::default());
    queues.fill(now, &mut PacketWriter::new(&mut out, room), &mut sent);
    assert!(out.len() <= room);
    (out, sent)
}

/// Fills a packet and has the receiver read it.
fn pass(queues: &mut SendQueues, model: &mut Model, room: usize) -> (Vec<Seen>, SentContent) {
    let (plaintext, sent) = fill(queues, NOW, room);
    (model.packet(2, &plaintext), sent)
}

#[test]
fn a_dozen_small_messages_share_one_segment() {
    let (mut queues, mut model) = (queues(), Model::default());
    for _ in 0..12 {
        push(&mut queues, message(100, true));
    }
    let (seen, sent) = pass(&mut queues, &mut model, PACKET);
    // 12 × (2 header + 100) = 1224 of 1232; the segment header takes 7, so one byte stays over.
    assert_eq!(seen, [Seen::Reliable { lane: 0, position: 1, len: 1224 }]);
    assert_eq!(model.reliable.len(), 12);
    assert_eq!(model.reliable[11].number, 12);
    assert_eq!(queues.backlog().pending_bytes(), 0);
    assert_eq!(queues.sent_unacked_reliable_bytes(), 1224);
    queues.on_acked(&sent);
    assert!(queues.all_reliable_acked());
    assert_eq!(queues.backlog(), Backlog::default());
}

#[test]
fn bulk_fills_packets_exactly() {
    let (mut queues, mut model) = (queues(), Model::default());
    for room in [200, 500, 1100, PACKET] {
        push(&mut queues, message(64 * 1024, true));
        let (plaintext, _) = fill(&mut queues, NOW, room);
        assert_eq!(plaintext.len(), room);
        model.packet(2, &plaintext);
    }
    while queues.ready_at(NOW).is_some() {
        pass(&mut queues, &mut model, PACKET);
    }
    assert_eq!(model.reliable.len(), 4);
    assert!(model.reliable.iter().all(|message| message.payload == content(65536, 65536)));
}

#[test]
fn numbers_are_shared_and_order_is_kept_within_a_lane() {
    let (mut queues, mut model) = (queues(), Model::default());
    for reliable in [true, false, false, true, true, false] {
        push(&mut queues, message(20, reliable));
    }
    let (seen, sent) = pass(&mut queues, &mut model, PACKET);
    let kinds: Vec<bool> =
        seen.iter().map(|segment| matches!(segment, Seen::Reliable { .. })).collect();
    assert_eq!(kinds, [true, false, false, true, false]);
    assert!(sent.is_reliable());
    let numbers = |list: &[model::Delivered]| list.iter().map(|m| m.number).collect::<Vec<_>>();
    assert_eq!(numbers(&model.reliable), [1, 4, 5]);
    assert_eq!(numbers(&model.unreliable), [2, 3, 6]);
}

#[test]
fn unreliable_messages_stay_whole_where_that_helps() {
    let (mut queues, mut model) = (queues(), Model::default());
    push(&mut queues, message(300, false));
    push(&mut queues, message(1100, false)); // does not fit beside the first
    push(&mut queues, message(3000, false)); // is split in any case
    let mut packets = Vec::new();
    while queues.ready_at(after(10_000)).is_some() {
        let (seen, sent) = pass(&mut queues, &mut model, PACKET);
        assert!(!sent.is_reliable() && !sent.is_empty());
        packets.push(seen);
    }
    assert_eq!(packets[0].len(), 1);
    assert!(matches!(packets[1][0], Seen::Unreliable { number: 2, offset: 0, last: true, .. }));
    assert!(matches!(packets[1][1], Seen::Unreliable { number: 3, offset: 0, last: false, .. }));
    let lens: Vec<usize> = model.unreliable.iter().map(|message| message.payload.len()).collect();
    assert_eq!(lens, [300, 1100, 3000]);
    assert_eq!(queues.backlog(), Backlog::default());
}

#[test]
fn large_unreliable_messages_become_reliable_at_the_limit() {
    let table =
        [(1300, 16_500, false), (1300, 16_501, true), (750, 9133, false), (750, 9134, true)];
    for (mtu, len, promoted) in table {
        let mut queues = SendQueues::new(SendConfig { mtu, ..SendConfig::default() });
        let report = queues.enqueue(NOW, message(len, false), None).unwrap();
        assert_eq!(report, EnqueueReport { message_number: 1, promoted }, "{mtu} {len}");
        let mut model = Model::default();
        let mut segments = 0;
        while queues.ready_at(NOW).is_some() {
            segments += pass(&mut queues, &mut model, mtu - 68 - 30).0.len();
        }
        assert!(segments <= 20, "Valve's receiver keeps 20: {segments}");
        let delivered = if promoted { &model.reliable } else { &model.unreliable };
        assert_eq!(delivered[0].payload, content(len, len));
        assert_eq!(queues.all_reliable_acked(), !promoted);
    }
}

#[test]
fn large_unreliable_messages_are_refused_where_that_is_asked_for() {
    let config = SendConfig { refuse_large_unreliable: true, ..SendConfig::default() };
    let mut queues = SendQueues::new(config);
    let large = message(16_501, false);
    let refused = queues.enqueue(NOW, large.clone(), None).unwrap_err();
    assert_eq!(refused, EnqueueError::TooLarge(large), "it is given back");
    assert_eq!(queues.backlog(), Backlog::default());
    assert_eq!(push(&mut queues, message(16_501, true)), 1, "no number was used up");
    assert_eq!(push(&mut queues, message(16_500, false)), 2);
}

#[test]
fn empty_messages_travel_too() {
    let (mut queues, mut model) = (queues(), Model::default());
    push(&mut queues, message(0, true));
    push(&mut queues, message(0, false));
    assert!(!queues.all_reliable_acked());
    assert_eq!(queues.ready_at(NOW), Some(after(5000)));
    let (_, sent) = pass(&mut queues, &mut model, PACKET);
    assert_eq!((model.reliable.len(), model.unreliable.len()), (1, 1));
    queues.on_acked(&sent);
    assert!(queues.all_reliable_acked());
}

#[test]
fn nagle_waits_and_ends() {
    let mut waiting = queues();
    assert_eq!(waiting.ready_at(NOW), None);
    push(&mut waiting, message(10, true));
    assert_eq!(waiting.ready_at(NOW), Some(after(5000)));
    waiting.enqueue(after(3000), message(10, false), None).unwrap();
    assert_eq!(waiting.ready_at(after(3000)), Some(after(5000)), "the oldest counts");
    assert!(waiting.ready_at(after(5000)).is_some_and(|ready| ready <= after(5000)));
    waiting.flush();
    assert_eq!(waiting.ready_at(NOW), Some(NOW));
    fill(&mut waiting, NOW, PACKET);
    assert_eq!(waiting.ready_at(NOW), None, "one packet took both");

    let mut several = queues();
    lanes(&mut several, &[(0, 1), (0, 1)]);
    push(&mut several, on_lane(10, 0));
    push(&mut several, OutgoingMessage { no_nagle: true, ..on_lane(10, 1) });
    assert_eq!(several.ready_at(NOW), Some(NOW), "no_nagle ends every wait");
    fill(&mut several, NOW, PACKET);
    push(&mut several, on_lane(10, 1));
    assert_eq!(several.ready_at(NOW), Some(after(5000)), "later messages wait again");

    let mut full = queues();
    push(&mut full, message(1231, true));
    assert_eq!(full.ready_at(NOW), Some(after(5000)));
    push(&mut full, message(1, true));
    assert_eq!(full.ready_at(NOW), Some(NOW), "a full packet waits for nothing");

    let config = SendConfig { nagle_time: Duration::ZERO, ..SendConfig::default() };
    let mut off = SendQueues::new(config);
    push(&mut off, message(1, true));
    assert_eq!(off.ready_at(NOW), Some(NOW));
}

#[test]
fn expired_messages_are_dropped_unsent_and_leave_no_gap_in_the_stream() {
    let (mut queues, mut model) = (queues(), Model::default());
    let until = |micros| Some(after(micros));
    push(&mut queues, OutgoingMessage { deadline: until(1000), ..message(50, true) });
    push(&mut queues, OutgoingMessage { deadline: until(9000), ..message(60, true) });
    push(&mut queues, OutgoingMessage { deadline: until(2000), ..message(70, false) });
    push(&mut queues, message(80, true));
    assert_eq!(queues.ready_at(NOW), Some(after(1000)), "an expired one asks to be dropped");
    let (plaintext, _) = fill(&mut queues, after(3000), PACKET);
    model.packet(2, &plaintext);
    let seen: Vec<_> = model.reliable.iter().map(|m| (m.number, m.payload.len())).collect();
    assert_eq!(seen, [(2, 60), (4, 80)]);
    assert!(model.unreliable.is_empty());
    assert_eq!((queues.poll_expired(), queues.poll_expired()), (2, 0));
    assert_eq!(queues.backlog().pending_bytes(), 0);
}

#[test]
fn a_message_begun_goes_on_past_its_deadline() {
    for reliable in [true, false] {
        let (mut queues, mut model) = (queues(), Model::default());
        push(&mut queues, OutgoingMessage { deadline: Some(after(10)), ..message(3000, reliable) });
        let mut now = NOW;
        while queues.ready_at(now).is_some() {
            let (plaintext, _) = fill(&mut queues, now, PACKET);
            model.packet(2, &plaintext);
            now = after(1_000_000);
        }
        let delivered = if reliable { &model.reliable } else { &model.unreliable };
        assert_eq!(delivered.len(), 1);
        assert_eq!(queues.poll_expired(), 0);
    }
}

#[test]
fn expired_messages_make_room_wherever_they_wait() {
    let config = SendConfig { buffer_bytes: 1000, ..SendConfig::default() };
    let mut queues = SendQueues::new(config);
    push(&mut queues, message(400, true));
    push(&mut queues, OutgoingMessage { deadline: Some(after(50_000)), ..message(600, true) });
    assert_eq!(queues.expiry_deadline(), Some(after(50_000)));
    assert!(queues.enqueue(after(49_999), message(100, true), None).is_err());
    assert!(queues.enqueue(after(50_000), message(100, true), None).is_ok());
    assert_eq!(queues.poll_expired(), 1);
    assert_eq!(queues.expiry_deadline(), None);
    assert!(queues.took_room(), "the refused one would fit now");
}

#[test]
fn the_buffer_limit_gives_the_message_back_and_signals_room_once() {
    let config = SendConfig { buffer_bytes: 10_000, ..SendConfig::default() };
    let mut queues = SendQueues::new(config);
    for _ in 0..10 {
        push(&mut queues, message(1000, true));
    }
    assert!(!queues.took_room());
    let refused = queues.enqueue(NOW, message(1, true), None).unwrap_err();
    assert_eq!(refused.clone().into_message(), message(1, true));
    assert!(matches!(refused, EnqueueError::LimitExceeded(_)));
    let mut rooms = Vec::new();
    while queues.ready_at(NOW).is_some() {
        fill(&mut queues, NOW, PACKET);
        if queues.took_room() {
            rooms.push(queues.backlog().pending_bytes());
        }
    }
    assert_eq!(rooms.len(), 1);
    assert!(rooms[0] <= 5000, "half of the buffer is free: {rooms:?}");

    // What is in flight does not count.
    assert!(queues.sent_unacked_reliable_bytes() > 10_000);
    push(&mut queues, message(9000, true));
    assert!(queues.enqueue(NOW, message(9000, true), None).is_err());
    for _ in 0..4 {
        fill(&mut queues, NOW, PACKET);
        assert!(!queues.took_room(), "not before the refused one fits");
    }
    // One larger than the buffer can wait for nothing.
    let mut small = SendQueues::new(SendConfig { buffer_bytes: 10, ..SendConfig::default() });
    assert!(matches!(
        small.enqueue(NOW, message(11, true), None),
        Err(EnqueueError::LimitExceeded(_))
    ));
    assert!(!small.took_room());
}

#[test]
fn sizes_and_lanes_are_checked() {
    let mut queues = queues();
    assert!(push(&mut queues, message(MAX_MESSAGE_BYTES, true)) == 1);
    let table = [
        (MAX_MESSAGE_BYTES + super::INTERNAL_HEADER_BYTES + 1, 0, "TooLarge"),
        (usize::from(u16::MAX), 1, "InvalidLane"),
        (1, 255, "InvalidLane"),
        (1, 256, "InvalidLane"),
        (1, u16::MAX, "InvalidLane"),
    ];
    for (len, lane, name) in table {
        let refused = queues.enqueue(NOW, on_lane(len, lane), None).unwrap_err();
        assert!(format!("{refused:?}").starts_with(name), "{refused:?}");
        assert_eq!(refused.into_message().payload.len(), len);
    }
    let mut many = SendQueues::new(SendConfig::default());
    for _ in 0..MAX_PENDING_MESSAGES {
        push(&mut many, OutgoingMessage::default());
    }
    let refused = many.enqueue(NOW, OutgoingMessage::default(), None);
    assert!(matches!(refused, Err(EnqueueError::LimitExceeded(_))), "empty ones count too");
}

#[test]
fn lanes_only_grow() {
    let config = LaneConfig::default();
    let mut queues = queues();
    assert_eq!(queues.configure_lanes(&[]), Err(LaneError::BadCount(0)));
    assert_eq!(queues.configure_lanes(&[config; 256]), Err(LaneError::BadCount(256)));
    let weightless = LaneConfig { weight: 0, ..config };
    assert_eq!(queues.configure_lanes(&[config, weightless]), Err(LaneError::BadWeight(1)));
    assert_eq!(queues.lane_count(), 1);
    assert_eq!(queues.configure_lanes(&[config; 255]), Ok(()));
    let shrinking = LaneError::Shrinking { wanted: 254, configured: 255 };
    assert_eq!(queues.configure_lanes(&[config; 254]), Err(shrinking));
    let mut model = Model::default();
    for lane in 0..255 {
        assert_eq!(push(&mut queues, on_lane(300, lane)), 1, "numbers are per lane");
    }
    while queues.ready_at(NOW).is_some() {
        pass(&mut queues, &mut model, PACKET);
    }
    assert_eq!(model.reliable.len(), 255);
    assert!(model.reliable.iter().all(|message| message.payload == content(300, 300)));
}

#[test]
fn no_delay_refuses_what_would_wait() {
    let mut queues = queues();
    lanes(&mut queues, &[(0, 1), (1, 1)]);
    let urgent = |lane| OutgoingMessage { no_delay: true, lane, ..message(10, false) };
    let rate = Some(100_000);
    let try_send = |queues: &mut SendQueues, lane| {
        queues.enqueue(NOW, urgent(lane), rate).map_err(|refused| match refused {
            EnqueueError::WouldWait(message) => message.lane,
            other => panic!("{other:?}"),
        })
    };
    push(&mut queues, on_lane(20_000, 0)); // 200 ms at this rate
    assert!(try_send(&mut queues, 0).is_ok());
    assert_eq!(try_send(&mut queues, 0), Err(0), "ten bytes more are too many");
    assert_eq!(try_send(&mut queues, 1), Err(1), "lane 1 waits for lane 0");
    assert!(queues.enqueue(NOW, urgent(0), None).is_ok(), "no limit, no wait");
    let reliable = OutgoingMessage { reliable: true, ..urgent(0) };
    assert!(queues.enqueue(NOW, reliable, rate).is_ok(), "reliable ones wait");

    let mut other = self::queues();
    lanes(&mut other, &[(0, 1), (1, 1)]);
    push(&mut other, on_lane(200_000, 1));
    assert!(try_send(&mut other, 0).is_ok(), "lower priorities do not matter");
    assert_eq!(other.queue_time(Some(100_000)), Duration::from_micros(2_000_100));
    assert_eq!(other.lane_queue_time(0, Some(100_000)), Some(Duration::from_micros(100)));
    assert_eq!(other.lane_queue_time(2, Some(100_000)), None);
}

#[test]
fn priority_is_strict_and_a_dry_lane_lets_others_into_the_packet() {
    let (mut queues, mut model) = (queues(), Model::default());
    lanes(&mut queues, &[(9, 1), (-5, 1), (0, 1)]);
    for (lane, len) in [(0, 5000), (1, 2000), (2, 100)] {
        push(&mut queues, on_lane(len, lane));
    }
    let mut order = Vec::new();
    while queues.ready_at(NOW).is_some() {
        for segment in pass(&mut queues, &mut model, PACKET).0 {
            let Seen::Reliable { lane, .. } = segment else { panic!("{segment:?}") };
            order.push(lane);
        }
    }
    assert_eq!(order[..4], [1, 1, 2, 0], "{order:?}");
    assert!(order[4..].iter().all(|&lane| lane == 0));
}

#[test]
fn weights_share_packets_within_a_few_percent() {
    let table: &[&[u16]] = &[&[1, 1], &[1, 2, 5], &[100, 300], &[7, 1, 1, 1]];
    for &weights in table {
        let config = SendConfig { buffer_bytes: 1 << 26, ..SendConfig::default() };
        let mut queues = SendQueues::new(config);
        queues.set_peer(PeerLimits {
            max_unacked_reliable_per_lane: u64::MAX / 2,
            ..PeerLimits::default()
        });
        let mut table: Vec<(i32, u16)> = weights.iter().map(|&weight| (0, weight)).collect();
        table.push((1, 1)); // of lower priority, and busy
        lanes(&mut queues, &table);
        for lane in 0..table.len() {
            for _ in 0..2000 {
                push(&mut queues, on_lane([100, 1500, 3000][lane % 3], lane as u16));
            }
        }
        let before: Vec<u64> = pending_of_lanes(&queues);
        for _ in 0..150 {
            fill(&mut queues, NOW, PACKET);
        }
        let sent: Vec<u64> = before
            .iter()
            .zip(pending_of_lanes(&queues))
            .map(|(a, b)| a.saturating_sub(b))
            .collect();
        let total: u64 = sent.iter().sum();
        assert_eq!(sent[weights.len()], 0, "lower priority");
        let weight: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        for (lane, &share) in weights.iter().enumerate() {
            let expected = total * u64::from(share) / weight;
            let off = sent[lane].abs_diff(expected);
            assert!(off <= expected / 25 + 1300, "{weights:?}: {sent:?}");
        }
    }
}

fn pending_of_lanes(queues: &SendQueues) -> Vec<u64> {
    (0..queues.lane_count() as u16)
        .map(|lane| queues.lane_backlog(lane).expect("configured").pending_bytes())
        .collect()
}

#[test]
fn lost_data_goes_first_and_is_cut_anew() {
    let (mut queues, mut model) = (queues(), Model::default());
    push(&mut queues, message(10_000, true));
    let (_, first) = fill(&mut queues, NOW, PACKET);
    let (_, second) = fill(&mut queues, NOW, PACKET);
    let (third, _) = fill(&mut queues, NOW, PACKET);
    model.packet(4, &third);
    queues.on_lost(&first);
    queues.on_lost(&second);
    assert_eq!(queues.ready_at(NOW), Some(NOW));
    let (seen, _) = pass(&mut queues, &mut model, 600);
    assert!(matches!(seen[0], Seen::Reliable { position: 1, len: 593, .. }), "{seen:?}");
    let (seen, _) = pass(&mut queues, &mut model, PACKET);
    assert!(matches!(seen[0], Seen::Reliable { position: 594, .. }), "{seen:?}");
    while queues.ready_at(NOW).is_some() {
        pass(&mut queues, &mut model, PACKET);
    }
    assert_eq!(model.reliable[0].payload, content(10_000, 10_000));
}

/// lessons.md 5.2, GNS#409: what overlaps several gaps.
#[test]
fn acks_and_losses_in_any_geometry_leave_exactly_what_is_missing() {
    let mut queues = queues();
    push(&mut queues, message(6000, true));
    let packets: Vec<SentContent> = (0..5).map(|_| fill(&mut queues, NOW, PACKET).1).collect();
    assert_eq!(queues.backlog().pending_bytes(), 0);
    queues.on_acked(&packets[1]);
    queues.on_acked(&packets[3]);
    for packet in &packets {
        queues.on_lost(packet); // of what is acknowledged nothing is lost
    }
    let (plaintext, mut resent) = fill(&mut queues, NOW, 4000);
    let mut model = Model::default();
    let lens: Vec<_> = model.packet(2, &plaintext);
    assert_eq!(lens.len(), 3, "three gaps: {lens:?}");
    assert_eq!(queues.ready_at(NOW), None);
    queues.on_lost(&resent);
    queues.on_acked(&packets[0]); // late, after its copy was lost
    resent.clear();
    let (plaintext, resent) = fill(&mut queues, NOW, 4000);
    assert_eq!(model.packet(2, &plaintext).len(), 2);
    queues.on_acked(&packets[2]);
    queues.on_acked(&resent);
    queues.on_acked(&resent);
    assert!(queues.all_reliable_acked());
    assert_eq!(queues.backlog(), Backlog::default());
}

#[test]
fn unacknowledged_data_of_a_lane_is_bounded() {
    let config = SendConfig { buffer_bytes: 1 << 24, ..SendConfig::default() };
    let mut queues = SendQueues::new(config);
    let limit = 20_000;
    queues.set_peer(PeerLimits { max_unacked_reliable_per_lane: limit, ..PeerLimits::default() });
    lanes(&mut queues, &[(0, 1), (0, 1)]);
    for _ in 0..20 {
        push(&mut queues, on_lane(3000, 0));
    }
    let mut packets = Vec::new();
    while queues.ready_at(NOW).is_some() {
        packets.push(fill(&mut queues, NOW, PACKET).1);
    }
    assert_eq!(queues.sent_unacked_reliable_bytes(), limit);
    push(&mut queues, on_lane(100, 1));
    assert_eq!(queues.ready_at(NOW), Some(after(5000)), "the other lane is free");
    packets.push(fill(&mut queues, NOW, PACKET).1);

    queues.on_lost(&packets[1]);
    assert_eq!(queues.ready_at(NOW), Some(NOW), "what is lost passes");
    packets[1] = fill(&mut queues, NOW, PACKET).1;
    assert_eq!(queues.ready_at(NOW), None);
    queues.on_acked(&packets[2]);
    assert_eq!(queues.ready_at(NOW), None, "the peer buffers from the first gap");
    queues.on_acked(&packets[0]);
    queues.on_acked(&packets[1]);
    assert_eq!(queues.ready_at(NOW), Some(NOW));
    assert!(!fill(&mut queues, NOW, PACKET).1.is_empty());
}

#[test]
fn a_message_larger_than_the_limit_gets_through_in_parts() {
    let (mut queues, mut model) = (queues(), Model::default());
    let max_unacked_reliable_per_lane = 5000;
    queues.set_peer(PeerLimits { max_unacked_reliable_per_lane, ..PeerLimits::default() });
    push(&mut queues, message(100_000, true));
    let mut rounds = 0;
    while !queues.all_reliable_acked() {
        rounds += 1;
        assert!(rounds < 1000);
        let (_, sent) = pass(&mut queues, &mut model, PACKET);
        assert!(queues.sent_unacked_reliable_bytes() <= 5000);
        queues.on_acked(&sent);
    }
    assert_eq!(model.reliable[0].payload, content(100_000, 100_000));
}

/// Seen with Valve's library: a reliable message after a million unreliable ones ends the
/// connection (performance.md). Its receiver checks the step and the lead; so does the model.
#[test]
fn a_reliable_message_after_a_million_others_keeps_valves_limits() {
    let (mut queues, mut model) = (queues(), Model::default());
    push(&mut queues, message(1, true));
    for round in 0..11_000 {
        for _ in 0..100 {
            push(&mut queues, message(0, false));
        }
        let (seen, sent) = pass(&mut queues, &mut model, PACKET);
        assert!(!seen.is_empty());
        if round % 50 == 7 { queues.on_lost(&sent) } else { queues.on_acked(&sent) }
    }
    for _ in 0..2 {
        push(&mut queues, message(1, true));
    }
    pass(&mut queues, &mut model, PACKET);
    let numbers: Vec<u64> = model.reliable.iter().map(|message| message.number).collect();
    assert_eq!(numbers, [1, 1_000_001, 1_100_003], "capped, then caught up");
}

#[test]
fn numbers_that_the_peer_never_saw_count_in_the_lead() {
    let (mut queues, mut model) = (queues(), Model::default());
    for _ in 0..30_000 {
        queues.enqueue(NOW, message(0, false), None).unwrap();
    }
    while queues.ready_at(after(10_000)).is_some() {
        let (_, sent) = fill(&mut queues, after(10_000), PACKET);
        queues.on_lost(&sent);
    }
    for _ in 0..4 {
        push(&mut queues, message(1, true));
    }
    pass(&mut queues, &mut model, PACKET);
    let numbers: Vec<u64> = model.reliable.iter().map(|message| message.number).collect();
    assert_eq!(numbers, [10_000, 20_000, 30_000, 30_004]);
}

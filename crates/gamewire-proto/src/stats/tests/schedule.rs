//! Keep-alives, pings, reports and the end, over virtual time.

use super::*;

const SECOND: u64 = 1000;
const DELAY_MS: u64 = 15;

/// What went over the virtual wire.
#[derive(Clone, Debug)]
struct Sent {
    at: Time,
    from: usize,
    stats: Option<UdpStats>,
}

/// Two ends with a link between, acking as Valve does: at once or after 50 ms.
struct World {
    now: Time,
    ends: [LinkStats; 2],
    next_packet: [u64; 2],
    ack_at: [Option<Time>; 2],
    wire: Vec<(Time, usize, u64, Time, Option<UdpStats>, u64)>,
    newest_received: [u64; 2],
    sent_at: [Vec<Time>; 2],
    log: Vec<Sent>,
    connected: bool,
}

impl World {
    fn new() -> Self {
        Self {
            now: at_ms(0),
            ends: [LinkStats::new(at_ms(0), 1), LinkStats::new(at_ms(0), 2)],
            next_packet: [2; 2],
            ack_at: [None; 2],
            wire: Vec::new(),
            newest_received: [1; 2],
            sent_at: [vec![at_ms(0); 2], vec![at_ms(0); 2]],
            log: Vec::new(),
            connected: true,
        }
    }

    fn send(&mut self, end: usize, content: SentContent, sending_anyway: bool) {
        let now = self.now;
        let stats = self.ends[end].inline_stats_for_packet(now, sending_anyway);
        let number = self.next_packet[end];
        self.next_packet[end] += 1;
        self.ends[end].on_packet_sent(now, sent(number, content, stats.as_ref()));
        self.sent_at[end].push(now);
        self.ack_at[end] = None;
        self.log.push(Sent { at: now, from: end, stats: stats.clone() });
        if self.connected {
            let arrives = now + ms(DELAY_MS);
            self.wire.push((arrives, 1 - end, number, now, stats, self.newest_received[end]));
        }
    }

    /// Runs until `until`, without data.
    fn run(&mut self, until: Time) {
        loop {
            let next = (self.wire.iter().map(|packet| packet.0))
                .chain(self.ends.iter().filter_map(LinkStats::deadline))
                .chain(self.ack_at.into_iter().flatten())
                .min();
            let Some(next) = next.filter(|&next| next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            self.deliver();
            for end in 0..2 {
                if self.ends[end].deadline().is_some_and(|at| at <= self.now)
                    && matches!(self.ends[end].on_timeout(self.now), StatsAction::Send(_))
                {
                    self.send(end, SentContent::AcksOnly, false);
                }
                if self.ack_at[end].is_some_and(|at| at <= self.now) {
                    self.send(end, SentContent::AcksOnly, true);
                }
            }
        }
        self.now = until;
    }

    fn deliver(&mut self) {
        let now = self.now;
        let mut index = 0;
        while index < self.wire.len() {
            if self.wire[index].0 > now {
                index += 1;
                continue;
            }
            let (_, to, number, _, stats, acked) = self.wire.remove(index);
            self.ends[to].on_packet_received(now, 100, Arrival::InOrder, None);
            self.newest_received[to] = number;
            self.ends[to].on_packet_acked(now, acked);
            let rtt = now - self.sent_at[to][usize::try_from(acked).unwrap()];
            if acked > 1 {
                self.ends[to].on_ping_sample(now, rtt.min(ms(2 * DELAY_MS)));
            }
            let asked =
                stats.map_or(AckRequest::None, |s| self.ends[to].on_stats_received(now, &s));
            let ack_at = match asked {
                AckRequest::None => continue,
                AckRequest::Delayed => now + ms(50),
                AckRequest::Immediate => now,
            };
            self.ack_at[to] = Some(self.ack_at[to].map_or(ack_at, |old| old.min(ack_at)));
        }
    }
}

#[test]
fn an_idle_pair_stays_alive_with_little() {
    let mut world = World::new();
    world.run(at_ms(3600 * SECOND));
    assert!(world.ends.iter().all(|end| end.reply_timeouts() == 0));
    for end in &world.ends {
        assert!(world.now - end.last_received() <= KEEP_ALIVE_AFTER + ms(200));
    }
    // An hour has 360 rounds; each is a ping and its ack, from one end or from both.
    assert!((700..=1500).contains(&world.log.len()), "{} packets", world.log.len());
    let asking: Vec<_> = world.log.iter().filter_map(|packet| packet.stats.as_ref()).collect();
    let bodies: Vec<_> = asking.iter().filter_map(|stats| stats.stats.as_ref()).collect();
    assert!(bodies.iter().all(|body| body.instantaneous.is_none()), "nothing happens");
    assert!((2..=16).contains(&bodies.len()), "{} lifetime reports", bodies.len());
    let mut flags_only = asking.iter().filter(|stats| stats.stats.is_none());
    assert!(flags_only.all(|stats| stats.flags == Some(2)));
    // From one round to the next it is ten seconds.
    let pings: Vec<_> = world.log.iter().filter(|p| p.stats.is_some()).collect();
    assert_eq!(pings[0].at, at_ms(10 * SECOND));
    for pair in pings.windows(2).filter(|pair| pair[1].at - pair[0].at > ms(1000)) {
        let gap = pair[1].at - pair[0].at;
        assert!(gap >= ms(9_900) && gap <= ms(10_200), "{gap:?}");
    }
}

#[test]
fn a_silent_peer_is_pinged_urgently_and_given_up() {
    for (timeout_ms, gone_at_ms) in [(10_000, 21_450), (60_000, 71_450)] {
        let mut world = World::new();
        world.connected = false;
        let timeout = ms(timeout_ms);
        let mut at = 0;
        // Keep-alive at 10 s; its ack is missing at 10 s + 1.25 s + 0.2 s.
        while !world.ends[0].timed_out(world.now, timeout) {
            assert!(at <= 100_000);
            at += 10;
            world.run(at_ms(at));
        }
        assert_eq!(at, gone_at_ms);
        assert!(world.ends[0].reply_timeouts() >= MIN_REPLY_TIMEOUTS);
        let sent: Vec<_> = world.log.iter().filter(|packet| packet.from == 0).collect();
        assert_eq!(sent[0].at, at_ms(10_000));
        assert_eq!(sent[0].stats.as_ref().unwrap().flags, Some(2));
        for (index, packet) in sent[1..].iter().enumerate() {
            let index = u64::try_from(index).unwrap();
            assert_eq!(packet.at, at_ms(11_450 + 200 * index));
            assert_eq!(packet.stats.as_ref().unwrap().flags, Some(2 | 4));
        }
        assert_eq!(world.ends[0].snapshot(world.now).quality_local, None);
    }
}

#[test]
fn a_short_timeout_waits_for_four_replies() {
    let mut world = World::new();
    world.connected = false;
    let timeout = ms(1000);
    let mut late = Vec::new();
    for at in (0..20_000).step_by(10) {
        world.run(at_ms(at));
        let timeouts = u64::from(world.ends[0].reply_timeouts());
        while late.len() < usize::try_from(timeouts).unwrap() {
            late.push(at);
        }
        assert_eq!(world.ends[0].timed_out(world.now, timeout), timeouts >= 4, "at {at}");
    }
    // Each wait starts with the first urgent ping after the last one ended.
    assert_eq!(late[..4], [11_450, 12_700, 14_100, 15_500]);
}

#[test]
fn dead_intervals_enter_the_histogram() {
    let mut world = World::new();
    world.connected = false;
    world.run(at_ms(30 * SECOND));
    let quality = world.ends[0].snapshot(world.now).local_lifetime.quality;
    // From 10 to 25 s; the interval before had nothing to send, the last is not over.
    assert_eq!(quality.histogram.counts, [0, 0, 0, 0, 0, 0, 0, 0, 3]);
}

#[test]
fn one_packet_ends_the_alarm() {
    let mut world = World::new();
    world.connected = false;
    world.run(at_ms(16 * SECOND));
    let end = &mut world.ends[0];
    assert!(end.reply_timeouts() >= 3);
    let now = world.now;
    end.on_packet_received(now, 100, Arrival::Duplicate, None);
    end.on_packet_received(now, 100, Arrival::TooOld, None);
    assert!(end.reply_timeouts() >= 3, "a replayed packet proves nothing");
    assert_eq!(end.last_received(), at_ms(0));
    end.on_packet_received(now, 100, Arrival::OutOfOrder, None);
    assert_eq!((end.reply_timeouts(), end.last_received()), (0, now));
    assert_eq!(end.timeout_deadline(ms(0)), None);
    assert_eq!(end.deadline(), Some(now + KEEP_ALIVE_AFTER));
}

#[test]
fn reply_timeout_follows_the_worst_recent_ping() {
    // (ping ms, timeout ms)
    for (ping, expected) in
        [(0, 250), (30, 310), (499, 1248), (500, 1250), (501, 1250), (9999, 1250)]
    {
        let mut link = link();
        assert_eq!(link.reply_timeout(), ms(1250), "unknown ping");
        link.on_ping_sample(at_ms(0), ms(ping));
        assert_eq!(link.reply_timeout(), ms(expected));
        link.on_packet_sent(at_ms(0), sent(2, SentContent::Reliable, None));
        assert_eq!(
            link.deadline(),
            Some(at_ms(expected + 200)),
            "a reliable packet's ack may wait"
        );
        let urgent = UdpStats { stats: None, flags: Some(FLAG_ACK_REQUEST_IMMEDIATE) };
        link.on_packet_sent(at_ms(0), sent(3, SentContent::AcksOnly, Some(&urgent)));
        assert_eq!(link.deadline(), Some(at_ms(expected)), "an urgent one's may not");
        link.on_packet_sent(at_ms(1), sent(4, SentContent::Reliable, None));
        assert_eq!(link.deadline(), Some(at_ms(expected)), "later sends do not put it off");
    }
}

#[test]
fn unreliable_data_brings_tracer_pings() {
    let mut link = link();
    let e2e = Some(UdpStats { stats: None, flags: Some(FLAG_ACK_REQUEST_E2E) });
    link.on_packet_sent(at_ms(100), sent(2, SentContent::Unreliable, None));
    assert_eq!(link.inline_stats_for_packet(at_ms(4999), true), None);
    assert_eq!(
        link.inline_stats_for_packet(at_ms(5000), false),
        None,
        "only with what goes anyway"
    );
    assert_eq!(link.inline_stats_for_packet(at_ms(5000), true), e2e);
    assert_eq!(link.deadline(), Some(at_ms(7000)));
    assert_eq!(link.on_timeout(at_ms(6999)), StatsAction::Nothing);
    assert_eq!(link.on_timeout(at_ms(7000)), StatsAction::Send(SendReason::TracerPing));
    let stats = link.inline_stats_for_packet(at_ms(7000), false);
    assert_eq!(stats, e2e);
    link.on_packet_sent(at_ms(7000), sent(3, SentContent::AcksOnly, stats.as_ref()));
    assert_eq!(link.inline_stats_for_packet(at_ms(7001), true), None, "asked already");
    link.on_packet_received(at_ms(7030), 50, Arrival::InOrder, None);
    link.on_ping_sample(at_ms(7030), ms(30));
    assert_eq!(link.deadline(), Some(at_ms(17_030)), "nothing flows: only the keep-alive");
    assert_eq!(link.inline_stats_for_packet(at_ms(12_029), true), None);
    assert_eq!(link.inline_stats_for_packet(at_ms(12_030), true), e2e);
}

#[test]
fn a_blocked_sender_does_not_spin() {
    let mut link = link();
    assert_eq!(link.deadline(), Some(at_ms(10_000)));
    assert_eq!(link.on_timeout(at_ms(10_000)), StatsAction::Send(SendReason::KeepAlive));
    assert_eq!(link.deadline(), Some(at_ms(10_050)));
    assert_eq!(link.on_timeout(at_ms(10_050)), StatsAction::Send(SendReason::KeepAlive));
    assert_eq!(link.deadline(), Some(at_ms(10_100)));
}

/// Traffic of one packet per second each way until `until`, every packet offered statistics; the
/// times when they were taken and their kinds (true: lifetime).
fn reports(link: &mut LinkStats, until_s: u64, ack: bool) -> Vec<(u64, bool)> {
    let mut taken = Vec::new();
    for second in 1..=until_s {
        let now = at_ms(second * SECOND);
        link.on_packet_received(now, 50, Arrival::InOrder, None);
        link.on_ping_sample(now, ms(20));
        let stats = link.inline_stats_for_packet(now, true);
        link.on_packet_sent(now, sent(second, SentContent::AcksOnly, stats.as_ref()));
        if let Some(body) = stats.and_then(|stats| stats.stats) {
            assert!(body.instantaneous.is_some() != body.lifetime.is_some());
            taken.push((second, body.lifetime.is_some()));
            if ack {
                link.on_packet_acked(now, second - 1);
                link.on_packet_acked(now, second);
            }
        }
    }
    taken
}

#[test]
fn reports_ride_along_as_soon_as_they_may() {
    let taken = reports(&mut link(), 250, true);
    let instantaneous: Vec<u64> = taken.iter().filter(|t| !t.1).map(|t| t.0).collect();
    let lifetime: Vec<u64> = taken.iter().filter(|t| t.1).map(|t| t.0).collect();
    assert_eq!(instantaneous, (1..=12).map(|round| round * 20).collect::<Vec<_>>());
    assert_eq!(lifetime, [121, 241], "one kind per packet");
}

#[test]
fn reports_are_repeated_until_acked() {
    let mut link = link();
    assert_eq!(reports(&mut link, 32, false), [(20, false), (25, false), (30, false)]);
    link.on_packet_lost(29);
    assert_eq!(link.inline_stats_for_packet(at_ms(33 * SECOND), true), None);
    link.on_packet_lost(30);
    assert!(link.inline_stats_for_packet(at_ms(33 * SECOND), true).unwrap().stats.is_some());
}

#[test]
fn overdue_reports_are_sent_by_themselves() {
    let mut due = Vec::new();
    for seed in 0..20 {
        let mut link = LinkStats::new(at_ms(0), seed);
        for second in 1..=24 {
            link.on_packet_received(at_ms(second * SECOND), 50, Arrival::InOrder, None);
            link.on_ping_sample(at_ms(second * SECOND), ms(20));
        }
        let at = link.deadline().unwrap();
        assert!(at >= at_ms(25 * SECOND) && at <= at_ms(30 * SECOND), "{at:?}");
        assert_eq!(link.on_timeout(at), StatsAction::Send(SendReason::Stats));
        let stats = link.inline_stats_for_packet(at, false).unwrap();
        assert!(stats.stats.as_ref().unwrap().instantaneous.is_some());
        link.on_packet_sent(at, sent(2, SentContent::AcksOnly, Some(&stats)));
        assert!(link.deadline().unwrap() > at);
        due.push(at);
        let again = LinkStats::new(at_ms(0), seed);
        assert_eq!(format!("{:?}", again.deadline()), format!("{:?}", Some(at_ms(10_000))));
    }
    due.sort_unstable();
    due.dedup();
    assert!(due.len() > 15, "the seed spreads them");
}

#[test]
fn idle_links_report_nothing() {
    let mut link = link();
    for second in (5..=500).step_by(5) {
        let now = at_ms(second * SECOND);
        link.on_packet_received(now, 50, Arrival::InOrder, None);
        link.on_ping_sample(now, ms(20));
        let stats = link.inline_stats_for_packet(now, true);
        assert!(stats.is_none_or(|stats| stats.stats.is_none()), "at {second}");
        assert_eq!(link.deadline(), Some(now + KEEP_ALIVE_AFTER));
    }
}

#[test]
fn what_the_peer_asks_for() {
    let body = Some(gamewire_wire::messages::ConnectionQuality::default());
    let table = [
        (None, None, AckRequest::None),
        (None, Some(0), AckRequest::None),
        (None, Some(2), AckRequest::Delayed),
        (None, Some(4), AckRequest::Immediate),
        (None, Some(6), AckRequest::Immediate),
        (None, Some(16), AckRequest::None),
        (None, Some(!6), AckRequest::None),
        (body.clone(), None, AckRequest::Delayed),
        (body, Some(4), AckRequest::Immediate),
    ];
    for (stats, flags, asked) in table {
        let stats = UdpStats { stats, flags };
        assert_eq!(link().on_stats_received(at_ms(0), &stats), asked, "{stats:?}");
    }
}

#[test]
fn an_ack_frame_tells_whether_a_report_arrived() {
    use gamewire_wire::snp::AckBlock;
    let blocks = [(2, 3), (1, 1), (0, 2)].map(|(acked, missing)| AckBlock { acked, missing });
    // Latest 20: 20, 19 arrived; 18, 17, 16 not; 15 did; 14, 13, 12 did not; all below did.
    for number in 0..25 {
        let arrived = matches!(number, 19..=20 | 15 | ..=11);
        let mut link = link();
        assert_eq!(reports(&mut link, 19, false), []);
        let stats = link.inline_stats_for_packet(at_ms(20 * SECOND), true).unwrap();
        assert!(stats.stats.is_some());
        let packet = sent(number, SentContent::AcksOnly, Some(&stats));
        link.on_packet_sent(at_ms(20 * SECOND), packet);
        link.on_ack_frame(at_ms(21 * SECOND), 20, blocks);
        let retry = link.inline_stats_for_packet(at_ms(26 * SECOND), true);
        let repeated = retry.is_some_and(|stats| stats.stats.is_some());
        assert_eq!(repeated, !arrived, "packet {number}");
    }
}

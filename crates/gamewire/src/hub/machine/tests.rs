use gamewire_crypto::SeededEntropy;
use gamewire_wire::messages::hub::{HubChallenge, HubGoAway};

use super::*;

fn machine() -> Machine {
    Machine::new(at(0), Box::new(SeededEntropy::new(1)))
}

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn alice() -> Identity {
    "str:alice".parse().unwrap()
}

fn tell(machine: &mut Machine, now: Time, body: hub_event::Body) {
    machine.handle_message(now, &HubEvent { body: Some(body) }.encode_to_vec());
}

fn let_in(machine: &mut Machine, now: Time) {
    assert_eq!(machine.poll_action(now), Some(Action::Connect));
    let challenge = HubChallenge { nonce: Some(Bytes::from_static(b"n")), ..Default::default() };
    tell(machine, now, hub_event::Body::Challenge(challenge));
    assert_eq!(machine.poll_event(), Some(Event::Challenge(Bytes::from_static(b"n"))));
    machine.log_in(HubLogin::default());
    assert!(matches!(machine.poll_action(now), Some(Action::Send(_))));
    let ok = HubLoginResult {
        status: Some(hub_login_result::Status::Ok as i32),
        identity: Some("str:me".to_owned()),
        issues_certificates: Some(true),
        ..HubLoginResult::default()
    };
    tell(machine, now, hub_event::Body::Login(ok));
    assert_eq!(machine.poll_event(), Some(Event::LoggedIn { issues_certificates: true }));
    assert_eq!(machine.state(), HubState::Connected);
}

fn online(now: Time) -> Machine {
    let mut machine = machine();
    machine.want(now);
    let_in(&mut machine, now);
    machine
}

fn refuse(machine: &mut Machine, now: Time, status: hub_login_result::Status) {
    let result = HubLoginResult {
        status: Some(status as i32),
        message: Some("no\n".to_owned()),
        ..HubLoginResult::default()
    };
    tell(machine, now, hub_event::Body::Login(result));
}

fn sent_payload(action: Option<Action>) -> Option<Bytes> {
    let Some(Action::Send(bytes)) = action else { return None };
    match HubRequest::decode(bytes.as_slice()).unwrap().body {
        Some(hub_request::Body::Signal(signal)) => {
            assert_eq!((signal.to_identity(), &signal.from_identity), ("str:alice", &None));
            signal.payload
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_happens_before_it_is_wanted() {
    let mut machine = machine();
    machine.handle_timeout(at(1000));
    assert_eq!((machine.poll_action(at(1000)), machine.poll_timeout()), (None, None));
    assert_eq!(machine.state(), HubState::Idle);
}

#[test]
fn signals_wait_for_the_hub_in_order_and_not_for_ever() {
    let mut machine = machine();
    machine.send_signal(at(0), &alice(), b"old").unwrap();
    machine.send_signal(at(20), &alice(), b"one").unwrap();
    machine.send_signal(at(20), &alice(), b"two").unwrap();
    let_in(&mut machine, at(40));
    assert_eq!(sent_payload(machine.poll_action(at(40))), Some(Bytes::from_static(b"one")));
    assert_eq!(sent_payload(machine.poll_action(at(40))), Some(Bytes::from_static(b"two")));
    assert_eq!(machine.poll_action(at(40)), None);
    assert_eq!(machine.signal_bytes, 0);
}

#[test]
fn the_queue_is_bounded_in_number_and_bytes() {
    let mut machine = machine();
    let too_long = vec![0; hub::MAX_SIGNAL_BYTES + 1];
    assert_eq!(machine.send_signal(at(0), &alice(), &too_long), Err(HubError::TooLong));
    let longest = vec![0; hub::MAX_SIGNAL_BYTES];
    let fitting = MAX_QUEUED_SIGNAL_BYTES / hub::MAX_SIGNAL_BYTES;
    (0..fitting).for_each(|_| machine.send_signal(at(0), &alice(), &longest).unwrap());
    assert_eq!(machine.send_signal(at(0), &alice(), b"x"), Err(HubError::QueueFull));
    // The old ones make room by their age.
    (0..MAX_QUEUED_SIGNALS).for_each(|_| machine.send_signal(at(30), &alice(), b"x").unwrap());
    assert_eq!(machine.send_signal(at(30), &alice(), b"x"), Err(HubError::QueueFull));
}

#[test]
fn pauses_grow_and_are_never_the_same_for_all() {
    let mut machine = machine();
    machine.want(at(0));
    let (mut now, mut pauses) = (at(0), Vec::new());
    for _ in 0..12 {
        assert_eq!(machine.poll_action(now), Some(Action::Connect));
        machine.handle_disconnected(now, "refused");
        assert_eq!(machine.state(), HubState::Waiting);
        let until = machine.poll_timeout().unwrap();
        pauses.push(until.since(now));
        now = until;
        machine.handle_timeout(now);
    }
    for (times, pause) in pauses.iter().enumerate() {
        let longest = (FIRST_PAUSE * 2_u32.pow(times as u32)).min(MAX_PAUSE);
        assert!((longest / 2..=longest).contains(pause), "{times}: {pause:?}");
    }
    assert_eq!(machine.last_error(), Some("refused"));
}

#[test]
fn a_connection_that_held_makes_up_for_earlier_failures() {
    let mut machine = machine();
    machine.want(at(0));
    let mut now = at(0);
    for _ in 0..8 {
        machine.handle_disconnected(now, "down");
        now = machine.poll_timeout().unwrap();
        machine.handle_timeout(now);
    }
    while machine.poll_event().is_some() {}
    let_in(&mut machine, now);
    now += STABLE_AFTER;
    machine.handle_disconnected(now, "down");
    assert!(machine.poll_timeout().unwrap().since(now) <= FIRST_PAUSE);
    assert_eq!(machine.identity(), None);
}

#[test]
fn a_refused_login_is_tried_again_slowly_until_credentials_change() {
    let mut machine = machine();
    machine.want(at(0));
    machine.poll_action(at(0));
    refuse(&mut machine, at(1), hub_login_result::Status::Refused);
    assert_eq!(machine.poll_action(at(1)), Some(Action::Disconnect));
    let event = machine.poll_event();
    assert!(matches!(event, Some(Event::Failed { refused: true, .. })), "{event:?}");
    let pause = machine.poll_timeout().unwrap().since(at(1));
    assert!(pause >= FIRST_PAUSE_REFUSED / 2, "{pause:?}");
    assert!(machine.last_error().unwrap().ends_with("refused the login: no"));
    machine.credentials_changed(at(2), false);
    assert_eq!(machine.poll_action(at(2)), Some(Action::Connect));
    refuse(&mut machine, at(3), hub_login_result::Status::Busy);
    machine.poll_action(at(3));
    let pause = machine.poll_timeout().unwrap().since(at(3));
    assert!(pause < FIRST_PAUSE_REFUSED / 2, "a busy hub is no refusal");
}

#[test]
fn an_attempt_does_not_take_for_ever() {
    let mut machine = machine();
    machine.want(at(0));
    machine.poll_action(at(0));
    assert_eq!(machine.poll_timeout(), Some(at(0) + LOGIN_TIMEOUT));
    machine.handle_timeout(at(0) + LOGIN_TIMEOUT);
    assert_eq!(machine.poll_action(at(20)), Some(Action::Disconnect));
    assert_eq!(machine.state(), HubState::Waiting);
}

#[test]
fn a_silent_hub_is_asked_and_then_left() {
    let mut machine = online(at(0));
    machine.handle_alive(at(10));
    assert_eq!(machine.poll_timeout(), Some(at(25)));
    machine.handle_timeout(at(25));
    assert_eq!(machine.poll_action(at(25)), Some(Action::Ping));
    machine.handle_alive(at(26));
    assert_eq!(machine.poll_timeout(), Some(at(41)));
    machine.handle_timeout(at(41));
    assert_eq!(machine.poll_action(at(41)), Some(Action::Ping));
    machine.handle_timeout(at(51));
    assert_eq!(machine.poll_action(at(51)), Some(Action::Disconnect));
    assert_eq!(machine.state(), HubState::Waiting);
}

#[test]
fn a_hub_that_sends_us_away_is_left_within_its_time() {
    let mut machine = online(at(0));
    let go_away = HubGoAway { reconnect_within_ms: Some(4000) };
    tell(&mut machine, at(1), hub_event::Body::GoAway(go_away));
    let leave_at = machine.poll_timeout().unwrap();
    assert!(leave_at <= at(5), "{leave_at:?}");
    machine.send_signal(at(1), &alice(), b"still here").unwrap();
    assert!(sent_payload(machine.poll_action(at(1))).is_some());
    machine.handle_timeout(leave_at);
    assert_eq!(machine.poll_action(leave_at), Some(Action::Disconnect));
    let_in(&mut machine, leave_at);
}

#[test]
fn certificates_are_asked_for_again_after_a_loss() {
    let mut machine = machine();
    machine.request_certificate(at(0), b"request".to_vec());
    let_in(&mut machine, at(1));
    let call = machine.poll_action(at(1));
    assert!(matches!(call, Some(Action::Send(_))));
    assert_eq!(machine.poll_action(at(1)), None, "once");
    machine.handle_disconnected(at(2), "down");
    machine.poll_event();
    machine.handle_timeout(at(3));
    let_in(&mut machine, at(3));
    assert_eq!(machine.poll_action(at(3)), call);
    let wrong = HubCertificateResult { request_id: Some(99), ..HubCertificateResult::default() };
    tell(&mut machine, at(4), hub_event::Body::Certificate(wrong));
    assert_eq!(machine.poll_event(), None);
    let ok = HubCertificateResult {
        request_id: Some(1),
        status: Some(hub_certificate_result::Status::Ok as i32),
        message: None,
        cert: Some(CertificateSigned::default()),
    };
    tell(&mut machine, at(4), hub_event::Body::Certificate(ok));
    let expected = Event::Certificate(Ok(CertificateSigned::default()));
    assert_eq!(machine.poll_event(), Some(expected));
}

#[test]
fn a_hub_that_does_not_answer_a_request_is_no_dead_end() {
    let mut machine = online(at(0));
    machine.request_certificate(at(0), b"request".to_vec());
    machine.poll_action(at(0));
    machine.handle_timeout(at(10));
    let event = machine.poll_event();
    assert!(matches!(event, Some(Event::Certificate(Err(CertificateRefusal::ForNow(_))))));
}

#[test]
fn signals_of_peers_come_out_and_nonsense_does_not() {
    let mut machine = online(at(0));
    let signal = |from: &str, payload: &[u8]| HubSignal {
        to_identity: None,
        from_identity: Some(from.to_owned()),
        payload: Some(Bytes::copy_from_slice(payload)),
    };
    tell(&mut machine, at(1), hub_event::Body::Signal(signal("nonsense", b"x")));
    tell(&mut machine, at(1), hub_event::Body::Signal(HubSignal::default()));
    machine.handle_message(at(1), b"\xff\xff");
    machine.handle_message(at(1), b"");
    let second = HubLoginResult { status: Some(3), ..HubLoginResult::default() };
    tell(&mut machine, at(1), hub_event::Body::Login(second));
    assert_eq!(machine.poll_event(), None);
    tell(&mut machine, at(1), hub_event::Body::Signal(signal("str:alice", b"hi")));
    let expected = Event::Signal { from: alice(), payload: Bytes::from_static(b"hi") };
    assert_eq!(machine.poll_event(), Some(expected));
    assert_eq!(machine.state(), HubState::Connected);
}

#[test]
fn another_identity_means_another_login() {
    let mut machine = online(at(0));
    machine.credentials_changed(at(1), false);
    assert_eq!(machine.poll_action(at(1)), None, "a renewed certificate is no reason to leave");
    machine.credentials_changed(at(1), true);
    assert_eq!(machine.poll_action(at(1)), Some(Action::Disconnect));
    let_in(&mut machine, at(1));
}

/// Whatever comes in whatever order: no panic, and nothing grows beyond its limit.
#[test]
fn random_input_does_no_harm() {
    let mut entropy = SeededEntropy::new(3);
    let mut machine = machine();
    let mut now = 0;
    for _ in 0..50_000 {
        now += u64::from(entropy.next_u32() % 3);
        let mut bytes = vec![0; (entropy.next_u32() % 24) as usize];
        entropy.fill(&mut bytes);
        match entropy.next_u32() % 12 {
            0 => machine.want(at(now)),
            1 => machine.credentials_changed(at(now), bytes.len().is_multiple_of(2)),
            2 => drop(machine.send_signal(at(now), &alice(), &bytes)),
            3 => machine.request_certificate(at(now), bytes),
            4 => machine.log_in(HubLogin::default()),
            5 => machine.handle_disconnected(at(now), "lost"),
            6 => machine.handle_timeout(at(now)),
            7 => refuse(&mut machine, at(now), hub_login_result::Status::Ok),
            8 => refuse(&mut machine, at(now), hub_login_result::Status::Busy),
            9 => {
                let go_away = HubGoAway { reconnect_within_ms: Some(entropy.next_u32()) };
                tell(&mut machine, at(now), hub_event::Body::GoAway(go_away));
            }
            _ => machine.handle_message(at(now), &bytes),
        }
        while machine.poll_event().is_some() {}
        while machine.poll_action(at(now)).is_some() {}
        let bytes: usize = machine.signals.iter().map(|signal| signal.payload.len()).sum();
        assert_eq!(bytes, machine.signal_bytes);
        assert!(machine.signals.len() <= MAX_QUEUED_SIGNALS);
        assert!(machine.state() == HubState::Idle || machine.poll_timeout().is_some(), "stuck");
    }
}

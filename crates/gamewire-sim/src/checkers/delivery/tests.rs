use gamewire_proto::{lane::DeliveryMode, receive::ReceivedMessage};

use super::*;

fn name(lane: u16, number: u64) -> MessageName {
    MessageName { connection: 7, sender: Side::Initiator, lane, number }
}

fn judge(checker: &mut DeliveryChecker, what: Observation, side: Side) -> Vec<String> {
    let mut violations = Violations::default();
    let observed = Observed { at: crate::world::START, connection: 7, side, what };
    checker.observe(&observed, &mut violations);
    violations.take().into_iter().map(|violation| violation.what).collect()
}

fn sent(checker: &mut DeliveryChecker, name: MessageName, reliable: bool) {
    let what = Observation::Sent { name, len: 20, reliable, may_expire: false };
    assert!(judge(checker, what, Side::Initiator).is_empty());
}

fn message(name: MessageName, reliable: bool) -> ReceivedMessage {
    ReceivedMessage { lane: name.lane, number: name.number, reliable, payload: name.content(20) }
}

fn comes(checker: &mut DeliveryChecker, message: ReceivedMessage) -> Option<String> {
    judge(checker, Observation::Received(message), Side::Acceptor).pop()
}

fn checker(mode: DeliveryMode, reliable: bool) -> DeliveryChecker {
    let rules = DeliveryRules { lanes: vec![mode], unordered_negotiated: true };
    let mut checker = DeliveryChecker::new(rules);
    for number in 1..=4 {
        sent(&mut checker, name(0, number), reliable);
    }
    checker
}

#[track_caller]
fn refuses(checker: &mut DeliveryChecker, message: ReceivedMessage, why: &str) {
    let verdict = comes(checker, message).expect("a violation");
    assert!(verdict.contains(why), "{verdict:?} does not say {why:?}");
}

#[test]
fn reliable_messages_come_once_and_in_order() {
    let mut all = checker(DeliveryMode::Standard, true);
    assert_eq!(all.outstanding(7, Side::Initiator).messages, 4);
    for number in 1..=4 {
        assert_eq!(comes(&mut all, message(name(0, number), true)), None);
    }
    assert_eq!(all.outstanding_in_all(), 0);
    assert_eq!(all.delivered(), 4);
    refuses(&mut all, message(name(0, 4), true), "twice");

    let mut gap = checker(DeliveryMode::Standard, true);
    assert_eq!(comes(&mut gap, message(name(0, 1), true)), None);
    refuses(&mut gap, message(name(0, 3), true), "missing before");
    refuses(&mut gap, message(name(0, 2), true), "came after");
    assert_eq!(gap.outstanding(7, Side::Initiator).first, Some(name(0, 4)));
}

#[test]
fn foreign_and_altered_messages_are_found_out() {
    let mut all = checker(DeliveryMode::Standard, true);
    refuses(&mut all, message(name(0, 5), true), "never sent");
    refuses(&mut all, message(name(0, 0), true), "never sent");
    refuses(&mut all, message(name(1, 1), true), "never sent");
    refuses(&mut all, message(name(0, 1), false), "otherwise");
    let mut altered = message(name(0, 1), true);
    altered.payload = name(0, 2).content(20);
    refuses(&mut all, altered, "altered");
    let mut short = message(name(0, 1), true);
    short.payload = name(0, 1).content(19);
    refuses(&mut all, short, "20 bytes were sent");
}

#[test]
fn modes_differ_in_what_they_allow() {
    let mut unreliable = checker(DeliveryMode::Standard, false);
    assert_eq!(comes(&mut unreliable, message(name(0, 3), false)), None);
    assert_eq!(comes(&mut unreliable, message(name(0, 2), false)), None);
    refuses(&mut unreliable, message(name(0, 2), false), "twice");
    assert_eq!(unreliable.outstanding_in_all(), 0);

    let mut sequenced = checker(DeliveryMode::Sequenced, false);
    assert_eq!(comes(&mut sequenced, message(name(0, 3), false)), None);
    refuses(&mut sequenced, message(name(0, 2), false), "older");

    let mut unordered = checker(DeliveryMode::Unordered, true);
    assert_eq!(comes(&mut unordered, message(name(0, 3), true)), None);
    assert_eq!(comes(&mut unordered, message(name(0, 1), true)), None);
    refuses(&mut unordered, message(name(0, 1), true), "twice");
    assert_eq!(unordered.outstanding_in_all(), 2);
}

#[test]
fn expired_messages_may_be_missing() {
    let mut all = DeliveryChecker::new(DeliveryRules::default());
    let what = Observation::Sent { name: name(0, 1), len: 20, reliable: true, may_expire: true };
    judge(&mut all, what, Side::Initiator);
    sent(&mut all, name(0, 2), true);
    assert_eq!(all.outstanding_in_all(), 1);
    assert_eq!(comes(&mut all, message(name(0, 2), true)), None);
}

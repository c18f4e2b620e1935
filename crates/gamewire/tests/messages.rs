//! Messages by identity: sessions that nobody has to look after.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "common/mod.rs"]
mod common;
#[path = "common/post.rs"]
mod post;

use std::time::Instant;

use common::{PATIENCE, sockets};
use gamewire::{
    ConfigData, ConfigId, ConnectionState, Event, Identity, MAX_MESSAGE_BYTES, ScopeObject,
    SendFlags, Sockets, UserMessage, UserSendError,
};
use post::{Post, Weather};

struct Room {
    post: Post,
    anna: Sockets,
    bert: Sockets,
}

impl Room {
    fn new() -> Self {
        let post = Post::open(Weather::default());
        let (anna, bert) = (sockets("str:anna"), sockets("str:bert"));
        for sockets in [&anna, &bert] {
            post.join(sockets);
            // Whoever uses messages looks for them now and then.
            sockets.receive_messages_on_channel(0, 1);
        }
        Self { post, anna, bert }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.post.close();
    }
}

fn id(name: &str) -> Identity {
    format!("str:{name}").parse().unwrap()
}

fn requested(sockets: &Sockets) -> Identity {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match sockets.wait_event(Some(deadline.saturating_duration_since(Instant::now()))) {
            Some(Event::MessagesSessionRequest { peer }) => return peer,
            Some(Event::ConnectionStatusChanged(change)) => {
                panic!("connections of sessions are nobody's business: {change:?}")
            }
            Some(_) => {}
            None => panic!("no session was asked for"),
        }
    }
}

/// Takes messages of a channel until there are so many.
fn take(sockets: &Sockets, channel: i32, count: usize) -> Vec<UserMessage> {
    let deadline = Instant::now() + PATIENCE;
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.extend(sockets.receive_messages_on_channel(channel, count - messages.len()));
        assert!(Instant::now() < deadline, "{} of {count} came", messages.len());
        std::thread::yield_now();
    }
    messages
}

#[test]
fn the_first_message_opens_a_session_and_an_answer_accepts_it() {
    let room = Room::new();
    let (anna, bert) = (id("anna"), id("bert"));
    room.anna.send_message_to_user(&bert, b"hello", SendFlags::UNRELIABLE, 3).unwrap();
    room.anna.send_message_to_user(&bert, b"you", SendFlags::RELIABLE, -7).unwrap();
    assert_eq!(requested(&room.bert), anna);
    // The answer accepts the session.
    room.bert.send_message_to_user(&anna, b"here", SendFlags::RELIABLE, 3).unwrap();
    let got = take(&room.bert, 3, 1);
    assert_eq!((&got[0].message.payload[..], got[0].channel), (&b"hello"[..], 3));
    assert_eq!(**got[0].peer(), anna);
    assert_eq!(&take(&room.bert, -7, 1)[0].message.payload[..], b"you");
    assert_eq!(&take(&room.anna, 3, 1)[0].message.payload[..], b"here");
    let (info, status) = room.anna.session_connection_info(&bert).unwrap();
    assert_eq!(info.state, ConnectionState::Connected);
    assert_eq!(status.unwrap().state, ConnectionState::Connected);
    assert!(room.anna.session_connection_info(&id("carl")).is_none());
}

#[test]
fn order_holds_on_a_channel_and_the_largest_message_fits() {
    let room = Room::new();
    let bert = id("bert");
    let large: Vec<u8> = (0..MAX_MESSAGE_BYTES).map(|at| (at % 253) as u8).collect();
    room.anna.send_message_to_user(&bert, &[0], SendFlags::RELIABLE, 1).unwrap();
    assert_eq!(requested(&room.bert), id("anna"));
    assert!(room.bert.accept_session_with_user(&id("anna")));
    assert!(room.bert.accept_session_with_user(&id("anna")), "also if it is open");
    assert!(!room.bert.accept_session_with_user(&id("carl")));
    for number in 1..50 {
        room.anna.send_message_to_user(&bert, &[number], SendFlags::RELIABLE, 1).unwrap();
    }
    let numbers: Vec<u8> =
        take(&room.bert, 1, 50).iter().map(|message| message.message.payload[0]).collect();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    room.anna
        .set_config_value(
            ScopeObject::Interface,
            ConfigId::SendBufferSize,
            Some(ConfigData::Int32(4 << 20)),
        )
        .unwrap();
    room.anna.send_message_to_user(&bert, &large, SendFlags::RELIABLE, 2).unwrap();
    assert_eq!(take(&room.bert, 2, 1)[0].message.payload, large);
    let too_large = vec![0; MAX_MESSAGE_BYTES + 1];
    let refused = room.anna.send_message_to_user(&bert, &too_large, SendFlags::RELIABLE, 2);
    assert_eq!(refused, Err(UserSendError::Invalid));
}

#[test]
fn both_sending_first_is_one_session() {
    for _ in 0..4 {
        let room = Room::new();
        room.anna.send_message_to_user(&id("bert"), b"a", SendFlags::RELIABLE, 0).unwrap();
        room.bert.send_message_to_user(&id("anna"), b"b", SendFlags::RELIABLE, 0).unwrap();
        assert_eq!(&take(&room.anna, 0, 1)[0].message.payload[..], b"b");
        assert_eq!(&take(&room.bert, 0, 1)[0].message.payload[..], b"a");
    }
}

#[test]
fn a_closed_session_begins_anew_with_the_next_message() {
    let room = Room::new();
    let (anna, bert) = (id("anna"), id("bert"));
    room.anna.send_message_to_user(&bert, b"one", SendFlags::RELIABLE, 0).unwrap();
    requested(&room.bert);
    assert!(room.bert.accept_session_with_user(&anna));
    take(&room.bert, 0, 1);
    assert!(room.bert.close_session_with_user(&anna));
    assert!(!room.bert.close_session_with_user(&anna));
    let deadline = Instant::now() + PATIENCE;
    while room.anna.send_message_to_user(&bert, b"lost", SendFlags::RELIABLE, 0).is_ok() {
        assert!(Instant::now() < deadline, "the end of the session is noticed");
        std::thread::yield_now();
    }
    let (info, _) = room.anna.session_connection_info(&bert).unwrap();
    assert_eq!((info.state, info.end_reason), (ConnectionState::ClosedByPeer, 1001));
    let restart = SendFlags::RELIABLE | SendFlags::AUTO_RESTART_BROKEN_SESSION;
    room.anna.send_message_to_user(&bert, b"two", restart, 0).unwrap();
    assert_eq!(requested(&room.bert), anna);
    assert!(room.bert.accept_session_with_user(&anna));
    assert_eq!(&take(&room.bert, 0, 1)[0].message.payload[..], b"two");
}

#[test]
fn the_last_channel_takes_the_session_along() {
    let room = Room::new();
    let (anna, bert) = (id("anna"), id("bert"));
    room.anna.send_message_to_user(&bert, b"x", SendFlags::RELIABLE, 1).unwrap();
    room.anna.send_message_to_user(&bert, b"y", SendFlags::RELIABLE, 2).unwrap();
    requested(&room.bert);
    assert!(room.bert.accept_session_with_user(&anna));
    take(&room.bert, 1, 1);
    take(&room.bert, 2, 1);
    assert!(room.bert.close_channel_with_user(&anna, 1));
    assert!(room.bert.session_connection_info(&anna).is_some());
    assert!(room.bert.close_channel_with_user(&anna, 2));
    assert!(room.bert.session_connection_info(&anna).is_none());
    assert!(!room.bert.close_channel_with_user(&anna, 2));
}

#[test]
fn a_peer_that_is_not_there_fails_the_session() {
    let room = Room::new();
    let nobody = id("nobody");
    room.anna
        .set_config_value(
            ScopeObject::Interface,
            ConfigId::TimeoutInitial,
            Some(ConfigData::Int32(500)),
        )
        .unwrap();
    room.anna.send_message_to_user(&nobody, b"?", SendFlags::RELIABLE, 0).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let event = room.anna.wait_event(Some(deadline.saturating_duration_since(Instant::now())));
    let Some(Event::MessagesSessionFailed(failed)) = event else { panic!("{event:?}") };
    assert_eq!(failed.identity_remote, nobody);
    assert_eq!(failed.end_reason, 5008);
    let (info, _) = room.anna.session_connection_info(&nobody).unwrap();
    assert_eq!(info.state, ConnectionState::ProblemDetectedLocally);
    let again = room.anna.send_message_to_user(&nobody, b"?", SendFlags::RELIABLE, 0);
    assert_eq!(again, Err(UserSendError::SessionBroken));
}

#[test]
fn who_has_no_name_or_sends_to_nobody_is_told() {
    let room = Room::new();
    let sent = room.anna.send_message_to_user(&Identity::Invalid, b"", SendFlags::RELIABLE, 0);
    assert_eq!(sent, Err(UserSendError::Invalid));
    let nameless = Sockets::new(gamewire::Options::default()).unwrap();
    let sent = nameless.send_message_to_user(&id("bert"), b"", SendFlags::RELIABLE, 0);
    assert_eq!(sent, Err(UserSendError::NoSession));
}

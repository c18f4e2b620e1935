//! Connections by identity, as far as they go: what is asked wrongly is told so, and the
//! application's channel is always given up.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use common::*;
use gamewire::{
    Config, ConnectionHandle, ConnectionInfo, ConnectionSignaling, Identity, P2pError,
    SignalingRecvContext,
};
use gamewire_wire::messages::{P2pRendezvous, p2p_rendezvous::ConnectRequest};
use prost::Message as _;

/// Counts how often a channel is dropped.
struct Channel(Arc<AtomicUsize>);

impl ConnectionSignaling for Channel {
    fn send_signal(&self, _: ConnectionHandle, _: &ConnectionInfo, _: &[u8]) -> bool {
        true
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Must not be asked.
struct Nobody;

impl SignalingRecvContext for Nobody {
    fn on_connect_request(
        &mut self,
        _: ConnectionHandle,
        _: &Identity,
        _: i32,
    ) -> Option<Box<dyn ConnectionSignaling>> {
        panic!("there are no connections by identity to ask about")
    }

    fn send_rejection_signal(&mut self, _: &Identity, _: &[u8]) {
        panic!("a refusal would tell that we are here")
    }
}

#[test]
fn wrong_questions_are_told_apart() {
    let sockets = sockets("str:me");
    let peer = "str:peer".parse().unwrap();
    let connect = |port| sockets.connect_p2p(&peer, port, &[]).unwrap_err();
    assert_eq!(connect(-1), P2pError::InvalidVirtualPort(-1));
    assert_eq!(connect(0x1_0000), P2pError::InvalidVirtualPort(0x1_0000));
    assert_eq!(connect(7), P2pError::NoSignaling);
    let nobody = sockets.connect_p2p(&Identity::Invalid, 7, &[]);
    assert_eq!(nobody, Err(P2pError::InvalidIdentity));
    assert_eq!(sockets.create_listen_socket_p2p(-5, &[]), Err(P2pError::InvalidVirtualPort(-5)));
    let socket = sockets.create_listen_socket_p2p(5, &[]).unwrap();
    assert_eq!(sockets.create_listen_socket_p2p(5, &[]), Err(P2pError::VirtualPortInUse(5)));
    assert!(sockets.listen_socket_address(socket).is_none());
    assert!(sockets.close_listen_socket(socket));
    assert!(sockets.create_listen_socket_p2p(5, &[]).is_ok());
    sockets.reset_identity(None);
    assert_eq!(sockets.connect_p2p(&peer, 7, &[]), Err(P2pError::LocalIdentityUnknown));
}

#[test]
fn a_channel_is_given_up_once_whatever_the_call_comes_to() {
    let sockets = sockets("str:me");
    let dropped = Arc::new(AtomicUsize::new(0));
    let attempts: [(i32, &[Config]); 3] =
        [(0x1_0000, &[]), (-2, &[]), (0, &[Config::SymmetricConnect(1)])];
    for (count, (port, options)) in (1..).zip(attempts) {
        let channel = Box::new(Channel(dropped.clone()));
        assert!(sockets.connect_p2p_custom_signaling(channel, None, port, options).is_err());
        assert_eq!(dropped.load(Ordering::SeqCst), count);
    }
}

#[test]
fn signals_are_judged_and_reveal_nothing() {
    let sockets = sockets("str:me");
    let judge = |signal: &P2pRendezvous| {
        sockets.received_p2p_custom_signal(&signal.encode_to_vec(), &mut Nobody)
    };
    let sound = P2pRendezvous {
        from_identity: Some("str:peer".to_owned()),
        from_connection_id: Some(7),
        ..P2pRendezvous::default()
    };
    assert!(judge(&sound));
    assert!(!judge(&P2pRendezvous { from_identity: None, ..sound.clone() }));
    assert!(!judge(&P2pRendezvous { from_connection_id: None, ..sound.clone() }));
    let empty = Some(ConnectRequest::default());
    assert!(!judge(&P2pRendezvous { connect_request: empty, ..sound }));
    assert!(!sockets.received_p2p_custom_signal(&[0xff; 40], &mut Nobody));
    assert!(!sockets.received_p2p_custom_signal(&[0; 100_000], &mut Nobody));
}

//! The futures, driven by nothing but a thread that parks.

mod common;

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use common::*;
use gamewire::{Config, ConnectionState, Event, Outgoing, SendFlags};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_conversation_by_futures_alone() {
    let (server, client) = (sockets("str:server"), sockets("str:client"));
    let address = free_address("127.0.0.1");
    server.create_listen_socket_ip(address, &[]).unwrap();
    let at_client = client.connect_by_ip_address(address, &[]).unwrap();
    let serving = thread::spawn(move || {
        block_on(async {
            let asked = loop {
                if let Event::ConnectionStatusChanged(change) = server.next_event().await
                    && change.info.state == ConnectionState::Connecting
                {
                    break change.connection;
                }
            };
            server.accept_connection(asked).unwrap();
            let group = server.create_poll_group().unwrap();
            server.set_connection_poll_group(asked, Some(group));
            let question = server.receive_on_poll_group(group, 1).await.unwrap().remove(0);
            let answer = Outgoing::new(asked, question.payload, SendFlags::RELIABLE);
            server.send_when_writable(answer).await.unwrap();
            // Until the client is gone.
            server.set_connection_poll_group(asked, None);
            assert!(server.receive(asked, 1).await.unwrap().is_empty());
        });
    });
    block_on(async {
        client.connected(at_client).await.unwrap();
        let question = Outgoing::new(at_client, &b"echo me"[..], SendFlags::RELIABLE);
        client.send_when_writable(question).await.unwrap();
        let answer = client.receive(at_client, 1).await.unwrap().remove(0);
        assert_eq!(&*answer, b"echo me");
    });
    client.close_connection(at_client, 0, "", false);
    serving.join().unwrap();
}

#[test]
fn sending_waits_for_room_and_loses_nothing() {
    let rate = 8 << 20;
    let options =
        [Config::SendBufferSize(32 * 1024), Config::SendRateMin(rate), Config::SendRateMax(rate)];
    let linked = linked("127.0.0.1", &options);
    let Linked { server, client, at_server, at_client, listen: _ } = linked;
    let sending = thread::spawn(move || {
        block_on(async {
            for index in 0..300u32 {
                let payload = [index.to_le_bytes().to_vec(), vec![9; 4000]].concat();
                let message = Outgoing::new(at_client, payload, SendFlags::RELIABLE);
                client.send_when_writable(message).await.unwrap();
            }
        });
        client
    });
    let messages = receive(&server, at_server, 300);
    for (index, message) in (0u32..).zip(&messages) {
        assert_eq!(message[..4], index.to_le_bytes());
    }
    drop(sending.join().unwrap());
}

//! A post office for signals: instances in one process, each known by its identity.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc},
};

use gamewire::{
    ConnectionHandle, ConnectionInfo, ConnectionSignaling, Identity, SignalingMaker,
    SignalingRecvContext, Sockets,
};

/// What carries signals, on a thread of its own.
#[derive(Clone)]
pub struct Post {
    members: Arc<Mutex<HashMap<Identity, Sockets>>>,
    letters: mpsc::Sender<Letter>,
}

struct Letter {
    from: Identity,
    to: Identity,
    signal: Vec<u8>,
}

/// How bad the post is: every so many letters is lost, every so many comes twice; 0: never.
#[derive(Clone, Copy, Default)]
pub struct Weather {
    pub lose_every: usize,
    pub double_every: usize,
}

impl Post {
    pub fn open(weather: Weather) -> Self {
        let (letters, inbox) = mpsc::channel::<Letter>();
        let post = Self { members: Arc::default(), letters };
        let members = post.members.clone();
        let office = Arc::downgrade(&post.members);
        let sender = post.letters.clone();
        std::thread::spawn(move || {
            drop(members);
            let mut count = 0_usize;
            for letter in inbox {
                let Some(members) = office.upgrade() else { return };
                count += 1;
                if weather.lose_every != 0 && count.is_multiple_of(weather.lose_every) {
                    continue;
                }
                let Some(sockets) = members.lock().unwrap().get(&letter.to).cloned() else {
                    continue;
                };
                let post = Self { members, letters: sender.clone() };
                let twice = weather.double_every != 0 && count.is_multiple_of(weather.double_every);
                for _ in 0..1 + usize::from(twice) {
                    let mut context =
                        Context { post: post.clone(), own: letter.to.clone(), accepts: true };
                    sockets.received_p2p_custom_signal(&letter.signal, &mut context);
                }
                let _ = &letter.from;
            }
        });
        post
    }

    pub fn join(&self, sockets: &Sockets) {
        let own = sockets.identity().unwrap();
        let post = self.clone();
        let from = own.clone();
        sockets.set_signaling_maker(Some(SignalingMaker::new(move |peer, _, _| {
            Some(Box::new(post.channel(&from, peer)) as Box<dyn ConnectionSignaling>)
        })));
        self.members.lock().unwrap().insert(own, sockets.clone());
    }

    /// Breaks the circle of instances and their makers.
    pub fn close(&self) {
        for (_, sockets) in self.members.lock().unwrap().drain() {
            sockets.set_signaling_maker(None);
        }
    }

    pub fn channel(&self, own: &Identity, peer: &Identity) -> Channel {
        Channel { post: self.clone(), own: own.clone(), peer: peer.clone() }
    }
}

pub struct Channel {
    post: Post,
    own: Identity,
    peer: Identity,
}

impl ConnectionSignaling for Channel {
    fn send_signal(&self, _: ConnectionHandle, _: &ConnectionInfo, signal: &[u8]) -> bool {
        let (from, to) = (self.own.clone(), self.peer.clone());
        self.post.letters.send(Letter { from, to, signal: signal.to_vec() }).is_ok()
    }
}

pub struct Context {
    pub post: Post,
    pub own: Identity,
    pub accepts: bool,
}

impl SignalingRecvContext for Context {
    fn on_connect_request(
        &mut self,
        _: ConnectionHandle,
        peer: &Identity,
        _: i32,
    ) -> Option<Box<dyn ConnectionSignaling>> {
        self.accepts.then(|| Box::new(self.post.channel(&self.own, peer)) as Box<_>)
    }

    fn send_rejection_signal(&mut self, peer: &Identity, signal: &[u8]) {
        let (from, to) = (self.own.clone(), peer.clone());
        let _ = self.post.letters.send(Letter { from, to, signal: signal.to_vec() });
    }
}

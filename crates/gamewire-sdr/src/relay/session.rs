//! The sessions of a shard, and who has how many.

use std::collections::{BTreeMap, HashMap};

use gamewire_crypto::{Entropy, sha256};
use gamewire_proto::Time;
use gamewire_wire::{address::Address, identity::Identity};

use crate::PopId;

use super::{
    leg::Leg,
    limits::{
        Allowance, Bucket, MAX_SESSIONS_PER_IDENTITY, MAX_SESSIONS_PER_SOURCE,
        MAX_SESSIONS_PER_TICKET, UNCONFIRMED_SERVER_PACKETS, source,
    },
    token::RoutingToken,
};

/// What a client calls its session: its address and its connection id.
pub(super) type ClientKey = (Address, u32);

/// The hash of an identity's text by which it is compared and counted.
pub(super) fn identity_hash(identity: &Identity) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = sha256(&[identity.to_string().as_bytes()]);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// A session for a hosted server.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) server: Address,
    pub(super) pop: PopId,
    pub(super) routing_secret: u64,
    pub(super) ticket: [u8; 32],
    pub(super) client_identity: Identity,
    pub(super) server_identity: Identity,
    pub(super) virtual_port: Option<u32>,
    pub(super) server_leg: Leg,
}

/// Where peer-to-peer data goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) token: RoutingToken,
    pub(super) revision: u32,
}

/// A session for another client.
#[derive(Debug)]
pub(super) struct P2p {
    pub(super) identity: u64,
    pub(super) peer: u64,
    pub(super) token: RoutingToken,
    pub(super) target: Option<Target>,
}

#[derive(Debug)]
pub(super) enum Route {
    Hosted(Box<Hosted>),
    P2p(P2p),
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: u32,
    /// Its place in the order in which sessions are walked.
    pub(super) position: usize,
    pub(super) client: ClientKey,
    pub(super) last_heard: Time,
    /// Set once it was closed: when it is forgotten.
    pub(super) gone_at: Option<Time>,
    /// When the client was last told of the drain.
    pub(super) told_at: Option<Time>,
    pub(super) leg: Leg,
    pub(super) from_client: Allowance,
    pub(super) to_client: Allowance,
    pub(super) route: Route,
}

/// A server that sessions lead to.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) sessions: u32,
    pub(super) pop: PopId,
    pub(super) routing_secret: u64,
    pub(super) pinged_at: Option<Time>,
    /// It has sent something that only who got our packets could send.
    pub(super) is_confirmed: bool,
    pub(super) unconfirmed: Bucket,
}

/// Why there is no room for a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

pub(super) struct Sessions {
    max: usize,
    by_id: HashMap<u32, Session>,
    /// All ids, in an order that follows from what happened: hash tables walk at random.
    order: Vec<u32>,
    by_client: HashMap<ClientKey, u32>,
    per_source: HashMap<Address, u32>,
    per_ticket: HashMap<[u8; 32], u32>,
    per_identity: HashMap<u64, u32>,
    pub(super) servers: BTreeMap<Address, Server>,
}

fn has_room<K: std::hash::Hash + Eq>(counts: &HashMap<K, u32>, key: &K, max: u32) -> bool {
    counts.get(key).is_none_or(|&count| count < max)
}

fn release<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Sessions {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            by_id: HashMap::new(),
            order: Vec::new(),
            by_client: HashMap::new(),
            per_source: HashMap::new(),
            per_ticket: HashMap::new(),
            per_identity: HashMap::new(),
            servers: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// A number for a new session; no other has it, and nobody can guess it.
    pub(super) fn fresh_id(&self, entropy: &mut dyn Entropy) -> u32 {
        // With 2^16 sessions in 2^32 numbers a second try is rare, a third never seen.
        loop {
            let id = entropy.next_u32();
            if id != 0 && !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    pub(super) fn insert(&mut self, mut session: Session, now: Time) -> Result<(), Full> {
        let from = source(session.client.0);
        let counted = match &session.route {
            Route::Hosted(hosted) => {
                has_room(&self.per_ticket, &hosted.ticket, MAX_SESSIONS_PER_TICKET)
            }
            Route::P2p(p2p) => {
                has_room(&self.per_identity, &p2p.identity, MAX_SESSIONS_PER_IDENTITY)
            }
        };
        let room = self.by_id.len() < self.max
            && !self.by_client.contains_key(&session.client)
            && has_room(&self.per_source, &from, MAX_SESSIONS_PER_SOURCE);
        if !counted || !room {
            return Err(Full);
        }
        *self.per_source.entry(from).or_default() += 1;
        match &session.route {
            Route::Hosted(hosted) => {
                *self.per_ticket.entry(hosted.ticket).or_default() += 1;
                let server = self.servers.entry(hosted.server).or_insert_with(|| Server {
                    sessions: 0,
                    pop: hosted.pop,
                    routing_secret: hosted.routing_secret,
                    pinged_at: None,
                    is_confirmed: false,
                    unconfirmed: Bucket::new(now, UNCONFIRMED_SERVER_PACKETS),
                });
                server.sessions += 1;
            }
            Route::P2p(p2p) => *self.per_identity.entry(p2p.identity).or_default() += 1,
        }
        self.by_client.insert(session.client, session.id);
        session.position = self.order.len();
        self.order.push(session.id);
        self.by_id.insert(session.id, session);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        self.by_client.remove(&session.client);
        self.order.swap_remove(session.position);
        if let Some(moved) = self.order.get(session.position) {
            let moved = self.by_id.get_mut(moved).expect("the order holds sessions only");
            moved.position = session.position;
        }
        release(&mut self.per_source, &source(session.client.0));
        match &session.route {
            Route::Hosted(hosted) => {
                release(&mut self.per_ticket, &hosted.ticket);
                if let Some(server) = self.servers.get_mut(&hosted.server) {
                    server.sessions -= 1;
                    if server.sessions == 0 {
                        self.servers.remove(&hosted.server);
                    }
                }
            }
            Route::P2p(p2p) => release(&mut self.per_identity, &p2p.identity),
        }
        Some(session)
    }

    pub(super) fn by_id(&mut self, id: u32) -> Option<&mut Session> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn by_client(&mut self, client: ClientKey) -> Option<&mut Session> {
        let id = *self.by_client.get(&client)?;
        self.by_id.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    /// The id of the session at a place of the order.
    pub(super) fn at(&self, position: usize) -> Option<u32> {
        self.order.get(position).copied()
    }

    /// Whether every count is what the sessions add up to.
    #[cfg(test)]
    pub(super) fn adds_up(&self) -> bool {
        let sum = |counts: Vec<u32>| counts.iter().map(|&count| count as usize).sum::<usize>();
        let hosted = sum(self.per_ticket.values().copied().collect());
        let p2p = sum(self.per_identity.values().copied().collect());
        let servers = sum(self.servers.values().map(|server| server.sessions).collect());
        self.by_client.len() == self.by_id.len()
            && self.order.len() == self.by_id.len()
            && sum(self.per_source.values().copied().collect()) == self.by_id.len()
            && hosted + p2p == self.by_id.len()
            && servers == hosted
    }
}

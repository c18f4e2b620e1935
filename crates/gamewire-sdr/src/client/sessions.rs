//! The sessions of one connection: a primary one and two backups, in different PoPs.
//!
//! All are set up in advance. Packets go over the primary; when it falls silent they go over the
//! first backup as well, before it is known whether the primary is lost.

mod handle;
mod peer;
mod slot;

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use gamewire_crypto::{Entropy, SigningKey};
use gamewire_proto::Time;
use gamewire_wire::{
    address::Address,
    identity::Identity,
    limits::PROTOCOL_VERSION,
    messages::{
        CertificateSigned,
        relay::{
            ConnectOk, ConnectRequest, ConnectionClosed, GameserverSessionRequest,
            P2pSessionRequest, P2pSessionRequestBody, connection_stats_client_to_router::Flags,
        },
    },
    relay::{DataHeader, DataKind, TimeSincePrevious, encode, id},
};
use prost::Message as _;

use super::{Candidate, Measurement, ToRelay, choice};
use crate::PopId;

use peer::PeerRoutes;
use slot::{Slot, State};

/// Backup sessions beside the primary one.
pub const BACKUPS: usize = 2;
/// A session request without an answer is repeated after this.
pub const REQUEST_TIMEOUT: Duration = Duration::from_millis(750);
/// Session requests before another relay is tried.
const MAX_REQUESTS: u32 = 4;
/// An idle primary session says something this often.
pub const PRIMARY_KEEPALIVE: Duration = Duration::from_secs(1);
/// An idle backup session says something this often.
pub const BACKUP_KEEPALIVE: Duration = Duration::from_secs(45);
/// A session lets the server hear of it this often, where no packets do.
const E2E_KEEPALIVE: Duration = Duration::from_secs(30);
/// A session that was spoken to and is silent is asked after at most this, and again every time.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(200);
/// …and at least this, whatever its round trip.
const MIN_PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// Probes without an answer after which packets go over a backup as well.
pub const PROBES_BEFORE_DUPLICATING: u32 = 2;
/// Probes without an answer after which a session is lost.
pub const PROBES_BEFORE_LOST: u32 = 4;
/// How often it is considered whether another session would be better.
const RECONSIDER: Duration = Duration::from_secs(10);
/// A peer-to-peer session is asked for again this often, for a fresh token.
const TOKEN_RENEWAL: Duration = Duration::from_secs(3600);
/// A relay that lost us is left alone for so long.
const LOST_RELAY_PAUSE: Duration = Duration::from_secs(30);
/// Packets that are on their way when a relay is left come within this.
const RETIREMENT: Duration = Duration::from_secs(3);
/// Most events that wait for the driver; more packets are dropped, as the network would.
const MAX_EVENTS: usize = 4096;
/// Most relays that are remembered as lost.
const MAX_LOST: usize = 32;

/// For a hosted server.
#[derive(Clone, Debug)]
pub struct HostedPurpose {
    /// The serialized signed ticket.
    pub ticket: Bytes,
    /// The PoP that its address names.
    pub pop: PopId,
}

/// For another client.
#[derive(Clone, Debug)]
pub struct P2pPurpose {
    /// Our certificate.
    pub cert: CertificateSigned,
    /// Its key.
    pub key: SigningKey,
    /// Who the other one is.
    pub peer: Identity,
}

/// What the sessions are for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// A hosted server, by ticket.
    Hosted(HostedPurpose),
    /// Another client, by certificate.
    P2p(P2pPurpose),
}

/// What came of the sessions.
#[derive(Clone, PartialEq, Debug)]
pub enum SessionEvent {
    /// A first session is there: the server may be asked to connect.
    Ready,
    /// Packets go over another relay now.
    PrimaryChanged {
        /// Where it is.
        pop: PopId,
        /// Its address.
        relay: Address,
    },
    /// No session is left, and none could be opened so far.
    NoSession,
    /// A sealed packet came in. The same may come in twice.
    Data {
        /// Low 16 bits of its packet number.
        e2e_sequence: u16,
        /// Time since the packet before, in 16 µs, if told.
        time_since_previous: Option<u16>,
        /// Ciphertext and tag.
        payload: Bytes,
    },
    /// The server accepts.
    ConnectOk(Box<ConnectOk>),
    /// The other end closed the connection.
    Closed(Box<ConnectionClosed>),
    /// The other end does not know the connection.
    NoConnection,
    /// The other end's statistics of the whole way.
    PeerQuality(Box<gamewire_wire::messages::ConnectionQuality>),
    /// What to tell the peer of our relays has changed: see [`RelaySessions::local_routes`].
    RoutesChanged,
}

/// How a session stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionState {
    /// It is being opened.
    Opening,
    /// Packets may go over it.
    Established,
}

/// A session, for status texts.
#[derive(Clone, Copy, Debug)]
pub struct SessionStatus {
    /// The relay, and its pings when it was chosen.
    pub candidate: Candidate,
    /// How it stands.
    pub state: SessionState,
    /// Whether packets go over it.
    pub is_primary: bool,
    /// Round trip to the relay in milliseconds, once measured in the session.
    pub rtt_ms: Option<u32>,
}

/// The sessions of one connection.
pub struct RelaySessions {
    purpose: Purpose,
    connection_id: u32,
    entropy: Box<dyn Entropy + Send>,
    /// The first is the primary.
    slots: Vec<Slot>,
    is_ready: bool,
    is_closed: bool,
    /// The relay of the primary session that the driver knows of.
    announced: Option<Address>,
    reconsider_at: Time,
    lost: Vec<(Address, Time)>,
    /// Relays that were left on purpose, and until when packets from there may still come.
    retired: Vec<(Address, Time)>,
    peer: PeerRoutes,
    last_data: Option<Time>,
    transmits: VecDeque<ToRelay>,
    events: VecDeque<SessionEvent>,
}

impl RelaySessions {
    /// Begins; [`handle_timeout`](Self::handle_timeout) opens the first sessions.
    pub fn new(
        now: Time,
        purpose: Purpose,
        connection_id: u32,
        entropy: Box<dyn Entropy + Send>,
    ) -> Self {
        Self {
            purpose,
            connection_id,
            entropy,
            slots: Vec::new(),
            is_ready: false,
            is_closed: false,
            announced: None,
            reconsider_at: now + RECONSIDER,
            lost: Vec::new(),
            retired: Vec::new(),
            peer: PeerRoutes::default(),
            last_data: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The session that packets go over, if one is established.
    pub fn primary(&self) -> Option<SessionStatus> {
        self.sessions().next().filter(|session| session.state == SessionState::Established)
    }

    /// All sessions, the primary one first.
    pub fn sessions(&self) -> impl Iterator<Item = SessionStatus> {
        self.slots.iter().enumerate().map(|(index, slot)| SessionStatus {
            candidate: slot.candidate,
            state: if slot.is_established() {
                SessionState::Established
            } else {
                SessionState::Opening
            },
            is_primary: index == 0,
            rtt_ms: slot.rtt_us.map(|us| us.div_ceil(1000)),
        })
    }

    /// Whether packets go over a backup as well, because the primary is silent.
    pub fn is_duplicating(&self) -> bool {
        self.slots.first().is_some_and(|slot| slot.missed >= PROBES_BEFORE_DUPLICATING)
    }

    fn center(&self) -> Option<PopId> {
        match &self.purpose {
            Purpose::Hosted(hosted) => Some(hosted.pop),
            Purpose::P2p(_) => None,
        }
    }

    fn data_kind(&self) -> DataKind {
        match &self.purpose {
            Purpose::Hosted(_) => DataKind::ClientHosted,
            Purpose::P2p(_) => DataKind::ClientP2p,
        }
    }

    /// Opens, keeps, loses and changes sessions. Call it when due, after what came in, and when
    /// measurements have changed.
    pub fn handle_timeout(&mut self, now: Time, measurement: &mut Measurement) {
        if self.is_closed {
            return;
        }
        self.drop_lost(now, measurement);
        self.fill(now, measurement);
        for index in 0..self.slots.len() {
            self.open_slot(now, index, measurement);
            self.keep_slot(now, index);
        }
        self.choose_primary(now, measurement);
        self.aim(now, measurement);
    }

    fn drop_lost(&mut self, now: Time, measurement: &mut Measurement) {
        self.lost.retain(|(_, until)| now < *until);
        self.retired.retain(|(_, until)| now < *until);
        let mut index = 0;
        while let Some(slot) = self.slots.get(index) {
            // One that stops is of no use once packets go over another.
            let is_left = index > 0 && slot.is_established() && slot.stops(now);
            if !slot.is_lost(now) && !is_left {
                index += 1;
                continue;
            }
            let slot = self.slots.remove(index);
            self.note_lost(now, slot.candidate.relay);
            if is_left {
                self.retired.push((slot.candidate.relay, now + RETIREMENT));
            } else {
                measurement.note_lost(now, slot.candidate.relay);
            }
            if slot.is_established() {
                self.peer.revise();
                self.push_event(SessionEvent::RoutesChanged);
            }
        }
        if self.is_ready && !self.slots.iter().any(Slot::is_established) {
            self.is_ready = false;
            self.push_event(SessionEvent::NoSession);
        }
    }

    fn note_lost(&mut self, now: Time, relay: Address) {
        if self.lost.len() < MAX_LOST {
            self.lost.push((relay, now + LOST_RELAY_PAUSE));
        }
    }

    fn fill(&mut self, now: Time, measurement: &Measurement) {
        if self.slots.len() > BACKUPS {
            return;
        }
        let config = measurement.config().cloned();
        for candidate in choice::candidates(measurement, self.center(), config.as_deref(), now) {
            let is_used = self.slots.iter().any(|slot| slot.candidate.pop == candidate.pop);
            let is_lost = self.lost.iter().any(|(relay, _)| *relay == candidate.relay);
            if self.slots.len() <= BACKUPS && !is_used && !is_lost {
                let first = self.entropy.next_u32() as u16;
                self.slots.push(Slot::new(candidate, now, first));
            }
        }
    }

    /// Asks for a session where there is none yet, or for a fresh token.
    fn open_slot(&mut self, now: Time, index: usize, measurement: &mut Measurement) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let is_p2p = matches!(self.purpose, Purpose::P2p(_));
        match slot.state {
            State::Opening { next, .. } if now < next => return,
            State::Opening { requests, .. } if requests >= MAX_REQUESTS => return,
            State::Opening { .. } => {}
            State::Established { renew_at } if is_p2p && now >= renew_at => {
                slot.state = State::Established { renew_at: now + REQUEST_TIMEOUT };
            }
            State::Established { .. } => return,
        }
        let pop = slot.candidate.pop;
        let challenge = measurement.pop(pop).filter(|pop| pop.relay == Some(slot.candidate.relay));
        let Some((challenge, server_time)) = challenge.and_then(|pop| pop.challenge(now)) else {
            measurement.ping_now(now, pop);
            slot.wait_for_challenge(now);
            return;
        };
        slot.on_request(now);
        let to = slot.candidate.relay;
        let bytes = self.session_request(challenge, server_time, measurement);
        self.transmits.push_back(ToRelay { to, bytes });
    }

    fn session_request(
        &self,
        challenge: u64,
        server_time: u32,
        measurement: &Measurement,
    ) -> Vec<u8> {
        let version = measurement.config().map(|config| config.revision);
        let mut bytes = Vec::new();
        match &self.purpose {
            Purpose::Hosted(hosted) => {
                let request = GameserverSessionRequest {
                    ticket: Some(hosted.ticket.clone()),
                    challenge_time: Some(server_time),
                    challenge: Some(challenge),
                    client_connection_id: Some(self.connection_id),
                    network_config_version: version,
                    protocol_version: Some(PROTOCOL_VERSION),
                    ..GameserverSessionRequest::default()
                };
                encode(id::GAMESERVER_SESSION_REQUEST, &request, &mut bytes);
            }
            Purpose::P2p(p2p) => {
                let body = P2pSessionRequestBody {
                    challenge_time: Some(server_time),
                    challenge: Some(challenge),
                    client_connection_id: Some(self.connection_id),
                    peer_identity_string: Some(p2p.peer.to_string()),
                    network_config_version: version,
                    protocol_version: Some(PROTOCOL_VERSION),
                    ..P2pSessionRequestBody::default()
                }
                .encode_to_vec();
                let request = P2pSessionRequest {
                    cert: Some(p2p.cert.clone()),
                    signature: Some(Bytes::copy_from_slice(&p2p.key.sign(&body))),
                    body: Some(body.into()),
                };
                encode(id::P2P_SESSION_REQUEST, &request, &mut bytes);
            }
        }
        bytes
    }

    /// Asks silent sessions whether they are there, and lets idle ones be heard of.
    fn keep_slot(&mut self, now: Time, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if !slot.is_established() {
            return;
        }
        let keepalive = if index == 0 { PRIMARY_KEEPALIVE } else { BACKUP_KEEPALIVE };
        let is_probe = slot.is_probe_due(now);
        if !is_probe && now < slot.last_sent + keepalive {
            return;
        }
        if is_probe {
            slot.missed += 1;
        }
        let mut flags = Flags::AckRequestRelay as u32 | Flags::AckRequestImmediate as u32;
        // The server forgets sessions that it hears nothing of.
        if now >= slot.last_e2e + E2E_KEEPALIVE {
            slot.last_e2e = now;
            flags |= Flags::AckRequestE2e as u32;
        }
        if index > 0 {
            flags |= Flags::NotPrimarySession as u32;
        }
        self.send_stats(now, index, flags);
    }

    /// The best established session first.
    fn choose_primary(&mut self, now: Time, measurement: &Measurement) {
        let reconsider = now >= self.reconsider_at;
        if reconsider {
            self.reconsider_at = now + RECONSIDER;
        }
        let is_usable = |slot: &Slot| slot.is_established() && !slot.stops(now);
        let Some(primary) = self.slots.first() else { return };
        let must_change = !is_usable(primary);
        if must_change || reconsider {
            let scores: Vec<u32> =
                self.slots.iter().map(|slot| self.score(slot, measurement)).collect();
            let others = self.slots.iter().enumerate().skip(1);
            let best = others
                .filter(|(_, slot)| is_usable(slot) && slot.missed < PROBES_BEFORE_DUPLICATING)
                .min_by_key(|(index, _)| scores[*index]);
            if let Some((best, _)) = best
                && (must_change || choice::is_worth_it(scores[0], scores[best]))
            {
                self.slots.swap(0, best);
            }
        }
        self.announce(now);
    }

    /// Tells driver and server of a primary session that is new.
    fn announce(&mut self, now: Time) {
        let Some(primary) = self.slots.first().filter(|slot| slot.is_established()) else {
            return;
        };
        let Candidate { pop, relay, .. } = primary.candidate;
        if self.announced == Some(relay) {
            return;
        }
        self.announced = Some(relay);
        self.push_event(SessionEvent::PrimaryChanged { pop, relay });
        // The server hears at once over which relay to answer.
        let flags = Flags::AckRequestRelay as u32 | Flags::AckRequestE2e as u32;
        self.send_stats(now, 0, flags);
    }

    /// What a session costs now, in milliseconds; for peer-to-peer with the best way to the peer.
    fn score(&self, slot: &Slot, measurement: &Measurement) -> u32 {
        let front = slot.rtt_us.map_or(slot.candidate.front_ms, |us| us.div_ceil(1000));
        let rest = match &self.purpose {
            Purpose::Hosted(_) => slot.candidate.back_ms,
            Purpose::P2p(_) => {
                self.peer.best(slot.candidate.pop, measurement).map_or(0, |best| best.score)
            }
        };
        let penalty = measurement.pop(slot.candidate.pop).map_or(0, |pop| pop.penalty);
        front.saturating_add(rest).saturating_add(penalty)
    }

    /// Over the primary, and over the first backup as well while the primary is silent.
    fn paths(&self) -> impl Iterator<Item = usize> + use<> {
        let established = |index: usize| self.slots.get(index).is_some_and(Slot::is_established);
        let primary = established(0).then_some(0);
        let backup = (1..self.slots.len()).find(|&index| established(index));
        let both = primary.is_none() || self.is_duplicating();
        primary.into_iter().chain(backup.filter(|_| both))
    }

    /// Sends a sealed packet. It is lost if there is no session.
    pub fn send_data(
        &mut self,
        now: Time,
        e2e_sequence: u16,
        time_since_previous: Option<u16>,
        payload: &[u8],
    ) {
        self.last_data = Some(now);
        let kind = self.data_kind();
        for index in self.paths() {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            let header = DataHeader {
                kind,
                e2e_sequence,
                relay_sequence: slot.on_sent(now),
                id: self.connection_id,
                is_session_id: false,
                time_since_previous: time_since_previous
                    .map(|e2e| TimeSincePrevious { e2e, relay: 0 }),
            };
            let mut bytes = Vec::with_capacity(payload.len() + 16);
            header.encode(None, &mut bytes);
            bytes.extend_from_slice(payload);
            self.transmits.push_back(ToRelay { to: slot.candidate.relay, bytes });
        }
    }

    /// Asks the server to connect; repeat it until it answers.
    pub fn send_connect_request(&mut self, now: Time, request: ConnectRequest) {
        let request = ConnectRequest { connection_id: Some(self.connection_id), ..request };
        self.send_control(now, id::CONNECT_REQUEST, &request);
    }

    /// Says goodbye, to the relays as well. Nothing is opened any more.
    pub fn send_closed(&mut self, now: Time, closed: ConnectionClosed) {
        let closed = ConnectionClosed { from_connection_id: Some(self.connection_id), ..closed };
        let mut bytes = Vec::new();
        encode(id::CONNECTION_CLOSED, &closed, &mut bytes);
        for slot in &mut self.slots {
            if slot.is_established() {
                slot.on_sent(now);
                let bytes = bytes.clone();
                self.transmits.push_back(ToRelay { to: slot.candidate.relay, bytes });
            }
        }
        self.is_closed = true;
    }

    fn send_control(&mut self, now: Time, id: u8, message: &impl prost::Message) {
        for index in self.paths() {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            slot.on_sent(now);
            let mut bytes = Vec::new();
            encode(id, message, &mut bytes);
            self.transmits.push_back(ToRelay { to: slot.candidate.relay, bytes });
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<ToRelay> {
        self.transmits.pop_front()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest.
    pub fn poll_timeout(&self) -> Option<Time> {
        if self.is_closed {
            return None;
        }
        let slots = self.slots.iter().enumerate().map(|(index, slot)| slot.deadline(index == 0));
        let lost = self.lost.iter().map(|(_, until)| *until);
        slots.chain(lost).chain([self.reconsider_at]).min()
    }

    fn push_event(&mut self, event: SessionEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        }
    }
}

//! The client of one allocation.

use std::{
    net::{IpAddr, SocketAddr},
    ops::Range,
    time::Duration,
};

use gamewire_proto::Time;

use super::request::{Ask, Login, MAX_CHALLENGES, Request};
use crate::{
    ice::{TurnServer, TurnTransport},
    stun::{Builder, Class, Message, TransactionId, TransactionIds, attribute, method},
};

/// Most addresses that are let through at a time.
pub const MAX_PERMISSIONS: usize = 32;

/// Most channels at a time.
pub const MAX_CHANNELS: usize = 8;

/// How often permissions, which last five minutes, and channels, which last ten, are renewed.
pub const PERMISSION_REFRESH: Duration = Duration::from_secs(200);

/// The lifetime that is asked for, in seconds (RFC 8656 §3.2).
const LIFETIME: u32 = 600;

/// The shortest lifetime of an allocation that is believed.
const MIN_LIFETIME: Duration = Duration::from_secs(20);

/// The longest.
const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// How often a server may name another one in its place.
const MAX_REDIRECTIONS: u8 = 2;

/// The first number of a channel (RFC 8656 §12).
const FIRST_CHANNEL: u16 = 0x4000;

/// Why there is no allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TurnError {
    /// The server refused with this code; 401 also where it wants a credential that we do not have.
    Refused(u16),
    /// It did not answer.
    Silent,
}

/// What the server told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It has an address for us.
    Allocated {
        /// The address.
        relayed: SocketAddr,
        /// Ours, as the server sees it.
        mapped: Option<SocketAddr>,
    },
    /// Datagrams of this address are let through.
    Permitted(IpAddr),
    /// They are not.
    Forbidden(IpAddr, TurnError),
    /// The allocation is gone, or never came to be.
    Ended(TurnError),
}

/// Data from a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Data {
    /// The peer, as the relay sees it.
    pub peer: SocketAddr,
    /// Where in the datagram they are.
    pub range: Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The stream is not there yet.
    Idle,
    Allocating,
    Allocated(SocketAddr),
    Ended,
}

/// Whether the server granted something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Grant {
    Asked,
    /// Until it is asked for again.
    Given(Time),
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Permission {
    ip: IpAddr,
    grant: Grant,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    peer: SocketAddr,
    number: u16,
    grant: Grant,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    stream: bool,
    login: Login,
    ids: TransactionIds,
    state: State,
    /// When the allocation is refreshed.
    refresh: Option<Time>,
    redirections: u8,
    /// Whether an allocation that we know nothing of was given back.
    cleared: bool,
    requests: Vec<Request>,
    permissions: Vec<Permission>,
    channels: Vec<Channel>,
    indication: TransactionId,
    transmits: Vec<Vec<u8>>,
    outcomes: Vec<Outcome>,
}

impl Client {
    /// A client that waits for [`Client::start`].
    pub fn new(server: &TurnServer, mut ids: TransactionIds) -> Self {
        let indication = ids.generate();
        Self {
            server: server.address,
            stream: server.transport != TurnTransport::Udp,
            login: Login::new(&server.username, &server.password),
            ids,
            state: State::Idle,
            refresh: None,
            redirections: 0,
            cleared: false,
            requests: Vec::new(),
            permissions: Vec::new(),
            channels: Vec::new(),
            indication,
            transmits: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// The server can be talked to: asks it for an address.
    pub fn start(&mut self, now: Time) {
        if self.state == State::Idle {
            self.state = State::Allocating;
            self.ask(now, Ask::Allocate);
        }
    }

    /// Gives the address back. The answer is not waited for.
    pub fn release(&mut self, now: Time) {
        if let State::Allocated(_) = self.state {
            self.ask(now, Ask::Refresh(0));
        }
        self.state = State::Ended;
        self.requests.clear();
        self.refresh = None;
    }

    /// Something seems to be wrong: asks whether the server still knows the allocation.
    pub fn probe(&mut self, now: Time) {
        let asking = |request: &Request| matches!(request.ask, Ask::Refresh(_));
        if self.relayed().is_some() && !self.requests.iter().any(asking) {
            self.refresh = None;
            self.ask(now, Ask::Refresh(LIFETIME));
        }
    }

    /// The server in use; another than the configured one if that said so.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// The address at the relay.
    pub fn relayed(&self) -> Option<SocketAddr> {
        match self.state {
            State::Allocated(relayed) => Some(relayed),
            State::Idle | State::Allocating | State::Ended => None,
        }
    }

    /// Asks that datagrams of an address be let through. False: there are too many already.
    pub fn permit(&mut self, now: Time, ip: IpAddr) -> bool {
        if self.relayed().is_none() {
            return false;
        }
        if self.permissions.iter().any(|known| known.ip == ip) {
            return true;
        }
        if self.permissions.len() >= MAX_PERMISSIONS {
            return false;
        }
        self.permissions.push(Permission { ip, grant: Grant::Asked });
        self.ask(now, Ask::Permission(ip));
        true
    }

    /// Whether datagrams of an address are let through.
    pub fn is_permitted(&self, ip: IpAddr) -> bool {
        let granted = |known: &Permission| matches!(known.grant, Grant::Given(_));
        self.permissions.iter().any(|known| known.ip == ip && granted(known))
    }

    /// Asks for a channel to a peer, which saves 32 bytes a datagram. Where there are too many, the
    /// oldest is no longer renewed.
    pub fn bind_channel(&mut self, now: Time, peer: SocketAddr) {
        let known = self.channels.iter().any(|channel| channel.peer == peer);
        if known || self.relayed().is_none() || self.channels.len() >= MAX_CHANNELS {
            return;
        }
        let used = self.channels.iter().map(|channel| channel.number).max();
        let number = used.map_or(FIRST_CHANNEL, |used| used + 1);
        self.channels.push(Channel { peer, number, grant: Grant::Asked });
        self.ask(now, Ask::Channel(number, peer));
    }

    /// Whether data to a peer go in a channel.
    pub fn has_channel(&self, peer: SocketAddr) -> bool {
        self.channel(peer).is_some()
    }

    fn channel(&self, peer: SocketAddr) -> Option<u16> {
        let granted = |channel: &&Channel| matches!(channel.grant, Grant::Given(_));
        let mut granted = self.channels.iter().filter(granted);
        granted.find(|channel| channel.peer == peer).map(|channel| channel.number)
    }

    /// Appends to `out` what is sent to the server for data to reach a peer.
    pub fn encapsulate(&self, peer: SocketAddr, data: &[u8], out: &mut Vec<u8>) {
        let Some(number) = self.channel(peer) else {
            let message = Builder::new(Class::Indication, method::SEND, self.indication_id(data))
                .xor_address(attribute::XOR_PEER_ADDRESS, peer)
                .attribute(attribute::DATA, data)
                .finish();
            out.extend_from_slice(&message);
            return;
        };
        let len = u16::try_from(data.len()).expect("a datagram is shorter than 64 KiB");
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(data);
        if self.stream {
            out.resize(out.len() + data.len().next_multiple_of(4) - data.len(), 0);
        }
    }

    /// Nobody answers indications: their ids need only differ.
    fn indication_id(&self, data: &[u8]) -> TransactionId {
        let mut id = self.indication;
        id.0.iter_mut().zip(data).for_each(|(byte, data)| *byte ^= data);
        id
    }

    /// Looks for data in what came from the server: in a channel, or in an indication.
    pub fn data(&self, datagram: &[u8]) -> Option<Data> {
        let first = datagram.first()?;
        if first & 0xc0 == 0x40 {
            let header = datagram.first_chunk::<4>()?;
            let number = u16::from_be_bytes([header[0], header[1]]);
            let end = 4 + usize::from(u16::from_be_bytes([header[2], header[3]]));
            let channel = self.channels.iter().find(|channel| channel.number == number)?;
            return (end <= datagram.len()).then_some(Data { peer: channel.peer, range: 4..end });
        }
        let message = Message::parse(datagram).ok()?;
        if (message.class(), message.method()) != (Class::Indication, method::DATA) {
            return None;
        }
        let peer = message.xor_address(attribute::XOR_PEER_ADDRESS)?;
        let known = self.permissions.iter().any(|known| known.ip == peer.ip());
        let range = message.position(attribute::DATA)?;
        known.then_some(Data { peer, range })
    }

    /// A response came. False: it answers nothing that was asked, or is not the server's.
    pub fn handle_response(&mut self, now: Time, message: &Message<'_>) -> bool {
        let id = message.transaction_id();
        let Some(index) = self.requests.iter().position(|request| request.id == id) else {
            return false;
        };
        let code = match message.class() {
            Class::Success => None,
            Class::Error => Some(message.error_code().unwrap_or_default()),
            Class::Request | Class::Indication => return false,
        };
        // These two come before both agree on a key.
        if !matches!(code, Some(401 | 438)) && !self.login.accepts(message) {
            return false;
        }
        let request = self.requests.swap_remove(index);
        match code {
            None => self.on_success(now, request.ask, message),
            Some(401 | 438)
                if request.challenges < MAX_CHALLENGES && self.login.challenge(message) =>
            {
                self.ask_again(now, request);
            }
            Some(437) if self.clears_away(now, request.ask) => {}
            Some(300) if self.redirected(now, request.ask, message) => {}
            Some(code) => self.on_refusal(request.ask, TurnError::Refused(code)),
        }
        true
    }

    /// The server says that we have an allocation already: one whose answer was lost, or of somebody
    /// who had our port before. It is given back, once, and then another is asked for.
    fn clears_away(&mut self, now: Time, ask: Ask) -> bool {
        if ask != Ask::Allocate || std::mem::replace(&mut self.cleared, true) {
            return false;
        }
        self.ask(now, Ask::Refresh(0));
        true
    }

    /// The server names another one.
    fn redirected(&mut self, now: Time, ask: Ask, message: &Message<'_>) -> bool {
        let other = message.address(attribute::ALTERNATE_SERVER);
        let other = other.filter(|other| other.is_ipv4() == self.server.is_ipv4());
        // A stream leads where it leads.
        if ask != Ask::Allocate || self.stream || self.redirections >= MAX_REDIRECTIONS {
            return false;
        }
        let Some(other) = other else {
            return false;
        };
        self.redirections += 1;
        self.server = other;
        self.ask(now, Ask::Allocate);
        true
    }

    fn on_success(&mut self, now: Time, ask: Ask, message: &Message<'_>) {
        match ask {
            Ask::Allocate => {
                let Some(relayed) = message.xor_address(attribute::XOR_RELAYED_ADDRESS) else {
                    self.on_refusal(ask, TurnError::Refused(0));
                    return;
                };
                self.state = State::Allocated(relayed);
                self.plan_refresh(now, message);
                let mapped = message.xor_address(attribute::XOR_MAPPED_ADDRESS);
                self.outcomes.push(Outcome::Allocated { relayed, mapped });
            }
            // What was left from before is gone.
            Ask::Refresh(0) => self.ask(now, Ask::Allocate),
            Ask::Refresh(_) => self.plan_refresh(now, message),
            Ask::Permission(ip) => {
                self.grant_permission(ip, Grant::Given(now + PERMISSION_REFRESH));
                self.outcomes.push(Outcome::Permitted(ip));
            }
            Ask::Channel(number, _) => {
                self.grant_channel(number, Grant::Given(now + PERMISSION_REFRESH));
            }
        }
    }

    /// Half of the lifetime later (wire.md §9).
    fn plan_refresh(&mut self, now: Time, message: &Message<'_>) {
        let seconds = message.u32(attribute::LIFETIME).unwrap_or(LIFETIME);
        let lifetime = Duration::from_secs(seconds.into()).clamp(MIN_LIFETIME, MAX_LIFETIME);
        self.refresh = Some(now + lifetime / 2);
    }

    fn on_refusal(&mut self, ask: Ask, error: TurnError) {
        match ask {
            Ask::Allocate | Ask::Refresh(_) => {
                self.state = State::Ended;
                self.requests.clear();
                self.refresh = None;
                self.outcomes.push(Outcome::Ended(error));
            }
            // One that was given still has a minute, and is asked for again before.
            Ask::Permission(ip) if error == TurnError::Silent && self.is_permitted(ip) => {}
            Ask::Permission(ip) => {
                self.grant_permission(ip, Grant::Refused);
                self.outcomes.push(Outcome::Forbidden(ip, error));
            }
            // Indications do as well.
            Ask::Channel(number, _) => self.grant_channel(number, Grant::Refused),
        }
    }

    fn grant_permission(&mut self, ip: IpAddr, grant: Grant) {
        if let Some(known) = self.permissions.iter_mut().find(|known| known.ip == ip) {
            known.grant = grant;
        }
    }

    fn grant_channel(&mut self, number: u16, grant: Grant) {
        if let Some(known) = self.channels.iter_mut().find(|known| known.number == number) {
            known.grant = grant;
        }
    }

    fn ask(&mut self, now: Time, ask: Ask) {
        let id = self.ids.generate();
        self.transmits.push(self.login.write(ask, id));
        self.requests.push(Request::new(now, ask, id, self.stream));
    }

    /// The same with the credentials that were asked for.
    fn ask_again(&mut self, now: Time, request: Request) {
        self.ask(now, request.ask);
        if let Some(again) = self.requests.last_mut() {
            again.challenges = request.challenges + 1;
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        let mut silent = Vec::new();
        for request in self.requests.iter_mut().filter(|request| request.due() <= now) {
            if request.on_due(now) {
                self.transmits.push(self.login.write(request.ask, request.id));
            } else {
                silent.push(request.id);
            }
        }
        for id in silent {
            if let Some(index) = self.requests.iter().position(|request| request.id == id) {
                let request = self.requests.swap_remove(index);
                self.on_refusal(request.ask, TurnError::Silent);
            }
        }
        if self.refresh.is_some_and(|at| at <= now) {
            self.refresh = None;
            self.ask(now, Ask::Refresh(LIFETIME));
        }
        self.renew(now);
    }

    /// Asks again for what runs out soon. It stays in use meanwhile: there is time.
    fn renew(&mut self, now: Time) {
        let due = |grant: &Grant| matches!(grant, Grant::Given(until) if *until <= now);
        let mut asks = Vec::new();
        for known in self.permissions.iter_mut().filter(|known| due(&known.grant)) {
            known.grant = Grant::Given(now + PERMISSION_REFRESH);
            asks.push(Ask::Permission(known.ip));
        }
        for known in self.channels.iter_mut().filter(|known| due(&known.grant)) {
            known.grant = Grant::Given(now + PERMISSION_REFRESH);
            asks.push(Ask::Channel(known.number, known.peer));
        }
        asks.into_iter().for_each(|ask| self.ask(now, ask));
    }

    /// When [`Client::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let until = |grant: &Grant| match grant {
            Grant::Given(until) => Some(*until),
            Grant::Asked | Grant::Refused => None,
        };
        let permissions = self.permissions.iter().filter_map(|known| until(&known.grant));
        let channels = self.channels.iter().filter_map(|known| until(&known.grant));
        let grants = permissions.chain(channels).filter(|_| self.relayed().is_some());
        let requests = self.requests.iter().map(Request::due);
        requests.chain(grants).chain(self.refresh).min()
    }

    /// What is to be sent to [`Client::server`] next.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.transmits.is_empty()).then(|| self.transmits.remove(0))
    }

    /// What the server told next.
    pub fn poll_outcome(&mut self) -> Option<Outcome> {
        (!self.outcomes.is_empty()).then(|| self.outcomes.remove(0))
    }
}

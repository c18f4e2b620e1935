//! Asks the router for a public port: PCP (RFC 6887), NAT-PMP (RFC 6886) where it knows only that,
//! else UPnP-IGD. One machine maps one UDP port of ours and keeps it mapped.
//!
//! The driver carries datagrams from a socket of its own on the same interface, not from the mapped
//! one, and HTTP exchanges for UPnP. What was mapped becomes a candidate by
//! [`crate::ice::Agent::add_mapped_address`]. Only the router itself is believed: answers count from
//! its address alone, and no URL leads elsewhere.

mod igd;
mod nat_pmp;
mod pcp;
mod xml;

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use gamewire_crypto::Entropy;
use gamewire_proto::Time;

use self::igd::{Igd, Step};

/// Where routers listen for PCP and NAT-PMP.
pub const GATEWAY_PORT: u16 = 5351;

/// Where UPnP routers are looked for.
pub const SSDP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 1900);

/// The lifetime that is asked for (RFC 6886 §3.3). It is renewed after half of what is granted.
pub const LIFETIME: Duration = Duration::from_secs(7200);

/// The shortest lifetime that is believed.
const MIN_LIFETIME: Duration = Duration::from_secs(120);

/// The first wait for an answer; each further one is twice as long (RFC 6886 §3.1).
pub const FIRST_WAIT: Duration = Duration::from_millis(250);

/// How often a request is sent.
pub const SENDS: u32 = 5;

/// How long an HTTP exchange may take.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// When everything is tried again after it failed.
pub const TRY_AGAIN: Duration = Duration::from_secs(600);

/// Longest HTTP response that is looked at, in bytes.
pub const MAX_HTTP: usize = 128 * 1024;

/// How a port was mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Protocol {
    /// RFC 6887.
    Pcp,
    /// RFC 6886.
    NatPmp,
    /// UPnP Internet Gateway Device.
    UpnpIgd,
}

/// What is to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outgoing {
    /// A datagram.
    Datagram {
        /// To there.
        to: SocketAddr,
        /// The bytes.
        payload: Vec<u8>,
    },
    /// A whole HTTP/1.1 request, on a connection of its own; the response, up to the end of the
    /// connection or [`MAX_HTTP`], goes to [`PortMapping::handle_http`].
    Http {
        /// Repeated with the response.
        exchange: u32,
        /// The router.
        to: SocketAddr,
        /// The request.
        request: Vec<u8>,
    },
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MappingEvent {
    /// The port is reached here.
    Mapped {
        /// The router's outer address.
        external: SocketAddr,
        /// By which protocol.
        protocol: Protocol,
    },
    /// It no longer is.
    Lost,
    /// No router maps it. All is tried again after [`TRY_AGAIN`].
    Failed,
}

#[derive(Debug)]
enum State {
    Idle,
    Asking {
        protocol: Protocol,
        sends: u32,
        due: Time,
    },
    /// The machine of UPnP has the word until this time.
    Igd {
        due: Time,
        sends: u32,
    },
    /// Nothing is to be done until then: the mapping is renewed, or all is tried again.
    Resting(Time),
    Released,
}

/// What the router granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Granted {
    protocol: Protocol,
    external: SocketAddr,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct PortMapping {
    gateway: IpAddr,
    local: SocketAddr,
    nonce: [u8; 12],
    /// What NAT-PMP says in an answer of its own.
    external_ip: Option<IpAddr>,
    granted: Option<Granted>,
    /// What was mapped last, which is asked for again.
    former: Option<SocketAddr>,
    state: State,
    igd: Igd,
    outgoing: VecDeque<Outgoing>,
    events: VecDeque<MappingEvent>,
}

impl PortMapping {
    /// Maps the port of `local` at the router `gateway`, both on the same interface.
    pub fn new(gateway: IpAddr, local: SocketAddr, entropy: &mut dyn Entropy) -> Self {
        let mut nonce = [0; 12];
        entropy.fill(&mut nonce);
        Self {
            gateway,
            local,
            nonce,
            external_ip: None,
            granted: None,
            former: None,
            state: State::Idle,
            igd: Igd::new(gateway, local),
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Begins.
    pub fn start(&mut self, now: Time) {
        if let State::Idle = self.state {
            self.ask(now, Protocol::Pcp);
        }
    }

    /// Gives the port back. What is to be sent for it is there once.
    pub fn release(&mut self) {
        if let Some(Granted { protocol, external }) = self.granted.take() {
            match protocol {
                Protocol::Pcp => self.send(pcp::request(self.nonce, self.local, Some(external), 0)),
                Protocol::NatPmp => self.send(nat_pmp::request(self.local.port(), 0, 0)),
                Protocol::UpnpIgd => self.act(Step::Delete(external.port())),
            }
        }
        self.state = State::Released;
    }

    /// Where the port is reached, if it is.
    pub fn external(&self) -> Option<SocketAddr> {
        self.granted.map(|granted| granted.external)
    }

    fn router(&self) -> SocketAddr {
        SocketAddr::new(self.gateway, GATEWAY_PORT)
    }

    fn send(&mut self, payload: Vec<u8>) {
        let to = self.router();
        self.outgoing.push_back(Outgoing::Datagram { to, payload });
    }

    fn ask(&mut self, now: Time, protocol: Protocol) {
        self.state = State::Asking { protocol, sends: 1, due: now + FIRST_WAIT };
        self.send_request(protocol);
    }

    fn send_request(&mut self, protocol: Protocol) {
        let seconds = u32::try_from(LIFETIME.as_secs()).expect("a lifetime is short");
        match protocol {
            Protocol::Pcp => {
                self.send(pcp::request(self.nonce, self.local, self.former, seconds));
            }
            Protocol::NatPmp => {
                let wanted = self.former.map_or(self.local.port(), |former| former.port());
                self.send(nat_pmp::ADDRESS_REQUEST.to_vec());
                self.send(nat_pmp::request(self.local.port(), wanted, seconds));
            }
            Protocol::UpnpIgd => {}
        }
    }

    fn begin_igd(&mut self, now: Time) {
        if self.gateway.is_ipv6() {
            self.fail(now);
            return;
        }
        self.state = State::Igd { due: now + FIRST_WAIT, sends: 1 };
        let payload = self.igd.search();
        self.outgoing.push_back(Outgoing::Datagram { to: SSDP, payload });
    }

    fn fail(&mut self, now: Time) {
        if self.granted.take().is_some() {
            self.events.push_back(MappingEvent::Lost);
        }
        self.external_ip = None;
        self.state = State::Resting(now + TRY_AGAIN);
        self.events.push_back(MappingEvent::Failed);
    }

    fn mapped(&mut self, now: Time, protocol: Protocol, external: SocketAddr, lifetime: Duration) {
        let granted = Granted { protocol, external };
        if self.granted != Some(granted) {
            self.events.push_back(MappingEvent::Mapped { external, protocol });
        }
        self.granted = Some(granted);
        self.former = Some(external);
        let lifetime = lifetime.clamp(MIN_LIFETIME, LIFETIME);
        self.state = State::Resting(now + lifetime / 2);
    }

    /// A datagram came on the socket of this machine.
    pub fn handle_datagram(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) {
        if let State::Igd { .. } = self.state {
            if from.ip() == self.gateway
                && let Some(step) = self.igd.handle_answer(datagram)
            {
                self.state = State::Igd { due: now + HTTP_TIMEOUT, sends: SENDS };
                self.act(step);
            }
            return;
        }
        let State::Asking { protocol, .. } = self.state else {
            return;
        };
        if from != self.router() {
            return;
        }
        match protocol {
            Protocol::Pcp => match pcp::answer(datagram, self.nonce, self.local) {
                Some(pcp::Answer::Mapped { external, lifetime }) => {
                    self.mapped(now, Protocol::Pcp, external, lifetime);
                }
                Some(pcp::Answer::OtherVersion) if self.gateway.is_ipv4() => {
                    self.ask(now, Protocol::NatPmp);
                }
                Some(pcp::Answer::OtherVersion | pcp::Answer::Refused(_)) => self.begin_igd(now),
                None => {}
            },
            Protocol::NatPmp => match nat_pmp::answer(datagram, self.local.port()) {
                Some(nat_pmp::Answer::Address(ip)) => self.external_ip = Some(ip.into()),
                Some(nat_pmp::Answer::Mapped { port, lifetime }) => {
                    if let Some(ip) = self.external_ip {
                        let external = SocketAddr::new(ip, port);
                        self.mapped(now, Protocol::NatPmp, external, lifetime);
                    }
                }
                Some(nat_pmp::Answer::Refused(_)) => self.begin_igd(now),
                None => {}
            },
            Protocol::UpnpIgd => {}
        }
    }

    /// An HTTP exchange is over; `None`: it failed.
    pub fn handle_http(&mut self, now: Time, exchange: u32, response: Option<&[u8]>) {
        let State::Igd { .. } = self.state else {
            return;
        };
        let response = response.filter(|response| response.len() <= MAX_HTTP);
        let Some(step) = self.igd.handle_response(exchange, response) else {
            return;
        };
        self.state = State::Igd { due: now + HTTP_TIMEOUT, sends: SENDS };
        match step {
            Step::Mapped { external, lifetime } => {
                self.mapped(now, Protocol::UpnpIgd, external, lifetime);
            }
            Step::Failed => self.fail(now),
            Step::Describe(_) | Step::Address | Step::Add { .. } | Step::Delete(_) => {
                self.act(step);
            }
        }
    }

    fn act(&mut self, step: Step) {
        if let Some((exchange, to, request)) = self.igd.request(step) {
            self.outgoing.push_back(Outgoing::Http { exchange, to, request });
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.state {
            State::Asking { protocol, sends, due } if due <= now => {
                if sends < SENDS {
                    let due = now + FIRST_WAIT * (1 << sends);
                    self.state = State::Asking { protocol, sends: sends + 1, due };
                    self.send_request(protocol);
                } else {
                    self.begin_igd(now);
                }
            }
            State::Igd { due, sends } if due <= now => {
                if sends < SENDS {
                    let due = now + FIRST_WAIT * (1 << sends);
                    self.state = State::Igd { due, sends: sends + 1 };
                    let payload = self.igd.search();
                    self.outgoing.push_back(Outgoing::Datagram { to: SSDP, payload });
                } else {
                    self.fail(now);
                }
            }
            State::Resting(until) if until <= now => {
                match self.granted.map_or(Protocol::Pcp, |granted| granted.protocol) {
                    Protocol::UpnpIgd => self.begin_igd(now),
                    protocol => self.ask(now, protocol),
                }
            }
            State::Idle
            | State::Asking { .. }
            | State::Igd { .. }
            | State::Resting(_)
            | State::Released => {}
        }
    }

    /// When [`PortMapping::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        match self.state {
            State::Asking { due, .. } | State::Igd { due, .. } | State::Resting(due) => Some(due),
            State::Idle | State::Released => None,
        }
    }

    /// What is to be sent next.
    pub fn poll_outgoing(&mut self) -> Option<Outgoing> {
        self.outgoing.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<MappingEvent> {
        self.events.pop_front()
    }
}

#[cfg(test)]
mod tests;

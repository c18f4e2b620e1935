//! The operating system's side of the hub: dials, moves bytes, and tells the machine; on the service
//! thread.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use gamewire_crypto::SystemEntropy;
use gamewire_proto::Time;
use gamewire_wire::{hub, messages::hub::HubLogin};
use mio::net::TcpStream;
use rustls::ClientConfig;

use super::{
    HubClient, HubState, guard,
    machine::{Action, Event},
    tls,
    transport::{Progress, Transport, TransportError},
    websocket::{WebSocket, WebSocketEvent},
};
use crate::{
    core::Core,
    io::{Registrar, Token},
    resolve::Resolution,
};

/// How long one address may take to answer before the next is tried.
const DIAL_TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Debug)]
enum Phase {
    Down,
    Resolving(Resolution),
    Dialing { stream: TcpStream, remote: SocketAddr, others: Vec<SocketAddr>, deadline: Time },
    Up(Box<Transport>),
}

/// How a login is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Means {
    Certificate,
    /// A ticket, or only what we claim.
    Other,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Edge {
    token: Token,
    registrar: Arc<Registrar>,
    phase: Phase,
    ready: bool,
    tls: Option<Arc<ClientConfig>>,
    means: Means,
    /// The hub does not believe our certificate: log in otherwise.
    certificate_refused: bool,
}

impl Edge {
    pub(crate) fn new(token: Token, registrar: Arc<Registrar>) -> Self {
        Self {
            token,
            registrar,
            phase: Phase::Down,
            ready: false,
            tls: None,
            means: Means::Other,
            certificate_refused: false,
        }
    }

    /// What the hub's socket is watched under.
    pub(crate) const fn token(&self) -> Token {
        self.token
    }

    /// The socket is ready for something.
    pub(crate) fn on_ready(&mut self) {
        self.ready = true;
    }

    /// Does what is to be done, if anything is.
    pub(crate) fn serve(&mut self, core: &Arc<Core>, hub: &Arc<HubClient>, now: Time) {
        let dirty = hub.dirty.swap(false, Ordering::AcqRel);
        let due = self.deadline(core, hub).is_some_and(|deadline| deadline <= now);
        if !dirty && !due && !self.ready && !certificate_is_due(core, hub, now) {
            return;
        }
        self.ready = false;
        guard(&hub.machine).handle_timeout(now);
        self.advance(hub, now);
        self.hand_out(core, hub, now);
        drive_certificate(core, hub, now);
        self.act(hub, now);
    }

    /// When to be served next, if nothing happens.
    pub(crate) fn deadline(&self, core: &Core, hub: &Arc<HubClient>) -> Option<Time> {
        if self.ready {
            return Some(Time::default());
        }
        let dial = match &self.phase {
            Phase::Dialing { deadline, .. } => Some(*deadline),
            Phase::Down | Phase::Resolving(_) | Phase::Up(_) => None,
        };
        let machine = guard(&hub.machine).poll_timeout();
        let now_unix = crate::clock::unix_seconds();
        let quest = core.authentication().quest().deadline(hub.clock.now(), now_unix);
        [dial, machine, quest].into_iter().flatten().min()
    }

    // ---- connecting ------------------------------------------------------------------------------

    fn advance(&mut self, hub: &Arc<HubClient>, now: Time) {
        match &mut self.phase {
            Phase::Down => {}
            Phase::Resolving(resolution) => match resolution.take() {
                None => {}
                Some(Ok(addresses)) => self.dial(hub, now, addresses, "no address".to_owned()),
                Some(Err(error)) => self.lost(hub, now, &error),
            },
            Phase::Dialing { .. } => self.advance_dial(hub, now),
            Phase::Up(transport) => {
                let result = transport.receive();
                self.ready = matches!(result, Ok(Progress::More));
                self.take_events(hub, now);
                if let Err(error) = result {
                    self.lost(hub, now, &error.to_string());
                }
            }
        }
    }

    fn dial(
        &mut self,
        hub: &Arc<HubClient>,
        now: Time,
        mut addresses: Vec<SocketAddr>,
        why: String,
    ) {
        if addresses.is_empty() {
            return self.lost(hub, now, &why);
        }
        let remote = addresses.remove(0);
        let dialed = TcpStream::connect(remote).and_then(|mut stream| {
            self.registrar.register_stream(&mut stream, self.token)?;
            Ok(stream)
        });
        match dialed {
            Ok(stream) => {
                let deadline = now + DIAL_TIMEOUT;
                self.phase = Phase::Dialing { stream, remote, others: addresses, deadline };
            }
            Err(error) => self.dial(hub, now, addresses, format!("{remote}: {error}")),
        }
    }

    fn advance_dial(&mut self, hub: &Arc<HubClient>, now: Time) {
        let Phase::Dialing { stream, remote, others, deadline } =
            std::mem::replace(&mut self.phase, Phase::Down)
        else {
            return;
        };
        let failed = match stream.take_error() {
            Ok(Some(error)) | Err(error) => Some(error.to_string()),
            Ok(None) if stream.peer_addr().is_ok() => return self.connected(hub, now, stream),
            Ok(None) if now >= deadline => Some("no answer".to_owned()),
            Ok(None) => None,
        };
        match failed {
            Some(error) => self.dial(hub, now, others, format!("{remote}: {error}")),
            None => self.phase = Phase::Dialing { stream, remote, others, deadline },
        }
    }

    fn connected(&mut self, hub: &Arc<HubClient>, now: Time, stream: TcpStream) {
        // Signals are small and must not wait for each other's acknowledgements.
        let _ = stream.set_nodelay(true);
        let tls = match hub.url.tls.then(|| self.tls_connection(hub)).transpose() {
            Ok(tls) => tls,
            Err(error) => return self.lost(hub, now, &format!("TLS: {error}")),
        };
        let websocket = WebSocket::connect(&hub.url, &mut SystemEntropy);
        self.phase = Phase::Up(Box::new(Transport::new(stream, tls, websocket)));
        // Whatever has come already raises no event any more.
        self.ready = true;
    }

    fn tls_connection(&mut self, hub: &Arc<HubClient>) -> Result<rustls::ClientConnection, String> {
        let config = match &self.tls {
            Some(config) => config.clone(),
            None => self.tls.insert(tls::config(hub.roots.as_ref())?).clone(),
        };
        tls::connect(config, &hub.url.host)
    }

    fn lost(&mut self, hub: &Arc<HubClient>, now: Time, reason: &str) {
        self.hang_up();
        tracing::info!(reason, hub = %hub.url.authority(), "no connection to the hub");
        guard(&hub.machine).handle_disconnected(now, reason);
    }

    fn hang_up(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Down) {
            Phase::Down | Phase::Resolving(_) => {}
            Phase::Dialing { mut stream, .. } => self.registrar.deregister_stream(&mut stream),
            Phase::Up(mut transport) => {
                self.registrar.deregister_stream(transport.stream_mut());
                transport.close();
            }
        }
        self.ready = false;
    }

    // ---- what comes in ---------------------------------------------------------------------------

    fn take_events(&mut self, hub: &Arc<HubClient>, now: Time) {
        let Phase::Up(transport) = &mut self.phase else { return };
        let mut machine = guard(&hub.machine);
        while let Some(event) = transport.poll_event() {
            match event {
                WebSocketEvent::Open => {}
                WebSocketEvent::Alive => machine.handle_alive(now),
                WebSocketEvent::Message(message) => machine.handle_message(now, &message),
            }
        }
    }

    /// Hands out what the machine has to say; nothing is locked while others are told.
    fn hand_out(&mut self, core: &Arc<Core>, hub: &Arc<HubClient>, now: Time) {
        loop {
            let Some(event) = guard(&hub.machine).poll_event() else { return };
            match event {
                Event::Challenge(nonce) => {
                    let login = self.login(core, hub, &nonce);
                    guard(&hub.machine).log_in(login);
                }
                Event::LoggedIn { issues_certificates } => {
                    let stale =
                        self.means == Means::Other && core.authentication().has_certificate();
                    tracing::info!(hub = %hub.url.authority(), "logged in at the hub");
                    core.change_authentication(|auth| {
                        auth.quest_mut().on_login(now, issues_certificates, stale);
                    });
                }
                Event::Failed { reason, refused } => {
                    if refused {
                        // A hub that does not know our authority may know us otherwise.
                        self.certificate_refused = self.means == Means::Certificate;
                        if self.certificate_refused {
                            guard(&hub.machine).credentials_changed(now, false);
                        }
                    }
                    core.change_authentication(|auth| auth.quest_mut().on_hub_lost(&reason));
                }
                Event::Signal { from, payload } => {
                    #[cfg(test)]
                    guard(&hub.seen).push((from.clone(), payload.to_vec()));
                    core.on_hub_signal(&from, &payload);
                }
                Event::Certificate(answer) => core.on_certificate_answer(now, answer),
            }
        }
    }

    fn login(&mut self, core: &Core, hub: &Arc<HubClient>, nonce: &[u8]) -> HubLogin {
        let auth = core.authentication();
        let app_id = auth.app_id();
        let mut login = HubLogin {
            protocol_version: Some(hub::PROTOCOL_VERSION),
            app_id: Some(app_id),
            ..HubLogin::default()
        };
        self.means = Means::Other;
        let credentials = auth.signed_credentials(crate::clock::unix_seconds());
        if let Some(credentials) = credentials.filter(|_| !self.certificate_refused) {
            let name = hub.url.host_in_brackets();
            let context = hub::login_context(nonce, &name, app_id);
            login.signature = Some(credentials.signing.sign(&context).to_vec().into());
            login.cert = Some(credentials.certificate.clone());
            login.hub_name = Some(name);
            self.means = Means::Certificate;
        } else if let Some(ticket) = guard(&hub.ticket).clone() {
            login.ticket = Some(ticket.into());
        } else if !auth.identity().is_nobody() {
            login.identity = Some(auth.identity().to_string());
        }
        login
    }

    // ---- what goes out ---------------------------------------------------------------------------

    fn act(&mut self, hub: &Arc<HubClient>, now: Time) {
        loop {
            let has_room = match &self.phase {
                Phase::Up(transport) => transport.has_room(),
                Phase::Down | Phase::Resolving(_) | Phase::Dialing { .. } => true,
            };
            let action = if has_room { guard(&hub.machine).poll_action(now) } else { None };
            let Some(action) = action else { break };
            self.do_action(hub, action);
        }
        if let Phase::Up(transport) = &mut self.phase
            && let Err(error) = transport.flush()
        {
            self.flush_failed(hub, now, &error);
        }
    }

    /// What came before the failure is taken first: a hub that closes says why.
    fn flush_failed(&mut self, hub: &Arc<HubClient>, now: Time, error: &TransportError) {
        let last_words = match &mut self.phase {
            Phase::Up(transport) => transport.receive().err().map(|error| error.to_string()),
            Phase::Down | Phase::Resolving(_) | Phase::Dialing { .. } => None,
        };
        self.take_events(hub, now);
        self.lost(hub, now, &last_words.unwrap_or_else(|| error.to_string()));
        self.ready = true;
    }

    fn do_action(&mut self, hub: &Arc<HubClient>, action: Action) {
        match (action, &mut self.phase) {
            (Action::Connect, _) => {
                self.hang_up();
                let done = waker(hub);
                let resolution = Resolution::start(&hub.url.host, hub.url.port, done);
                self.phase = Phase::Resolving(resolution);
            }
            (Action::Disconnect, _) => self.hang_up(),
            (Action::Send(message), Phase::Up(transport)) => transport.send(&message),
            (Action::Ping, Phase::Up(transport)) => transport.ping(),
            // Lost a moment ago, and the machine was told.
            (Action::Send(_) | Action::Ping, _) => {}
        }
    }
}

fn certificate_is_due(core: &Core, hub: &HubClient, now: Time) -> bool {
    let connected = guard(&hub.machine).state() == HubState::Connected;
    core.authentication().quest().is_due(now, crate::clock::unix_seconds(), connected)
}

/// Asks for a certificate if one is due.
fn drive_certificate(core: &Core, hub: &Arc<HubClient>, now: Time) {
    if !certificate_is_due(core, hub, now) {
        return;
    }
    let mut entropy = core.entropy();
    let request = core.change_authentication(|auth| {
        auth.quest_mut().on_asked();
        auth.certificate_request(&mut entropy)
    });
    guard(&hub.machine).request_certificate(now, request);
}

/// Wakes the edge from another thread; what a [`Resolution`] calls.
fn waker(hub: &Arc<HubClient>) -> impl FnOnce() + Send + use<> {
    let hub = Arc::downgrade(hub);
    move || {
        if let Some(hub) = hub.upgrade() {
            hub.touch();
        }
    }
}

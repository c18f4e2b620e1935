//! The client's side of the hub's protocol: login, signals, certificates, and coming back when the
//! connection goes. Sans-IO: no clock, no socket.
//!
//! # Contract
//! The driver reports what happens to the connection (`handle_*`) and what the application wants.
//! After each it drains [`Machine::poll_action`] and [`Machine::poll_event`], and calls
//! [`Machine::handle_timeout`] at [`Machine::poll_timeout`]. It asks for actions only while it has
//! room for what they send, so that signals wait here, where they are bounded.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use gamewire_crypto::Entropy;
use gamewire_proto::Time;
use gamewire_wire::{
    Identity, hub,
    messages::CertificateSigned,
    messages::hub::{
        HubCertificateCall, HubCertificateResult, HubEvent, HubLogin, HubLoginResult, HubRequest,
        HubSignal, hub_certificate_result, hub_event, hub_login_result, hub_request,
    },
};
use prost::Message as _;

/// Most signals that wait for the hub; beyond it sending fails.
pub const MAX_QUEUED_SIGNALS: usize = 256;
/// The same in bytes of payload.
pub const MAX_QUEUED_SIGNAL_BYTES: usize = 256 * 1024;
/// Signals that waited for so long are dropped: whoever sent them has sent others since.
pub const SIGNAL_LIFETIME: Duration = Duration::from_secs(30);
/// From the first attempt to connect to the end of the login.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an answer to a request for a certificate may take.
const CERTIFICATE_TIMEOUT: Duration = Duration::from_secs(10);
/// Quiet time after which a ping is sent: home routers forget quiet connections after a minute.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// How long the answer to a ping may take.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);
/// The first pause before connecting again; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The same after a refused login, which only new credentials will change.
const FIRST_PAUSE_REFUSED: Duration = Duration::from_secs(5);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// A connection that held for so long makes up for the failures before it.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// Longest time that a hub may ask to wait before going elsewhere.
const MAX_GO_AWAY: Duration = Duration::from_secs(600);
/// Longest reason that is kept, in characters.
const MAX_REASON_CHARS: usize = 200;

/// Why a signal is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HubError {
    /// No hub is configured.
    #[error("no hub is configured")]
    NotConfigured,
    /// Longer than [`hub::MAX_SIGNAL_BYTES`].
    #[error("the signal is longer than {} bytes", hub::MAX_SIGNAL_BYTES)]
    TooLong,
    /// The hub is away, or slow, and too many signals wait for it.
    #[error("too many signals wait for the hub")]
    QueueFull,
}

/// What the driver is to do.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Action {
    Connect,
    Send(Vec<u8>),
    Ping,
    /// The connection, or the attempt at one, is not wanted any more.
    Disconnect,
}

/// What the rest of the library is to know.
#[derive(PartialEq, Debug)]
pub(super) enum Event {
    /// Whoever holds the credentials is to call [`Machine::log_in`].
    Challenge(Bytes),
    LoggedIn {
        issues_certificates: bool,
    },
    /// The connection, or an attempt at one, came to nothing.
    Failed {
        reason: String,
        /// The hub does not let us in.
        refused: bool,
    },
    Signal {
        from: Identity,
        payload: Bytes,
    },
    Certificate(Result<CertificateSigned, CertificateRefusal>),
}

/// Why there is no certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum CertificateRefusal {
    /// Asking again is of no use.
    Final(String),
    /// Later it may work.
    ForNow(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nobody needs the hub.
    Idle,
    /// Between two attempts.
    Waiting {
        until: Time,
    },
    /// From dialing to the answer to the login.
    Entering {
        deadline: Time,
    },
    Online(Online),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Online {
    since: Time,
    /// When something last came.
    heard: Time,
    /// When the ping was sent that nothing has come since.
    pinged: Option<Time>,
    /// When to go elsewhere, because the hub asked for it.
    leave_at: Option<Time>,
}

impl Online {
    fn deadline(&self) -> Time {
        let quiet = match self.pinged {
            Some(pinged) => pinged + PONG_TIMEOUT,
            None => self.heard + PING_INTERVAL,
        };
        self.leave_at.map_or(quiet, |leave_at| leave_at.min(quiet))
    }
}

#[derive(Debug)]
struct QueuedSignal {
    deadline: Time,
    to: String,
    payload: Bytes,
}

#[derive(Debug)]
struct CertificateQuestion {
    id: u32,
    request: Bytes,
    /// Set once it was sent.
    deadline: Option<Time>,
}

/// Where the connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HubState {
    /// Not needed so far.
    Idle,
    /// On the way.
    Connecting,
    /// Tried in vain; tried again by itself.
    Waiting,
    /// Logged in.
    Connected,
}

/// See the module's documentation.
pub(super) struct Machine {
    state: State,
    /// When the state began.
    since: Time,
    entropy: Box<dyn Entropy + Send>,
    failures: u32,
    refusals: u32,
    last_error: Option<String>,
    identity: Option<Identity>,
    signals: VecDeque<QueuedSignal>,
    signal_bytes: usize,
    certificate: Option<CertificateQuestion>,
    next_id: u32,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Machine {
    pub(super) fn new(now: Time, entropy: Box<dyn Entropy + Send>) -> Self {
        Self {
            state: State::Idle,
            since: now,
            entropy,
            failures: 0,
            refusals: 0,
            last_error: None,
            identity: None,
            signals: VecDeque::new(),
            signal_bytes: 0,
            certificate: None,
            next_id: 0,
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    // ---- what the application wants --------------------------------------------------------------

    /// The hub is needed from now on.
    pub(super) fn want(&mut self, now: Time) {
        if self.state == State::Idle {
            self.connect(now);
        }
    }

    /// There are other credentials: what was refused may now be let in, and who is in may be
    /// somebody else.
    pub(super) fn credentials_changed(&mut self, now: Time, identity_changed: bool) {
        self.refusals = 0;
        match self.state {
            State::Waiting { .. } => self.connect(now),
            State::Online(_) if identity_changed => {
                self.actions.push_back(Action::Disconnect);
                self.connect(now);
            }
            State::Idle | State::Entering { .. } | State::Online(_) => {}
        }
    }

    /// Queues a signal; the hub is wanted for it.
    pub(super) fn send_signal(
        &mut self,
        now: Time,
        to: &Identity,
        payload: &[u8],
    ) -> Result<(), HubError> {
        if payload.len() > hub::MAX_SIGNAL_BYTES {
            return Err(HubError::TooLong);
        }
        self.want(now);
        self.drop_old_signals(now);
        let full = self.signals.len() >= MAX_QUEUED_SIGNALS
            || self.signal_bytes + payload.len() > MAX_QUEUED_SIGNAL_BYTES;
        if full {
            return Err(HubError::QueueFull);
        }
        self.signal_bytes += payload.len();
        self.signals.push_back(QueuedSignal {
            deadline: now + SIGNAL_LIFETIME,
            to: to.to_string(),
            payload: Bytes::copy_from_slice(payload),
        });
        Ok(())
    }

    /// Asks for a certificate, in place of an earlier question that is not answered yet.
    pub(super) fn request_certificate(&mut self, now: Time, request: Vec<u8>) {
        self.want(now);
        self.next_id = self.next_id.wrapping_add(1);
        let (id, request) = (self.next_id, request.into());
        self.certificate = Some(CertificateQuestion { id, request, deadline: None });
    }

    /// Answers a challenge.
    pub(super) fn log_in(&mut self, login: HubLogin) {
        if let State::Entering { .. } = self.state {
            self.push(hub_request::Body::Login(login));
        }
    }

    // ---- what happens to the connection ----------------------------------------------------------

    /// Something came that is no message.
    pub(super) fn handle_alive(&mut self, now: Time) {
        if let State::Online(online) = &mut self.state {
            online.heard = now;
            online.pinged = None;
        }
    }

    /// The connection, or the attempt at one, is over.
    pub(super) fn handle_disconnected(&mut self, now: Time, reason: &str) {
        self.actions.clear();
        if let State::Entering { .. } | State::Online(_) = self.state {
            self.fail(now, reason);
        }
    }

    /// A message of the hub. What makes no sense is ignored: the hub may be newer than we are.
    pub(super) fn handle_message(&mut self, now: Time, message: &[u8]) {
        self.handle_alive(now);
        let Ok(event) = HubEvent::decode(message) else { return };
        match event.body {
            Some(hub_event::Body::Challenge(challenge)) => {
                if let State::Entering { .. } = self.state {
                    let nonce = challenge.nonce.unwrap_or_default();
                    self.events.push_back(Event::Challenge(nonce));
                }
            }
            Some(hub_event::Body::Login(result)) => self.handle_login(now, &result),
            Some(hub_event::Body::Signal(signal)) => self.handle_signal(signal),
            Some(hub_event::Body::Certificate(result)) => self.handle_certificate(result),
            Some(hub_event::Body::Throttled(throttled)) => {
                tracing::warn!(dropped = throttled.dropped(), "the hub drops signals of ours");
            }
            Some(hub_event::Body::GoAway(go_away)) => self.handle_go_away(now, &go_away),
            None => {}
        }
    }

    fn handle_login(&mut self, now: Time, result: &HubLoginResult) {
        let State::Entering { .. } = self.state else { return };
        if result.status == Some(hub_login_result::Status::Ok as i32) {
            self.identity = result.identity().parse().ok();
            self.refusals = 0;
            let online = Online { since: now, heard: now, pinged: None, leave_at: None };
            self.enter(now, State::Online(online));
            let issues_certificates = result.issues_certificates();
            self.events.push_back(Event::LoggedIn { issues_certificates });
            return;
        }
        let reason = shortened(result.message());
        self.actions.push_back(Action::Disconnect);
        if result.status == Some(hub_login_result::Status::Busy as i32) {
            return self.fail(now, &reason);
        }
        self.refusals = self.refusals.saturating_add(1);
        self.fail(now, &format!("the hub refused the login: {reason}"));
    }

    fn handle_signal(&mut self, signal: HubSignal) {
        let (State::Online(_), Some(payload)) = (self.state, signal.payload) else { return };
        let from = signal.from_identity.unwrap_or_default();
        if from.len() <= hub::MAX_IDENTITY_BYTES
            && payload.len() <= hub::MAX_SIGNAL_BYTES
            && let Ok(from) = from.parse()
        {
            self.events.push_back(Event::Signal { from, payload });
        }
    }

    fn handle_certificate(&mut self, result: HubCertificateResult) {
        let expected = self.certificate.as_ref().map(|question| question.id);
        if expected.is_none() || result.request_id != expected {
            return;
        }
        self.certificate = None;
        let reason = shortened(result.message());
        let answer = match (result.status, result.cert) {
            (Some(status), Some(cert)) if status == hub_certificate_result::Status::Ok as i32 => {
                Ok(cert)
            }
            (Some(status), _) if status == hub_certificate_result::Status::Busy as i32 => {
                Err(CertificateRefusal::ForNow(reason))
            }
            (Some(_) | None, _) => Err(CertificateRefusal::Final(reason)),
        };
        self.events.push_back(Event::Certificate(answer));
    }

    fn handle_go_away(&mut self, now: Time, go_away: &gamewire_wire::messages::hub::HubGoAway) {
        let within = Duration::from_millis(go_away.reconnect_within_ms().into()).min(MAX_GO_AWAY);
        let after = self.share_of(within);
        if let State::Online(online) = &mut self.state {
            online.leave_at = Some(now + after);
        }
    }

    /// A deadline has come.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        self.drop_old_signals(now);
        match self.state {
            State::Waiting { until } if until <= now => self.connect(now),
            State::Entering { deadline } if deadline <= now => {
                self.actions.push_back(Action::Disconnect);
                self.fail(now, "no answer in time");
            }
            State::Online(online) if online.deadline() <= now => self.handle_quiet(now, online),
            State::Idle | State::Waiting { .. } | State::Entering { .. } | State::Online(_) => {}
        }
        let question = self.certificate.as_ref().and_then(|question| question.deadline);
        if question.is_some_and(|deadline| deadline <= now) {
            self.certificate = None;
            let refusal = CertificateRefusal::ForNow("the hub does not answer".to_owned());
            self.events.push_back(Event::Certificate(Err(refusal)));
        }
    }

    fn handle_quiet(&mut self, now: Time, online: Online) {
        if online.leave_at.is_some_and(|leave_at| leave_at <= now) {
            self.actions.push_back(Action::Disconnect);
            self.last_error = Some("the hub asked to be left".to_owned());
            self.forget_session();
            self.connect(now);
        } else if online.pinged.is_some() {
            self.actions.push_back(Action::Disconnect);
            self.fail(now, "the hub does not answer any more");
        } else {
            self.actions.push_back(Action::Ping);
            self.state = State::Online(Online { pinged: Some(now), ..online });
        }
    }

    // ---- what comes out --------------------------------------------------------------------------

    /// The next thing to do. What is sent first comes first.
    pub(super) fn poll_action(&mut self, now: Time) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        let State::Online(_) = self.state else { return None };
        if let Some(question) = self.certificate.as_mut().filter(|q| q.deadline.is_none()) {
            question.deadline = Some(now + CERTIFICATE_TIMEOUT);
            let call = HubCertificateCall {
                request_id: Some(question.id),
                request: Some(question.request.clone()),
                ..HubCertificateCall::default()
            };
            return Some(Action::Send(encode(hub_request::Body::Certificate(call))));
        }
        self.drop_old_signals(now);
        let signal = self.signals.pop_front()?;
        self.signal_bytes -= signal.payload.len();
        let signal = HubSignal {
            to_identity: Some(signal.to),
            from_identity: None,
            payload: Some(signal.payload),
        };
        Some(Action::Send(encode(hub_request::Body::Signal(signal))))
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let state = match self.state {
            State::Idle => None,
            State::Waiting { until } => Some(until),
            State::Entering { deadline } => Some(deadline),
            State::Online(online) => Some(online.deadline()),
        };
        let question = self.certificate.as_ref().and_then(|question| question.deadline);
        let signal = self.signals.front().map(|signal| signal.deadline);
        [state, question, signal].into_iter().flatten().min()
    }

    pub(super) fn state(&self) -> HubState {
        match self.state {
            State::Idle => HubState::Idle,
            State::Waiting { .. } => HubState::Waiting,
            State::Entering { .. } => HubState::Connecting,
            State::Online(_) => HubState::Connected,
        }
    }

    /// When the state began.
    pub(super) const fn since(&self) -> Time {
        self.since
    }

    /// Why the last connection, or attempt at one, ended.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Who we are to the hub, while we are connected.
    pub(super) const fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    // ---- states ----------------------------------------------------------------------------------

    fn enter(&mut self, now: Time, state: State) {
        self.state = state;
        self.since = now;
    }

    fn connect(&mut self, now: Time) {
        self.enter(now, State::Entering { deadline: now + LOGIN_TIMEOUT });
        self.actions.push_back(Action::Connect);
    }

    fn forget_session(&mut self) {
        self.identity = None;
        if let Some(question) = &mut self.certificate {
            question.deadline = None;
        }
    }

    /// Ends the attempt or the connection, and sees when to try again.
    fn fail(&mut self, now: Time, reason: &str) {
        if let State::Online(online) = self.state
            && now.since(online.since) >= STABLE_AFTER
        {
            self.failures = 0;
        }
        self.forget_session();
        let reason = shortened(reason);
        self.last_error = Some(reason.clone());
        self.events.push_back(Event::Failed { reason, refused: self.refusals > 0 });
        let (first, times) = match self.refusals {
            0 => (FIRST_PAUSE, self.failures),
            refusals => (FIRST_PAUSE_REFUSED, refusals - 1),
        };
        self.failures = self.failures.saturating_add(1);
        let longest = first.saturating_mul(1 << times.min(10)).min(MAX_PAUSE);
        // All clients of a hub lose it at once, and must not all come back at once.
        let pause = longest / 2 + self.share_of(longest / 2);
        self.enter(now, State::Waiting { until: now + pause });
    }

    /// A random share of a time.
    fn share_of(&mut self, time: Duration) -> Duration {
        time.mul_f64(f64::from(self.entropy.next_u32()) / f64::from(u32::MAX))
    }

    fn drop_old_signals(&mut self, now: Time) {
        while let Some(oldest) = self.signals.front()
            && oldest.deadline <= now
        {
            self.signal_bytes -= oldest.payload.len();
            self.signals.pop_front();
        }
    }

    fn push(&mut self, body: hub_request::Body) {
        self.actions.push_back(Action::Send(encode(body)));
    }
}

fn encode(body: hub_request::Body) -> Vec<u8> {
    HubRequest { body: Some(body) }.encode_to_vec()
}

/// A reason that somebody else wrote, fit for a log.
fn shortened(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_control()).take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests;

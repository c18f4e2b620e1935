//! One client's connection: challenge, login, and then signals and certificates until it ends.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use gamewire_crypto::{Entropy as _, SystemEntropy};
use gamewire_wire::{
    hub,
    messages::hub::{
        HubCertificateCall, HubCertificateResult, HubChallenge, HubLogin, HubLoginResult,
        HubRequest, HubThrottled, hub_certificate_result, hub_event, hub_login_result, hub_request,
    },
};
use prost::Message as _;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{
    login::{self, Gate, LoginError, Proven},
    metrics::{Drop, Outcome},
    registry::{Outbox, Outgoing},
    shared::{Phase, Shared, event, go_away, topic, unix_seconds},
    sources::Place,
};

/// A client is told at most this often that something of it was dropped.
const THROTTLE_NOTICE_INTERVAL: Duration = Duration::from_secs(1);

/// Close codes of RFC 6455, 7.4.1.
mod close {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const PROTOCOL: u16 = 1002;
    pub(super) const UNSUPPORTED: u16 = 1003;
    pub(super) const POLICY: u16 = 1008;
    pub(super) const AGAIN_LATER: u16 = 1013;
}

/// Why a connection ends.
struct End {
    code: u16,
    reason: &'static str,
}

const fn end(code: u16, reason: &'static str) -> End {
    End { code, reason }
}

/// The client has gone, or does not read; there is nobody to say anything to.
const GONE: End = end(close::GOING_AWAY, "gone");

/// Serves a client until it goes.
pub(super) async fn serve(shared: Arc<Shared>, mut socket: WebSocket, place: Place, host: String) {
    let ended = match log_in(&shared, &mut socket, &host).await {
        Ok((proven, _counted)) => Session::new(&shared, &place, proven).run(&mut socket).await,
        Err(ended) => ended,
    };
    let frame = CloseFrame { code: ended.code, reason: ended.reason.into() };
    // The client may be gone, or not read any more.
    let farewell = socket.send(Message::Close(Some(frame)));
    let _ = timeout(Duration::from_secs(1), farewell).await;
}

/// One client among those that are logged in, from before it learns that it is: a hub that drains
/// waits for it.
struct Counted<'a>(&'a Shared);

impl<'a> Counted<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.metrics.sessions.inc();
        Self(shared)
    }
}

impl std::ops::Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.metrics.sessions.dec();
    }
}

async fn send(shared: &Shared, socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(shared.config.limits.write_timeout, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(GONE),
        Err(_) => {
            shared.metrics.drop(Drop::write_timeout);
            Err(GONE)
        }
    }
}

/// The next request; `None` for what is no request of the protocol but of the WebSocket.
fn request(
    shared: &Shared,
    message: Option<Result<Message, axum::Error>>,
) -> Result<Option<HubRequest>, End> {
    let malformed = |reason| {
        shared.metrics.drop(Drop::malformed);
        Err(end(close::PROTOCOL, reason))
    };
    match message {
        Some(Ok(Message::Binary(bytes))) => match HubRequest::decode(bytes) {
            Ok(request) => Ok(Some(request)),
            Err(_) => malformed("not a request"),
        },
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Text(_))) => {
            shared.metrics.drop(Drop::malformed);
            Err(end(close::UNSUPPORTED, "binary messages only"))
        }
        Some(Ok(Message::Close(_))) | None => Err(GONE),
        Some(Err(_)) => malformed("not a WebSocket message, or too long"),
    }
}

// ---- login -------------------------------------------------------------------------------------

async fn log_in<'a>(
    shared: &'a Arc<Shared>,
    socket: &mut WebSocket,
    host: &str,
) -> Result<(Proven, Counted<'a>), End> {
    let Ok(pending) = shared.pending_place() else {
        shared.metrics.drop(Drop::connection_limit);
        return Err(end(close::AGAIN_LATER, "too many logins"));
    };
    let mut nonce = [0; hub::NONCE_BYTES];
    SystemEntropy.fill(&mut nonce);
    let challenge = HubChallenge {
        protocol_version: Some(hub::PROTOCOL_VERSION),
        nonce: Some(Bytes::copy_from_slice(&nonce)),
    };
    let challenge = event(hub_event::Body::Challenge(challenge));
    let limit = Instant::now() + shared.config.limits.login_timeout;
    send(shared, socket, Message::Binary(challenge)).await?;
    let Ok(login) = timeout_at(limit, next_login(shared, socket)).await else {
        shared.metrics.drop(Drop::login_timeout);
        return Err(end(close::POLICY, "no login in time"));
    };
    let login = login?;
    let gate =
        Gate { config: &shared.config, trust: &shared.trust, host, now_unix: unix_seconds() };
    let signed = |name: &str, app_id| hub::login_context(&nonce, name, app_id);
    let judged = timeout_at(limit, gate.judge(&login, signed)).await;
    drop(pending);
    let judged = judged.unwrap_or(Err(super::tickets::TicketError::NotAvailable.into()));
    answer_login(shared, socket, &login, judged).await
}

async fn next_login(shared: &Shared, socket: &mut WebSocket) -> Result<HubLogin, End> {
    loop {
        let Some(request) = request(shared, socket.recv().await)? else { continue };
        match request.body {
            Some(hub_request::Body::Login(login)) => return Ok(login),
            Some(hub_request::Body::Signal(_) | hub_request::Body::Certificate(_)) | None => {
                shared.metrics.drop(Drop::malformed);
                return Err(end(close::POLICY, "log in first"));
            }
        }
    }
}

async fn answer_login<'a>(
    shared: &'a Shared,
    socket: &mut WebSocket,
    login: &HubLogin,
    judged: Result<Proven, LoginError>,
) -> Result<(Proven, Counted<'a>), End> {
    let counted = judged.is_ok().then(|| Counted::new(shared));
    let outcome = if judged.is_ok() { Outcome::done } else { Outcome::refused };
    shared.metrics.login(login::method(login), outcome);
    let idle_ms = shared.config.limits.idle_timeout.as_millis();
    let result = match &judged {
        Ok(proven) => HubLoginResult {
            status: Some(hub_login_result::Status::Ok as i32),
            message: None,
            identity: Some(proven.user.identity.to_string()),
            issues_certificates: Some(shared.config.authority.is_some()),
            idle_timeout_ms: Some(u32::try_from(idle_ms).unwrap_or(u32::MAX)),
        },
        Err(error) => HubLoginResult {
            status: Some(error.status() as i32),
            message: Some(error.to_string()),
            ..HubLoginResult::default()
        },
    };
    tracing::debug!(?outcome, result = ?judged, "login");
    let result = event(hub_event::Body::Login(result));
    send(shared, socket, Message::Binary(result)).await?;
    judged.ok().zip(counted).ok_or(end(close::POLICY, "login refused"))
}

// ---- session -----------------------------------------------------------------------------------

struct Session<'a> {
    shared: &'a Arc<Shared>,
    place: &'a Place,
    proven: Proven,
    outbox: Arc<Outbox>,
    /// Requests dropped since the client was told.
    dropped: u32,
    next_notice: Instant,
}

impl<'a> Session<'a> {
    fn new(shared: &'a Arc<Shared>, place: &'a Place, proven: Proven) -> Self {
        let limits = &shared.config.limits;
        let outbox = Arc::new(Outbox::new(limits.outbox_events, limits.outbox_bytes));
        Self { shared, place, proven, outbox, dropped: 0, next_notice: Instant::now() }
    }

    async fn run(&mut self, socket: &mut WebSocket) -> End {
        let shared = self.shared;
        let topic = topic(&self.proven.user);
        let limit = shared.config.limits.connections_per_identity;
        shared.registry.join(&self.proven.user, &self.outbox, limit, || {
            if let Some(bus) = shared.store.bus() {
                bus.subscribe(&topic);
            }
        });
        let Err(ended) = self.serve(socket).await;
        shared.registry.leave(&self.proven.user, &self.outbox, || {
            if let Some(bus) = shared.store.bus() {
                bus.unsubscribe(&topic);
            }
        });
        ended
    }

    async fn serve(&mut self, socket: &mut WebSocket) -> Result<std::convert::Infallible, End> {
        let shared = self.shared;
        let idle = shared.config.limits.idle_timeout;
        let mut heard = Instant::now();
        let mut ping_at = heard + idle / 3;
        let mut phase = shared.phase.subscribe();
        // The hub may have begun to drain before this client was in.
        phase.mark_changed();
        loop {
            let notice = (self.dropped > 0).then_some(self.next_notice);
            let wake_at = (heard + idle).min(ping_at).min(notice.unwrap_or(ping_at));
            tokio::select! {
                message = socket.recv() => {
                    heard = Instant::now();
                    if let Some(request) = request(shared, message)? {
                        self.handle(request)?;
                    }
                }
                outgoing = self.outbox.next() => match outgoing {
                    Outgoing::Event(event) => send(shared, socket, Message::Binary(event)).await?,
                    Outgoing::End(reason) => return Err(end(close::POLICY, reason)),
                },
                _ = phase.changed() => {
                    let now = *phase.borrow_and_update();
                    self.enter(now)?;
                }
                () = sleep_until(wake_at) => {
                    let now = Instant::now();
                    if now >= heard + idle {
                        shared.metrics.drop(Drop::idle);
                        return Err(end(close::POLICY, "silent for too long"));
                    }
                    if unix_seconds() >= self.proven.until_unix {
                        return Err(end(close::POLICY, "log in again"));
                    }
                    if now >= ping_at {
                        ping_at = now + idle / 3;
                        send(shared, socket, Message::Ping(Bytes::new())).await?;
                    }
                    self.tell_dropped(now);
                }
            }
        }
    }

    fn enter(&self, phase: Phase) -> Result<(), End> {
        match phase {
            Phase::Serving => {}
            Phase::Draining { within_ms } => {
                self.outbox.push(go_away(within_ms));
            }
            Phase::Stopping => return Err(end(close::GOING_AWAY, "the hub shuts down")),
        }
        Ok(())
    }

    fn handle(&mut self, request: HubRequest) -> Result<(), End> {
        match request.body {
            Some(hub_request::Body::Signal(signal)) => {
                let user = &self.proven.user;
                if !self.shared.signal(user, self.place.source, signal) {
                    self.dropped = self.dropped.saturating_add(1);
                    self.tell_dropped(Instant::now());
                }
            }
            Some(hub_request::Body::Certificate(call)) => self.issue(call),
            Some(hub_request::Body::Login(_)) => {
                self.shared.metrics.drop(Drop::malformed);
                return Err(end(close::PROTOCOL, "logged in already"));
            }
            // Of a version to come.
            None => self.shared.metrics.drop(Drop::malformed),
        }
        Ok(())
    }

    fn issue(&mut self, call: HubCertificateCall) {
        let request = call.request.unwrap_or_default();
        let issued = self.shared.issue(&self.proven.user, &request);
        if let Ok((_, expiry)) = &issued {
            self.proven.until_unix = self.proven.until_unix.max(*expiry);
        }
        let result = certificate_result(call.request_id, issued.map(|(cert, _)| cert));
        self.outbox.push(event(hub_event::Body::Certificate(result)));
    }

    /// Tells the client that requests were dropped, but not for each.
    fn tell_dropped(&mut self, now: Instant) {
        if self.dropped > 0 && now >= self.next_notice {
            let notice = HubThrottled { dropped: Some(std::mem::take(&mut self.dropped)) };
            self.outbox.push(event(hub_event::Body::Throttled(notice)));
            self.next_notice = now + THROTTLE_NOTICE_INTERVAL;
        }
    }
}

/// The answer to a request for a certificate.
pub(super) fn certificate_result(
    request_id: Option<u32>,
    issued: Result<gamewire_wire::messages::CertificateSigned, super::shared::NoCertificate>,
) -> HubCertificateResult {
    match issued {
        Ok(cert) => HubCertificateResult {
            request_id,
            status: Some(hub_certificate_result::Status::Ok as i32),
            message: None,
            cert: Some(cert),
        },
        Err(error) => HubCertificateResult {
            request_id,
            status: Some(error.status as i32),
            message: Some(error.message),
            cert: None,
        },
    }
}

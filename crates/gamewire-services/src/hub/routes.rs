//! What a hub answers over HTTP.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Extension, State, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use gamewire_wire::{hub, messages::hub::HubCertificateCall};
use prost::Message as _;

use super::{
    login::Gate,
    metrics::{Drop, Outcome},
    server::Peer,
    session::{self, certificate_result},
    shared::{NoCertificate, Phase, Shared, unix_seconds},
};
use crate::store::StoreHealth;

/// The media type of protobuf answers.
const PROTOBUF: &str = "application/x-protobuf";

/// Every route. What serves more (network config, tickets) adds its own here.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(hub::WEBSOCKET_PATH, get(websocket))
        .route(hub::CERTIFICATE_PATH, post(certificate))
        .route("/v1/roots", get(roots))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(hub::MAX_MESSAGE_BYTES))
        .with_state(shared)
}

/// The host that a request names, without port.
fn host_of(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let end =
        if host.starts_with('[') { host.find(']').map(|end| end + 1) } else { host.find(':') };
    host[..end.unwrap_or(host.len())].to_ascii_lowercase()
}

async fn websocket(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if shared.phase() != Phase::Serving {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    // The connection's place becomes the session's.
    let Some(place) = peer.take_place() else {
        return (StatusCode::BAD_REQUEST, "one session per connection\n").into_response();
    };
    let host = host_of(&headers);
    upgrade
        .protocols([hub::SUBPROTOCOL])
        .max_message_size(hub::MAX_MESSAGE_BYTES)
        .max_frame_size(hub::MAX_MESSAGE_BYTES)
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .on_upgrade(move |socket| session::serve(shared, socket, place, host))
}

async fn certificate(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !shared.sources.within_rate(peer.source) {
        shared.metrics.drop(Drop::source_rate);
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    let Ok(call) = HubCertificateCall::decode(body) else {
        shared.metrics.drop(Drop::malformed);
        return (StatusCode::BAD_REQUEST, "not a HubCertificateCall\n").into_response();
    };
    let login = call.login.clone().unwrap_or_default();
    let request = call.request.clone().unwrap_or_default();
    let now_unix = unix_seconds();
    if login.cert.is_some() && call.time_unix().abs_diff(now_unix) > hub::MAX_CALL_AGE_S {
        return (StatusCode::UNAUTHORIZED, "the request is too old, or a clock is wrong\n")
            .into_response();
    }
    let host = host_of(&headers);
    let gate = Gate { config: &shared.config, trust: &shared.trust, host: &host, now_unix };
    let signed =
        |name: &str, app_id| hub::certificate_context(&request, call.time_unix(), name, app_id);
    let judged = gate.judge(&login, signed).await;
    let outcome = if judged.is_ok() { Outcome::done } else { Outcome::refused };
    shared.metrics.login(super::login::method(&login), outcome);
    let proven = match judged {
        Ok(proven) => proven,
        Err(error) => {
            return (StatusCode::UNAUTHORIZED, format!("{error}\n")).into_response();
        }
    };
    let issued = shared.issue(&proven.user, &request);
    let status = match &issued {
        Ok(_) => StatusCode::OK,
        Err(NoCertificate { status, .. }) => status_code(*status),
    };
    let result = certificate_result(call.request_id, issued.map(|(cert, _)| cert));
    (status, [(header::CONTENT_TYPE, PROTOBUF)], result.encode_to_vec()).into_response()
}

const fn status_code(
    status: gamewire_wire::messages::hub::hub_certificate_result::Status,
) -> StatusCode {
    use gamewire_wire::messages::hub::hub_certificate_result::Status;
    match status {
        Status::Ok => StatusCode::OK,
        Status::NotAvailable => StatusCode::NOT_FOUND,
        Status::Refused => StatusCode::FORBIDDEN,
        Status::Busy => StatusCode::TOO_MANY_REQUESTS,
    }
}

/// The public key of the authority, as `GAMEWIRE_ROOTS` takes it.
async fn roots(State(shared): State<Arc<Shared>>) -> Response {
    match &shared.config.authority {
        Some(authority) if authority.certificate().is_none() => {
            let line =
                gamewire_crypto::text::encode_public_key(&authority.public_key(), "gamewire-hub");
            format!("{}\n", line.trim_end()).into_response()
        }
        Some(_) | None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Whether this process is alive. Asks nobody else: a hub that lost its store is not to be killed.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether this hub takes new clients, and what it lacks.
async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    if shared.phase() != Phase::Serving {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    match shared.store.health() {
        StoreHealth::Good => "ready\n".into_response(),
        // Its own clients are served; those of other hubs are not reached.
        StoreHealth::Lost { reason } => {
            format!("ready\ndegraded: the store is lost: {reason}\n").into_response()
        }
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let good = shared.store.health() == StoreHealth::Good;
    shared.metrics.store_good.set(i64::from(good));
    shared.metrics.draining.set(i64::from(shared.phase() != Phase::Serving));
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], shared.metrics.text()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_without_its_port() {
        for (header, expected) in [
            ("Hub.Example:443", "hub.example"),
            ("hub.example", "hub.example"),
            ("[::1]:27030", "[::1]"),
            ("[::1", "[::1"),
            ("", ""),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, header.parse().unwrap());
            assert_eq!(host_of(&headers), expected);
        }
    }
}

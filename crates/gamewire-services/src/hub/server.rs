//! The listening side: TCP, TLS and HTTP, each with its time limit, up to the routes.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::{
    config::{HubError, TlsIdentity},
    metrics::Drop,
    shared::{Shared, Source, guard, stopped},
    sources::Place,
};

/// Pause after the system refused a connection for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is on the other side of an HTTP connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) source: Source,
    place: Arc<Mutex<Option<Place>>>,
}

impl Peer {
    fn new(place: Place) -> Self {
        Self { source: place.source, place: Arc::new(Mutex::new(Some(place))) }
    }

    /// The connection's place, which a session keeps for as long as it lasts.
    pub(super) fn take_place(&self) -> Option<Place> {
        guard(&self.place).take()
    }
}

/// What TLS needs, from PEM.
pub(super) fn tls_acceptor(identity: &TlsIdentity) -> Result<TlsAcceptor, HubError> {
    let fail = |error: String| HubError::Tls(error);
    let certificates = CertificateDer::pem_slice_iter(&identity.certificates_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fail(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&identity.key_pem)
        .map_err(|error| fail(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| fail(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| fail(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts connections until the hub stops.
pub(super) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
) {
    let mut phase = shared.phase.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut phase) => return,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match shared.place(Source::from(remote.ip())) {
            Ok(place) => {
                let connection =
                    connection(shared.clone(), stream, tls.clone(), router.clone(), place);
                tokio::spawn(connection);
            }
            Err(reason) => shared.metrics.drop(reason),
        }
    }
}

async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    place: Place,
) {
    // Signals are small and must not wait for each other's acknowledgements.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return http(shared, stream, router, place).await };
    match timeout(shared.config.limits.login_timeout, tls.accept(stream)).await {
        Ok(Ok(stream)) => http(shared, stream, router, place).await,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            shared.metrics.drop(Drop::malformed);
        }
        Err(_) => shared.metrics.drop(Drop::login_timeout),
    }
}

async fn http(
    shared: Arc<Shared>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    place: Place,
) {
    let limit = shared.config.limits.login_timeout;
    let peer = Peer::new(place);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (mut router, peer) = (router.clone(), peer.clone());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            // A body that trickles in would hold its place for ever.
            match timeout(limit, router.call(request)).await {
                Ok(response) => response,
                Err(_) => {
                    let mut response = axum::response::Response::new(Body::empty());
                    *response.status_mut() = axum::http::StatusCode::REQUEST_TIMEOUT;
                    Ok::<_, Infallible>(response)
                }
            }
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limit)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut phase = shared.phase.subscribe();
    tokio::select! {
        // An error: whoever it was did not speak HTTP, or is gone.
        _ = connection => {}
        () = stopped(&mut phase) => {}
    }
}

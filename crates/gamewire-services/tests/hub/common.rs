//! A client that knows no more than the protocol, and says whatever a test wants it to.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use gamewire_crypto::{Certificate, SigningKey};
use gamewire_services::{
    Hub, HubConfig, HubHandle,
    hub::{Authority, Limits, Rate},
};
use gamewire_wire::{
    Identity, hub,
    messages::{
        CertificateSigned,
        hub::{
            HubEvent, HubLogin, HubLoginResult, HubRequest, HubSignal, hub_event::Body,
            hub_login_result::Status, hub_request,
        },
    },
};
use prost::Message as _;
use tungstenite::{Message, WebSocket, client::IntoClientRequest as _};

/// Longest wait for anything; reached only when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const APP: u32 = 480;

pub(crate) fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

pub(crate) fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

pub(crate) fn unix_seconds() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// The usual limits, but for one source that may ask how things are as often as a test likes.
pub(crate) fn limits() -> Limits {
    Limits { source_rate: Rate::new(1e9, 1e9), ..Limits::default() }
}

pub(crate) fn development() -> HubHandle {
    development_with(limits())
}

pub(crate) fn development_with(limits: Limits) -> HubHandle {
    Hub::start(HubConfig { limits, ..HubConfig::development(loopback()) }).unwrap()
}

/// A hub that believes its own authority, key 1, alone.
pub(crate) fn production() -> HubConfig {
    HubConfig {
        authority: Some(Authority::root(key(1))),
        limits: limits(),
        ..HubConfig::production(loopback())
    }
}

/// A certificate for `name` and key 5, by key 1, good for an hour; `change` makes it another.
pub(crate) fn certificate(name: &str, change: impl FnOnce(&mut Certificate)) -> Certificate {
    let expiry = u32::try_from(unix_seconds() + 3600).unwrap();
    let mut certificate = Certificate {
        identity: Some(identity(name)),
        app_ids: vec![APP],
        time_expiry: Some(expiry),
        ..Certificate::new(key(5).public_key())
    };
    change(&mut certificate);
    certificate
}

/// One connection, past the challenge.
pub(crate) struct Client {
    pub(crate) socket: WebSocket<TcpStream>,
    pub(crate) nonce: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(hub: &HubHandle) -> Self {
        Self::try_connect(hub).expect("the hub takes a connection")
    }

    pub(crate) fn try_connect(hub: &HubHandle) -> Option<Self> {
        let address = hub.addresses().http;
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let url = format!("ws://{address}{}", hub::WEBSOCKET_PATH);
        let mut request = url.into_client_request().unwrap();
        let protocol = hub::SUBPROTOCOL.parse().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        let (socket, _) = tungstenite::client(request, stream).ok()?;
        let mut client = Self { socket, nonce: Vec::new() };
        match client.try_next()? {
            Body::Challenge(challenge) => client.nonce = challenge.nonce.unwrap().to_vec(),
            other => panic!("{other:?}"),
        }
        Some(client)
    }

    /// Connects and claims an identity.
    pub(crate) fn claim(hub: &HubHandle, name: &str) -> Self {
        let mut client = Self::connect(hub);
        let result = client.log_in(claim(name));
        assert_eq!(result.status(), Status::Ok, "{result:?}");
        assert_eq!(result.identity(), name);
        client
    }

    pub(crate) fn send(&mut self, body: hub_request::Body) {
        let bytes = HubRequest { body: Some(body) }.encode_to_vec();
        // A hub that has hung up is noticed by reading.
        let _ = self.socket.send(Message::Binary(bytes.into()));
    }

    pub(crate) fn log_in(&mut self, login: HubLogin) -> HubLoginResult {
        self.send(hub_request::Body::Login(login));
        match self.next() {
            Body::Login(result) => result,
            other => panic!("{other:?}"),
        }
    }

    /// A login by certificate that would be let in, as `key` signs it.
    pub(crate) fn signed(&self, certificate: CertificateSigned, key: &SigningKey) -> HubLogin {
        let context = hub::login_context(&self.nonce, "127.0.0.1", APP);
        HubLogin {
            cert: Some(certificate),
            signature: Some(key.sign(&context).to_vec().into()),
            hub_name: Some("127.0.0.1".to_owned()),
            ..login()
        }
    }

    pub(crate) fn signal(&mut self, to: &str, payload: &[u8]) {
        self.send(hub_request::Body::Signal(HubSignal {
            to_identity: Some(to.to_owned()),
            from_identity: Some("str:somebody-else".to_owned()),
            payload: Some(payload.to_vec().into()),
        }));
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Body {
        self.try_next().expect("the hub says something")
    }

    /// The next event; `None`: the connection ended.
    pub(crate) fn try_next(&mut self) -> Option<Body> {
        let start = std::time::Instant::now();
        loop {
            // The hub's pings must not prolong it.
            assert!(start.elapsed() < PATIENCE * 2, "waited in vain");
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => return HubEvent::decode(bytes).unwrap().body,
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(_)) => return None,
                Ok(other) => panic!("{other:?}"),
                Err(tungstenite::Error::Io(error))
                    if error.kind() == std::io::ErrorKind::WouldBlock =>
                {
                    panic!("waited in vain")
                }
                Err(_) => return None,
            }
        }
    }

    /// The next event, which is a signal: from whom, and what.
    pub(crate) fn next_signal(&mut self) -> (String, Vec<u8>) {
        match self.next() {
            Body::Signal(signal) => {
                let payload = signal.payload.clone().unwrap().to_vec();
                (signal.from_identity().to_owned(), payload)
            }
            other => panic!("{other:?}"),
        }
    }

    /// What the connection was closed with.
    pub(crate) fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

pub(crate) fn login() -> HubLogin {
    HubLogin {
        protocol_version: Some(hub::PROTOCOL_VERSION),
        app_id: Some(APP),
        ..HubLogin::default()
    }
}

pub(crate) fn claim(name: &str) -> HubLogin {
    HubLogin { identity: Some(name.to_owned()), ..login() }
}

/// One HTTP request: status and body.
pub(crate) fn http(hub: &HubHandle, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(hub.addresses().http).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

pub(crate) fn get(hub: &HubHandle, path: &str) -> (u16, String) {
    let (status, body) = http(hub, "GET", path, b"");
    (status, String::from_utf8(body).unwrap())
}

/// The value of a series of the hub's metrics; 0 if there is none yet.
pub(crate) fn metric(hub: &HubHandle, series: &str) -> u64 {
    let (_, text) = get(hub, "/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

pub(crate) fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !until() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

//! A relay of two threads on loopback, with the machines of clients and a server beside it.
#![allow(clippy::unwrap_used)] // shared functions of a test are not seen as one

use std::{
    fs,
    net::UdpSocket,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use gamewire_crypto::{
    Certificate, KeyExchange, SeededEntropy, SigningKey, SystemEntropy, text::encode_public_key,
};
use gamewire_proto::Time;
use gamewire_relay::{AddressKey, Daemon, RelayFile, StartError, write_key};
use gamewire_sdr::{
    client::{
        HostedPurpose, Measurement, MeasurementOptions, MeasurementStatus, Purpose, RelaySessions,
        SessionEvent,
    },
    config::{NetworkConfig, Pop, Relay, sign},
    coordinator::{Ticket, TicketSigner},
    hosted::{HostedAddress, ServerAddress},
    server::{HostedServer, HostedServerOptions, ServerEvent},
};
use gamewire_wire::{
    address::Address,
    messages::relay::{ConnectOk, ConnectRequest, RouterPingReply},
    relay::{Datagram, decode, id, parse},
};

fn payload(number: u16) -> Vec<u8> {
    vec![number as u8; 700]
}

const APP: u32 = 480;
const SECRET: u64 = 99;
const LIMIT: Duration = Duration::from_secs(30);

fn root() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn unix() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs() as u32
}

/// A folder with everything that a relay needs; gone when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder(name: &str) -> Folder {
    let path = std::env::temp_dir().join(format!("gamewire-relay-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    Folder(path)
}

fn config(port: u16, address_key: &KeyExchange) -> NetworkConfig {
    let relay = Relay {
        name: "dev#1".into(),
        ipv4: Some([127, 0, 0, 1].into()),
        ipv6: None,
        ports: (port, port),
        interior_ports: None,
        public_key: None,
    };
    let id = "sto".parse().unwrap();
    NetworkConfig {
        revision: 1,
        pops: vec![Pop { id, relays: vec![relay], ..Pop::default() }],
        relay_public_keys: vec![address_key.public_key()],
        ..NetworkConfig::default()
    }
}

fn publish(folder: &Folder, config: &NetworkConfig, signer: &SigningKey) {
    let json = config.to_json();
    fs::write(folder.0.join("config.json.sig"), sign(json.as_bytes(), signer)).unwrap();
    // Renamed into place, so that a reader sees the old one or the new one.
    fs::write(folder.0.join("config.json.new"), json).unwrap();
    fs::rename(folder.0.join("config.json.new"), folder.0.join("config.json")).unwrap();
}

fn prepare(folder: &Folder) -> (RelayFile, KeyExchange) {
    write_key(&folder.0.join("relay.key"), &[7; 32]).unwrap();
    write_key(&folder.0.join("address.key"), &[8; 32]).unwrap();
    let address_key = KeyExchange::from_bytes([8; 32]);
    publish(folder, &config(1, &address_key), &root());
    let file = RelayFile {
        name: "dev#1".into(),
        pop: "sto".into(),
        front: "127.0.0.1:0".parse().unwrap(),
        interior: "127.0.0.1:0".parse().unwrap(),
        threads: 2,
        key: "relay.key".into(),
        address_keys: vec![AddressKey { pop: None, file: "address.key".into() }],
        network_config: "config.json".into(),
        network_config_signature: Some("config.json.sig".into()),
        roots: vec![encode_public_key(&root().public_key(), "root")],
        allow_private_servers: true,
        penalty: 0,
        max_sessions: 0,
        drain_seconds: 20,
    };
    fs::write(folder.0.join("relay.json"), serde_json::to_string(&file).unwrap()).unwrap();
    (RelayFile::read(&folder.0.join("relay.json")).unwrap(), address_key)
}

/// A client, a server, and real sockets between them and the relay.
struct Ends {
    start: Instant,
    client_socket: UdpSocket,
    server_socket: UdpSocket,
    measurement: Measurement,
    sessions: Option<RelaySessions>,
    server: HostedServer,
    to_client: Vec<u16>,
    to_server: Vec<u16>,
    is_connected: bool,
}

impl Ends {
    fn new(config: &NetworkConfig) -> Self {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let config = Arc::new(config.clone());
        let start = Instant::now();
        let mut measurement =
            Measurement::new(MeasurementOptions::default(), Box::new(SystemEntropy));
        measurement.set_config(config.clone());
        let options = HostedServerOptions {
            pop: "sto".parse().unwrap(),
            app_id: APP,
            routing_secret: SECRET,
            accept_any_relay: false,
        };
        let mut server = HostedServer::new(Time::from_micros(0), options);
        server.set_config(config);
        Self {
            start,
            client_socket: socket(),
            server_socket: socket(),
            measurement,
            sessions: None,
            server,
            to_client: Vec::new(),
            to_server: Vec::new(),
            is_connected: false,
        }
    }

    fn now(&self) -> Time {
        Time::from_micros(3_000_000_000_000) + self.start.elapsed()
    }

    /// Moves what there is to move.
    fn step(&mut self) {
        let now = self.now();
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = self.client_socket.recv_from(&mut buffer) {
            let (from, bytes) = (Address::from(from), &buffer[..length]);
            if let Ok(Datagram::Control { id: id::ROUTER_PING_REPLY, body }) = parse(bytes) {
                let reply: RouterPingReply = decode(body).unwrap();
                self.measurement.handle_reply(now, from, &reply);
            } else if let Some(sessions) = &mut self.sessions {
                sessions.handle_datagram(now, from, bytes, &mut self.measurement);
            }
        }
        while let Ok((length, from)) = self.server_socket.recv_from(&mut buffer) {
            self.server.handle_datagram(now, unix().into(), from.into(), &buffer[..length]);
        }
        self.measurement.handle_timeout(now);
        self.server.handle_timeout(now);
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::ConnectRequest { client, .. } => {
                    self.server.send_connect_ok(&client, ConnectOk::default());
                }
                ServerEvent::Data { client, e2e_sequence, payload: data, .. } => {
                    assert_eq!(data, payload(e2e_sequence));
                    self.to_server.push(e2e_sequence);
                    self.server.send_data(&client, e2e_sequence, None, &data);
                }
                _ => {}
            }
        }
        if let Some(sessions) = &mut self.sessions {
            sessions.handle_timeout(now, &mut self.measurement);
            while let Some(event) = sessions.poll_event() {
                match event {
                    SessionEvent::ConnectOk(_) => self.is_connected = true,
                    SessionEvent::Data { e2e_sequence, .. } => self.to_client.push(e2e_sequence),
                    _ => {}
                }
            }
        }
        while let Some(out) = self.measurement.poll_transmit() {
            self.client_socket.send_to(&out.bytes, out.to.to_socket_addr()).unwrap();
        }
        while let Some(out) = self.sessions.as_mut().and_then(RelaySessions::poll_transmit) {
            self.client_socket.send_to(&out.bytes, out.to.to_socket_addr()).unwrap();
        }
        while let Some(out) = self.server.poll_transmit() {
            self.server_socket.send_to(&out.bytes, out.to.to_socket_addr()).unwrap();
        }
        std::thread::yield_now();
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < LIMIT, "{what} does not come");
            self.step();
        }
    }

    fn connect(&mut self, config: &NetworkConfig) {
        let now = self.now();
        self.measurement.start(now);
        self.until("the measurement", |ends| ends.measurement.status() == MeasurementStatus::Done);
        let port = self.server_socket.local_addr().unwrap().port();
        let address = Address::from_v4([127, 0, 0, 1].into(), port);
        let ticket = Ticket {
            server: "str:server".parse().unwrap(),
            client: "str:client".parse().unwrap(),
            client_ip: None,
            expiry: unix() + 3600,
            routing: HostedAddress::Plain {
                pop: "sto".parse().unwrap(),
                server: ServerAddress::new(address, SECRET),
            },
            app_id: APP,
            virtual_port: None,
            extra_fields: Vec::new(),
        };
        let root = root();
        let ticket = TicketSigner::new(&root).sign(&ticket, config, &mut SystemEntropy).unwrap();
        let purpose =
            Purpose::Hosted(HostedPurpose { ticket: ticket.into(), pop: "sto".parse().unwrap() });
        let now = self.now();
        self.sessions = Some(RelaySessions::new(now, purpose, 77, Box::new(SeededEntropy::new(3))));
        self.until("the session", |ends| {
            ends.sessions.as_ref().is_some_and(|sessions| sessions.primary().is_some())
        });
        let key = SigningKey::from_seed([4; 32]).public_key();
        let cert = Certificate {
            identity: Some("str:client".parse().unwrap()),
            app_ids: vec![APP],
            ..Certificate::new(key)
        };
        let request = ConnectRequest { cert: Some(cert.unsigned()), ..ConnectRequest::default() };
        let now = self.now();
        self.sessions.as_mut().unwrap().send_connect_request(now, request);
        self.until("the connection", |ends| ends.is_connected);
    }
}

#[test]
fn packets_go_there_and_back_through_real_sockets() {
    let folder = folder("forward");
    let (file, address_key) = prepare(&folder);
    let mut daemon = Daemon::start(file).unwrap();
    let config = NetworkConfig { revision: 2, ..config(daemon.front().port(), &address_key) };
    publish(&folder, &config, &root());
    let mut ends = Ends::new(&config);
    // The relay reads the config anew.
    ends.until("the new config", |_| daemon.reload().unwrap());
    ends.connect(&config);
    for number in 1..=300u16 {
        let now = ends.now();
        ends.sessions.as_mut().unwrap().send_data(now, number, Some(10), &payload(number));
        // On loopback nothing is lost as long as buffers do not overflow.
        ends.until("the echo", |ends| ends.to_client.len() + 32 > usize::from(number));
    }
    ends.until("all echoes", |ends| ends.to_client.len() >= 300);
    ends.to_client.sort_unstable();
    assert_eq!(ends.to_client, (1..=300).collect::<Vec<u16>>());
    ends.until("the numbers", |_| daemon.snapshot().forwarded >= 600);
    let snapshot = daemon.snapshot();
    assert_eq!((snapshot.sessions, snapshot.unsent), (1, 0));
    assert_eq!(snapshot.drops, []);

    // Told to stop, it tells the client, and waits for it.
    daemon.drain();
    ends.until("the end", |ends| {
        let sessions = ends.sessions.as_mut().unwrap();
        if sessions.sessions().next().is_some() && !daemon.is_drained() {
            let now = Time::from_micros(3_000_000_000_000) + ends.start.elapsed();
            sessions.send_closed(now, Default::default());
        }
        daemon.is_drained()
    });
    assert!(!daemon.has_failed());
}

#[test]
fn what_a_relay_does_not_start_with_or_take() {
    let folder = folder("refuse");
    let (file, address_key) = prepare(&folder);
    let mut daemon = Daemon::start(file.clone()).unwrap();
    let newer = NetworkConfig { revision: 5, ..config(1, &address_key) };
    let mallory = SigningKey::from_seed([66; 32]);
    publish(&folder, &newer, &mallory);
    let refused = daemon.reload().unwrap_err();
    assert!(matches!(refused, StartError::Network(_)), "{refused}");
    let older = NetworkConfig { revision: 0, ..config(1, &address_key) };
    publish(&folder, &older, &root());
    let mut result = daemon.reload();
    let start = Instant::now();
    // Times of files are coarse on some systems.
    while matches!(result, Ok(false)) && start.elapsed() < LIMIT {
        publish(&folder, &older, &root());
        result = daemon.reload();
    }
    assert!(result.unwrap_err().to_string().contains("older"));
    assert!(!daemon.has_failed(), "it goes on with what it has");
    drop(daemon);
    publish(&folder, &newer, &mallory);
    assert!(matches!(Daemon::start(file.clone()), Err(StartError::Network(_))));
    publish(&folder, &newer, &root());
    let missing = RelayFile { key: folder.0.join("nothing"), ..file.clone() };
    assert!(matches!(Daemon::start(missing), Err(StartError::File(_))));
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let busy = RelayFile { interior: taken.local_addr().unwrap(), threads: 1, ..file };
    assert!(matches!(Daemon::start(busy), Err(StartError::Bind { .. })));
}

#[test]
fn keys_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder("keys");
    let path = folder.0.join("key");
    write_key(&path, &[9; 32]).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let key = gamewire_relay::read_key(&path).unwrap();
    assert_eq!(key.public_key(), KeyExchange::from_bytes([9; 32]).public_key());
    assert!(write_key(&path, &[1; 32]).is_err(), "never over another one");
    fs::write(&path, "xyz").unwrap();
    assert!(gamewire_relay::read_key(&path).is_err());
}

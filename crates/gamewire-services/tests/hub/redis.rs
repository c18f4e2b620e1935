//! Several hubs over one Redis, which comes and goes.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use gamewire_services::{Hub, HubConfig, HubHandle, store::StoreConfig};
use gamewire_wire::messages::hub::{HubEvent, hub_event::Body};
use prost::Message as _;

use crate::common::*;

/// A server of the test's own, on a Unix socket.
struct Redis {
    folder: PathBuf,
    process: Option<Child>,
}

impl Redis {
    fn start() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gamewire-redis-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut redis = Self { folder, process: None };
        redis.restart();
        redis
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    fn restart(&mut self) {
        self.kill();
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: cargo xtask test --only system-packages");
        self.process = Some(process);
        wait("redis-server", || std::os::unix::net::UnixStream::connect(self.socket()).is_ok());
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        let _ = std::fs::remove_file(self.socket());
    }

    fn config(&self) -> HubConfig {
        let url = format!("redis+unix://{}", self.socket().display());
        let store = StoreConfig::Redis(url);
        HubConfig { store, limits: limits(), ..HubConfig::development(loopback()) }
    }

    fn hub(&self) -> HubHandle {
        Hub::start(self.config()).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Sends until it arrives: a subscription takes a moment, and signals are not kept.
fn reach(from: &mut Client, to: &mut Client, name: &str) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // What else is on its way to him must not pass for this.
    let payload = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let is_it = |bytes: Bytes| match HubEvent::decode(bytes).unwrap().body {
        Some(Body::Signal(signal)) => signal.payload() == payload,
        other => panic!("{other:?}"),
    };
    to.socket.get_ref().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let start = std::time::Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "nothing reaches {name}");
        from.signal(name, &payload);
        match to.socket.read() {
            Ok(tungstenite::Message::Binary(bytes)) if is_it(bytes.clone()) => break,
            Ok(_) => {}
            Err(tungstenite::Error::Io(error))
                if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
    // And its copies.
    to.socket.get_ref().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    while to.socket.read().is_ok() {}
    to.socket.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
}

#[test]
fn a_signal_reaches_a_client_of_another_hub_once() {
    let redis = Redis::start();
    let (here, there) = (redis.hub(), redis.hub());
    let mut alice = Client::claim(&here, "str:alice");
    let mut bobs = [Client::claim(&here, "str:bob"), Client::claim(&there, "str:bob")];
    reach(&mut alice, &mut bobs[1], "str:bob");
    let [bob_here, bob_there] = &mut bobs;
    reach(bob_there, bob_here, "str:bob");
    let mut carol = Client::claim(&there, "str:carol");
    reach(&mut alice, &mut carol, "str:carol");
    (0..20_u8).for_each(|n| alice.signal("str:carol", &[n]));
    let received: Vec<u8> = (0..20).map(|_| carol.next_signal().1[0]).collect();
    assert_eq!(received, (0..20).collect::<Vec<u8>>(), "each once and in order");
    assert_eq!(here.authority(), there.authority(), "one development key for all");
}

#[test]
fn a_hub_that_dies_leaves_the_others_working_and_its_clients_welcome() {
    let redis = Redis::start();
    let (here, there) = (redis.hub(), redis.hub());
    let mut alice = Client::claim(&here, "str:alice");
    let mut bob = Client::claim(&there, "str:bob");
    reach(&mut alice, &mut bob, "str:bob");
    drop(there);
    assert!(bob.try_next().is_none());
    let mut bob = Client::claim(&here, "str:bob");
    alice.signal("str:bob", b"moved");
    assert_eq!(bob.next_signal().1, b"moved");
    let third = redis.hub();
    let mut bob = Client::claim(&third, "str:bob");
    reach(&mut alice, &mut bob, "str:bob");
}

#[test]
fn a_hub_that_loses_redis_serves_on_says_so_and_comes_back() {
    let mut redis = Redis::start();
    let (here, there) = (redis.hub(), redis.hub());
    let mut alice = Client::claim(&here, "str:alice");
    let mut bob = Client::claim(&here, "str:bob");
    let mut carol = Client::claim(&there, "str:carol");
    reach(&mut alice, &mut carol, "str:carol");
    redis.kill();
    wait("the loss", || get(&here, "/readyz").1.contains("degraded"));
    assert_eq!(get(&here, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&here, "/readyz").0, 200, "it takes clients");
    assert_eq!(metric(&here, "gamewire_hub_store_good"), 0);
    alice.signal("str:bob", b"local");
    assert_eq!(bob.next_signal().1, b"local");
    alice.signal("str:carol", b"lost");
    // New clients come in meanwhile, and are known to the others afterwards.
    let mut dave = Client::claim(&here, "str:dave");
    redis.restart();
    wait("the way back", || get(&here, "/readyz").1 == "ready\n");
    wait("the way back of the other", || get(&there, "/readyz").1 == "ready\n");
    reach(&mut alice, &mut carol, "str:carol");
    reach(&mut carol, &mut dave, "str:dave");
}

#[test]
fn a_hub_starts_without_redis_if_it_needs_nothing_of_it() {
    let mut redis = Redis::start();
    redis.kill();
    let hub = Hub::start(HubConfig { store: redis.config().store, ..production() }).unwrap();
    assert!(get(&hub, "/readyz").1.contains("degraded"));
    redis.restart();
    wait("the first connection", || get(&hub, "/readyz").1 == "ready\n");
}

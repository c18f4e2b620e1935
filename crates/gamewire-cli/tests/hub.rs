//! A hub as its operator meets it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::{path::PathBuf, process::Command, time::Instant};

use common::{PATIENCE, Running, run};
use gamewire::{Availability, HubState, Options, Sockets};
use gamewire_crypto::SigningKey;

fn url_of(ready: &str) -> String {
    let url = ready.split(' ').find(|word| word.starts_with("ws://")).unwrap();
    url.to_owned()
}

fn player(url: &str, change: impl FnOnce(&mut Options)) -> Sockets {
    let mut options = Options {
        identity: "str:alice".parse().unwrap(),
        app_id: 480,
        hub: Some(url.to_owned()),
        ..Options::default()
    };
    change(&mut options);
    Sockets::new(options).unwrap()
}

fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let start = Instant::now();
    while !until() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// A folder of this test alone; removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gamewire-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn development_from_start_to_termination() {
    let hub = Running::start(&["hub", "--listen", "127.0.0.1:0", "--dev", "--drain", "20"]);
    let root = hub.expect("root ssh-ed25519 ");
    let ready = hub.expect("ready ws://127.0.0.1:");
    assert!(ready.contains(" stun:127.0.0.1:"), "{ready}");
    let trust = Options::trust_from_text(root.strip_prefix("root ").unwrap()).unwrap();
    let alice = player(&url_of(&ready), |options| options.trust = trust);
    alice.init_authentication();
    wait("the certificate", || {
        let status = alice.authentication_status();
        status.availability == Availability::Current && status.message == "OK"
    });
    let terminated = Command::new("kill").arg(hub.id().to_string()).status().unwrap();
    assert!(terminated.success());
    hub.expect("draining");
    hub.expect("stopped");
    assert!(hub.wait().success());
    wait("the loss", || alice.hub_status().unwrap().state != HubState::Connected);
}

#[test]
fn with_an_authority_and_tickets_from_files() {
    let folder = Scratch::new("hub-files");
    assert!(run(&["cert", "gen-ca", "--out", &folder.path("ca")]).status.success());
    assert!(run(&["cert", "gen-key", "--out", &folder.path("tickets")]).status.success());
    let (ca, tickets, store) = (folder.path("ca"), folder.path("tickets.pub"), folder.path("db"));
    let hub = Running::start(&[
        "hub",
        "--listen",
        "127.0.0.1:0",
        "--name",
        "127.0.0.1",
        "--ca-key",
        &ca,
        "--ticket-key",
        &tickets,
        "--store",
        &store,
        "--stun",
        "off",
        "--app",
        "480",
    ]);
    let ready = hub.expect("ready ");
    assert!(!ready.contains("stun"), "{ready}");
    let key = std::fs::read_to_string(folder.path("tickets")).unwrap();
    let key: SigningKey = gamewire_crypto::text::decode_private_key(&key).unwrap();
    let identity = "str:alice".parse().unwrap();
    let soon = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 60;
    let ticket = gamewire_services::hub::SignedTickets::issue(&key, &identity, 480, soon);
    let alice = player(&url_of(&ready), |options| {
        options.hub_ticket = Some(ticket);
        options.trust = Options::trust_from_text(&format!("@{ca}.pub")).unwrap();
    });
    alice.init_authentication();
    wait("the certificate", || alice.authentication_status().message == "OK");
}

#[test]
fn what_makes_no_sense_is_refused_with_advice() {
    for (arguments, advice) in [
        (&["hub", "--listen", "127.0.0.1:0"][..], "--dev"),
        (&["hub", "--listen", "0.0.0.0:0", "--dev"], "--dev-allow-remote"),
        (&["hub", "--listen", "127.0.0.1:0", "--dev", "--stun", "here"], "`off`"),
        (&["hub", "--listen", "127.0.0.1:0", "--ca-key", "/nowhere"], "/nowhere"),
    ] {
        let output = run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(error.contains(advice), "{error}");
    }
}

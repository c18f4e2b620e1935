//! The recorded peers of Valve's library, for tests.

use std::net::SocketAddr;

use serde_json::Value;

use crate::stun::{Class, Message, attribute};

/// A datagram of a recording.
pub(crate) struct Recorded {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    is_stun: bool,
}

/// One recording.
pub(crate) struct Recording {
    datagrams: Vec<Recorded>,
    /// The user name fragment of a receiver of checks, and the passwords it used, last first.
    passwords: Vec<(&'static str, &'static str)>,
}

/// Both recordings.
pub(crate) fn all() -> [Recording; 2] {
    // The passwords are in the signals: `auth.pwd_frag`. In the symmetric one the initiator's ICE
    // began anew, and no check came before.
    [
        load("p2p-connect.json", vec![("/6p+4", "kcueh"), ("gSbi/", "kSbqo")]),
        load(
            "p2p-symmetric.json",
            vec![("/myr6", "f+v6n"), ("/myr6", "cjV3Z"), ("7mpm7", "bys8t")],
        ),
    ]
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn load(name: &str, passwords: Vec<(&'static str, &'static str)>) -> Recording {
    let path = format!("{}/../../testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    let value: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let datagrams = value["datagrams"].as_array().unwrap();
    let datagram = |value: &Value| Recorded {
        from: value["src"].as_str().unwrap().parse().unwrap(),
        to: value["dst"].as_str().unwrap().parse().unwrap(),
        bytes: hex(value["hex"].as_str().unwrap()),
        is_stun: value["kind"] == "stun",
    };
    Recording { datagrams: datagrams.iter().map(datagram).collect(), passwords }
}

impl Recording {
    pub(crate) fn stun(&self) -> impl Iterator<Item = &Recorded> {
        self.datagrams.iter().filter(|datagram| datagram.is_stun)
    }

    pub(crate) fn data(&self) -> impl Iterator<Item = &Recorded> {
        self.datagrams.iter().filter(|datagram| !datagram.is_stun)
    }

    /// The password of the receiver of a request, which also signs the response.
    pub(crate) fn password_for(&self, message: &Message<'_>) -> &'static str {
        let name = message.text(attribute::USERNAME).unwrap();
        assert!(matches!(message.class(), Class::Request | Class::Success));
        let fragment = name.split(':').next().unwrap();
        let of_receiver = self.passwords.iter().filter(|(ufrag, _)| *ufrag == fragment);
        let mut passwords = of_receiver.map(|(_, password)| *password);
        passwords.find(|password| message.verify(password.as_bytes())).unwrap()
    }
}

//! What several test modules share.

use serde_json::Value;

pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(crate) fn hex_array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

/// The recorded connection with Valve's library; "client" is the initiator.
pub(crate) struct Recording(Value);

/// One datagram of it.
pub(crate) struct Recorded {
    pub(crate) from_initiator: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) what: String,
    /// Packet number and plaintext, for data packets.
    pub(crate) data: Option<(u64, Vec<u8>)>,
}

impl Recording {
    pub(crate) fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/connection-aes.json");
        let text = std::fs::read_to_string(path).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        hex(self.0["keys"][key].as_str().unwrap())
    }

    pub(crate) fn array<const N: usize>(&self, key: &str) -> [u8; N] {
        self.bytes(key).try_into().unwrap()
    }

    pub(crate) fn number(&self, key: &str) -> u64 {
        self.0["keys"][key].as_u64().unwrap()
    }

    pub(crate) fn datagrams(&self) -> impl Iterator<Item = Recorded> {
        let list = self.0["datagrams"].as_array().unwrap();
        list.iter().map(|entry| Recorded {
            from_initiator: entry["dir"] == "c2s",
            bytes: hex(entry["hex"].as_str().unwrap()),
            what: entry["what"].as_str().unwrap_or_default().to_owned(),
            data: entry["plaintext"].as_str().map(|plaintext| {
                let number = entry["packet_number"].as_u64().unwrap();
                (number, hex(plaintext))
            }),
        })
    }

    /// The protobuf part of an unpadded handshake message.
    pub(crate) fn message<M: prost::Message + Default>(&self, what: &str) -> M {
        let datagram = self.datagrams().find(|d| d.what == what).unwrap();
        M::decode(&datagram.bytes[1..]).unwrap()
    }
}

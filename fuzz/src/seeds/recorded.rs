//! From a connection between two instances of Valve's library (`testdata/connection-aes.json`).

use std::collections::BTreeSet;

use gamewire_wire::udp::{self, Datagram};
use prost::Message as _;
use serde_json::Value;

use super::{Seed, join, sized};

const RECORDING: &str = include_str!("../../../testdata/connection-aes.json");
/// Hints and packet number near 0x100 for the target `frames`: three hints and the number.
pub(super) const FRAME_HINTS: [u8; 8] = [0, 0x81, 0, 0x81, 0, 0x40, 0, 0x40];
/// Data packets taken from the recording.
const DATA_PACKETS: usize = 12;

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_default();
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub(super) fn seeds() -> Vec<Seed> {
    let recording: Value = serde_json::from_str(RECORDING).expect("test data is JSON");
    let empty = Vec::new();
    let datagrams = recording["datagrams"].as_array().unwrap_or(&empty);
    let mut seeds = Vec::new();
    let mut kinds = BTreeSet::new();
    let mut data_packets = 0;
    for entry in datagrams {
        let bytes = hex(&entry["hex"]);
        if let Some(what) = entry["what"].as_str() {
            if kinds.insert(what) {
                seeds.extend(control(what, &bytes));
            }
            continue;
        }
        let has_stats = entry["inline_stats"].is_string();
        if data_packets < DATA_PACKETS || has_stats {
            data_packets += 1;
            seeds.extend(data_packet(entry, data_packets, bytes));
        }
    }
    for key in ["client_cert", "server_cert"] {
        let input = join(&[&[0], &hex(&recording["keys"][key])]);
        seeds.push(Seed::new("certificate", format!("valve-{key}"), input));
    }
    for key in ["client_crypt_info", "server_crypt_info"] {
        let input = join(&[&[0], &hex(&recording["keys"][key])]);
        seeds.push(Seed::new("crypt_info", format!("valve-{key}"), input));
    }
    seeds
}

fn control(what: &str, bytes: &[u8]) -> Vec<Seed> {
    let mut seeds = vec![
        Seed::new("datagram", format!("valve-{what}"), bytes),
        Seed::new("endpoint", format!("valve-{what}"), join(&[&[1, 0], &sized(bytes)])),
    ];
    let (cert, crypt) = match udp::parse(bytes) {
        Ok(Datagram::ConnectRequest(message)) => (message.cert, message.crypt),
        Ok(Datagram::ConnectOk(message)) => (message.cert, message.crypt),
        _ => (None, None),
    };
    if let (Some(cert), Some(crypt)) = (cert, crypt) {
        let input = join(&[&[2], &cert.encode_to_vec()]);
        seeds.push(Seed::new("certificate", format!("valve-install-{what}"), input));
        let input = join(&[&[1], &crypt.encode_to_vec()]);
        seeds.push(Seed::new("crypt_info", format!("valve-signed-{what}"), input));
    }
    seeds
}

fn data_packet(entry: &Value, index: usize, bytes: Vec<u8>) -> Vec<Seed> {
    let plaintext = hex(&entry["plaintext"]);
    let stats = hex(&entry["inline_stats"]);
    // Without a cipher the plaintext can be handed to a connection as it is.
    let in_clear = join(&[&[1, 13, 1, 0, index as u8 + 2], &sized(&plaintext)]);
    let mut seeds = vec![
        Seed::new("datagram", format!("valve-data-{index:02}"), bytes),
        Seed::new("frames", format!("valve-data-{index:02}"), join(&[&FRAME_HINTS, &plaintext])),
        Seed::new("connected_pair", format!("valve-plaintext-{index:02}"), in_clear),
    ];
    if !stats.is_empty() {
        let input = join(&[&[0; 4], &[0], &sized(&stats), &[6, 7, 0, 0, 0xff, 0, 0]]);
        seeds.push(Seed::new("stats", format!("valve-stats-{index:02}"), input));
    }
    seeds
}

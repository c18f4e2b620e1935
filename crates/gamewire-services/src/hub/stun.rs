//! A STUN responder (RFC 8489, Binding only): tells whoever asks from which address he does.
//!
//! Not authenticated, so the answer is never longer than the question: whoever forges source
//! addresses gains nothing. A client makes room by sending a MAPPED-ADDRESS or PADDING of its own.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use tokio::net::UdpSocket;

use super::{
    metrics::Drop,
    shared::{Shared, Source, stopped},
};
use crate::buckets::Buckets;

const HEADER_BYTES: usize = 20;
/// Longest request that is looked at, in bytes.
const MAX_REQUEST_BYTES: usize = 576;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// From here on attributes may be ignored by whoever does not know them.
const FIRST_OPTIONAL: u16 = 0x8000;
/// Attributes that ask nothing of a responder: MAPPED-ADDRESS, USERNAME, MESSAGE-INTEGRITY,
/// MESSAGE-INTEGRITY-SHA256, PRIORITY, USE-CANDIDATE, PADDING.
const HARMLESS: [u16; 7] = [0x0001, 0x0006, 0x0008, 0x001c, 0x0024, 0x0025, 0x0026];

/// Answers until the hub stops.
pub(super) async fn respond(shared: Arc<Shared>, socket: UdpSocket) {
    let limits = &shared.config.limits;
    let mut rates = Buckets::new(limits.stun_per_source, limits.tracked_keys);
    let mut phase = shared.phase.subscribe();
    // One more than is looked at, to tell what is longer.
    let mut buffer = [0; MAX_REQUEST_BYTES + 1];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = stopped(&mut phase) => return,
        };
        // An error here is of an earlier answer that met a closed port.
        let Ok((length, remote)) = received else { continue };
        if !rates.take(Source::from(remote.ip()), Instant::now()) {
            shared.metrics.drop(Drop::stun_rate);
            continue;
        }
        match answer(&buffer[..length], remote) {
            Some(answer) => {
                shared.metrics.stun_answers.inc();
                // A full buffer is loss, and STUN copes with loss.
                let _ = socket.try_send_to(&answer, remote);
            }
            None => shared.metrics.drop(Drop::stun_malformed),
        }
    }
}

/// The answer to a request from `remote`, if it is a request and leaves room for one.
fn answer(request: &[u8], remote: SocketAddr) -> Option<Vec<u8>> {
    let (header, attributes) = request.split_at_checked(HEADER_BYTES)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let sound = header[..2] == BINDING_REQUEST
        && header[4..8] == MAGIC_COOKIE
        && length == attributes.len()
        && request.len() <= MAX_REQUEST_BYTES;
    if !sound {
        return None;
    }
    let wants_fingerprint = has_fingerprint(attributes)?;
    let transaction: &[u8] = &header[4..HEADER_BYTES];
    let mut answer = Vec::with_capacity(64);
    answer.extend_from_slice(&BINDING_SUCCESS);
    answer.extend_from_slice(&[0, 0]);
    answer.extend_from_slice(transaction);
    push_address(&mut answer, remote, transaction);
    set_length(&mut answer, 0);
    if wants_fingerprint && answer.len() + 8 <= request.len() {
        push_fingerprint(&mut answer);
    }
    (answer.len() <= request.len()).then_some(answer)
}

/// Whether FINGERPRINT is among the attributes; `None` if they are malformed, or one asks for what
/// is not offered here.
fn has_fingerprint(mut attributes: &[u8]) -> Option<bool> {
    let mut found = false;
    while !attributes.is_empty() {
        let (head, rest) = attributes.split_at_checked(4)?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]])).next_multiple_of(4);
        attributes = rest.get(length..)?;
        if kind < FIRST_OPTIONAL && !HARMLESS.contains(&kind) {
            return None;
        }
        found |= kind == FINGERPRINT;
    }
    Some(found)
}

fn push_address(answer: &mut Vec<u8>, remote: SocketAddr, transaction: &[u8]) {
    let (family, address) = match remote.ip().to_canonical() {
        IpAddr::V4(v4) => (1, v4.octets().to_vec()),
        IpAddr::V6(v6) => (2, v6.octets().to_vec()),
    };
    let length = u8::try_from(4 + address.len()).unwrap_or(u8::MAX);
    answer.extend_from_slice(&XOR_MAPPED_ADDRESS);
    answer.extend_from_slice(&[0, length, 0, family]);
    let [high, low] = remote.port().to_be_bytes();
    answer.extend_from_slice(&[high ^ MAGIC_COOKIE[0], low ^ MAGIC_COOKIE[1]]);
    // Transaction here is the cookie and the id, which is what addresses are masked with.
    answer.extend(address.iter().zip(transaction).map(|(byte, mask)| byte ^ mask));
}

/// The length in the header: what is there, and `more`.
fn set_length(answer: &mut [u8], more: usize) {
    let length = u16::try_from(answer.len() - HEADER_BYTES + more).unwrap_or(u16::MAX);
    answer[2..4].copy_from_slice(&length.to_be_bytes());
}

fn push_fingerprint(answer: &mut Vec<u8>) {
    set_length(answer, 8);
    let value = crc32(answer) ^ FINGERPRINT_XOR;
    answer.extend_from_slice(&FINGERPRINT.to_be_bytes());
    answer.extend_from_slice(&[0, 4]);
    answer.extend_from_slice(&value.to_be_bytes());
}

/// CRC-32 of ITU V.42 (RFC 8489, 14.7), bit by bit: it is for a few dozen bytes.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attributes: &[u8]) -> Vec<u8> {
        let mut bytes =
            vec![0, 1, 0, u8::try_from(attributes.len()).unwrap(), 0x21, 0x12, 0xa4, 0x42];
        bytes.extend_from_slice(&[
            0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
        ]);
        bytes.extend_from_slice(attributes);
        bytes
    }

    /// PADDING of `length` bytes.
    fn padding(length: u8) -> Vec<u8> {
        let mut attribute = vec![0x00, 0x26, 0, length];
        attribute.resize(4 + usize::from(length), 0);
        attribute
    }

    fn v4() -> SocketAddr {
        "192.0.2.1:32853".parse().unwrap()
    }

    /// The addresses are those of RFC 5769, 2.2 and 2.3, as is the transaction id.
    #[test]
    fn addresses_are_masked_as_in_the_rfc() {
        let answer4 = answer(&request(&padding(8)), v4()).unwrap();
        assert_eq!(answer4[20..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        assert_eq!(answer4[..4], [1, 1, 0, 12]);
        assert_eq!(answer4[4..20], request(&[])[4..20]);
        let remote = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let answer6 = answer(&request(&padding(20)), remote).unwrap();
        let masked = [
            0, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
            0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
        ];
        assert_eq!(answer6[20..], masked);
        let mapped = "[::ffff:192.0.2.1]:32853".parse().unwrap();
        assert_eq!(answer(&request(&padding(8)), mapped).unwrap()[20..], answer4[20..]);
    }

    /// What Valve's client sends: MAPPED-ADDRESS and FINGERPRINT.
    #[test]
    fn valves_request_leaves_room_for_a_fingerprint() {
        let mut attributes = vec![0, 1, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0];
        attributes.extend_from_slice(&[0x80, 0x28, 0, 4, 1, 2, 3, 4]);
        let request = request(&attributes);
        let answer = answer(&request, v4()).unwrap();
        assert_eq!(answer.len(), request.len());
        assert_eq!(answer[..4], [1, 1, 0, 20]);
        let fingerprint = crc32(&answer[..32]) ^ FINGERPRINT_XOR;
        assert_eq!(answer[32..], [&[0x80, 0x28, 0, 4][..], &fingerprint.to_be_bytes()].concat());
    }

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_answer_is_never_longer_than_the_question() {
        assert_eq!(answer(&request(&[]), v4()), None);
        assert_eq!(answer(&request(&padding(4)), v4()), None);
        for length in (0..=64).step_by(4) {
            for remote in [v4(), "[2001:db8::1]:1".parse().unwrap()] {
                let request = request(&padding(length));
                if let Some(answer) = answer(&request, remote) {
                    assert!(answer.len() <= request.len());
                }
            }
        }
    }

    #[test]
    fn what_is_no_request_gets_no_answer() {
        let good = request(&padding(8));
        assert!(answer(&good, v4()).is_some());
        for (index, value) in [(0, 1), (1, 0x11), (3, 0), (3, 13), (4, 0), (20, 0x7f)] {
            let mut bad = good.clone();
            bad[index] = value;
            assert_eq!(answer(&bad, v4()), None, "byte {index}");
        }
        for length in 0..good.len() {
            assert_eq!(answer(&good[..length], v4()), None);
        }
        assert_eq!(answer(&[0; 600], v4()), None);
    }
}

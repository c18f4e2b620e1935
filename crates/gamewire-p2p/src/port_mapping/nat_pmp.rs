//! NAT-PMP: its two requests and their answers (RFC 6886 §3).

use std::{net::Ipv4Addr, time::Duration};

/// Asks for the outer address.
pub(super) const ADDRESS_REQUEST: [u8; 2] = [0, 0];

const MAP_UDP: u8 = 1;
const RESPONSE: u8 = 128;

/// What the router said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Address(Ipv4Addr),
    Mapped {
        port: u16,
        lifetime: Duration,
    },
    /// It refuses, with this code.
    Refused(u16),
}

/// Asks for a mapping, or with no lifetime and no wanted port gives it back.
pub(super) fn request(local: u16, wanted: u16, seconds: u32) -> Vec<u8> {
    let mut bytes = vec![0, MAP_UDP, 0, 0];
    bytes.extend_from_slice(&local.to_be_bytes());
    bytes.extend_from_slice(&wanted.to_be_bytes());
    bytes.extend_from_slice(&seconds.to_be_bytes());
    bytes
}

/// Reads an answer about our port; `None`: it is none.
pub(super) fn answer(bytes: &[u8], local: u16) -> Option<Answer> {
    let &[version, opcode, high, low, ..] = bytes else {
        return None;
    };
    if version != 0 || opcode & RESPONSE == 0 {
        return None;
    }
    let code = u16::from_be_bytes([high, low]);
    if code != 0 {
        return Some(Answer::Refused(code));
    }
    let number = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    if opcode == RESPONSE {
        let ip: [u8; 4] = bytes.get(8..12)?.try_into().ok()?;
        let ip = Ipv4Addr::from(ip);
        return (!ip.is_unspecified()).then_some(Answer::Address(ip));
    }
    if opcode != RESPONSE | MAP_UDP || number(8)? != local {
        return None;
    }
    let lifetime = u32::from_be_bytes(bytes.get(12..16)?.try_into().ok()?);
    let port = number(10)?;
    (port != 0).then_some(Answer::Mapped { port, lifetime: Duration::from_secs(lifetime.into()) })
}

//! PCP: the MAP request and its answer (RFC 6887 §7 and §11).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

const VERSION: u8 = 2;
const MAP: u8 = 1;
const RESPONSE: u8 = 0x80;
const UDP: u8 = 17;
const LEN: usize = 60;
const UNSUPPORTED_VERSION: u8 = 1;

/// What the router said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Mapped {
        external: SocketAddr,
        lifetime: Duration,
    },
    /// It does not speak PCP, or another version.
    OtherVersion,
    /// It refuses, with this code.
    Refused(u8),
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// Asks for a mapping, or with no lifetime gives it back.
pub(super) fn request(
    nonce: [u8; 12],
    local: SocketAddr,
    wanted: Option<SocketAddr>,
    seconds: u32,
) -> Vec<u8> {
    let any: IpAddr =
        if local.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let wanted = wanted.unwrap_or(SocketAddr::new(any, local.port()));
    let mut bytes = Vec::with_capacity(LEN);
    bytes.extend_from_slice(&[VERSION, MAP, 0, 0]);
    bytes.extend_from_slice(&seconds.to_be_bytes());
    bytes.extend_from_slice(&octets(local.ip()));
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&[UDP, 0, 0, 0]);
    bytes.extend_from_slice(&local.port().to_be_bytes());
    bytes.extend_from_slice(&wanted.port().to_be_bytes());
    bytes.extend_from_slice(&octets(wanted.ip()));
    bytes
}

/// Reads an answer to our request; `None`: it is none.
pub(super) fn answer(bytes: &[u8], nonce: [u8; 12], local: SocketAddr) -> Option<Answer> {
    let header = bytes.first_chunk::<8>()?;
    if header[0] != VERSION {
        // NAT-PMP answers in its own version, with sixteen bits of result (RFC 6887 §9).
        let refused = header[1] & RESPONSE != 0 && header[3] == UNSUPPORTED_VERSION;
        return refused.then_some(Answer::OtherVersion);
    }
    if header[1] != RESPONSE | MAP {
        return None;
    }
    let ours = bytes.get(24..36)? == nonce
        && bytes.get(36)? == &UDP
        && bytes.get(40..42)? == local.port().to_be_bytes();
    match header[3] {
        0 if ours => {}
        UNSUPPORTED_VERSION => return Some(Answer::OtherVersion),
        code if ours && code != 0 => return Some(Answer::Refused(code)),
        _ => return None,
    }
    let port = u16::from_be_bytes(bytes.get(42..44)?.try_into().ok()?);
    let ip: [u8; 16] = bytes.get(44..60)?.try_into().ok()?;
    let ip = IpAddr::from(ip).to_canonical();
    let lifetime = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let lifetime = Duration::from_secs(lifetime.into());
    let external = SocketAddr::new(ip, port);
    (port != 0 && !ip.is_unspecified()).then_some(Answer::Mapped { external, lifetime })
}

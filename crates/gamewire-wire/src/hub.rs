//! What client and hub must agree on besides the messages: limits, and the bytes that are signed.
//!
//! Everything signed begins with a context string of its own, so that a signature made for one
//! purpose is worth nothing for another (docs/wire/hub.md).

/// The protocol's version; both sides name theirs.
pub const PROTOCOL_VERSION: u32 = 1;
/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "gamewire-hub-1";
/// Where a hub's WebSocket is, below its URL.
pub const WEBSOCKET_PATH: &str = "/v1/hub";
/// Where certificates are to be had over HTTP.
pub const CERTIFICATE_PATH: &str = "/v1/certificate";

/// Longest signal, in bytes. The largest that Valve's library or ours makes (a certificate, crypt
/// info and early application messages) is well below.
pub const MAX_SIGNAL_BYTES: usize = 8 * 1024;
/// Longest message of the protocol, in bytes: a signal with its envelope, or a certificate with a
/// ticket.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Longest ticket, in bytes.
pub const MAX_TICKET_BYTES: usize = 2 * 1024;
/// Length of a challenge's nonce, in bytes.
pub const NONCE_BYTES: usize = 32;
/// Longest name of a hub, in bytes: that of a host.
pub const MAX_HUB_NAME_BYTES: usize = 253;
/// Longest text of an identity that is looked at, in bytes.
pub const MAX_IDENTITY_BYTES: usize = 256;
/// By how much the clocks of a client that asks over HTTP and of the hub may differ, in seconds.
pub const MAX_CALL_AGE_S: u64 = 300;

const LOGIN: &[u8] = b"gamewire hub login v1";
const CERTIFICATE: &[u8] = b"gamewire hub certificate v1";
const TICKET: &[u8] = b"gamewire hub ticket v1";

/// What a client signs to log in with its certificate. The name is the host that it dialed, so a
/// hub cannot use the answer to log in elsewhere.
pub fn login_context(nonce: &[u8], hub_name: &str, app_id: u32) -> Vec<u8> {
    concat(&[LOGIN, nonce, hub_name.as_bytes(), &app_id.to_le_bytes()])
}

/// What a client signs to renew its certificate over HTTP at `time_unix`.
pub fn certificate_context(request: &[u8], time_unix: u64, hub_name: &str, app_id: u32) -> Vec<u8> {
    let (time, app_id) = (time_unix.to_le_bytes(), app_id.to_le_bytes());
    concat(&[CERTIFICATE, request, &time, hub_name.as_bytes(), &app_id])
}

/// What a backend signs in a ticket.
pub fn ticket_context(ticket: &[u8]) -> Vec<u8> {
    concat(&[TICKET, ticket])
}

/// The pieces, each after its length (32 bits, little-endian), so that none can pass for another.
fn concat(pieces: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pieces.iter().map(|piece| piece.len() + 4).sum());
    for piece in pieces {
        // Every piece comes out of a message of bounded length.
        bytes.extend_from_slice(&u32::try_from(piece.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(piece);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_bytes_are_fixed() {
        let bytes = login_context(&[7; 2], "hub", 480);
        let mut expected = vec![21, 0, 0, 0];
        expected.extend_from_slice(b"gamewire hub login v1");
        expected.extend_from_slice(&[2, 0, 0, 0, 7, 7, 3, 0, 0, 0]);
        expected.extend_from_slice(b"hub");
        expected.extend_from_slice(&[4, 0, 0, 0, 0xe0, 1, 0, 0]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn no_two_purposes_or_splits_meet() {
        assert_ne!(login_context(b"ab", "c", 1), login_context(b"a", "bc", 1));
        let texts = [
            login_context(b"x", "hub", 1),
            certificate_context(b"x", 0, "hub", 1),
            ticket_context(b"x"),
        ];
        assert!(texts.iter().all(|a| texts.iter().filter(|b| *b == a).count() == 1));
    }
}

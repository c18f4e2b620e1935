//! The two messages that peers exchange: a check and its response, byte for byte as Valve's (wire.md §9).

use std::net::SocketAddr;

use crate::stun::{Builder, Class, TransactionId, attribute, method};

use super::{Credentials, Role};

/// Longest user name that is looked at, in bytes (RFC 8489 §14.3).
pub const MAX_USERNAME_LEN: usize = 512;

/// What a check says beside the names.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckRequest {
    pub(super) id: TransactionId,
    /// The one that a candidate learnt from this check would have.
    pub(super) priority: u32,
    pub(super) role: Role,
    pub(super) tie_breaker: u64,
    pub(super) nominates: bool,
}

impl CheckRequest {
    pub(super) fn write(&self, names: &Credentials, remote_password: &str) -> Vec<u8> {
        let username = format!("{}:{}", names.remote_ufrag, names.local_ufrag);
        let role = match self.role {
            Role::Controlling => attribute::ICE_CONTROLLING,
            Role::Controlled => attribute::ICE_CONTROLLED,
        };
        let mut builder = Builder::new(Class::Request, method::BINDING, self.id)
            .attribute(attribute::USERNAME, username.as_bytes())
            .attribute(attribute::PRIORITY, &self.priority.to_be_bytes())
            .attribute(role, &self.tie_breaker.to_be_bytes());
        if self.nominates {
            builder = builder.attribute(attribute::USE_CANDIDATE, &[]);
        }
        builder.integrity(remote_password.as_bytes()).fingerprint()
    }
}

/// The response to a check that came from `from`.
pub(super) fn response(
    id: TransactionId,
    from: SocketAddr,
    username: &[u8],
    local_password: &str,
) -> Vec<u8> {
    Builder::new(Class::Success, method::BINDING, id)
        .xor_address(attribute::XOR_MAPPED_ADDRESS, from)
        .attribute(attribute::USERNAME, username)
        .integrity(local_password.as_bytes())
        .fingerprint()
}

/// The name in a response to a request with this name: both fragments, and no more. Before the peer's
/// is known it is what the peer said.
pub(super) fn response_name(username: &[u8], names: &Credentials) -> Vec<u8> {
    if names.remote_ufrag.is_empty() {
        return username.to_vec();
    }
    format!("{}:{}", names.local_ufrag, names.remote_ufrag).into_bytes()
}

/// Whether the user name of a request is for this session. Only its beginning counts: Valve's peers
/// accept longer ones too (wire.md §9).
pub(super) fn is_for(username: &[u8], names: &Credentials) -> bool {
    let rest = username
        .strip_prefix(names.local_ufrag.as_bytes())
        .and_then(|rest| rest.strip_prefix(b":"))
        .and_then(|rest| rest.strip_prefix(names.remote_ufrag.as_bytes()));
    username.len() <= MAX_USERNAME_LEN && rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{recorded, stun::Message};

    fn names(message: &Message<'_>, password: &str) -> (Credentials, Credentials) {
        let (receiver, sender) =
            message.text(attribute::USERNAME).unwrap().split_once(':').unwrap();
        let of = |local: &str, remote: &str, password: &str| Credentials {
            local_ufrag: local.to_owned(),
            local_password: password.to_owned(),
            remote_ufrag: remote.to_owned(),
        };
        (of(receiver, sender, password), of(sender, receiver, "other"))
    }

    #[test]
    fn checks_and_responses_are_written_as_valves_peers_do() {
        let (mut requests, mut responses) = (0, 0);
        for record in recorded::all() {
            for datagram in record.stun() {
                let message = Message::parse(&datagram.bytes).unwrap();
                let password = record.password_for(&message);
                let (receiver, sender) = names(&message, password);
                let id = message.transaction_id();
                if message.class() == Class::Success {
                    let name = response_name(b"", &receiver);
                    assert_eq!(response(id, datagram.to, &name, password), datagram.bytes);
                    responses += 1;
                    continue;
                }
                assert!(is_for(message.attribute(attribute::USERNAME).unwrap(), &receiver));
                let controlling = message.u64(attribute::ICE_CONTROLLING);
                let controlled = message.u64(attribute::ICE_CONTROLLED);
                let request = CheckRequest {
                    id,
                    priority: crate::ice::CandidateKind::PeerReflexive.priority(u16::MAX),
                    role: controlling.map_or(Role::Controlled, |_| Role::Controlling),
                    tie_breaker: controlling.or(controlled).unwrap(),
                    nominates: message.attribute(attribute::USE_CANDIDATE).is_some(),
                };
                assert_eq!(request.write(&sender, password), datagram.bytes);
                requests += 1;
            }
        }
        assert_eq!((requests, responses), (11, 6));
    }

    #[test]
    fn user_names_are_compared_by_their_beginning() {
        let names = Credentials {
            local_ufrag: "abcde".to_owned(),
            local_password: String::new(),
            remote_ufrag: "fghij".to_owned(),
        };
        for (name, good) in [
            ("abcde:fghij", true),
            ("abcde:fghijklm", true),
            ("abcde:fghi", false),
            ("abcdefghij", false),
            ("abcde:", false),
            ("fghij:abcde", false),
            ("", false),
        ] {
            assert_eq!(is_for(name.as_bytes(), &names), good, "{name}");
        }
        let long = |len: usize| format!("abcde:fghij{}", "x".repeat(len - 11));
        assert!(is_for(long(512).as_bytes(), &names));
        assert!(!is_for(long(513).as_bytes(), &names));
    }
}

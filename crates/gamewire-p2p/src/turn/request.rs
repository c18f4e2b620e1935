//! One request to the server, until it is answered.

use std::{net::IpAddr, net::SocketAddr, time::Duration};

use gamewire_crypto::stun::long_term_key;
use gamewire_proto::Time;

use crate::stun::{Builder, Class, Message, Retransmission, TransactionId, attribute, method};

/// How often a request is sent anew because its credentials were missing or stale.
pub(super) const MAX_CHALLENGES: u8 = 3;

/// How long a stream may take to bring an answer.
pub(super) const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    /// An address.
    Allocate,
    /// To keep it for so many seconds; none: to give it back.
    Refresh(u32),
    /// That datagrams of this address are let through.
    Permission(IpAddr),
    /// A number for this peer.
    Channel(u16, SocketAddr),
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) ask: Ask,
    pub(super) id: TransactionId,
    pub(super) challenges: u8,
    timer: Timer,
}

#[derive(Clone, Copy, Debug)]
enum Timer {
    /// Datagrams get lost.
    Datagrams(Retransmission),
    /// Bytes of a stream do not.
    Stream(Time),
}

impl Request {
    pub(super) fn new(now: Time, ask: Ask, id: TransactionId, stream: bool) -> Self {
        let timer = if stream {
            Timer::Stream(now + STREAM_TIMEOUT)
        } else {
            Timer::Datagrams(Retransmission::start(now))
        };
        Self { ask, id, challenges: 0, timer }
    }

    pub(super) fn due(&self) -> Time {
        match self.timer {
            Timer::Datagrams(again) => again.due(),
            Timer::Stream(end) => end,
        }
    }

    /// Its time has come: true to send it again, false if nobody answers.
    pub(super) fn on_due(&mut self, now: Time) -> bool {
        match &mut self.timer {
            Timer::Datagrams(again) => again.on_due(now),
            Timer::Stream(_) => false,
        }
    }
}

/// Who asks (RFC 8489 §9.2).
#[derive(Clone, Debug, Default)]
pub(super) struct Login {
    username: String,
    password: String,
    challenge: Option<Challenge>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Challenge {
    realm: String,
    nonce: Vec<u8>,
    key: [u8; 16],
}

/// Longest realm or nonce that is repeated, in bytes (RFC 8489 §14.9 and §14.10).
const MAX_CHALLENGE_LEN: usize = 763;

impl Login {
    pub(super) fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.to_owned(), challenge: None }
    }

    /// Takes the challenge of an error response. False: there is none, or nothing to answer it with.
    pub(super) fn challenge(&mut self, message: &Message<'_>) -> bool {
        let realm = message
            .text(attribute::REALM)
            .map(str::to_owned)
            .or_else(|| self.challenge.as_ref().map(|known| known.realm.clone()));
        let (Some(realm), Some(nonce)) = (realm, message.attribute(attribute::NONCE)) else {
            return false;
        };
        if self.username.is_empty() || realm.len().max(nonce.len()) > MAX_CHALLENGE_LEN {
            return false;
        }
        let key = long_term_key(&self.username, &realm, &self.password);
        self.challenge = Some(Challenge { realm, nonce: nonce.to_vec(), key });
        true
    }

    /// Whether a response is from the server, as far as that can be known.
    pub(super) fn accepts(&self, message: &Message<'_>) -> bool {
        self.challenge.as_ref().is_none_or(|known| message.verify(&known.key))
    }

    pub(super) fn write(&self, ask: Ask, id: TransactionId) -> Vec<u8> {
        let new = |method| Builder::new(Class::Request, method, id);
        let message = match ask {
            // 17 is UDP.
            Ask::Allocate => {
                new(method::ALLOCATE).attribute(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
            }
            Ask::Refresh(seconds) => {
                new(method::REFRESH).attribute(attribute::LIFETIME, &seconds.to_be_bytes())
            }
            Ask::Permission(ip) => new(method::CREATE_PERMISSION)
                .xor_address(attribute::XOR_PEER_ADDRESS, SocketAddr::new(ip, 0)),
            Ask::Channel(number, peer) => {
                let [high, low] = number.to_be_bytes();
                new(method::CHANNEL_BIND)
                    .attribute(attribute::CHANNEL_NUMBER, &[high, low, 0, 0])
                    .xor_address(attribute::XOR_PEER_ADDRESS, peer)
            }
        };
        let Some(Challenge { realm, nonce, key }) = &self.challenge else {
            return message.fingerprint();
        };
        message
            .attribute(attribute::USERNAME, self.username.as_bytes())
            .attribute(attribute::REALM, realm.as_bytes())
            .attribute(attribute::NONCE, nonce)
            .integrity(key)
            .fingerprint()
    }
}

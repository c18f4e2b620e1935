//! Sealed sessions, keys, the key schedule, certificates and chains, challenge cookies.
//!
//! Everything a peer must prove or keep secret is decided here, from bytes that are passed in. The
//! crate reads no clock, opens no socket and keeps no global state; randomness comes through
//! [`Entropy`], the time of day as Unix seconds, the monotonic time as microseconds.
//!
//! The primitives come from one of two backends behind the features `crypto-aws-lc` (default) and
//! `crypto-rustcrypto`; both behave alike, which the tests check byte for byte when both are on.
#![forbid(unsafe_code)]

pub mod backend;
pub mod cert;
mod cipher;
pub mod cookie;
mod entropy;
mod exchange;
mod message_key;
mod schedule;
mod sealing;
mod session;
mod signing;
pub mod stun;
#[cfg(test)]
mod testing;
pub mod text;
pub mod trust;

pub use cert::{Certificate, CertificateRequest};
pub use cipher::{Cipher, offered_ciphers, select_cipher};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use exchange::{KeyError, KeyExchange, SharedSecret};
pub use message_key::{MessageKey, sha256};
pub use schedule::{KeySchedule, Side};
pub use sealing::{OpenError, Opener, Sealer};
pub use session::{CryptInfoError, CryptOffer, MAX_CRYPT_INFO_LEN, OfferParameters, PeerCryptInfo};
pub use signing::{BadSignature, SigningKey, VerifyingKey, WeakKey};
pub use trust::{
    AllowWithoutAuth, CertError, ChainError, Decision, Scope, Trust, TrustStore,
    VerifiedCertificate, VerifyContext, accept,
};

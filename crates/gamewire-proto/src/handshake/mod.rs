//! The handshake over plain UDP (wire.md §2–4): who the peers are and which keys they share.
//!
//! The acceptor's endpoint proves the initiator's address before any state is made; here both
//! sides check certificates, agree on a cipher and derive the session.

mod acceptor;
mod identity;
mod initiator;
mod pair;
mod party;

use self::party::{LocalKeys, PeerKeys};
pub use self::{
    acceptor::{Acceptor, ConnectOkAgain},
    identity::claimed_identity,
    initiator::Initiator,
    pair::{PairSide, pair},
    party::{Agreement, Credentials, LocalParty, Peer, Refusal},
};

#[cfg(test)]
mod tests;

//! The handshake (wire.md §2–4, §8): who the peers are and which keys they share. Datagrams carry
//! it over plain UDP, signals between peers that find each other by identity.
//!
//! The acceptor's endpoint proves the initiator's address before any state is made; here both
//! sides check certificates, agree on a cipher and derive the session.

mod acceptor;
mod identity;
mod initiator;
mod pair;
mod party;
mod rendezvous;

use self::party::{LocalKeys, PeerKeys};
pub use self::{
    acceptor::{Acceptor, ConnectOkAgain},
    identity::claimed_identity,
    initiator::Initiator,
    pair::{PairSide, pair},
    party::{Agreement, Credentials, LocalParty, Peer, Refusal},
    rendezvous::{HandshakeHalf, NO_ADDRESS, RemoteHalf, RendezvousAcceptor, RendezvousInitiator},
};

#[cfg(test)]
mod tests;

//! Tickets: what a game's own backend gives a player to log in with.

use std::{fmt, future::Future, pin::Pin};

use bytes::Bytes;
use gamewire_crypto::{SigningKey, VerifyingKey};
use gamewire_wire::{
    Identity, hub,
    messages::hub::{HubTicket, HubTicketSigned},
};
use prost::Message as _;

/// What a ticket is worth, or why nothing.
pub type TicketFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Identity, TicketError>> + Send + 'a>>;

/// Who says what a ticket is worth. A game with accounts of its own implements it, or signs
/// [`SignedTickets`].
pub trait TicketVerifier: Send + Sync + fmt::Debug {
    /// The identity that the ticket proves for an application at a time in Unix seconds. The ticket
    /// comes from an unknown, is not longer than [`hub::MAX_TICKET_BYTES`], and may be anything.
    fn verify<'a>(&'a self, app_id: u32, ticket: &'a [u8], now_unix: u64) -> TicketFuture<'a>;
}

/// Why a ticket proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TicketError {
    /// Not a ticket.
    #[error("the ticket cannot be read")]
    Malformed,
    /// Signed by nobody known, or not by them.
    #[error("the ticket's signature is not of a known key")]
    BadSignature,
    /// For another application.
    #[error("the ticket is for another application")]
    WrongApp,
    /// Out of date.
    #[error("the ticket has expired")]
    Expired,
    /// Whoever knows could not be asked.
    #[error("tickets cannot be verified now")]
    NotAvailable,
}

/// Tickets signed with Ed25519: `HubTicketSigned` of `hub.proto`.
#[derive(Clone, Debug, Default)]
pub struct SignedTickets {
    keys: Vec<VerifyingKey>,
}

impl SignedTickets {
    /// Believes tickets that one of `keys` signed.
    pub const fn new(keys: Vec<VerifyingKey>) -> Self {
        Self { keys }
    }

    /// A ticket for `identity`, as a backend makes it: a serialized `HubTicketSigned`.
    pub fn issue(key: &SigningKey, identity: &Identity, app_id: u32, expiry_unix: u64) -> Vec<u8> {
        let ticket = HubTicket {
            identity: Some(identity.to_string()),
            app_id: Some(app_id),
            time_expiry: Some(expiry_unix),
        }
        .encode_to_vec();
        let signature = key.sign(&hub::ticket_context(&ticket));
        HubTicketSigned {
            ticket: Some(ticket.into()),
            key_id: Some(key.public_key().key_id()),
            signature: Some(Bytes::copy_from_slice(&signature)),
        }
        .encode_to_vec()
    }

    fn check(&self, app_id: u32, ticket: &[u8], now_unix: u64) -> Result<Identity, TicketError> {
        let signed = HubTicketSigned::decode(ticket).map_err(|_| TicketError::Malformed)?;
        let bytes = signed.ticket.unwrap_or_default();
        let key_id = signed.key_id.unwrap_or_default();
        let key = self.keys.iter().find(|key| key.key_id() == key_id);
        let key = key.ok_or(TicketError::BadSignature)?;
        key.verify(&hub::ticket_context(&bytes), &signed.signature.unwrap_or_default())
            .map_err(|_| TicketError::BadSignature)?;
        let ticket = HubTicket::decode(bytes).map_err(|_| TicketError::Malformed)?;
        if ticket.app_id() != app_id {
            return Err(TicketError::WrongApp);
        }
        if ticket.time_expiry() <= now_unix {
            return Err(TicketError::Expired);
        }
        ticket.identity().parse().map_err(|_| TicketError::Malformed)
    }
}

impl TicketVerifier for SignedTickets {
    fn verify<'a>(&'a self, app_id: u32, ticket: &'a [u8], now_unix: u64) -> TicketFuture<'a> {
        Box::pin(std::future::ready(self.check(app_id, ticket, now_unix)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    #[test]
    fn tickets_say_who_for_which_application_and_until_when() {
        let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let tickets = SignedTickets::new(vec![key.public_key()]);
        let alice: Identity = "str:alice".parse().unwrap();
        let good = SignedTickets::issue(&key, &alice, 480, NOW + 1);
        assert_eq!(tickets.check(480, &good, NOW), Ok(alice.clone()));
        assert_eq!(tickets.check(481, &good, NOW), Err(TicketError::WrongApp));
        assert_eq!(tickets.check(480, &good, NOW + 1), Err(TicketError::Expired));
        let foreign = SignedTickets::issue(&other, &alice, 480, NOW + 1);
        assert_eq!(tickets.check(480, &foreign, NOW), Err(TicketError::BadSignature));
        let mut forged = HubTicketSigned::decode(foreign.as_slice()).unwrap();
        forged.key_id = Some(key.public_key().key_id());
        let forged = forged.encode_to_vec();
        assert_eq!(tickets.check(480, &forged, NOW), Err(TicketError::BadSignature));
        assert_eq!(tickets.check(480, b"\xff", NOW), Err(TicketError::Malformed));
        assert_eq!(tickets.check(480, b"", NOW), Err(TicketError::BadSignature));
        for index in 0..good.len() {
            let mut damaged = good.clone();
            damaged[index] ^= 1;
            assert!(tickets.check(480, &damaged, NOW).is_err(), "byte {index}");
        }
    }
}

//! The handshake without datagrams: the same key exchange, carried by signals (wire.md §8).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gamewire_crypto::Entropy;
use gamewire_wire::{
    identity::Identity,
    messages::{CertificateSigned, SessionCryptInfoSigned},
};

use super::{
    Agreement, LocalKeys, LocalParty, Peer, PeerKeys, Refusal, acceptor::Asked, initiator::Asking,
    party::Presented,
};
use crate::{config::ConnectionConfig, end::EndReason};

/// Stands for the address of a peer that is known by identity alone.
pub const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// One side's half of the key exchange, as it stands in a connect request or its answer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HandshakeHalf {
    /// The ephemeral key and what else is agreed on, signed.
    pub crypt: Option<SessionCryptInfoSigned>,
    /// Who signed it.
    pub certificate: Option<CertificateSigned>,
}

/// The peer's half of the key exchange with what the signal says about its sender.
#[derive(Clone, Debug)]
pub struct RemoteHalf {
    /// The peer's connection id.
    pub connection_id: u32,
    /// The identity that the signal came from. The certificate has to carry the same.
    pub identity: Identity,
    /// Its half of the exchange, unchecked.
    pub half: HandshakeHalf,
}

impl RemoteHalf {
    fn presented(&self) -> Presented<'_> {
        Presented {
            certificate: self.half.certificate.as_ref(),
            crypt: self.half.crypt.as_ref(),
            claimed_identity: Some(self.identity.clone()),
            remote: NO_ADDRESS,
            earlier_version: None,
        }
    }

    fn check_identity(&self) -> Result<(), Refusal> {
        if self.connection_id & 0xffff == 0 {
            return Err(Refusal::new(EndReason::REMOTE_BAD_CRYPT, "No connection id"));
        }
        let text = "A peer that is found by identity must have one";
        (!self.identity.is_nobody())
            .then_some(())
            .ok_or_else(|| Refusal::new(EndReason::REMOTE_BAD_CERT, text))
    }
}

/// The side that asks.
#[derive(Debug)]
pub struct RendezvousInitiator(Asking);

impl RendezvousInitiator {
    pub(crate) fn new(
        local_id: u32,
        party: LocalParty,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Self {
        Self(Asking::new(local_id, party, config, entropy))
    }

    /// Our half, for the connect request.
    pub(crate) fn half(&self) -> HandshakeHalf {
        HandshakeHalf {
            crypt: Some(self.0.offer.to_message()),
            certificate: Some(self.0.keys.certificate.clone()),
        }
    }

    /// The acceptor took us.
    pub(crate) fn on_answer(&mut self, remote: &RemoteHalf) -> Result<Agreement, Refusal> {
        remote.check_identity()?;
        self.0.party.expected_identity = Some(remote.identity.clone());
        self.0.agree(remote.connection_id, remote.presented())
    }

    /// Who we are, for a connection that turns out to be the acceptor.
    pub(crate) fn party(&self) -> LocalParty {
        self.0.party.clone()
    }
}

/// The side that is asked.
#[derive(Debug)]
pub struct RendezvousAcceptor(Asked);

impl RendezvousAcceptor {
    /// Checks who asks.
    ///
    /// # Errors
    /// A certificate, key exchange or version that is not acceptable.
    pub(crate) fn new(
        local_id: u32,
        remote: &RemoteHalf,
        mut party: LocalParty,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, Peer), Refusal> {
        remote.check_identity()?;
        party.expected_identity = Some(remote.identity.clone());
        let peer = PeerKeys::check(remote.presented(), &party, config)?;
        let keys = LocalKeys::new(&party, entropy);
        let asked = Asked { local_id, remote_id: remote.connection_id, party, keys, peer };
        let public = asked.public_peer();
        Ok((Self(asked), public))
    }

    pub(crate) fn remote_id(&self) -> u32 {
        self.0.remote_id
    }

    /// The application accepts: derives the keys and gives our half for the answer.
    pub(crate) fn accept(
        &self,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Result<(Agreement, HandshakeHalf), Refusal> {
        let (agreement, offer) = self.0.agree(config, entropy)?;
        let half = HandshakeHalf {
            crypt: Some(offer.to_message()),
            certificate: Some(self.0.keys.certificate.clone()),
        };
        Ok((agreement, half))
    }
}

//! Both sides of a handshake in one process, without a packet.

use std::net::SocketAddr;

use gamewire_crypto::Entropy;
use gamewire_wire::{
    limits::PROTOCOL_VERSION,
    messages::ChallengeReply,
    udp::{self, Datagram},
};

use super::{Acceptor, Agreement, Initiator, LocalParty, Refusal};
use crate::{Time, config::ConnectionConfig, end::EndReason, endpoint::Incoming};

/// One side of a pair.
#[derive(Debug)]
pub struct PairSide {
    /// Its connection id.
    pub local_id: u32,
    /// Its address, as the other side sees it.
    pub address: SocketAddr,
    /// Who it is.
    pub party: LocalParty,
    /// Its configuration.
    pub config: ConnectionConfig,
}

/// Runs the whole handshake between two sides; the first one is the acceptor (wire.md §7).
///
/// # Errors
/// The sides' configurations have no cipher in common, or their certificates are not acceptable.
pub fn pair(
    now: Time,
    [acceptor, initiator]: [PairSide; 2],
    entropy: &mut dyn Entropy,
) -> Result<[Agreement; 2], Refusal> {
    let mut asking = Initiator::new(
        now,
        initiator.local_id,
        acceptor.address,
        initiator.party,
        &initiator.config,
        entropy,
    );
    let challenge = ChallengeReply {
        connection_id: Some(initiator.local_id),
        challenge: Some(0),
        your_timestamp: Some(now.as_micros()),
        protocol_version: Some(PROTOCOL_VERSION),
    };
    let garbled = || Refusal::new(EndReason::MISC_INTERNAL_ERROR, "The handshake is garbled");
    let request = asking.on_challenge_reply(now, &challenge)?;
    let Ok(Datagram::ConnectRequest(request)) = udp::parse(&request) else {
        return Err(garbled());
    };
    let incoming = Incoming { remote: initiator.address, received: now, request };
    let (asked, _) = Acceptor::new(
        now,
        acceptor.local_id,
        &incoming,
        acceptor.party,
        &acceptor.config,
        entropy,
    )?;
    let (acceptors, ok) = asked.accept(now, &acceptor.config, entropy)?;
    let Ok(Datagram::ConnectOk(ok)) = udp::parse(&ok) else {
        return Err(garbled());
    };
    let initiators = asking.on_connect_ok(now, &ok)?.ok_or_else(garbled)?;
    Ok([acceptors, initiators])
}

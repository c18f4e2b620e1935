//! The side that is asked.

use gamewire_crypto::{CryptOffer, Entropy, Side, select_cipher};
use gamewire_wire::{
    identity::Identity,
    messages::{ConnectOk, ConnectRequest},
    udp,
};

use super::{
    Agreement, LocalKeys, LocalParty, Peer, PeerKeys, Refusal, identity,
    party::{ConnectionIds, FIRST_PACKET_NUMBER, Presented, derive, own_ciphers},
};
use crate::{Time, config::ConnectionConfig, end::EndReason, endpoint::Incoming};

/// A timestamp is echoed only if the answer leaves within this time.
const MAX_ECHO_DELAY_US: u64 = 4_000_000;

/// A ping estimate above this is not believed, milliseconds.
const MAX_PING_ESTIMATE_MS: u32 = 1500;

/// The acceptor's half of the handshake: it knows who asks and waits for the application.
#[derive(Debug)]
pub struct Acceptor {
    asked: Asked,
    echo: Echo,
    ping_us: Option<u64>,
}

/// Who asks, checked, and who is asked; the same whether a datagram or a signal brought it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) local_id: u32,
    pub(super) remote_id: u32,
    pub(super) party: LocalParty,
    pub(super) keys: LocalKeys,
    pub(super) peer: PeerKeys,
}

impl Asked {
    /// What the application may know of the peer before it accepts.
    pub(super) fn public_peer(&self) -> Peer {
        self.peer.to_peer(gamewire_crypto::Cipher::Aes256Gcm, self.party.features)
    }

    /// Chooses the cipher and derives the keys.
    pub(super) fn agree(
        &self,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Result<(Agreement, CryptOffer), Refusal> {
        let cipher =
            select_cipher(own_ciphers(config), &self.peer.crypt.ciphers).ok_or_else(|| {
                Refusal::new(EndReason::REMOTE_BAD_CRYPT, "No cipher that both sides allow")
            })?;
        // A peer that names no extensions sees none: Valve's library gets what it knows.
        let features = self.peer.common_features(self.party.features);
        let offer = self.keys.offer(entropy, &[cipher], features, config);
        let ids = ConnectionIds { initiator: self.remote_id, acceptor: self.local_id };
        let (sealer, opener) =
            derive(Side::Acceptor, ids, (&self.keys, &offer), &self.peer, cipher)?;
        let agreement = Agreement {
            remote_id: self.remote_id,
            sealer,
            opener,
            peer: self.peer.to_peer(cipher, self.party.features),
            ping_us: None,
            first_packet_number: FIRST_PACKET_NUMBER,
            connect_ok: None,
        };
        Ok((agreement, offer))
    }
}

/// The initiator's newest timestamp and when it came.
#[derive(Debug, Clone, Copy)]
struct Echo {
    timestamp: Option<u64>,
    received: Time,
}

/// The acceptor's answer, kept for an initiator that asks again.
#[derive(Debug, Clone)]
pub struct ConnectOkAgain(ConnectOk);

impl ConnectOkAgain {
    /// The answer with the timestamp of the newest request, if it is no longer than `limit` bytes.
    pub(crate) fn encode(&self, timestamp: Option<u64>, limit: usize) -> Option<Vec<u8>> {
        let message =
            ConnectOk { your_timestamp: timestamp, delay_time_usec: Some(0), ..self.0.clone() };
        let mut out = Vec::new();
        udp::encode_connect_ok(&message, &mut out);
        (out.len() <= limit).then_some(out)
    }
}

impl Acceptor {
    /// Checks who asks.
    ///
    /// # Errors
    /// A certificate, key exchange or version that is not acceptable.
    pub(crate) fn new(
        now: Time,
        local_id: u32,
        incoming: &Incoming,
        party: LocalParty,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, Peer), Refusal> {
        let request = &incoming.request;
        let presented = Presented {
            certificate: request.cert.as_ref(),
            crypt: request.crypt.as_ref(),
            claimed_identity: identity::from_message(
                request.identity_string.as_deref(),
                request.legacy_identity_binary.as_ref(),
                request.legacy_client_steam_id,
            ),
            remote: incoming.remote,
            earlier_version: None,
        };
        let peer = PeerKeys::check(presented, &party, config)?;
        let asked = Asked {
            local_id,
            remote_id: request.client_connection_id(),
            keys: LocalKeys::new(&party, entropy),
            party,
            peer,
        };
        let public = asked.public_peer();
        let echo = Echo { timestamp: request.my_timestamp, received: now };
        Ok((Self { asked, echo, ping_us: ping_estimate(request) }, public))
    }

    /// The initiator asked again while the application thinks.
    pub(crate) fn on_repeated(&mut self, now: Time, timestamp: Option<u64>) {
        if timestamp.is_some() {
            self.echo = Echo { timestamp, received: now };
        }
    }

    /// The application accepts: chooses the cipher, derives the keys, answers.
    ///
    /// # Errors
    /// No common cipher, or a useless key.
    pub(crate) fn accept(
        &self,
        now: Time,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Result<(Agreement, Vec<u8>), Refusal> {
        let (agreement, offer) = self.asked.agree(config, entropy)?;
        let delay_us = now.micros_since(self.echo.received);
        let echo = self.echo.timestamp.filter(|_| delay_us <= MAX_ECHO_DELAY_US);
        let Asked { local_id, remote_id, party, keys, .. } = &self.asked;
        let identity = &party.identity;
        let ok = ConnectOk {
            client_connection_id: Some(*remote_id),
            server_connection_id: Some(*local_id),
            your_timestamp: echo,
            delay_time_usec: echo.and(u32::try_from(delay_us).ok()),
            crypt: Some(offer.to_message()),
            cert: Some(keys.certificate.clone()),
            identity_string: (!keys.names_identity).then(|| identity.to_string()),
            legacy_server_steam_id: match identity {
                Identity::SteamId(id) => Some(*id),
                _ => None,
            },
            ..ConnectOk::default()
        };
        let mut datagram = Vec::new();
        udp::encode_connect_ok(&ok, &mut datagram);
        let (ping_us, connect_ok) = (self.ping_us, Some(ConnectOkAgain(ok)));
        Ok((Agreement { ping_us, connect_ok, ..agreement }, datagram))
    }
}

fn ping_estimate(request: &ConnectRequest) -> Option<u64> {
    let ms = request.ping_est_ms.filter(|&ms| ms <= MAX_PING_ESTIMATE_MS)?;
    Some(u64::from(ms) * 1000)
}

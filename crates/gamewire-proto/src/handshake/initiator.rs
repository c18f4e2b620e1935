//! The side that opens the connection.

use std::net::SocketAddr;

use gamewire_crypto::{Cipher, CryptOffer, Entropy, Side};
use gamewire_wire::{
    identity::Identity,
    limits::{MIN_PROTOCOL_VERSION, PROTOCOL_VERSION},
    messages::{ChallengeReply, ChallengeRequest, ConnectOk, ConnectRequest},
    udp,
};

use super::{
    Agreement, LocalKeys, LocalParty, PeerKeys, Refusal, identity,
    party::{ConnectionIds, FIRST_PACKET_NUMBER, Presented, derive, own_ciphers},
};
use crate::{Time, config::ConnectionConfig, end::EndReason};

/// A challenge request goes out this often until the acceptor took us (wire.md §2).
const RETRY_INTERVAL_US: u64 = 500_000;

/// An echoed timestamp older than this is no ping sample.
const MAX_ECHO_AGE_US: u64 = 4_000_000;

/// A ping estimate above this is not worth telling, milliseconds.
const MAX_PING_ESTIMATE_MS: u64 = 1500;

/// The initiator's half of the handshake: asks, is challenged, asks properly, is taken.
#[derive(Debug)]
pub struct Initiator {
    remote: SocketAddr,
    asking: Asking,
    next_request: Time,
    ping_us: Option<u64>,
    challenge_version: Option<u32>,
}

/// Who asks, with its half of the key exchange; the same whether datagrams or signals carry it.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) local_id: u32,
    pub(super) party: LocalParty,
    pub(super) config: ConnectionConfig,
    pub(super) keys: LocalKeys,
    ciphers: &'static [Cipher],
    pub(super) offer: CryptOffer,
}

impl Asking {
    pub(super) fn new(
        local_id: u32,
        party: LocalParty,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let keys = LocalKeys::new(&party, entropy);
        let ciphers = own_ciphers(config);
        let offer = keys.offer(entropy, ciphers, party.features, config);
        Self { local_id, party, config: config.clone(), keys, ciphers, offer }
    }

    /// Derives the keys from the acceptor's half.
    pub(super) fn agree(
        &self,
        remote_id: u32,
        presented: Presented<'_>,
    ) -> Result<Agreement, Refusal> {
        let peer = PeerKeys::check(presented, &self.party, &self.config)?;
        let cipher = peer.crypt.sole_cipher()?;
        if !self.ciphers.contains(&cipher) {
            return Err(Refusal::new(
                EndReason::REMOTE_BAD_CRYPT,
                "The peer chose a cipher that we did not offer",
            ));
        }
        let ids = ConnectionIds { initiator: self.local_id, acceptor: remote_id };
        let own = (&self.keys, &self.offer);
        let (sealer, opener) = derive(Side::Initiator, ids, own, &peer, cipher)?;
        Ok(Agreement {
            remote_id,
            sealer,
            opener,
            peer: peer.to_peer(cipher, self.party.features),
            ping_us: None,
            first_packet_number: FIRST_PACKET_NUMBER,
            connect_ok: None,
        })
    }
}

impl Initiator {
    /// Ready to ask at once.
    pub(crate) fn new(
        now: Time,
        local_id: u32,
        remote: SocketAddr,
        party: LocalParty,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Self {
        Self {
            remote,
            asking: Asking::new(local_id, party, config, entropy),
            next_request: now,
            ping_us: None,
            challenge_version: None,
        }
    }

    /// When to call [`Initiator::on_timeout`].
    pub(crate) fn deadline(&self) -> Time {
        self.next_request
    }

    /// The challenge request, if it is time for one.
    pub(crate) fn on_timeout(&mut self, now: Time) -> Option<Vec<u8>> {
        if now < self.next_request {
            return None;
        }
        self.next_request = now.plus_micros(RETRY_INTERVAL_US);
        let message = ChallengeRequest {
            connection_id: Some(self.asking.local_id),
            my_timestamp: Some(now.as_micros()),
            protocol_version: Some(PROTOCOL_VERSION),
        };
        let mut out = Vec::new();
        udp::encode_challenge_request(&message, &mut out);
        Some(out)
    }

    /// The acceptor's challenge, answered by the connect request.
    pub(crate) fn on_challenge_reply(
        &mut self,
        now: Time,
        reply: &ChallengeReply,
    ) -> Result<Vec<u8>, Refusal> {
        let version = reply.protocol_version();
        if version < MIN_PROTOCOL_VERSION {
            return Err(Refusal::new(
                EndReason::REMOTE_BAD_PROTOCOL_VERSION,
                format!("The peer speaks version {version}, which is too old"),
            ));
        }
        self.challenge_version = Some(version);
        self.sample_ping(now, reply.your_timestamp(), 0);
        let ping_ms = self.ping_us.map(|us| us / 1000).filter(|&ms| ms <= MAX_PING_ESTIMATE_MS);
        let identity = &self.asking.party.identity;
        let message = ConnectRequest {
            client_connection_id: Some(self.asking.local_id),
            challenge: reply.challenge,
            my_timestamp: Some(now.as_micros()),
            ping_est_ms: ping_ms.and_then(|ms| u32::try_from(ms).ok()),
            crypt: Some(self.asking.offer.to_message()),
            cert: Some(self.asking.keys.certificate.clone()),
            identity_string: (!self.asking.keys.names_identity).then(|| identity.to_string()),
            legacy_client_steam_id: match identity {
                Identity::SteamId(id) => Some(*id),
                _ => None,
            },
            ..ConnectRequest::default()
        };
        let mut out = Vec::new();
        udp::encode_connect_request(&message, &mut out);
        Ok(out)
    }

    /// The acceptor took us. `None`: the message is no answer to what we asked.
    pub(crate) fn on_connect_ok(
        &mut self,
        now: Time,
        ok: &ConnectOk,
    ) -> Result<Option<Agreement>, Refusal> {
        let remote_id = ok.server_connection_id();
        if remote_id & 0xffff == 0 || self.challenge_version.is_none() {
            return Ok(None);
        }
        self.sample_ping(now, ok.your_timestamp(), u64::from(ok.delay_time_usec()));
        let presented = Presented {
            certificate: ok.cert.as_ref(),
            crypt: ok.crypt.as_ref(),
            claimed_identity: identity::from_message(
                ok.identity_string.as_deref(),
                ok.legacy_identity_binary.as_ref(),
                ok.legacy_server_steam_id,
            ),
            remote: self.remote,
            earlier_version: self.challenge_version,
        };
        let agreement = self.asking.agree(remote_id, presented)?;
        Ok(Some(Agreement { ping_us: self.ping_us, ..agreement }))
    }

    fn sample_ping(&mut self, now: Time, echoed: u64, delay_us: u64) {
        let elapsed = now.micros_since(Time::from_micros(echoed));
        if echoed != 0 && elapsed <= MAX_ECHO_AGE_US && echoed <= now.as_micros() {
            self.ping_us = Some(elapsed.saturating_sub(delay_us));
        }
    }
}

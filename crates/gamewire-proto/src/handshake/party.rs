//! What each side brings to the handshake, and what comes out of it.

use std::{net::SocketAddr, sync::Arc};

use gamewire_crypto::{
    AllowWithoutAuth, Certificate, Cipher, CryptInfoError, CryptOffer, Decision, Entropy,
    KeySchedule, OfferParameters, Opener, PeerCryptInfo, Sealer, Side, SigningKey, TrustStore,
    VerifyContext, accept, offered_ciphers,
};
use gamewire_wire::{
    address::Address,
    extensions,
    identity::Identity,
    messages::{CertificateSigned, ConnectionClosed, Extensions, SessionCryptInfoSigned},
    udp,
};

use super::{ConnectOkAgain, identity};
use crate::{
    config::ConnectionConfig,
    end::{EndInfo, EndReason},
};

/// The handshake counts as packet 1 in both directions (wire.md §2).
pub(super) const FIRST_PACKET_NUMBER: u64 = 2;

/// A peer's receive window counts as if it were inside these bounds, in bytes: some data must always
/// be able to travel, and nobody's buffer is larger than the largest `RecvBufferSize`.
const MIN_RECEIVE_WINDOW: u64 = 4096;
const MAX_RECEIVE_WINDOW: u64 = 0x1000_0000;

/// A certificate signed by an authority, with its key.
#[derive(Debug)]
pub struct Credentials {
    /// Signs our half of each key exchange.
    pub signing: SigningKey,
    /// What we show to peers.
    pub certificate: CertificateSigned,
}

/// Who we are and whom we trust.
#[derive(Clone, Debug)]
pub struct LocalParty {
    /// The identity that we go by.
    pub identity: Identity,
    /// The application; certificates are checked against it.
    pub app_id: u32,
    /// Our certificate; without one each connection signs its own.
    pub credentials: Option<Arc<Credentials>>,
    /// Whom we believe about others.
    pub trust: Arc<TrustStore>,
    /// The time of day, seconds since 1970, for certificates.
    pub now_unix: u64,
    /// Who the peer must prove to be, if that is known.
    pub expected_identity: Option<Identity>,
    /// Extension bits that we offer ([`gamewire_wire::extensions`]).
    pub features: u64,
}

/// What is known about the peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// The identity that it goes by; its address while nothing better is known.
    pub identity: Identity,
    /// Whether an authority that we trust vouches for the identity.
    pub authenticated: bool,
    /// Whether packets are encrypted.
    pub encrypted: bool,
    /// The protocol version that it speaks; 0 before the handshake.
    pub protocol_version: u32,
    /// Extension bits in force between us.
    pub features: u64,
    /// Bytes of reliable data that it has room for, if that was negotiated.
    pub receive_window: Option<u64>,
}

impl Peer {
    /// A peer of which only the address is known.
    pub fn unknown(remote: SocketAddr) -> Self {
        Self {
            identity: Identity::IpAddress(Address::from(remote)),
            authenticated: false,
            encrypted: true,
            protocol_version: 0,
            features: 0,
            receive_window: None,
        }
    }
}

/// The outcome of a handshake: keys and everything else that a session needs.
#[derive(Debug)]
pub struct Agreement {
    /// The peer's connection id.
    pub remote_id: u32,
    /// Seals what we send.
    pub sealer: Sealer,
    /// Opens what we receive.
    pub opener: Opener,
    /// Who the peer is.
    pub peer: Peer,
    /// Round-trip time seen in the handshake, microseconds.
    pub ping_us: Option<u64>,
    /// Number of the first data packet in both directions, at least 2.
    pub first_packet_number: u64,
    /// The acceptor's answer, to be repeated when the initiator asks again.
    pub connect_ok: Option<ConnectOkAgain>,
}

/// A handshake that is not to be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{debug} ({})", reason.0)]
pub struct Refusal {
    /// The reason for the peer and for our application.
    pub reason: EndReason,
    /// The same for people.
    pub debug: String,
}

impl Refusal {
    pub(super) fn new(reason: EndReason, debug: impl Into<String>) -> Self {
        Self { reason, debug: debug.into() }
    }

    /// The datagram that tells an initiator so.
    pub fn encode(&self, initiator_id: u32, out: &mut Vec<u8>) {
        let info = EndInfo::new(self.reason, &self.debug);
        let message = ConnectionClosed {
            to_connection_id: Some(initiator_id),
            from_connection_id: None,
            reason_code: Some(info.reason.0.unsigned_abs()),
            debug: Some(info.debug),
        };
        udp::encode_connection_closed(&message, out);
    }
}

impl From<CryptInfoError> for Refusal {
    fn from(error: CryptInfoError) -> Self {
        let reason = match error {
            CryptInfoError::TooOld(_) | CryptInfoError::VersionChanged { .. } => {
                EndReason::REMOTE_BAD_PROTOCOL_VERSION
            }
            CryptInfoError::Missing
            | CryptInfoError::TooLong
            | CryptInfoError::BadSignature
            | CryptInfoError::Malformed
            | CryptInfoError::BadKey
            | CryptInfoError::NoSoleCipher => EndReason::REMOTE_BAD_CRYPT,
        };
        Self::new(reason, error.to_string())
    }
}

/// Our certificate and the key that signs for it.
#[derive(Debug)]
pub(super) struct LocalKeys {
    signing: SigningKey,
    pub(super) certificate: CertificateSigned,
    /// Whether the certificate carries an identity.
    pub(super) names_identity: bool,
}

impl LocalKeys {
    /// The party's own certificate, or a fresh one that nobody vouches for (wire.md §3).
    pub(super) fn new(party: &LocalParty, entropy: &mut dyn Entropy) -> Self {
        if let Some(credentials) = &party.credentials {
            let bytes = credentials.certificate.cert.as_deref().unwrap_or_default();
            let names_identity =
                Certificate::decode(bytes).is_ok_and(|certificate| certificate.identity.is_some());
            return Self {
                signing: credentials.signing.clone(),
                certificate: credentials.certificate.clone(),
                names_identity,
            };
        }
        let signing = SigningKey::generate(entropy);
        let own_word = Certificate::self_made(signing.public_key(), &party.identity, party.app_id);
        let names_identity = !party.identity.is_invalid();
        Self { signing, certificate: own_word.unsigned(), names_identity }
    }

    pub(super) fn offer(
        &self,
        entropy: &mut dyn Entropy,
        ciphers: &[Cipher],
        features: u64,
        config: &ConnectionConfig,
    ) -> CryptOffer {
        let window = config.receive.window() as u64;
        let extensions = (features != 0).then(|| Extensions {
            features: Some(features),
            receive_window: (features & extensions::RECEIVE_WINDOW != 0).then_some(window),
        });
        CryptOffer::generate(entropy, &self.signing, OfferParameters { ciphers, extensions })
    }

    fn certificate_bytes(&self) -> &[u8] {
        self.certificate.cert.as_deref().unwrap_or_default()
    }
}

/// The peer's certificate and crypt info, checked.
#[derive(Debug)]
pub(super) struct PeerKeys {
    pub(super) crypt: PeerCryptInfo,
    certificate: bytes::Bytes,
    identity: Identity,
    authenticated: bool,
}

/// What the peer sent, unchecked.
pub(super) struct Presented<'a> {
    pub(super) certificate: Option<&'a CertificateSigned>,
    pub(super) crypt: Option<&'a SessionCryptInfoSigned>,
    pub(super) claimed_identity: Option<Identity>,
    pub(super) remote: SocketAddr,
    pub(super) earlier_version: Option<u32>,
}

impl PeerKeys {
    pub(super) fn check(
        presented: Presented<'_>,
        party: &LocalParty,
        config: &ConnectionConfig,
    ) -> Result<Self, Refusal> {
        let no_cert = || Refusal::new(EndReason::REMOTE_BAD_CERT, "No certificate");
        let signed = presented.certificate.ok_or_else(no_cert)?;
        let context = VerifyContext {
            now_unix: party.now_unix,
            app_id: party.app_id,
            pop: None,
            expected_identity: party.expected_identity.as_ref(),
        };
        let bad_cert = |text: String| Refusal::new(EndReason::REMOTE_BAD_CERT, text);
        let verified =
            party.trust.verify(signed, &context).map_err(|error| bad_cert(error.to_string()))?;
        let loopback = presented.remote.ip().to_canonical().is_loopback();
        let policy = |value: u8| AllowWithoutAuth::from_config(i32::from(value));
        let general = policy(config.allow_without_auth);
        let on_loopback = policy(config.allow_without_auth_localhost);
        match accept(general, on_loopback, loopback, &verified) {
            Decision::Accept => {}
            Decision::AcceptWithWarning => {
                let trust = verified.trust;
                tracing::warn!(remote = %presented.remote, ?trust, "peer is not authenticated");
            }
            Decision::Refuse => {
                return Err(bad_cert("No authority that we trust vouches for the peer".into()));
            }
        }
        let no_crypt = || Refusal::new(EndReason::REMOTE_BAD_CRYPT, "No crypt info");
        let crypt = PeerCryptInfo::verify(
            presented.crypt.ok_or_else(no_crypt)?,
            verified.key(),
            presented.earlier_version,
        )?;
        let identity =
            identity::resolve(verified.identity(), presented.claimed_identity, presented.remote)?;
        let vouched = verified.is_authenticated();
        Ok(Self {
            crypt,
            certificate: signed.cert.clone().unwrap_or_default(),
            authenticated: vouched && !matches!(identity, Identity::IpAddress(_)),
            identity,
        })
    }

    /// The extension bits that both sides name.
    pub(super) fn common_features(&self, own: u64) -> u64 {
        let theirs = self.crypt.extensions.as_ref().map_or(0, Extensions::features);
        own & theirs & extensions::ALL
    }

    /// What the application may know about the peer.
    pub(super) fn to_peer(&self, cipher: Cipher, own_features: u64) -> Peer {
        Peer {
            identity: self.identity.clone(),
            authenticated: self.authenticated,
            encrypted: cipher != Cipher::Null,
            protocol_version: self.crypt.protocol_version,
            features: self.common_features(own_features),
            receive_window: self.receive_window(own_features),
        }
    }

    /// The peer's receive window, if both sides know of such a thing.
    fn receive_window(&self, own_features: u64) -> Option<u64> {
        let in_force = self.common_features(own_features) & extensions::RECEIVE_WINDOW != 0;
        let window = self.crypt.extensions.as_ref()?.receive_window?;
        in_force.then_some(window.clamp(MIN_RECEIVE_WINDOW, MAX_RECEIVE_WINDOW))
    }
}

/// The two connection ids, as the key schedule wants them.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionIds {
    pub(super) initiator: u32,
    pub(super) acceptor: u32,
}

/// Derives the session keys of `side`.
pub(super) fn derive(
    side: Side,
    ids: ConnectionIds,
    own: (&LocalKeys, &CryptOffer),
    peer: &PeerKeys,
    cipher: Cipher,
) -> Result<(Sealer, Opener), Refusal> {
    let (keys, offer) = own;
    let secret = offer
        .exchange()
        .agree(&peer.crypt.public_key)
        .map_err(|error| Refusal::new(EndReason::REMOTE_BAD_CRYPT, error.to_string()))?;
    let own_half = (keys.certificate_bytes(), offer.info().as_ref(), offer.nonce());
    let peer_half = (peer.certificate.as_ref(), peer.crypt.info.as_ref(), peer.crypt.nonce);
    let (initiator, acceptor) = match side {
        Side::Initiator => (own_half, peer_half),
        Side::Acceptor => (peer_half, own_half),
    };
    let schedule = KeySchedule {
        initiator_connection_id: ids.initiator,
        acceptor_connection_id: ids.acceptor,
        initiator_cert: initiator.0,
        acceptor_cert: acceptor.0,
        initiator_info: initiator.1,
        acceptor_info: acceptor.1,
        initiator_nonce: initiator.2,
        acceptor_nonce: acceptor.2,
    };
    Ok(schedule.derive(&secret, cipher, side))
}

/// The ciphers that the configuration allows, best first.
pub(super) fn own_ciphers(config: &ConnectionConfig) -> &'static [Cipher] {
    offered_ciphers(config.unencrypted)
}

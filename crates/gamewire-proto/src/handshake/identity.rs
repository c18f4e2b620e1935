//! Which identity a peer goes by (wire.md §2, §3).

use std::net::SocketAddr;

use gamewire_crypto::Certificate;
use gamewire_wire::{
    address::Address,
    identity::Identity,
    messages::{ConnectRequest, IdentityLegacyBinary},
};

use super::Refusal;
use crate::end::EndReason;

/// The identity that a connect request claims, nothing of it proven; used to tell two initiators
/// with one connection id apart.
pub fn claimed_identity(request: &ConnectRequest) -> Identity {
    let certificate = request.cert.as_ref().and_then(|signed| signed.cert.as_deref());
    let named = certificate.and_then(|bytes| Certificate::decode(bytes).ok()?.identity);
    if let Some(identity) = named {
        return identity;
    }
    from_message(
        request.identity_string.as_deref(),
        request.legacy_identity_binary.as_ref(),
        request.legacy_client_steam_id,
    )
    .unwrap_or(Identity::Invalid)
}

/// The identity in the fields of a message: text first, then the legacy forms.
pub(super) fn from_message(
    text: Option<&str>,
    legacy: Option<&IdentityLegacyBinary>,
    steam_id: Option<u64>,
) -> Option<Identity> {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        return text.parse().ok();
    }
    if let Some(legacy) = legacy {
        return Identity::from_legacy_binary(legacy);
    }
    steam_id.filter(|&id| id != 0).map(Identity::SteamId)
}

/// The identity in force: the certificate's wins, then the claimed one. Nobody in particular
/// becomes the address that we see; a claimed address that the certificate does not carry is
/// refused.
pub(super) fn resolve(
    in_certificate: Option<&Identity>,
    claimed: Option<Identity>,
    remote: SocketAddr,
) -> Result<Identity, Refusal> {
    let seen = || Identity::IpAddress(Address::from(remote));
    match (in_certificate, claimed) {
        (Some(identity), _) if !identity.is_invalid() => {
            Ok(if identity.is_localhost() { seen() } else { identity.clone() })
        }
        (_, Some(identity)) if identity.is_nobody() => Ok(seen()),
        (_, Some(Identity::IpAddress(_))) => Err(Refusal::new(
            EndReason::REMOTE_BAD_CERT,
            "An address as identity must be in the certificate",
        )),
        (_, Some(identity)) => Ok(identity),
        (_, None) => Ok(seen()),
    }
}

//! Identities as text and in the legacy binary form.

use gamewire_wire::{Identity, limits::MAX_IDENTITY_TEXT, messages::IdentityLegacyBinary};
use prost::Message as _;

pub(crate) fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(identity) = text.parse::<Identity>()
    {
        assert!(!identity.is_invalid());
        comes_back(&identity);
    }
    if let Ok(message) = IdentityLegacyBinary::decode(data)
        && let Some(identity) = Identity::from_legacy_binary(&message)
    {
        let binary = identity.to_legacy_binary();
        let second = binary.as_ref().and_then(Identity::from_legacy_binary);
        assert_eq!(second.as_ref(), Some(&identity));
        // The old form carries SteamIDs that may not be written as text.
        if !matches!(identity, Identity::SteamId(_)) {
            comes_back(&identity);
        }
    }
}

fn comes_back(identity: &Identity) {
    let text = identity.to_string();
    assert!(text.len() <= MAX_IDENTITY_TEXT, "{text}");
    assert_eq!(text.parse().as_ref(), Ok(identity), "{text}");
    if let Some(binary) = identity.to_legacy_binary() {
        assert_eq!(Identity::from_legacy_binary(&binary).as_ref(), Some(identity));
    }
}

//! Identities and addresses between their C form and the values.

use std::net::{Ipv6Addr, SocketAddr};

use gamewire::{Address, Identity};

use crate::types::{SteamNetworkingIPAddr, SteamNetworkingIdentity};

/// Kinds of identities, as `m_eType` numbers them.
pub(crate) mod kind {
    use std::ffi::c_int;

    pub(crate) const INVALID: c_int = 0;
    pub(crate) const IP_ADDRESS: c_int = 1;
    pub(crate) const GENERIC_STRING: c_int = 2;
    pub(crate) const GENERIC_BYTES: c_int = 3;
    pub(crate) const UNKNOWN: c_int = 4;
    pub(crate) const STEAM_ID: c_int = 16;
    pub(crate) const XBOX_PAIRWISE_ID: c_int = 17;
    pub(crate) const SONY_PSN: c_int = 18;
}

/// Bytes of a generic string with its NUL.
pub(crate) const GENERIC_STRING_BYTES: usize = 32;
/// Most generic bytes.
pub(crate) const GENERIC_BYTES: usize = 32;
/// Bytes of an Xbox pairwise id with its NUL.
pub(crate) const XBOX_PAIRWISE_ID_BYTES: usize = 33;

impl From<Address> for SteamNetworkingIPAddr {
    fn from(address: Address) -> Self {
        Self { m_ipv6: address.octets(), m_port: address.port() }
    }
}

impl From<SocketAddr> for SteamNetworkingIPAddr {
    fn from(address: SocketAddr) -> Self {
        Address::from(address).into()
    }
}

impl From<SteamNetworkingIPAddr> for Address {
    fn from(address: SteamNetworkingIPAddr) -> Self {
        Self::from_v6(Ipv6Addr::from(address.m_ipv6), address.m_port)
    }
}

impl SteamNetworkingIPAddr {
    /// All zero.
    pub(crate) const CLEAR: Self = Self { m_ipv6: [0; 16], m_port: 0 };
}

impl SteamNetworkingIdentity {
    /// Nobody.
    pub(crate) const CLEAR: Self = Self { m_eType: kind::INVALID, m_cbSize: 0, m_data: [0; 128] };

    /// An identity of a kind with these bytes, of which all count; without a NUL they get one.
    pub(crate) fn with_bytes(kind: i32, bytes: &[u8]) -> Self {
        let mut identity = Self::CLEAR;
        identity.m_eType = kind;
        identity.m_cbSize = i32::try_from(bytes.len()).unwrap_or(0);
        let mut data = [0; 128];
        data[..bytes.len()].copy_from_slice(bytes);
        identity.m_data = data;
        identity
    }

    fn with_text(kind: i32, text: &str) -> Self {
        let mut identity = Self::with_bytes(kind, text.as_bytes());
        identity.m_cbSize += 1;
        identity
    }

    /// The address inside, whatever the kind.
    pub(crate) fn address(&self) -> SteamNetworkingIPAddr {
        let data = self.m_data;
        let mut octets = [0; 16];
        octets.copy_from_slice(&data[..16]);
        SteamNetworkingIPAddr { m_ipv6: octets, m_port: u16::from_ne_bytes([data[16], data[17]]) }
    }

    /// The number inside, whatever the kind.
    pub(crate) fn number(&self) -> u64 {
        let data = self.m_data;
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&data[..8]);
        u64::from_ne_bytes(bytes)
    }

    /// The bytes that count, at most `max`.
    pub(crate) fn counted(&self, max: usize) -> &[u8] {
        let size = usize::try_from(self.m_cbSize).unwrap_or(0).min(max);
        &self.m_data[..size]
    }

    fn text(&self, max: usize) -> Option<&str> {
        let bytes = &self.m_data[..max];
        let end = bytes.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&bytes[..end]).ok()
    }
}

impl From<SteamNetworkingIPAddr> for SteamNetworkingIdentity {
    fn from(address: SteamNetworkingIPAddr) -> Self {
        let mut bytes = [0; 18];
        let (octets, port) = (address.m_ipv6, address.m_port);
        bytes[..16].copy_from_slice(&octets);
        bytes[16..].copy_from_slice(&port.to_ne_bytes());
        Self::with_bytes(kind::IP_ADDRESS, &bytes)
    }
}

impl From<&Identity> for SteamNetworkingIdentity {
    fn from(identity: &Identity) -> Self {
        match identity {
            Identity::Invalid => Self::CLEAR,
            Identity::IpAddress(address) => SteamNetworkingIPAddr::from(*address).into(),
            Identity::GenericString(text) => Self::with_text(kind::GENERIC_STRING, text),
            Identity::GenericBytes(bytes) => Self::with_bytes(kind::GENERIC_BYTES, bytes),
            Identity::Unknown(text) => Self::with_text(kind::UNKNOWN, text),
            Identity::SteamId(id) => Self::with_bytes(kind::STEAM_ID, &id.to_ne_bytes()),
            Identity::XboxPairwiseId(text) => Self::with_text(kind::XBOX_PAIRWISE_ID, text),
            Identity::SonyPsn(id) => Self::with_bytes(kind::SONY_PSN, &id.to_ne_bytes()),
        }
    }
}

impl From<&SteamNetworkingIdentity> for Identity {
    /// What cannot be is [`Identity::Invalid`].
    fn from(identity: &SteamNetworkingIdentity) -> Self {
        let kind = identity.m_eType;
        let made = match kind {
            kind::IP_ADDRESS => return Self::IpAddress(identity.address().into()),
            kind::STEAM_ID => return Self::SteamId(identity.number()),
            kind::SONY_PSN => return Self::SonyPsn(identity.number()),
            kind::GENERIC_STRING => identity.text(GENERIC_STRING_BYTES).map(Self::generic_string),
            kind::GENERIC_BYTES => Some(Self::generic_bytes(identity.counted(GENERIC_BYTES))),
            kind::XBOX_PAIRWISE_ID => {
                identity.text(XBOX_PAIRWISE_ID_BYTES).map(Self::xbox_pairwise_id)
            }
            kind::UNKNOWN => identity.text(128).map(str::parse),
            _ => None,
        };
        made.and_then(Result::ok).unwrap_or_default()
    }
}

/// An identity as text, those that cannot be included.
pub(crate) fn to_text(identity: &SteamNetworkingIdentity) -> String {
    let value = Identity::from(identity);
    let (kind, size) = (identity.m_eType, identity.m_cbSize);
    match kind {
        kind::GENERIC_BYTES if size == 0 => "gen:".to_owned(),
        kind::INVALID
        | kind::IP_ADDRESS
        | kind::GENERIC_STRING
        | kind::GENERIC_BYTES
        | kind::UNKNOWN
        | kind::STEAM_ID
        | kind::XBOX_PAIRWISE_ID
        | kind::SONY_PSN => value.to_string(),
        unknown => format!("bad_type:{unknown}"),
    }
}

/// The identity behind a pointer; `None` for null.
///
/// # Safety
/// Null, or a valid identity.
pub(crate) unsafe fn read(pointer: *const SteamNetworkingIdentity) -> Option<Identity> {
    // SAFETY: the caller vouches for what is not null; the struct needs no alignment.
    unsafe { pointer.as_ref() }.map(Identity::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_way_to_c_and_back() {
        for text in [
            "ip:1.2.3.4:27015",
            "ip:[::1]:80",
            "str:somebody",
            "str:1234567890123456789012345678901",
            "gen:00ff",
            "steamid:76561197960287930",
            "xboxpwid:abc",
            "psn:123",
            "other:thing",
        ] {
            let identity: Identity = text.parse().unwrap();
            let c = SteamNetworkingIdentity::from(&identity);
            assert_eq!(Identity::from(&c), identity, "{text}");
        }
        let nobody = SteamNetworkingIdentity::from(&Identity::Invalid);
        assert!(Identity::from(&nobody).is_invalid());
    }

    #[test]
    fn nonsense_is_invalid() {
        let mut identity = SteamNetworkingIdentity::with_bytes(kind::GENERIC_BYTES, &[1; 32]);
        identity.m_cbSize = -5;
        assert!(Identity::from(&identity).is_invalid());
        identity.m_cbSize = i32::MAX;
        assert_eq!(Identity::from(&identity), Identity::generic_bytes(&[1; 32]).unwrap());
        identity.m_eType = kind::GENERIC_STRING;
        assert!(Identity::from(&identity).is_invalid(), "no NUL within the room");
        identity.m_eType = 77;
        assert!(Identity::from(&identity).is_invalid());
    }
}

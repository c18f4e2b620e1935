//! Identities: who a peer says it is, and the text that travels on the wire.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::address::Address;
use crate::limits::{
    MAX_GENERIC_BYTES, MAX_GENERIC_STRING, MAX_IDENTITY_PREFIX, MAX_IDENTITY_TEXT,
    MAX_XBOX_PAIRWISE_ID,
};
use crate::messages::IdentityLegacyBinary;

mod steam_id;

pub use steam_id::SteamIdParts;

/// Who a peer is. Compared bytewise, case-sensitive; cheap to clone (api.md §3.5).
///
/// [`fmt::Display`] and [`FromStr`] are the text form that goes on the wire.
#[doc(alias = "SteamNetworkingIdentity")]
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Identity {
    /// No identity. Prints as `invalid`, which does not parse.
    #[default]
    Invalid,
    /// `ip:…`: whoever answers at this address. `::1` means "this machine", or nobody in particular.
    IpAddress(Address),
    /// `str:text`, at most 31 bytes.
    GenericString(GenericString),
    /// `gen:hex`, 1 to 32 bytes.
    GenericBytes(GenericBytes),
    /// `prefix:data` of a type this version does not know, kept as it came.
    Unknown(UnknownText),
    /// `steamid:decimal`.
    SteamId(u64),
    /// `xboxpwid:text`, 1 to 32 bytes.
    XboxPairwiseId(XboxPairwiseId),
    /// `psn:decimal`.
    SonyPsn(u64),
}

/// Why a text or value is not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// Not of the form `prefix:data`, prefix 1–16 of `a`–`z`, `0`–`9`, `_`.
    #[error("identity is not of the form prefix:data")]
    NoPrefix,
    /// Longer than the type, or any identity, may be.
    #[error("identity is too long")]
    TooLong,
    /// The type wants at least one byte.
    #[error("identity is empty")]
    Empty,
    /// A NUL byte, which would end the text in C.
    #[error("identity contains a NUL byte")]
    Nul,
    /// The number is not decimal digits that fit in 64 bits.
    #[error("identity number is not a 64-bit decimal")]
    Number,
    /// The number is not a valid SteamID.
    #[error("not a valid SteamID")]
    SteamId,
    /// The bytes are not an even number of hexadecimal digits.
    #[error("identity bytes are not hexadecimal")]
    Hex,
    /// The text behind `ip:` is not an address.
    #[error("identity is not an IP address")]
    Address,
}

macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and keeps the text.
            pub fn new(text: &str) -> Result<Self, IdentityError> {
                let check: fn(&str) -> Result<(), IdentityError> = $check;
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }
    };
}

bounded_text!(
    /// Text of a generic string identity: at most 31 bytes, none of them NUL.
    GenericString,
    |text| check_text(text, MAX_GENERIC_STRING)
);

bounded_text!(
    /// Text of an Xbox pairwise id: 1 to 32 bytes, none of them NUL.
    XboxPairwiseId,
    |text| match text {
        "" => Err(IdentityError::Empty),
        text => check_text(text, MAX_XBOX_PAIRWISE_ID),
    }
);

bounded_text!(
    /// Whole text of an identity of unknown type: `prefix:data`, at most 127 bytes, none of them
    /// NUL, prefix 1–16 of `a`–`z`, `0`–`9`, `_` and none of the known ones.
    UnknownText,
    check_unknown
);

fn check_text(text: &str, max: usize) -> Result<(), IdentityError> {
    if text.len() > max {
        return Err(IdentityError::TooLong);
    }
    if text.bytes().any(|byte| byte == 0) {
        return Err(IdentityError::Nul);
    }
    Ok(())
}

fn check_unknown(text: &str) -> Result<(), IdentityError> {
    check_text(text, MAX_IDENTITY_TEXT)?;
    let (prefix, _) = text.split_once(':').ok_or(IdentityError::NoPrefix)?;
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let known = matches!(prefix, "ip" | "str" | "gen" | "steamid" | "xboxpwid" | "psn");
    if known || !(1..=MAX_IDENTITY_PREFIX).contains(&prefix.len()) || !prefix.bytes().all(plain) {
        return Err(IdentityError::NoPrefix);
    }
    Ok(())
}

/// Bytes of a generic bytes identity: 1 to 32 of any value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct GenericBytes(Arc<[u8]>);

impl GenericBytes {
    /// Checks and keeps the bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, IdentityError> {
        match bytes.len() {
            0 => Err(IdentityError::Empty),
            1..=MAX_GENERIC_BYTES => Ok(Self(bytes.into())),
            _ => Err(IdentityError::TooLong),
        }
    }
}

impl Deref for GenericBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Identity {
    /// `ip:::1`, the identity of a peer that claims none.
    #[must_use]
    pub const fn localhost() -> Self {
        Self::IpAddress(Address::LOCALHOST)
    }

    /// A generic string identity of at most 31 bytes.
    pub fn generic_string(text: &str) -> Result<Self, IdentityError> {
        GenericString::new(text).map(Self::GenericString)
    }

    /// A generic bytes identity of 1 to 32 bytes.
    pub fn generic_bytes(bytes: &[u8]) -> Result<Self, IdentityError> {
        GenericBytes::new(bytes).map(Self::GenericBytes)
    }

    /// A SteamID, checked as [`SteamIdParts::is_valid`] does.
    pub fn steam_id(value: u64) -> Result<Self, IdentityError> {
        if SteamIdParts::new(value).is_valid() {
            Ok(Self::SteamId(value))
        } else {
            Err(IdentityError::SteamId)
        }
    }

    /// An Xbox pairwise id of 1 to 32 bytes.
    pub fn xbox_pairwise_id(text: &str) -> Result<Self, IdentityError> {
        XboxPairwiseId::new(text).map(Self::XboxPairwiseId)
    }

    /// Whether this is an address of this machine, `::1` or `127.0.0.1`, on any port.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        matches!(self, Self::IpAddress(address) if address.is_localhost())
    }

    /// Whether nobody in particular goes by it: it is invalid, or this machine's own address. No
    /// certificate is made for it, and nobody is found by it.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.is_invalid() || self.is_localhost()
    }

    /// Whether this is no identity at all.
    #[must_use]
    pub const fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid)
    }

    /// The binary form that old peers read beside the text, where the type has one.
    ///
    /// `None` for types newer than that form, for [`Identity::Invalid`] and for SteamIDs that may
    /// not name a peer.
    #[must_use]
    pub fn to_legacy_binary(&self) -> Option<IdentityLegacyBinary> {
        let mut legacy = IdentityLegacyBinary::default();
        match self {
            Self::IpAddress(address) => {
                let mut bytes = address.octets().to_vec();
                bytes.extend_from_slice(&address.port().to_be_bytes());
                legacy.ipv6_and_port = Some(Bytes::from(bytes));
            }
            Self::GenericString(text) => legacy.generic_string = Some(text.to_string()),
            Self::GenericBytes(bytes) => {
                legacy.generic_bytes = Some(Bytes::copy_from_slice(bytes));
            }
            Self::SteamId(value) if SteamIdParts::new(*value).may_name_a_peer() => {
                legacy.steam_id = Some(*value);
            }
            Self::SteamId(_)
            | Self::Invalid
            | Self::Unknown(_)
            | Self::XboxPairwiseId(_)
            | Self::SonyPsn(_) => return None,
        }
        Some(legacy)
    }

    /// The identity in the old binary form, if it is a valid one.
    ///
    /// Where several fields are set the first of SteamID, string, bytes, address counts.
    #[must_use]
    pub fn from_legacy_binary(legacy: &IdentityLegacyBinary) -> Option<Self> {
        if let Some(value) = legacy.steam_id {
            return Self::from_legacy_steam_id(value);
        }
        if let Some(text) = &legacy.generic_string {
            return Self::generic_string(text).ok();
        }
        if let Some(bytes) = &legacy.generic_bytes {
            return Self::generic_bytes(bytes).ok();
        }
        let bytes = legacy.ipv6_and_port.as_ref()?;
        let (octets, port) = bytes.split_first_chunk::<16>()?;
        let port = u16::from_be_bytes(port.try_into().ok()?);
        Some(Self::IpAddress(Address::from_v6((*octets).into(), port)))
    }

    /// The identity in a legacy SteamID field, if it may name a peer: a user or a game server.
    #[must_use]
    pub fn from_legacy_steam_id(value: u64) -> Option<Self> {
        SteamIdParts::new(value).may_name_a_peer().then_some(Self::SteamId(value))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("invalid"),
            Self::IpAddress(address) => write!(f, "ip:{address}"),
            Self::GenericString(text) => write!(f, "str:{}", text.as_str()),
            Self::GenericBytes(bytes) => {
                f.write_str("gen:")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Unknown(text) => f.write_str(text),
            Self::SteamId(value) => write!(f, "steamid:{value}"),
            Self::XboxPairwiseId(text) => write!(f, "xboxpwid:{}", text.as_str()),
            Self::SonyPsn(value) => write!(f, "psn:{value}"),
        }
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    /// Parses the text form. `invalid` is an error, and so is anything behind a known prefix that
    /// is not exactly what belongs there.
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if text.len() > MAX_IDENTITY_TEXT {
            return Err(IdentityError::TooLong);
        }
        let (prefix, data) = text.split_once(':').ok_or(IdentityError::NoPrefix)?;
        match prefix {
            "steamid" => Self::steam_id(parse_decimal(data)?),
            "xboxpwid" => Self::xbox_pairwise_id(data),
            "psn" => Ok(Self::SonyPsn(parse_decimal(data)?)),
            "ip" => data.parse().map(Self::IpAddress).map_err(|_| IdentityError::Address),
            "str" => Self::generic_string(data),
            "gen" => parse_hex(data),
            _ => UnknownText::new(text).map(Self::Unknown),
        }
    }
}

fn parse_decimal(text: &str) -> Result<u64, IdentityError> {
    // `u64::from_str` would also take a leading plus sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IdentityError::Number);
    }
    text.parse().map_err(|_| IdentityError::Number)
}

fn parse_hex(text: &str) -> Result<Identity, IdentityError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(IdentityError::Hex);
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() {
        return Err(IdentityError::Hex);
    }
    if pairs.len() > MAX_GENERIC_BYTES {
        return Err(IdentityError::TooLong);
    }
    let mut bytes = [0; MAX_GENERIC_BYTES];
    for (slot, &[high, low]) in bytes.iter_mut().zip(pairs) {
        *slot = (digit(high)? << 4 | digit(low)?) as u8;
    }
    Identity::generic_bytes(&bytes[..pairs.len()])
}

#[cfg(test)]
mod tests;

//! Ping locations: where somebody is, told by pings to PoPs instead of by place
//! (relay-network.md §4.6).
//!
//! As text: `sto=4+0,fra=18+1/18+0,…`, best first; per PoP the direct ping and its margin, and
//! behind a slash those of the best way over another PoP. An address follows from none of it.

use std::{fmt, str::FromStr};

use crate::{PopId, config::NetworkConfig};

/// Most PoPs of a location: what 512 bytes hold, and three times what Valve's library names.
pub const MAX_ENTRIES: usize = 48;
/// PoPs that are named in the text.
pub const MAX_TEXT_ENTRIES: usize = 15;
/// Longest text in bytes (`k_cchMaxSteamNetworkingPingLocationString`, with its NUL).
pub const MAX_TEXT_BYTES: usize = 1023;
/// Bytes of the opaque form (`SteamNetworkPingLocation_t`).
pub const OPAQUE_BYTES: usize = 512;

/// A ping in milliseconds and by how much it may be more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ping {
    /// Milliseconds.
    pub ms: u16,
    /// Milliseconds.
    pub margin_ms: u16,
}

impl Ping {
    /// A measured ping with the margin that goes with it: a tenth, rounded.
    pub const fn measured(ms: u16) -> Self {
        Self { ms, margin_ms: ms.saturating_add(5) / 10 }
    }

    /// The most that it should be.
    pub fn upper_ms(self) -> u32 {
        u32::from(self.ms) + u32::from(self.margin_ms)
    }
}

/// The way to one PoP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PopPing {
    /// The PoP.
    pub pop: PopId,
    /// To the relays there.
    pub direct: Option<Ping>,
    /// Over a relay in another PoP, where that is better.
    pub relayed: Option<Ping>,
}

impl PopPing {
    /// The most that the better of both ways should take, in milliseconds.
    pub fn upper_ms(&self) -> Option<u32> {
        [self.direct, self.relayed].into_iter().flatten().map(Ping::upper_ms).min()
    }
}

/// A place in the network.
#[doc(alias = "SteamNetworkPingLocation_t")]
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PingLocation(Vec<PopPing>);

/// The text is no ping location.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a ping location: expected a list like sto=4+0,fra=18+1/18+0")]
pub struct PingLocationError;

/// Why there is no estimate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EstimateError {
    /// One of the locations says nothing (`k_nSteamNetworkingPing_Failed`, -1).
    #[error("a ping location is empty")]
    Failed,
    /// The PoPs of both have nothing in common and the way between them is not known
    /// (`k_nSteamNetworkingPing_Unknown`, -2).
    #[error("the way between the locations is not known")]
    Unknown,
}

impl EstimateError {
    /// The number that stands for it in the C interface.
    pub const fn code(self) -> i32 {
        match self {
            Self::Failed => -1,
            Self::Unknown => -2,
        }
    }
}

impl PingLocation {
    /// A location of measured ways; the best [`MAX_ENTRIES`] are kept, each PoP once.
    pub fn new(ways: impl IntoIterator<Item = PopPing>) -> Self {
        let mut entries: Vec<PopPing> =
            ways.into_iter().filter(|way| way.upper_ms().is_some()).collect();
        entries.sort_by_key(|way| (way.upper_ms(), way.pop));
        let mut kept: Vec<PopPing> = Vec::new();
        for way in entries {
            if kept.len() < MAX_ENTRIES && kept.iter().all(|other| other.pop != way.pop) {
                kept.push(way);
            }
        }
        Self(kept)
    }

    /// The ways, best first as a rule.
    pub fn ways(&self) -> &[PopPing] {
        &self.0
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the round trip between two locations should at most take over relays, in milliseconds.
    ///
    /// # Errors
    /// [`EstimateError`]
    #[doc(alias = "EstimatePingTimeBetweenTwoLocations")]
    pub fn estimate(
        &self,
        other: &Self,
        config: Option<&NetworkConfig>,
    ) -> Result<u32, EstimateError> {
        if self.is_empty() || other.is_empty() {
            return Err(EstimateError::Failed);
        }
        let interior = |a: PopId, b: PopId| match (a == b, config) {
            (true, _) => Some(0),
            (false, Some(config)) => config.interior_ping(a, b),
            (false, None) => None,
        };
        // At most 48 × 48.
        let pairs = self.0.iter().flat_map(|a| other.0.iter().map(move |b| (a, b)));
        let totals = pairs
            .filter_map(|(a, b)| Some(a.upper_ms()? + interior(a.pop, b.pop)? + b.upper_ms()?));
        totals.min().ok_or(EstimateError::Unknown)
    }

    /// The opaque form: only this library reads it.
    pub fn to_opaque(&self) -> [u8; OPAQUE_BYTES] {
        let mut bytes = [0; OPAQUE_BYTES];
        let count = u8::try_from(self.0.len()).expect("at most 48");
        bytes[..2].copy_from_slice(&[OPAQUE_FORM, count]);
        let (slots, _) = bytes[2..].as_chunks_mut::<OPAQUE_ENTRY>();
        for (slot, way) in slots.iter_mut().zip(&self.0) {
            let [p0, p1, p2, p3] = way.pop.as_u32().to_le_bytes();
            let [d0, d1] = opaque_ms(way.direct);
            let [r0, r1] = opaque_ms(way.relayed);
            let margins = [opaque_margin(way.direct), opaque_margin(way.relayed)];
            *slot = [p0, p1, p2, p3, d0, d1, r0, r1, margins[0], margins[1]];
        }
        bytes
    }

    /// What an opaque form says; nothing if it is not one.
    pub fn from_opaque(bytes: &[u8; OPAQUE_BYTES]) -> Self {
        let [OPAQUE_FORM, count, rest @ ..] = bytes else {
            return Self::default();
        };
        let (slots, _) = rest.as_chunks::<OPAQUE_ENTRY>();
        let ways = slots.iter().take(usize::from(*count).min(MAX_ENTRIES)).map(|slot| {
            let [p0, p1, p2, p3, d0, d1, r0, r1, direct, relayed] = *slot;
            let ping = |ms: [u8; 2], margin: u8| match u16::from_le_bytes(ms) {
                ABSENT => None,
                ms => Some(Ping { ms, margin_ms: margin.into() }),
            };
            PopPing {
                pop: PopId::new(u32::from_le_bytes([p0, p1, p2, p3])),
                direct: ping([d0, d1], direct),
                relayed: ping([r0, r1], relayed),
            }
        });
        Self::new(ways)
    }
}

/// First byte of the opaque form; all zero says nothing.
const OPAQUE_FORM: u8 = 1;
/// PoP, two pings, two margins.
const OPAQUE_ENTRY: usize = 10;
/// In place of a ping.
const ABSENT: u16 = u16::MAX;

fn opaque_ms(ping: Option<Ping>) -> [u8; 2] {
    ping.map_or(ABSENT, |ping| ping.ms.min(ABSENT - 1)).to_le_bytes()
}

/// Margins beyond 255 ms mean a way that nobody takes.
fn opaque_margin(ping: Option<Ping>) -> u8 {
    ping.map_or(0, |ping| u8::try_from(ping.margin_ms).unwrap_or(u8::MAX))
}

impl FromStr for PingLocation {
    type Err = PingLocationError;

    /// Parses Valve's strings and ours. Stricter than needed would lock out newer ones, so unknown
    /// text behind a PoP's pings is skipped.
    fn from_str(text: &str) -> Result<Self, PingLocationError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(PingLocationError);
        }
        let ways: Vec<PopPing> = text
            .split(',')
            .map(|entry| entry.trim())
            .filter(|entry| !entry.is_empty())
            .map(parse_entry)
            .collect::<Option<_>>()
            .ok_or(PingLocationError)?;
        let location = Self::new(ways);
        if location.is_empty() { Err(PingLocationError) } else { Ok(location) }
    }
}

fn parse_entry(entry: &str) -> Option<PopPing> {
    let (code, pings) = entry.split_once('=')?;
    let (direct, relayed) = match pings.split_once('/') {
        Some((direct, rest)) => (direct, Some(rest.split('/').next().unwrap_or(rest))),
        None => (pings, None),
    };
    let relayed = match relayed {
        Some(text) => Some(parse_ping(text)?),
        None => None,
    };
    // A PoP that is reached over others only has nothing before the slash.
    let direct = if direct.is_empty() { None } else { Some(parse_ping(direct)?) };
    if direct.is_none() && relayed.is_none() {
        return None;
    }
    Some(PopPing { pop: code.trim().parse().ok()?, direct, relayed })
}

fn parse_ping(text: &str) -> Option<Ping> {
    let (ms, margin) = text.split_once('+').unwrap_or((text, "0"));
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    Some(Ping { ms: number(ms)?, margin_ms: number(margin)? })
}

impl fmt::Display for PingLocation {
    /// The best [`MAX_TEXT_ENTRIES`] ways.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, way) in self.0.iter().take(MAX_TEXT_ENTRIES).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}=", way.pop)?;
            if let Some(direct) = way.direct {
                write!(f, "{}+{}", direct.ms, direct.margin_ms)?;
            }
            if let Some(relayed) = way.relayed {
                write!(f, "/{}+{}", relayed.ms, relayed.margin_ms)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! What the messages of the demonstration hold: everything follows from stream and number, so that
//! the receiver can tell whether it is unharmed.

/// Bytes of one piece of the map.
pub(super) const MAP_PIECE_BYTES: usize = 16 * 1024;
/// Bytes of one update of the state.
const STATE_BYTES: usize = 180;
/// Fewest and most bytes of an event.
const EVENT_BYTES: (u64, u64) = (16, 300);
/// Kind and number.
const HEADER_BYTES: usize = 5;

/// What a message is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Something happened in the game: reliable.
    Event,
    /// Where everything is: unreliable, the next one replaces it.
    State,
    /// A piece of the map: reliable, large, not urgent.
    Map,
}

impl Kind {
    /// The lane that it is sent on.
    pub(super) const fn lane(self) -> u16 {
        match self {
            Self::Event => 0,
            Self::State => 1,
            Self::Map => 2,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Event),
            1 => Some(Self::State),
            2 => Some(Self::Map),
            _ => None,
        }
    }
}

/// One way of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stream {
    pub(super) client: u32,
    pub(super) to_client: bool,
}

/// SplitMix64 (Steele, Lea, Flood 2014): cheap, and far from any pattern that a fault could keep.
#[derive(Clone, Debug)]
pub(super) struct Noise(pub(super) u64);

impl Noise {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, and without, `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// A message.
pub(super) fn message(stream: Stream, kind: Kind, number: u32) -> Vec<u8> {
    let way = u64::from(stream.client) << 1 | u64::from(stream.to_client);
    let mut noise = Noise(way << 34 | u64::from(kind.lane()) << 32 | u64::from(number));
    let len = match kind {
        Kind::Event => (EVENT_BYTES.0 + noise.below(EVENT_BYTES.1 - EVENT_BYTES.0 + 1)) as usize,
        Kind::State => STATE_BYTES,
        Kind::Map => MAP_PIECE_BYTES,
    };
    let mut message = Vec::with_capacity(len + 8);
    message.push(kind.lane() as u8);
    message.extend_from_slice(&number.to_le_bytes());
    while message.len() < len {
        message.extend_from_slice(&noise.next().to_le_bytes());
    }
    message.truncate(len);
    message
}

/// Kind and number of a message, if every byte of it is as it should be.
pub(super) fn check(stream: Stream, bytes: &[u8]) -> Option<(Kind, u32)> {
    let (header, _) = bytes.split_at_checked(HEADER_BYTES)?;
    let (&kind, number) = header.split_first()?;
    let kind = Kind::from_byte(kind)?;
    let number = u32::from_le_bytes(number.try_into().ok()?);
    (message(stream, kind, number) == bytes).then_some((kind, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: Stream = Stream { client: 3, to_client: true };

    #[test]
    fn good_messages_are_recognised() {
        for kind in [Kind::Event, Kind::State, Kind::Map] {
            for number in [0, 1, 77, u32::MAX] {
                assert_eq!(check(STREAM, &message(STREAM, kind, number)), Some((kind, number)));
            }
        }
    }

    #[test]
    fn harm_is_noticed() {
        let good = message(STREAM, Kind::Event, 5);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert_eq!(check(STREAM, &bad), None, "byte {at}");
        }
        for len in 0..good.len() {
            assert_eq!(check(STREAM, &good[..len]), None, "cut to {len}");
        }
        for other in [Stream { client: 2, ..STREAM }, Stream { to_client: false, ..STREAM }] {
            assert_eq!(check(other, &good), None);
        }
    }

    #[test]
    fn events_differ_in_size() {
        let sizes: std::collections::BTreeSet<usize> =
            (0..200).map(|number| message(STREAM, Kind::Event, number).len()).collect();
        assert!(sizes.len() > 50);
        assert!(sizes.iter().all(|size| (16..=300).contains(size)));
    }
}

//! What messages hold: bytes that follow from who sent them, so that no copy need be kept.

use bytes::Bytes;

use crate::rng::{Rng, mix};

/// Which side of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Side {
    /// The one that opened it.
    Initiator,
    /// The other.
    Acceptor,
}

impl Side {
    /// Both, the initiator first.
    pub const BOTH: [Self; 2] = [Self::Initiator, Self::Acceptor];

    /// The other side.
    pub fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Acceptor,
            Self::Acceptor => Self::Initiator,
        }
    }

    /// 0 for the initiator, 1 for the acceptor.
    pub fn index(self) -> usize {
        match self {
            Self::Initiator => 0,
            Self::Acceptor => 1,
        }
    }
}

/// One message: the connection by its initiator's id, the sender's side, lane and number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct MessageName {
    /// The connection id of the initiator.
    pub connection: u32,
    /// Who sends it.
    pub sender: Side,
    /// Its lane.
    pub lane: u16,
    /// Its number on the lane, from 1.
    pub number: u64,
}

impl MessageName {
    fn seed(self) -> u64 {
        let who = u64::from(self.connection) << 32
            | (self.sender.index() as u64) << 16
            | u64::from(self.lane);
        mix(who, self.number)
    }

    /// Its content of `len` bytes.
    pub fn content(self, len: usize) -> Bytes {
        let mut bytes = vec![0; len];
        Rng::new(self.seed()).fill(&mut bytes);
        bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_differ_by_name() {
        let name = MessageName { connection: 1, sender: Side::Initiator, lane: 0, number: 1 };
        let others = [
            MessageName { connection: 2, ..name },
            MessageName { sender: Side::Acceptor, ..name },
            MessageName { lane: 1, ..name },
            MessageName { number: 2, ..name },
        ];
        assert_eq!(name.content(100), name.content(100));
        assert!(others.iter().all(|other| other.content(100) != name.content(100)));
        assert!(name.content(0).is_empty());
    }
}

//! Why datagrams are dropped, counted.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// Why a datagram, or what it carried, was dropped. Each is counted; none changes a state.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(usize)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl DropReason {
            /// All reasons, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in metrics and logs.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// Cannot be a datagram of this protocol: length, type, padding or protobuf are wrong.
    Malformed = "malformed",
    /// A data packet for a connection id that is not ours. Often a late packet of an ended connection.
    UnknownConnection = "unknown_connection",
    /// Right connection id, wrong source address or wrong peer connection id.
    WrongPeer = "wrong_peer",
    /// A control message that makes no sense in the connection's state.
    WrongState = "wrong_state",
    /// A connect request whose challenge is forged or too old.
    BadChallenge = "bad_challenge",
    /// A protocol version below the oldest that we speak.
    BadVersion = "bad_version",
    /// Too many connections wait for the application to accept them.
    PendingFull = "pending_full",
    /// Too many connections from that address.
    AddressFull = "address_full",
    /// The application's hook refused the address.
    Refused = "refused",
    /// A packet number that was seen before.
    Duplicate = "duplicate",
    /// A packet number too old to tell whether it was seen.
    TooOld = "too_old",
    /// The seal does not open: forged, corrupted, or for other keys.
    BadSeal = "bad_seal",
    /// Came before the keys were known.
    NoKeys = "no_keys",
    /// Opened, but acknowledges packets that were never sent, or its bookkeeping is odd.
    OddAck = "odd_ack",
    /// Opened, but its content found no room; not acknowledged, so reliable content comes again.
    NoRoom = "no_room",
    /// Opened, but the inline statistics do not parse. The rest of the packet is used.
    BadStats = "bad_stats",
    /// An answer that rate limits or the amplification rule forbid.
    ReplyLimited = "reply_limited",
    /// Nobody listens on this socket.
    NotListening = "not_listening",
}

/// One counter per [`DropReason`]. Takes no memory until something is counted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DropCounters(Option<Box<[u64; DropReason::ALL.len()]>>);

impl DropCounters {
    fn counts(&mut self) -> &mut [u64; DropReason::ALL.len()] {
        self.0.get_or_insert_with(|| Box::new([0; DropReason::ALL.len()]))
    }

    /// Counts one drop.
    pub fn count(&mut self, reason: DropReason) {
        self.counts()[reason as usize] += 1;
    }

    /// How many were dropped for `reason`.
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.as_ref().map_or(0, |counts| counts[reason as usize])
    }

    /// How many were dropped in all.
    pub fn total(&self) -> u64 {
        self.0.iter().flat_map(|counts| counts.iter()).sum()
    }

    /// Adds another set of counters.
    pub fn add(&mut self, other: &Self) {
        let Some(other) = &other.0 else { return };
        for (mine, theirs) in self.counts().iter_mut().zip(other.iter()) {
            *mine += theirs;
        }
    }

    /// Each reason with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().map(|&reason| (reason, self.of(reason)))
    }
}

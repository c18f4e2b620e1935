//! Why a relay drops datagrams, counted.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// Why a datagram was dropped, or not answered. Each is counted; none changes a state.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(usize)]
        pub enum RelayDrop {
            $($(#[doc = $doc])+ $name,)+
        }

        impl RelayDrop {
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
    /// Cannot be a datagram of the relay network: length, type or protobuf are wrong.
    Malformed = "malformed",
    /// A message that nobody sends in this direction, or that this version does not know.
    Unexpected = "unexpected",
    /// The source sends more than its limit.
    SourceLimit = "source_limit",
    /// The session sends more than its limit. If players are hit, their tickets should grant more.
    SessionLimit = "session_limit",
    /// More signatures to check than the shard affords: a flood.
    SignatureLimit = "signature_limit",
    /// The server has never answered, and got what unconfirmed servers get.
    UnconfirmedServer = "unconfirmed_server",
    /// Belongs to no session. Often a late packet, or the relay was restarted.
    NoSession = "no_session",
    /// A protocol version below the oldest that we speak.
    BadVersion = "bad_version",
    /// A challenge that is forged or too old; answered with a fresh one.
    BadChallenge = "bad_challenge",
    /// A ticket that does not parse, is over, or is not signed by whom we believe.
    BadTicket = "bad_ticket",
    /// A ticket for another public address.
    WrongClientAddress = "wrong_client_address",
    /// The client that connects is not the one that the ticket names.
    WrongClient = "wrong_client",
    /// The virtual port is not the one that the ticket allows.
    WrongPort = "wrong_port",
    /// The ticket's address does not open: another key, or moved from another ticket.
    BadAddress = "bad_address",
    /// The ticket leads to where no hosted server may be: private networks, low ports, outside of
    /// the PoP's ranges.
    ForbiddenAddress = "forbidden_address",
    /// A certificate that we do not believe, or a request that its key has not signed.
    BadCert = "bad_cert",
    /// The shard, the source, the ticket or the identity has all the sessions it may have.
    SessionsFull = "sessions_full",
    /// The relay is about to stop and takes no new sessions.
    Draining = "draining",
    /// From a server, but not from the session's.
    WrongServer = "wrong_server",
    /// A routing token that is forged, over, or of a session that is gone.
    BadToken = "bad_token",
    /// The session's peer is somebody else than who sends.
    WrongPeer = "wrong_peer",
    /// Peer-to-peer data, and the client has not said where to.
    NoTarget = "no_target",
    /// A datagram between relays that does not open, or from a relay that the config does not know.
    BadInterior = "bad_interior",
    /// An answer that would be longer than what it answers.
    ReplyTooLong = "reply_too_long",
}

/// One counter per [`RelayDrop`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayDrops([u64; RelayDrop::ALL.len()]);

impl Default for RelayDrops {
    fn default() -> Self {
        Self([0; RelayDrop::ALL.len()])
    }
}

impl RelayDrops {
    pub(super) fn count(&mut self, reason: RelayDrop) {
        self.0[reason as usize] += 1;
    }

    /// How many were dropped for `reason`.
    pub fn of(&self, reason: RelayDrop) -> u64 {
        self.0[reason as usize]
    }

    /// Each reason with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (RelayDrop, u64)> + '_ {
        RelayDrop::ALL.iter().map(|&reason| (reason, self.of(reason)))
    }
}

//! Why connections end.

/// A numeric reason (api.md §3.4, `ESteamNetConnectionEnd`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EndReason(pub i32);

impl EndReason {
    /// Not ended.
    pub const INVALID: Self = Self(0);
    /// The application closed it and named no reason.
    pub const APP_GENERIC: Self = Self(1000);
    /// Largest number of an ordinary application reason; stands in for numbers out of range.
    pub const APP_MAX: Self = Self(1999);
    /// Smallest number of an unusual application reason.
    pub const APP_EXCEPTION_MIN: Self = Self(2000);
    /// Largest number that an application may name; the library uses it at shutdown.
    pub const APP_EXCEPTION_MAX: Self = Self(2999);
    /// The peer's key exchange or cipher is not acceptable.
    pub const REMOTE_BAD_CRYPT: Self = Self(4002);
    /// The peer's certificate is not acceptable.
    pub const REMOTE_BAD_CERT: Self = Self(4003);
    /// The peer speaks a protocol version that we do not.
    pub const REMOTE_BAD_PROTOCOL_VERSION: Self = Self(4006);
    /// Something generic went wrong.
    pub const MISC_GENERIC: Self = Self(5001);
    /// The stream can no longer be right.
    pub const MISC_INTERNAL_ERROR: Self = Self(5002);
    /// The peer did not answer in time.
    pub const MISC_TIMEOUT: Self = Self(5003);
    /// The peer did not answer to signals in time.
    pub const MISC_P2P_RENDEZVOUS: Self = Self(5008);
    /// The peers found each other, but no way for their packets.
    pub const MISC_P2P_NAT_FIREWALL: Self = Self(5009);
    /// The peer says that it knows nothing of this connection.
    pub const MISC_PEER_SENT_NO_CONNECTION: Self = Self(5010);

    /// What an application's number becomes: 0 is generic, numbers outside 1000–2999 are
    /// [`EndReason::APP_MAX`] (api.md §1.1, CloseConnection).
    pub fn from_application(number: i32) -> (Self, bool) {
        match number {
            0 => (Self::APP_GENERIC, true),
            1000..=2999 => (Self(number), true),
            _ => (Self::APP_MAX, false),
        }
    }
}

/// How a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndInfo {
    /// The numeric reason.
    pub reason: EndReason,
    /// Text for people, at most [`MAX_DEBUG_BYTES`] bytes.
    pub debug: String,
}

/// Longest debug text of an end, in bytes (`k_cchSteamNetworkingMaxConnectionCloseReason` less NUL).
pub const MAX_DEBUG_BYTES: usize = 127;

impl EndInfo {
    /// A reason with its text, cut to [`MAX_DEBUG_BYTES`] at a character boundary.
    pub fn new(reason: EndReason, debug: impl AsRef<str>) -> Self {
        let mut text = debug.as_ref();
        if text.len() > MAX_DEBUG_BYTES {
            let mut end = MAX_DEBUG_BYTES;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text = &text[..end];
        }
        Self { reason, debug: text.to_owned() }
    }
}

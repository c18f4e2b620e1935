//! Messages by identity, without connections to look after (`ISteamNetworkingMessages`).
//!
//! Behind each peer there is a session: a symmetric connection on a virtual port of its own. It is
//! made by the first message, in either direction, and ends when nobody has used it for a while. What
//! the sessions are is in [`table`]; here are the calls.

mod api;
mod table;

pub(crate) use self::table::SessionTable;
pub use self::table::{MAX_CHANNELS, MAX_SESSIONS, SESSION_IDLE_TIMEOUT};

use std::sync::Arc;

use gamewire_wire::identity::Identity;

use crate::message::Message;

/// The virtual port of sessions (wire.md §8).
pub(crate) const SESSION_VIRTUAL_PORT: u32 = 0x7fff_ffff;

/// What each message begins with: flags, always 1, and the channel, little-endian.
const HEADER_BYTES: usize = 5;
const HEADER_FLAGS: u8 = 1;

/// A message that came through a session.
#[derive(Clone, Debug)]
pub struct UserMessage {
    /// The message, without the session's own header.
    pub message: Message,
    /// The channel that the peer sent it on.
    pub channel: i32,
}

impl UserMessage {
    /// Who sent it.
    pub fn peer(&self) -> &Arc<Identity> {
        &self.message.peer
    }
}

/// Why a message to a user was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UserSendError {
    /// The identity is nobody's, or the message is too large.
    #[error("the identity is invalid or the message too large")]
    Invalid,
    /// The session broke or was closed, and `AUTO_RESTART_BROKEN_SESSION` was not given. As with
    /// Valve's library the C interface says ConnectFailed.
    #[error("the session with the peer is broken")]
    SessionBroken,
    /// The send buffer is full.
    #[error("the send buffer is full")]
    LimitExceeded,
    /// The message may not wait and would have to.
    #[error("the message may not wait and would have to")]
    Ignored,
    /// No connection could be made; the log says why.
    #[error("no session can be opened")]
    NoSession,
}

fn header(channel: i32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = channel.to_le_bytes();
    [HEADER_FLAGS, a, b, c, d]
}

/// The channel of a message that begins with a header; `None`: it does not.
fn channel_of(payload: &[u8]) -> Option<i32> {
    let (flags, rest) = payload.split_first()?;
    let channel = rest.first_chunk()?;
    (*flags == HEADER_FLAGS).then(|| i32::from_le_bytes(*channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_the_wire() {
        assert_eq!(header(0x0102_0304), [1, 4, 3, 2, 1]);
        for channel in [0, -1, i32::MIN, i32::MAX] {
            assert_eq!(channel_of(&header(channel)), Some(channel));
        }
        for odd in [&[][..], &[1], &[1, 0, 0, 0], &[0, 0, 0, 0, 0]] {
            assert_eq!(channel_of(odd), None);
        }
    }
}

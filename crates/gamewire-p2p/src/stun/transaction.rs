//! Transactions: their ids, and when a request is sent again.

use std::time::Duration;

use gamewire_crypto::{Entropy, stun::integrity};
use gamewire_proto::Time;

/// Time until a request is sent for the second time (wire.md §9).
pub const FIRST_RETRANSMISSION: Duration = Duration::from_millis(400);

/// How often a request is sent. Each wait is half as long again as the one before (wire.md §9).
pub const SENDS: u32 = 5;

/// Time from the first sending until a request has failed: 400 · (1 + 1.5 + … + 1.5⁴) ms.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_millis(5275);

/// What a response repeats of its request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransactionId(pub [u8; 12]);

/// A source of ids that nobody can guess who does not see them.
///
/// A counter under a keyed hash, so that an agent needs randomness once only.
#[derive(Clone)]
pub struct TransactionIds {
    key: [u8; 32],
    next: u64,
}

impl TransactionIds {
    /// A source with a fresh key.
    pub fn new(entropy: &mut dyn Entropy) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Self { key, next: 0 }
    }

    /// Another source, whose ids tell nothing of ours.
    pub fn fork(&mut self) -> Self {
        let mut key = [0; 32];
        key[..12].copy_from_slice(&self.generate().0);
        key[12..24].copy_from_slice(&self.generate().0);
        Self { key, next: 0 }
    }

    /// An id that was not there before.
    pub fn generate(&mut self) -> TransactionId {
        self.next += 1;
        let hash = integrity(&self.key, &[&self.next.to_le_bytes()]);
        TransactionId(hash[..12].try_into().expect("twelve of twenty bytes"))
    }
}

impl std::fmt::Debug for TransactionIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransactionIds").finish_non_exhaustive()
    }
}

/// When a request is due to be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retransmission {
    sends: u32,
    wait: Duration,
    due: Time,
}

impl Retransmission {
    /// The request was sent for the first time.
    pub fn start(now: Time) -> Self {
        Self::start_with(now, FIRST_RETRANSMISSION)
    }

    /// The same with another first wait.
    pub fn start_with(now: Time, wait: Duration) -> Self {
        Self { sends: 1, wait, due: now + wait }
    }

    /// When to call [`Retransmission::on_due`].
    pub fn due(&self) -> Time {
        self.due
    }

    /// How often it was sent.
    pub fn sends(&self) -> u32 {
        self.sends
    }

    /// Its time has come: true to send it again, false if it has failed.
    pub fn on_due(&mut self, now: Time) -> bool {
        if self.sends >= SENDS {
            return false;
        }
        self.sends += 1;
        self.wait = self.wait * 3 / 2;
        self.due = now + self.wait;
        true
    }
}

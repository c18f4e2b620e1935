//! Pairs of connections within the process: messages change hands, nothing is copied, sealed or
//! lost (wire.md §7).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gamewire_proto::{
    Time,
    end::{EndInfo, EndReason},
    event::ConnectionState,
};

use crate::{
    message::{Message, Outgoing},
    slot::Slot,
};

/// What both ends share.
#[derive(Debug)]
struct Shared {
    ends: [End; 2],
}

#[derive(Debug)]
struct End {
    slot: Weak<Slot>,
    state: ConnectionState,
    end: Option<EndInfo>,
    /// Messages sent from this end, per lane.
    sent: Vec<u64>,
    max_message_bytes: usize,
}

/// One end of a pipe.
#[derive(Debug, Clone)]
pub(crate) struct PipeEnd {
    shared: Arc<Mutex<Shared>>,
    side: usize,
}

/// Why a message does not go through a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PipeSendError {
    /// This end or the other one is closed.
    NoConnection,
    /// The lane was not configured.
    InvalidLane,
    /// Larger than the other end takes.
    TooLarge,
}

impl PipeEnd {
    /// Two connected ends; each accepts messages up to its limit in bytes.
    pub(crate) fn pair(max_message_bytes: [usize; 2]) -> [Self; 2] {
        let end = |max_message_bytes| End {
            slot: Weak::new(),
            state: ConnectionState::Connected,
            end: None,
            sent: vec![0],
            max_message_bytes,
        };
        let shared = Arc::new(Mutex::new(Shared { ends: max_message_bytes.map(end) }));
        [0, 1].map(|side| Self { shared: shared.clone(), side })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the pipe which slot this end is.
    pub(crate) fn attach(&self, slot: &Arc<Slot>) {
        self.lock().ends[self.side].slot = Arc::downgrade(slot);
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.lock().ends[self.side].state
    }

    pub(crate) fn end(&self) -> Option<EndInfo> {
        self.lock().ends[self.side].end.clone()
    }

    /// Lanes may grow, never shrink; false if they would.
    pub(crate) fn configure_lanes(&self, count: usize) -> bool {
        let mut shared = self.lock();
        let sent = &mut shared.ends[self.side].sent;
        if count < sent.len() {
            return false;
        }
        sent.resize(count, 0);
        true
    }

    pub(crate) fn lanes(&self) -> usize {
        self.lock().ends[self.side].sent.len()
    }

    /// Hands a message to the other end; returns its number.
    pub(crate) fn send(&self, now: Time, outgoing: &Outgoing) -> Result<u64, PipeSendError> {
        let mut shared = self.lock();
        let [this, other] = shared.ends_from(self.side);
        if this.state != ConnectionState::Connected {
            return Err(PipeSendError::NoConnection);
        }
        if outgoing.payload.len() > other.max_message_bytes {
            return Err(PipeSendError::TooLarge);
        }
        let count =
            this.sent.get_mut(usize::from(outgoing.lane)).ok_or(PipeSendError::InvalidLane)?;
        *count += 1;
        let number = *count;
        let receiver = other.slot.upgrade().ok_or(PipeSendError::NoConnection)?;
        let message = Message {
            payload: outgoing.payload.clone(),
            connection: receiver.handle,
            peer: receiver.peer.load_full(),
            connection_user_data: receiver.user_data.load(std::sync::atomic::Ordering::Relaxed),
            received: now,
            number,
            reliable: outgoing.flags.is_reliable(),
            lane: outgoing.lane,
            user_data: outgoing.user_data,
        };
        // Still under the pipe's lock, so that messages of two threads keep their numbers' order.
        let inbox = receiver.destination.load();
        inbox.deliver([message]);
        drop(shared);
        inbox.signal.notify();
        Ok(number)
    }

    /// Closes this end. Returns the other end's slot if it has just learnt of it.
    pub(crate) fn close(&self, reason: EndReason, debug: &str) -> Option<Arc<Slot>> {
        let mut shared = self.lock();
        let [this, other] = shared.ends_from(self.side);
        if this.state == ConnectionState::Connected {
            this.end = Some(EndInfo::new(reason, debug));
        }
        this.state = ConnectionState::None;
        this.slot = Weak::new();
        if other.state != ConnectionState::Connected {
            return None;
        }
        other.state = ConnectionState::ClosedByPeer;
        other.end = Some(EndInfo::new(reason, debug));
        other.slot.upgrade()
    }
}

impl Shared {
    /// This end and the other one.
    fn ends_from(&mut self, side: usize) -> [&mut End; 2] {
        let [first, second] = &mut self.ends;
        if side == 0 { [first, second] } else { [second, first] }
    }
}

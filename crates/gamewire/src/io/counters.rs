//! What a socket counted.

use super::send::DropReason;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`UdpSocket`](super::UdpSocket) has done since it was bound; reopening does not reset it.
///
/// A snapshot: the fields are read one after the other while other threads go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IoCounters {
    /// Datagrams handed to the system, each segment of a batch counted.
    pub sent_datagrams: u64,
    /// Payload bytes of those.
    pub sent_bytes: u64,
    /// Calls into the system that tried to send, failed ones included.
    pub send_syscalls: u64,
    /// Sends refused because a buffer was full; nothing is lost by them. Many of them: the
    /// application or the congestion controller sends faster than the interface.
    pub send_would_block: u64,
    /// Batches that had to be sent again segment by segment because offload failed.
    pub gso_fallbacks: u64,
    /// Datagrams given up, by reason.
    pub send_drops: SendDrops,
    /// Datagrams received, each segment of a coalesced buffer counted.
    pub received_datagrams: u64,
    /// Payload bytes of those.
    pub received_bytes: u64,
    /// Calls into the system that tried to receive, empty-handed and failed ones included.
    pub recv_syscalls: u64,
    /// Receive calls that reported an error other than "nothing there"; mostly ICMP errors caused
    /// by earlier sends. Harmless in small numbers.
    pub recv_errors: u64,
    /// How often the socket was reopened.
    pub reopened: u64,
}

/// Datagrams that were given up instead of sent, by [`DropReason`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SendDrops {
    /// See [`DropReason::TooLarge`].
    pub too_large: u64,
    /// See [`DropReason::Refused`].
    pub refused: u64,
    /// See [`DropReason::Unreachable`].
    pub unreachable: u64,
    /// See [`DropReason::Forbidden`].
    pub forbidden: u64,
    /// See [`DropReason::InvalidDestination`].
    pub invalid_destination: u64,
    /// See [`DropReason::Other`].
    pub other: u64,
}

impl SendDrops {
    /// All of them together.
    pub const fn total(&self) -> u64 {
        self.too_large
            + self.refused
            + self.unreachable
            + self.forbidden
            + self.invalid_destination
            + self.other
    }
}

/// Statistics only, so no ordering is needed between them or with anything else.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The sending half of a socket's counters, shared by all threads that send.
// On cache lines of its own, so that senders do not slow the receiver down.
#[repr(align(64))]
#[derive(Debug, Default)]
pub(super) struct SendCounters {
    datagrams: Counter,
    bytes: Counter,
    syscalls: Counter,
    would_block: Counter,
    gso_fallbacks: Counter,
    drops: [Counter; DropReason::COUNT],
}

impl SendCounters {
    pub(super) fn sent(&self, datagrams: usize, bytes: usize) {
        self.datagrams.add(datagrams);
        self.bytes.add(bytes);
    }

    pub(super) fn syscall(&self) {
        self.syscalls.add(1);
    }

    pub(super) fn would_block(&self) {
        self.would_block.add(1);
    }

    pub(super) fn gso_fallback(&self) {
        self.gso_fallbacks.add(1);
    }

    pub(super) fn dropped(&self, reason: DropReason, datagrams: usize) {
        self.drops[reason as usize].add(datagrams);
    }
}

/// The receiving half of a socket's counters.
#[repr(align(64))]
#[derive(Debug, Default)]
pub(super) struct RecvCounters {
    datagrams: Counter,
    bytes: Counter,
    syscalls: Counter,
    errors: Counter,
}

impl RecvCounters {
    pub(super) fn received(&self, datagrams: usize, bytes: usize) {
        self.datagrams.add(datagrams);
        self.bytes.add(bytes);
    }

    pub(super) fn syscall(&self) {
        self.syscalls.add(1);
    }

    pub(super) fn error(&self) {
        self.errors.add(1);
    }
}

/// All counters of one socket.
#[derive(Debug, Default)]
pub(super) struct SocketCounters {
    pub(super) send: SendCounters,
    pub(super) recv: RecvCounters,
    reopened: Counter,
}

impl SocketCounters {
    pub(super) fn reopened(&self) {
        self.reopened.add(1);
    }

    pub(super) fn snapshot(&self) -> IoCounters {
        let Self { send, recv, reopened } = self;
        let drops = |reason: DropReason| send.drops[reason as usize].read();
        IoCounters {
            sent_datagrams: send.datagrams.read(),
            sent_bytes: send.bytes.read(),
            send_syscalls: send.syscalls.read(),
            send_would_block: send.would_block.read(),
            gso_fallbacks: send.gso_fallbacks.read(),
            send_drops: SendDrops {
                too_large: drops(DropReason::TooLarge),
                refused: drops(DropReason::Refused),
                unreachable: drops(DropReason::Unreachable),
                forbidden: drops(DropReason::Forbidden),
                invalid_destination: drops(DropReason::InvalidDestination),
                other: drops(DropReason::Other),
            },
            received_datagrams: recv.datagrams.read(),
            received_bytes: recv.bytes.read(),
            recv_syscalls: recv.syscalls.read(),
            recv_errors: recv.errors.read(),
            reopened: reopened.read(),
        }
    }
}

//! Taking datagrams from the system, many at a time and without copying them.

use super::{clock::Clock, udp_socket::normalised};
use gamewire_proto::Time;
use quinn_udp::BATCH_SIZE;
use std::{io::IoSliceMut, net::SocketAddr, time::Duration};

/// Size of one receive buffer in bytes. With receive offload one buffer takes up to 64 datagrams of
/// a flow, 64 KiB together; a smaller one would cut them off.
pub const RECV_SLOT_BYTES: usize = 65_536;

/// Most receive buffers one call into the system fills.
pub const RECV_SLOTS: usize = BATCH_SIZE;

/// Most calls into the system that one [`UdpSocket::recv`](super::UdpSocket::recv) makes, so that
/// one busy socket does not keep a thread from its other sockets and its timers.
pub const RECV_SYSCALLS_PER_CALL: usize = 4;

/// Kernel timestamps further back than this (in microseconds) are taken for a change of the wall
/// clock, and the present is used instead.
pub const MAX_RECV_QUEUE_AGE_US: u64 = 1_000_000;

/// Receive buffers, to be reused for every receive of a thread: one allocation, of which the system
/// only ever touches the parts that datagrams were written to.
pub struct RecvBatch {
    storage: Box<[u8]>,
    metas: [quinn_udp::RecvMeta; RECV_SLOTS],
}

/// What is known about a received datagram besides its sender and content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DatagramMeta {
    /// When the system received it, which may be before the thread got to run: what round-trip
    /// measurements want. It may lie before times that machines have seen already; feed them with
    /// the present as `now`.
    pub received_at: Time,
}

/// What one receive did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// Datagrams handed over.
    pub datagrams: usize,
    /// Payload bytes of those.
    pub bytes: usize,
    /// Calls into the system.
    pub syscalls: usize,
    /// Why it stopped.
    pub end: RecvEnd,
}

/// Why a receive stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvEnd {
    /// Nothing is left; the poller will tell when something arrives.
    Drained,
    /// [`RECV_SYSCALLS_PER_CALL`] is used up and more may be there. Receive again before waiting
    /// without a limit: no event will tell.
    Budget,
    /// The socket does not work any more and must be [reopened](super::UdpSocket::reopen).
    Lost,
}

impl RecvBatch {
    /// With [`RECV_SLOTS`] buffers, 2 MiB of address space: right for service threads.
    #[expect(clippy::new_without_default, reason = "two megabytes should be asked for by name")]
    pub fn new() -> Self {
        Self::with_slots(RECV_SLOTS)
    }

    /// With `slots` buffers, at least 1 and at most [`RECV_SLOTS`].
    pub fn with_slots(slots: usize) -> Self {
        let bytes = slots.clamp(1, RECV_SLOTS) * RECV_SLOT_BYTES;
        let metas = [quinn_udp::RecvMeta::default(); RECV_SLOTS];
        Self { storage: vec![0; bytes].into_boxed_slice(), metas }
    }

    /// Number of buffers.
    pub fn slots(&self) -> usize {
        self.storage.len() / RECV_SLOT_BYTES
    }

    /// Lends the buffers to `fill`, which returns how many of them it filled, or its error.
    pub(super) fn fill<E>(
        &mut self,
        fill: impl FnOnce(&mut [IoSliceMut<'_>], &mut [quinn_udp::RecvMeta]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let slots = self.slots();
        let mut buffers = self.storage.chunks_mut(RECV_SLOT_BYTES);
        let mut slices: [IoSliceMut<'_>; RECV_SLOTS] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        let filled = fill(&mut slices[..slots], &mut self.metas[..slots])?;
        Ok(filled.min(slots))
    }

    /// Hands the datagrams of the first `filled` buffers to `sink`; returns their number and bytes.
    pub(super) fn drain(
        &mut self,
        filled: usize,
        clock: &Clock,
        sink: &mut impl FnMut(SocketAddr, DatagramMeta, &mut [u8]),
    ) -> (usize, usize) {
        let (mut datagrams, mut bytes) = (0, 0);
        let (now, wall) = clock.now_and_wall();
        let buffers = self.storage.chunks_mut(RECV_SLOT_BYTES);
        for (buffer, meta) in buffers.zip(&self.metas).take(filled) {
            let remote = normalised(meta.addr);
            let received_at = placed(meta.timestamp, now, wall);
            let content = &mut buffer[..meta.len.min(RECV_SLOT_BYTES)];
            bytes += content.len();
            if content.is_empty() {
                datagrams += 1;
                sink(remote, DatagramMeta { received_at }, content);
            }
            for datagram in content.chunks_mut(meta.stride.max(1)) {
                datagrams += 1;
                sink(remote, DatagramMeta { received_at }, datagram);
            }
        }
        (datagrams, bytes)
    }
}

impl std::fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecvBatch").field("slots", &self.slots()).finish_non_exhaustive()
    }
}

/// Where a kernel timestamp of the wall clock lies on the local clock, given a moment on both.
fn placed(timestamp: Option<Duration>, now: Time, wall: Duration) -> Time {
    let age = timestamp.and_then(|timestamp| wall.checked_sub(timestamp));
    match age.and_then(|age| u64::try_from(age.as_micros()).ok()) {
        Some(age_us) if age_us <= MAX_RECV_QUEUE_AGE_US => {
            Time::from_micros(now.as_micros().saturating_sub(age_us))
        }
        Some(_) | None => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(batch: &mut RecvBatch, slot: usize, content: &[u8], stride: usize) {
        batch.storage[slot * RECV_SLOT_BYTES..][..content.len()].copy_from_slice(content);
        batch.metas[slot].len = content.len();
        batch.metas[slot].stride = stride;
    }

    #[test]
    fn coalesced_buffers_are_split_by_stride_in_place() {
        let mut batch = RecvBatch::with_slots(3);
        filled(&mut batch, 0, b"aaabbbc", 3);
        filled(&mut batch, 1, b"", 0);
        filled(&mut batch, 2, b"whole", 5);
        let mut seen = Vec::new();
        let counts = batch.drain(3, &Clock::new(), &mut |_, _, datagram| {
            seen.push(datagram.to_vec());
            datagram.fill(b'!');
        });
        let expected: [&[u8]; 5] = [b"aaa", b"bbb", b"c", b"", b"whole"];
        assert_eq!(seen, expected);
        assert_eq!(counts, (5, 12));
        assert_eq!(&batch.storage[..7], b"!!!!!!!", "datagrams are handed over in place");
    }

    #[test]
    fn nonsense_lengths_from_below_do_not_panic() {
        let mut batch = RecvBatch::with_slots(1);
        batch.metas[0].len = usize::MAX;
        batch.metas[0].stride = 0;
        let counts = batch.drain(1, &Clock::new(), &mut |_, _, _| {});
        assert_eq!(counts, (RECV_SLOT_BYTES, RECV_SLOT_BYTES));
        assert_eq!(batch.fill(|_, _| Ok::<_, ()>(99)), Ok(1));
    }

    #[test]
    fn slots_are_bounded() {
        assert_eq!(RecvBatch::with_slots(0).slots(), 1);
        assert_eq!(RecvBatch::with_slots(usize::MAX).slots(), RECV_SLOTS);
    }

    #[test]
    fn kernel_timestamps_are_placed_on_the_local_clock() {
        let now = Time::from_micros(10_000_000);
        let wall = Duration::from_secs(1_700_000_000);
        let at = |timestamp| placed(timestamp, now, wall).as_micros();
        assert_eq!(at(Some(wall - Duration::from_micros(250))), 9_999_750);
        assert_eq!(at(Some(wall + Duration::from_secs(1))), 10_000_000, "from the future");
        assert_eq!(at(Some(wall - Duration::from_secs(60))), 10_000_000, "wall clock stepped");
        assert_eq!(at(None), 10_000_000);
    }
}

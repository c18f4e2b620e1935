//! Handing datagrams to the system: splitting batches, surviving errors.

use super::{
    counters::SendCounters,
    os::{self, Failure},
};
use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Most payload bytes handed over in one call: the largest UDP payload over IPv4. Larger batches
/// are split; a single datagram beyond it is dropped as [`DropReason::TooLarge`].
pub const MAX_BATCH_BYTES: usize = 65_507;

/// How long to wait after [`SendWait::Pause`] before trying again, in microseconds: about one
/// full-size packet at 10 Mbit/s, and long enough not to spin.
pub const NO_BUFFERS_PAUSE_US: u64 = 1_000;

/// Sends of one datagram or batch are tried this often when an error from the past (ICMP) is
/// reported in their stead.
const ATTEMPTS: usize = 2;

/// Datagrams to one destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transmit<'a> {
    /// Where to.
    pub destination: SocketAddr,
    /// One datagram, or several of `segment_size` bytes one after the other, the last of which may
    /// be shorter.
    pub contents: &'a [u8],
    /// Size of each datagram in bytes; `None`: all of `contents` is one.
    pub segment_size: Option<usize>,
}

/// What became of a [`Transmit`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "what was not sent must be kept or counted as lost"]
pub enum SendOutcome {
    /// All of it was handed to the system.
    Sent,
    /// There was no room. Nothing is lost: `contents[consumed..]` is to be sent again later.
    WouldBlock {
        /// Bytes of `contents` that were handed over before, always whole datagrams.
        consumed: usize,
        /// When it is worth trying again.
        wait: SendWait,
    },
    /// At least one datagram was given up (and counted); nothing is left to send. The connection
    /// goes on: to it this is ordinary packet loss.
    Dropped(DropReason),
    /// The socket does not work any more (suspend, interface gone) and must be
    /// [reopened](super::UdpSocket::reopen). What was to be sent counts as lost.
    Lost,
}

/// When a refused send is worth trying again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendWait {
    /// When the socket is reported writable: the socket's own buffer is full.
    Writable,
    /// After [`NO_BUFFERS_PAUSE_US`]: a queue behind the socket is full, and no event will tell.
    Pause,
}

/// Why a datagram was given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DropReason {
    /// Larger than the path or the protocol allows. Expected of probes for the path MTU; otherwise
    /// lower `MTU_PacketSize`.
    TooLarge,
    /// ICMP errors of earlier datagrams kept being reported instead of sending. The peer's port is
    /// closed.
    Refused,
    /// No route to the destination, or it is down, or of a family the socket does not speak.
    Unreachable,
    /// A local firewall or policy forbids it. Look at the output rules.
    Forbidden,
    /// No datagram can be sent there: port 0, or a link-local address without interface.
    InvalidDestination,
    /// The system reported something unforeseen.
    Other,
}

impl DropReason {
    /// Number of reasons.
    pub(super) const COUNT: usize = Self::Other as usize + 1;
}

/// One socket's way to send: how much it may batch, and what it counted.
pub(super) struct Sender<'a> {
    /// Most segments in one call; drops to 1 for good once offload turns out not to work. Not
    /// quinn-udp's own figure, which one unlucky destination address would set to 1.
    pub(super) max_segments: &'a AtomicUsize,
    pub(super) counters: &'a SendCounters,
}

/// How sending stopped before its end.
enum Stop {
    Full(SendWait),
    Lost,
}

impl Sender<'_> {
    /// Sends `contents` as datagrams of `segment_size` bytes through `syscall`, which is given the
    /// bytes of one call and the segment size if they are several datagrams.
    pub(super) fn send(
        &self,
        contents: &[u8],
        segment_size: Option<usize>,
        mut syscall: impl FnMut(&[u8], Option<usize>) -> io::Result<()>,
    ) -> SendOutcome {
        let segment_size = segment_size.unwrap_or(contents.len()).max(1);
        let mut rest = contents;
        let mut dropped = None;
        loop {
            let (batch, after) = rest.split_at(self.batch_len(rest.len(), segment_size));
            match self.send_batch(batch, segment_size, &mut syscall) {
                Ok(None) => {}
                Ok(Some(reason)) => dropped = Some(reason),
                Err((_, Stop::Lost)) => return SendOutcome::Lost,
                Err((sent, Stop::Full(wait))) => {
                    self.counters.would_block();
                    let consumed = contents.len() - rest.len() + sent;
                    return SendOutcome::WouldBlock { consumed, wait };
                }
            }
            rest = after;
            // An empty datagram is one, too, hence the test at the end.
            if rest.is_empty() {
                return dropped.map_or(SendOutcome::Sent, SendOutcome::Dropped);
            }
        }
    }

    /// How many of `len` bytes go into the next call: whole segments within both limits.
    fn batch_len(&self, len: usize, segment_size: usize) -> usize {
        let max_segments = self.max_segments.load(Ordering::Relaxed).max(1);
        let segments = (MAX_BATCH_BYTES / segment_size).clamp(1, max_segments);
        len.min(segments.saturating_mul(segment_size))
    }

    /// Sends what fits one call. `Ok` if it is dealt with, with the reason if some was dropped;
    /// `Err` with the bytes dealt with if sending has to stop.
    fn send_batch(
        &self,
        batch: &[u8],
        segment_size: usize,
        syscall: &mut impl FnMut(&[u8], Option<usize>) -> io::Result<()>,
    ) -> Result<Option<DropReason>, (usize, Stop)> {
        let segments = batch.len().div_ceil(segment_size).max(1);
        if segments > 1 {
            match self.attempt(batch, Some(segment_size), syscall) {
                Ok(()) => {
                    self.counters.sent(segments, batch.len());
                    return Ok(None);
                }
                Err(Failure::Invalid) => {
                    self.counters.gso_fallback();
                    return self.send_singly(batch, segment_size, syscall);
                }
                Err(failure) => return self.settle(failure, segments).map_err(|stop| (0, stop)),
            }
        }
        match self.attempt(batch, None, syscall) {
            Ok(()) => {
                self.counters.sent(1, batch.len());
                Ok(None)
            }
            Err(failure) => self.settle(failure, 1).map_err(|stop| (0, stop)),
        }
    }

    /// Sends a batch that could not be offloaded segment by segment. Offload is at fault, and turned
    /// off, only if the segments do get through; otherwise the destination or their size is.
    fn send_singly(
        &self,
        batch: &[u8],
        segment_size: usize,
        syscall: &mut impl FnMut(&[u8], Option<usize>) -> io::Result<()>,
    ) -> Result<Option<DropReason>, (usize, Stop)> {
        let mut dropped = None;
        for (index, segment) in batch.chunks(segment_size).enumerate() {
            match self.attempt(segment, None, syscall) {
                Ok(()) => {
                    self.counters.sent(1, segment.len());
                    // The first is of full size; a short tail getting through proves nothing.
                    if index == 0 {
                        self.max_segments.store(1, Ordering::Relaxed);
                    }
                }
                Err(failure) => match self.settle(failure, 1) {
                    Ok(reason) => dropped = reason,
                    Err(stop) => return Err((index * segment_size, stop)),
                },
            }
        }
        Ok(dropped)
    }

    /// One call, repeated if it only reported an error of the past.
    fn attempt(
        &self,
        bytes: &[u8],
        segment_size: Option<usize>,
        syscall: &mut impl FnMut(&[u8], Option<usize>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut attempt = 1;
        loop {
            self.counters.syscall();
            let Err(error) = syscall(bytes, segment_size) else {
                return Ok(());
            };
            match os::classify(&error) {
                Failure::Refused | Failure::Unreachable if attempt < ATTEMPTS => attempt += 1,
                failure => return Err(failure),
            }
        }
    }

    /// Decides what a failure that remained means for `datagrams`: dropped and counted, or stop.
    fn settle(&self, failure: Failure, datagrams: usize) -> Result<Option<DropReason>, Stop> {
        let reason = match failure {
            Failure::WouldBlock => return Err(Stop::Full(SendWait::Writable)),
            Failure::NoBuffers => return Err(Stop::Full(SendWait::Pause)),
            Failure::Lost => return Err(Stop::Lost),
            Failure::Refused => DropReason::Refused,
            Failure::Unreachable => DropReason::Unreachable,
            Failure::TooLarge => DropReason::TooLarge,
            Failure::Forbidden => DropReason::Forbidden,
            Failure::Invalid => DropReason::InvalidDestination,
            Failure::Other => DropReason::Other,
        };
        self.counters.dropped(reason, datagrams);
        Ok(Some(reason))
    }
}

#[cfg(test)]
mod tests;

//! How data is cut to what is left of a packet.

/// Least piece of a larger whole that is worth a segment of its own, in bytes: less than this at the
/// end of a packet is left empty.
pub(super) const MIN_PIECE: u64 = 32;

/// How segments may be cut in the packet at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Largest segment the peer takes.
    pub(super) max_segment: usize,
    /// No segment is in the packet yet: waiting for the next one would gain nothing.
    pub(super) fresh: bool,
}

impl Room {
    /// How much of `wanted` bytes to send where `fits` would fit; `None`: nothing now.
    pub(super) fn cut(self, fits: usize, wanted: u64) -> Option<u64> {
        let fits = fits.min(self.max_segment) as u64;
        let enough = fits >= wanted || fits >= MIN_PIECE || (self.fresh && fits > 0);
        enough.then(|| fits.min(wanted))
    }
}

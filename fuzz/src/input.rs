//! Fuzz input as a source of decisions.

/// Yields values from the front of the input; zeros once it is used up.
#[derive(Debug)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// At most `len` bytes.
    pub(crate) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Bytes with a 16-bit length before them, at most `max` of them.
    pub(crate) fn sized_bytes(&mut self, max: usize) -> &'a [u8] {
        let len = usize::from(self.u16());
        self.bytes(len.min(max))
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.bytes(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    pub(crate) fn byte(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// A number below `limit`, which is at least 1.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let raw = if limit <= 256 { usize::from(self.byte()) } else { usize::from(self.u16()) };
        raw % limit
    }

    /// One of a few numbers near which counters wrap, give or take a little: 2 bytes of input.
    pub(crate) fn near_a_wrap(&mut self) -> u64 {
        const CENTRES: [u64; 8] =
            [0x100, 1 << 16, 1 << 24, 1 << 31, 1 << 32, 1 << 48, 1 << 63, u64::MAX - 0x100];
        let centre = CENTRES[self.below(CENTRES.len())];
        centre.saturating_add_signed(i64::from(self.byte().cast_signed()))
    }
}

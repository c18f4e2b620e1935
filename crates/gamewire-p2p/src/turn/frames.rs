//! Messages in a stream (RFC 8656 §3.1 and §12.5): each says its own length.

/// Longest frame that is taken from a stream, in bytes. Data are datagrams, so nothing good is longer.
pub const MAX_FRAME: usize = 2048;

/// The stream is no stream of TURN messages, or a frame is longer than [`MAX_FRAME`]: it must be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameError;

/// Takes a stream apart.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
}

impl Frames {
    /// Takes bytes and yields the frames that are whole, padding cut off.
    ///
    /// # Errors
    /// [`FrameError`]; what follows cannot be read any longer.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
        self.buffer.extend_from_slice(bytes);
        let mut frames = Vec::new();
        let mut taken = 0;
        while let Some(header) = self.buffer[taken..].first_chunk::<4>() {
            let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
            let (whole, padded) = match header[0] & 0xc0 {
                0x00 => (20 + len, 20 + len),
                0x40 => (4 + len, 4 + len.next_multiple_of(4)),
                _ => return Err(FrameError),
            };
            if padded > MAX_FRAME {
                return Err(FrameError);
            }
            let Some(frame) = self.buffer.get(taken..taken + padded) else {
                break;
            };
            frames.push(frame[..whole].to_vec());
            taken += padded;
        }
        self.buffer.drain(..taken);
        Ok(frames)
    }
}

//! Sealing and opening: eight bytes of number, the ciphertext, the tag.

use anyhow::{Context as _, anyhow, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Bytes of a packet that are not content.
pub(crate) const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;
/// Bytes of a packet, at most: those of Valve's library.
pub(crate) const PACKET_BYTES: usize = 1300;
/// Bytes of a large packet: those that ours come to over loopback.
pub(crate) const LARGE_PACKET_BYTES: usize = 65_487;
/// Bytes of content in a packet of the usual size, at most.
#[cfg(test)]
pub(crate) const CONTENT_BYTES: usize = PACKET_BYTES - OVERHEAD_BYTES;

const HEADER_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
/// Both sides know it. Nothing here is a secret.
const KEY: [u8; 32] = [0x5a; 32];
/// Marks the numbers of packets that only acknowledge.
const ACK: u64 = 1 << 63;

/// Which side seals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What a packet is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Data,
    Ack,
}

/// The key, and the next number.
#[derive(Debug)]
pub(crate) struct Cipher {
    key: LessSafeKey,
    side: Side,
    next: u64,
}

impl Cipher {
    pub(crate) fn new(side: Side) -> anyhow::Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, &KEY).map_err(|_| anyhow!("no AES-256-GCM"))?;
        Ok(Self { key: LessSafeKey::new(key), side, next: 0 })
    }

    /// How many data packets were sealed.
    pub(crate) const fn sealed(&self) -> u64 {
        self.next
    }

    /// Seals `content` into the start of `out`; how long the packet is. Acknowledgements take the
    /// number that they acknowledge.
    pub(crate) fn seal(
        &mut self,
        kind: Kind,
        content: &[u8],
        out: &mut [u8],
    ) -> anyhow::Result<usize> {
        let number = match kind {
            Kind::Data => {
                self.next += 1;
                self.next - 1
            }
            Kind::Ack => ACK | u64::from_le_bytes(content.try_into().context("a number")?),
        };
        let (header, rest) = out.split_at_mut(HEADER_BYTES);
        header.copy_from_slice(&number.to_le_bytes());
        let (sealed, rest) = rest.split_at_mut(content.len());
        let nonce = nonce(self.side, number);
        self.key
            .seal_out_of_place_scatter(
                nonce,
                Aad::from(number.to_le_bytes()),
                content,
                sealed,
                &[],
                &mut rest[..TAG_BYTES],
            )
            .map_err(|_| anyhow!("cannot seal"))?;
        Ok(content.len() + OVERHEAD_BYTES)
    }

    /// Opens a packet into the start of `out`, which has room for [`content_len`] bytes.
    pub(crate) fn open(&self, packet: &[u8], out: &mut [u8]) -> anyhow::Result<()> {
        let (number, content) = split(packet)?;
        let (sealed, tag) = content.split_at(content.len() - TAG_BYTES);
        self.key
            .open_separate_gather(
                nonce(self.side.other(), number),
                Aad::from(number.to_le_bytes()),
                sealed,
                tag,
                &mut out[..sealed.len()],
            )
            .map_err(|_| anyhow!("a packet is not authentic"))
    }
}

fn nonce(side: Side, number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[0] = side as u8;
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn split(packet: &[u8]) -> anyhow::Result<(u64, &[u8])> {
    ensure!(packet.len() >= OVERHEAD_BYTES, "a packet of {} bytes", packet.len());
    let (header, rest) = packet.split_at(HEADER_BYTES);
    Ok((u64::from_le_bytes(header.try_into().context("eight bytes")?), rest))
}

/// What a packet claims to be, and its number.
pub(crate) fn kind(packet: &[u8]) -> anyhow::Result<(Kind, u64)> {
    let (number, _) = split(packet)?;
    let kind = if number & ACK == 0 { Kind::Data } else { Kind::Ack };
    Ok((kind, number & !ACK))
}

/// How much content a packet has.
pub(crate) const fn content_len(packet: &[u8]) -> usize {
    packet.len().saturating_sub(OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_seals_the_other_opens() {
        let mut client = Cipher::new(Side::Client).unwrap();
        let server = Cipher::new(Side::Server).unwrap();
        let mut packet = [0; 100];
        let len = client.seal(Kind::Data, b"hello", &mut packet).unwrap();
        let packet = &packet[..len];
        assert_eq!(kind(packet).unwrap(), (Kind::Data, 0));
        assert_eq!(content_len(packet), 5);
        let mut content = [0; 5];
        server.open(packet, &mut content).unwrap();
        assert_eq!(&content, b"hello");
        assert!(client.open(packet, &mut content).is_err());
        assert_eq!(client.sealed(), 1);
    }
}

//! Reading a message.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use gamewire_crypto::stun::{verify_integrity, verify_integrity_sha256};

use super::{
    COOKIE, Class, FINGERPRINT_XOR, HEADER_LEN, MAX_LEN, TransactionId, attribute, crc32, is_stun,
    padded,
};

/// A message whose lengths all fit.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: u16,
}

/// It is no STUN message, or one of its lengths does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unparsable;

/// What FINGERPRINT says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fingerprint {
    /// There is none.
    Missing,
    /// The message arrived as it was sent.
    Right,
    /// It did not, or it is no STUN at all.
    Wrong,
}

impl<'a> Message<'a> {
    /// Reads a whole datagram.
    ///
    /// # Errors
    /// [`Unparsable`]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Unparsable> {
        if !is_stun(bytes) || bytes.len() > MAX_LEN {
            return Err(Unparsable);
        }
        let kind = u16::from_be_bytes([bytes[0], bytes[1]]);
        let class = match kind & 0x0110 {
            0x0000 => Class::Request,
            0x0010 => Class::Indication,
            0x0100 => Class::Success,
            _ => Class::Error,
        };
        let method = kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2;
        let message = Self { bytes, class, method };
        let mut rest = &bytes[HEADER_LEN..];
        while !rest.is_empty() {
            let (header, body) = rest.split_first_chunk::<4>().ok_or(Unparsable)?;
            let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
            rest = body.get(padded(len)..).ok_or(Unparsable)?;
        }
        Ok(message)
    }

    /// The class.
    pub fn class(&self) -> Class {
        self.class
    }

    /// One of [`super::method`], or an unknown one.
    pub fn method(&self) -> u16 {
        self.method
    }

    /// What a response repeats.
    pub fn transaction_id(&self) -> TransactionId {
        TransactionId(self.bytes[8..HEADER_LEN].try_into().expect("twelve bytes of the header"))
    }

    /// All attributes in order: type, offset of the value in the message, value.
    fn all(&self) -> impl Iterator<Item = (u16, usize, &'a [u8])> {
        let bytes = self.bytes;
        let mut offset = HEADER_LEN;
        std::iter::from_fn(move || {
            let header = bytes.get(offset..offset + 4)?;
            let kind = u16::from_be_bytes([header[0], header[1]]);
            let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
            let start = offset + 4;
            offset = start + padded(len);
            Some((kind, start, &bytes[start..start + len]))
        })
    }

    /// The value of the first attribute of a type. What follows the integrity is not guarded by it,
    /// and is left out.
    pub fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes(kind).next()
    }

    /// The values of all attributes of a type, as in [`Message::attribute`].
    pub fn attributes(&self, kind: u16) -> impl Iterator<Item = &'a [u8]> {
        let guarded = |kind: u16| {
            !matches!(kind, attribute::MESSAGE_INTEGRITY | attribute::MESSAGE_INTEGRITY_SHA256)
        };
        self.all()
            .take_while(move |&(found, ..)| guarded(found))
            .filter(move |&(found, ..)| found == kind)
            .map(|(_, _, value)| value)
    }

    /// Where in the datagram the value of the first attribute of a type is.
    pub fn position(&self, kind: u16) -> Option<std::ops::Range<usize>> {
        self.all()
            .find(|&(found, ..)| found == kind)
            .map(|(_, start, value)| start..start + value.len())
    }

    /// An attribute that is text.
    pub fn text(&self, kind: u16) -> Option<&'a str> {
        std::str::from_utf8(self.attribute(kind)?).ok()
    }

    /// An attribute that is a number of 32 bits.
    pub fn u32(&self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.attribute(kind)?.try_into().ok()?))
    }

    /// An attribute that is a number of 64 bits.
    pub fn u64(&self, kind: u16) -> Option<u64> {
        Some(u64::from_be_bytes(self.attribute(kind)?.try_into().ok()?))
    }

    /// An attribute that is an address in clear.
    pub fn address(&self, kind: u16) -> Option<SocketAddr> {
        address(self.attribute(kind)?, &[0; 16])
    }

    /// An attribute that is an address, mixed with cookie and transaction.
    pub fn xor_address(&self, kind: u16) -> Option<SocketAddr> {
        let mut mask = [0; 16];
        mask[..4].copy_from_slice(&COOKIE);
        mask[4..].copy_from_slice(&self.transaction_id().0);
        address(self.attribute(kind)?, &mask)
    }

    /// Code of ERROR-CODE: 300 to 699.
    pub fn error_code(&self) -> Option<u16> {
        let value = self.attribute(attribute::ERROR_CODE)?;
        let &[_, _, class, number, ..] = value else {
            return None;
        };
        let code = u16::from(class & 7) * 100 + u16::from(number);
        (300..700).contains(&code).then_some(code)
    }

    /// What FINGERPRINT says; it must be the last attribute.
    pub fn fingerprint(&self) -> Fingerprint {
        let Some((_, start, value)) = self.all().find(|&(kind, ..)| kind == attribute::FINGERPRINT)
        else {
            return Fingerprint::Missing;
        };
        let expected = crc32(&[&self.bytes[..start - 4]]) ^ FINGERPRINT_XOR;
        let last = start + 4 == self.bytes.len();
        if last && value == expected.to_be_bytes() {
            Fingerprint::Right
        } else {
            Fingerprint::Wrong
        }
    }

    /// Whether an integrity attribute is there and made with `key`. Where both are, both must be right.
    pub fn verify(&self, key: &[u8]) -> bool {
        let mut found = false;
        for (kind, start, value) in self.all() {
            let check = match kind {
                attribute::MESSAGE_INTEGRITY => verify_integrity,
                attribute::MESSAGE_INTEGRITY_SHA256 => verify_integrity_sha256,
                _ => continue,
            };
            // The length in the header counts up to the end of this attribute (RFC 8489 §14.5).
            let end = start + padded(value.len()) - HEADER_LEN;
            let Ok(len) = u16::try_from(end) else {
                return false;
            };
            let parts = [&self.bytes[..2], &len.to_be_bytes(), &self.bytes[4..start - 4]];
            if !check(key, &parts, value) {
                return false;
            }
            found = true;
        }
        found
    }
}

fn address(value: &[u8], mask: &[u8; 16]) -> Option<SocketAddr> {
    let (&[_, family, port @ ..], rest) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([port[0] ^ mask[0], port[1] ^ mask[1]]);
    let ip = match family {
        1 => {
            let mut bytes: [u8; 4] = rest.try_into().ok()?;
            bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            IpAddr::V4(Ipv4Addr::from(bytes))
        }
        2 => {
            let mut bytes: [u8; 16] = rest.try_into().ok()?;
            bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

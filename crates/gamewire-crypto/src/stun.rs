//! What STUN and TURN need (RFC 8489 §9, §14.5 and §14.6), weak as some of it is.
//!
//! The integrity of STUN messages guards the choice of a path, not what is sent along it.

use crate::backend::{Active, CryptoBackend};
use md5::{Digest, Md5};

/// Bytes of MESSAGE-INTEGRITY.
pub const INTEGRITY_LEN: usize = 20;

/// Fewest and most bytes of MESSAGE-INTEGRITY-SHA256, a multiple of four.
pub const INTEGRITY_SHA256_LEN: std::ops::RangeInclusive<usize> = 16..=32;

/// The key of a long-term credential: MD5 of `username:realm:password` (RFC 8489 §9.2.2).
///
/// The three are taken as they are: servers that want them prepared by OpaqueString are few.
pub fn long_term_key(username: &str, realm: &str, password: &str) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in [username, ":", realm, ":", password] {
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// The value of MESSAGE-INTEGRITY: HMAC-SHA-1 of the parts, one after the other.
pub fn integrity(key: &[u8], parts: &[&[u8]]) -> [u8; INTEGRITY_LEN] {
    Active::hmac_sha1(key, parts)
}

/// Whether `value` is the MESSAGE-INTEGRITY of the parts.
pub fn verify_integrity(key: &[u8], parts: &[&[u8]], value: &[u8]) -> bool {
    same(&integrity(key, parts), value)
}

/// Whether `value` is the MESSAGE-INTEGRITY-SHA256 of the parts, perhaps cut off.
pub fn verify_integrity_sha256(key: &[u8], parts: &[&[u8]], value: &[u8]) -> bool {
    INTEGRITY_SHA256_LEN.contains(&value.len())
        && value.len().is_multiple_of(4)
        && same(&Active::hmac_sha256(key, parts)[..value.len()], value)
}

/// Compares in a time that does not depend on the content.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hex;

    #[test]
    fn hmac_sha1_of_rfc_2202() {
        let key: Vec<u8> = [0xaa; 80].into();
        for (key, data, digest) in [
            (&[0x0b; 20][..], &b"Hi There"[..], "b617318655057264e28bc0b6fb378c8ef146be00"),
            (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                &key,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
        ] {
            let digest = hex(digest);
            let (one, two) = data.split_at(3);
            assert_eq!(integrity(key, &[one, two])[..], digest);
            assert!(verify_integrity(key, &[data], &digest));
            assert!(!verify_integrity(key, &[data], &digest[..19]));
            assert!(!verify_integrity(key, &[one], &digest));
        }
    }

    #[test]
    fn sha256_may_be_cut_off_at_a_multiple_of_four() {
        let whole = Active::hmac_sha256(b"key", &[b"data"]);
        for (len, good) in
            [(32, true), (20, true), (16, true), (12, false), (18, false), (0, false)]
        {
            assert_eq!(verify_integrity_sha256(b"key", &[b"data"], &whole[..len]), good, "{len}");
        }
        assert!(!verify_integrity_sha256(b"other", &[b"data"], &whole));
    }

    #[test]
    fn the_long_term_key_of_rfc_8489() {
        // RFC 8489 §9.2.2, the example in its text.
        assert_eq!(
            long_term_key("user", "realm", "pass")[..],
            hex("8493fbc53ba582fb4c044c456bdc40eb")
        );
    }
}

//! Keys and certificates as text, base64.

use gamewire_crypto::text::{
    decode_base64, decode_certificate, decode_private_key, decode_public_key, encode_base64,
    encode_certificate, encode_private_key, encode_public_key,
};

pub(crate) fn run(data: &[u8]) {
    assert_eq!(decode_base64(&encode_base64(data)).as_deref(), Ok(data));
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(bytes) = decode_base64(text) {
        let compact: String = text.split_ascii_whitespace().collect();
        assert_eq!(encode_base64(&bytes), compact, "base64 has one form");
    }
    if let Ok(key) = decode_private_key(text) {
        let again = decode_private_key(&encode_private_key(&key, "a comment"));
        assert_eq!(again.expect("our own text").seed(), key.seed());
    }
    if let Ok(key) = decode_public_key(text) {
        assert_eq!(decode_public_key(&encode_public_key(&key, "")), Ok(key));
    }
    if let Ok(certificate) = decode_certificate(text) {
        let again = decode_certificate(&encode_certificate(&certificate));
        // Unknown fields are dropped, so the second text is never longer than the first allowed.
        assert_eq!(again, Ok(certificate));
    }
}

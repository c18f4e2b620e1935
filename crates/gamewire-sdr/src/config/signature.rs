//! The detached signature of a network config: ours, the public one relies on HTTPS alone.
//!
//! A text of lines `key-id base64-signature`, one per root that signed, over the exact bytes of the
//! file behind a label. It travels beside the file (`.sig`) or in an HTTP header.

use gamewire_crypto::{
    SigningKey, VerifyingKey,
    text::{decode_base64, encode_base64},
};

/// What is signed begins with this, so that no other signature of the key fits.
const LABEL: &[u8] = b"gamewire network config 1\n";
/// Longest text of signatures that is looked at, in bytes.
pub const MAX_SIGNATURE_TEXT: usize = 8192;
/// Most lines of it that are looked at.
const MAX_LINES: usize = 16;

/// Why a config is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    /// The signature is not in its form.
    #[error("the network config's signature cannot be read")]
    Malformed,
    /// No root that we have has signed.
    #[error("no root that is configured here has signed the network config")]
    UnknownRoot,
    /// A root's signature does not match: the file was changed, or belongs to another signature.
    #[error("the network config's signature does not match")]
    Mismatch,
}

/// The signature of a config under a root; lines of several roots may be joined.
pub fn sign(config: &[u8], root: &SigningKey) -> String {
    let signature = root.sign(&labelled(config));
    format!("{} {}\n", root.public_key().key_id(), encode_base64(&signature))
}

/// Checks that one of `roots` has signed a config.
///
/// # Errors
/// [`SignatureError`]
pub fn verify(config: &[u8], text: &str, roots: &[VerifyingKey]) -> Result<(), SignatureError> {
    if text.len() > MAX_SIGNATURE_TEXT {
        return Err(SignatureError::Malformed);
    }
    let mut result = Err(SignatureError::UnknownRoot);
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(MAX_LINES) {
        let (id, signature) = line.trim().split_once(' ').ok_or(SignatureError::Malformed)?;
        let id: u64 = id.parse().map_err(|_| SignatureError::Malformed)?;
        let signature = decode_base64(signature).map_err(|_| SignatureError::Malformed)?;
        let Some(root) = roots.iter().find(|root| root.key_id() == id) else {
            continue;
        };
        if root.verify(&labelled(config), &signature).is_ok() {
            return Ok(());
        }
        result = Err(SignatureError::Mismatch);
    }
    result
}

fn labelled(config: &[u8]) -> Vec<u8> {
    [LABEL, config].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures() {
        let (a, b) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let config = b"{\"revision\":1}";
        let by_a = sign(config, &a);
        assert_eq!(verify(config, &by_a, &[a.public_key()]), Ok(()));
        assert_eq!(verify(config, &by_a, &[b.public_key()]), Err(SignatureError::UnknownRoot));
        assert_eq!(verify(config, &by_a, &[]), Err(SignatureError::UnknownRoot));
        assert_eq!(verify(b"{}", &by_a, &[a.public_key()]), Err(SignatureError::Mismatch));
        let both = sign(config, &b) + &by_a;
        for root in [&a, &b] {
            assert_eq!(verify(config, &both, &[root.public_key()]), Ok(()));
        }
        // A bad line of one root does not shadow the good one of another.
        let mixed = sign(b"other", &a) + &sign(config, &b);
        assert_eq!(verify(config, &mixed, &[a.public_key(), b.public_key()]), Ok(()));
        for text in ["x", "1", "1 ?", "18446744073709551616 AA=="] {
            assert_eq!(verify(config, text, &[]), Err(SignatureError::Malformed), "{text}");
        }
        assert_eq!(verify(config, "", &[a.public_key()]), Err(SignatureError::UnknownRoot));
        let long = "1 AA==\n".repeat(2000);
        assert_eq!(verify(config, &long, &[]), Err(SignatureError::Malformed));
    }

    /// What the root signs elsewhere (certificates, tickets) is no signature of a config.
    #[test]
    fn the_label_counts() {
        let root = SigningKey::from_seed([1; 32]);
        let bare = encode_base64(&root.sign(b"{}"));
        let text = format!("{} {bare}", root.public_key().key_id());
        assert_eq!(verify(b"{}", &text, &[root.public_key()]), Err(SignatureError::Mismatch));
    }
}

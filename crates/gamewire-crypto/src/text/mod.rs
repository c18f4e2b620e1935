//! Keys and certificates as text, for files, environment variables and command lines.
//!
//! Private keys are OpenSSH files without passphrase, as `ssh-keygen -t ed25519` writes and
//! Valve's tools take; public keys are `ssh-ed25519` lines; certificates are PEM-like blocks
//! around the serialized `CertificateSigned` (relay-network.md §4.10).

mod base64;
mod openssh;

use gamewire_wire::messages::CertificateSigned;
use prost::Message as _;

pub use base64::{Base64Error, decode as decode_base64, encode as encode_base64};
pub use openssh::{decode_private_key, decode_public_key, encode_private_key, encode_public_key};

/// Longest text that is looked at, in bytes.
pub const MAX_TEXT_LEN: usize = 16 * 1024;

/// Characters per line of a certificate block.
const CERT_LINE_LEN: usize = 72;
const CERT_LABEL: &str = "STEAMDATAGRAM CERT";

/// Why a text is no key or certificate.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TextError {
    /// Longer than [`MAX_TEXT_LEN`].
    #[error("the text is longer than 16 KiB")]
    TooLong,
    /// The BEGIN or END line is missing.
    #[error("there is no block that begins with -----BEGIN {0}----- and ends with its END line")]
    NoBlock(&'static str),
    /// The body is not base64.
    #[error("the body is not base64")]
    Base64(#[from] Base64Error),
    /// Not the layout of its kind.
    #[error("the {0} is damaged")]
    Malformed(&'static str),
    /// An OpenSSH key with a passphrase; remove it with `ssh-keygen -p`.
    #[error("the private key has a passphrase; remove it with `ssh-keygen -p -N ''`")]
    Encrypted,
    /// A key of another algorithm.
    #[error("the key is not an Ed25519 key")]
    WrongAlgorithm,
}

/// A certificate as a block of text.
pub fn encode_certificate(signed: &CertificateSigned) -> String {
    encode_block(CERT_LABEL, &encode_base64(&signed.encode_to_vec()), CERT_LINE_LEN)
}

/// The certificate in a block of text; white space in the body does not matter. Nothing of the
/// certificate is checked.
///
/// # Errors
/// [`TextError`]
pub fn decode_certificate(text: &str) -> Result<CertificateSigned, TextError> {
    let bytes = decode_base64(find_block(CERT_LABEL, text)?)?;
    CertificateSigned::decode(bytes.as_slice()).map_err(|_| TextError::Malformed("certificate"))
}

fn encode_block(label: &str, body: &str, line_len: usize) -> String {
    // Enough from the start, so that no copy of a secret is left behind by growing.
    let mut text = String::with_capacity(body.len() + body.len() / line_len + 2 * label.len() + 64);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(line_len));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

fn find_block<'a>(label: &'static str, text: &'a str) -> Result<&'a str, TextError> {
    if text.len() > MAX_TEXT_LEN {
        return Err(TextError::TooLong);
    }
    let missing = TextError::NoBlock(label);
    let (_, after) =
        text.split_once(&format!("-----BEGIN {label}-----")).ok_or_else(|| missing.clone())?;
    let (body, _) = after.split_once(&format!("-----END {label}-----")).ok_or(missing)?;
    Ok(body)
}

#[cfg(test)]
mod tests;

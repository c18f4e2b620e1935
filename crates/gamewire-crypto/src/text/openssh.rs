//! Ed25519 keys in OpenSSH's formats: `openssh-key-v1` without encryption (PROTOCOL.key of
//! OpenSSH) and public key lines (RFC 8709 §4).

use zeroize::Zeroizing;

use super::{TextError, decode_base64, encode_base64, encode_block, find_block};
use crate::{
    backend::{Active, CryptoBackend},
    signing::{SigningKey, VerifyingKey},
};

const LABEL: &str = "OPENSSH PRIVATE KEY";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const ALGORITHM: &str = "ssh-ed25519";
const LINE_LEN: usize = 70;
/// The private section is padded to the cipher's block, 8 bytes for none.
const BLOCK: usize = 8;

/// A private key as the text of an OpenSSH file without passphrase. Wiped when dropped.
pub fn encode_private_key(key: &SigningKey, comment: &str) -> Zeroizing<String> {
    let public = key.public_key();
    let public_blob = public_blob(&public);
    // Sized once: growing would leave copies of the secret behind.
    let mut private = Zeroizing::new(Vec::with_capacity(192 + comment.len()));
    // OpenSSH puts two equal random numbers here to notice a wrong passphrase.
    let [a, b, c, d, ..] = Active::sha256(&[public.as_bytes()]);
    private.extend_from_slice(&[a, b, c, d, a, b, c, d]);
    put_string(&mut private, ALGORITHM.as_bytes());
    put_string(&mut private, public.as_bytes());
    private.extend_from_slice(&64u32.to_be_bytes());
    private.extend_from_slice(key.seed());
    private.extend_from_slice(public.as_bytes());
    put_string(&mut private, comment.as_bytes());
    let padding = private.len().next_multiple_of(BLOCK) - private.len();
    private.extend((1u8..).take(padding));

    let mut file = Zeroizing::new(Vec::with_capacity(private.len() + 160));
    file.extend_from_slice(MAGIC);
    put_string(&mut file, b"none");
    put_string(&mut file, b"none");
    put_string(&mut file, b"");
    file.extend_from_slice(&1u32.to_be_bytes());
    put_string(&mut file, &public_blob);
    put_string(&mut file, &private);
    let body = Zeroizing::new(encode_base64(&file));
    Zeroizing::new(encode_block(LABEL, &body, LINE_LEN))
}

/// The private key in the text of an OpenSSH file.
///
/// # Errors
/// [`TextError`]; `Encrypted` if it has a passphrase.
pub fn decode_private_key(text: &str) -> Result<SigningKey, TextError> {
    let file = Zeroizing::new(decode_base64(find_block(LABEL, text)?)?);
    let mut file = Reader(&file);
    file.expect(MAGIC)?;
    let (cipher, kdf) = (file.string()?, file.string()?);
    let _kdf_options = file.string()?;
    if cipher != b"none" || kdf != b"none" {
        return Err(TextError::Encrypted);
    }
    if file.number()? != 1 {
        return Err(damaged());
    }
    let outer_public = parse_public_blob(file.string()?)?;
    let private = file.string()?;
    file.end()?;
    parse_private_section(private, &outer_public)
}

fn parse_private_section(
    section: &[u8],
    outer_public: &VerifyingKey,
) -> Result<SigningKey, TextError> {
    if !section.len().is_multiple_of(BLOCK) {
        return Err(damaged());
    }
    let mut reader = Reader(section);
    if reader.number()? != reader.number()? {
        return Err(damaged());
    }
    if reader.string()? != ALGORITHM.as_bytes() {
        return Err(TextError::WrongAlgorithm);
    }
    let public = reader.string()?;
    let pair = <&[u8; 64]>::try_from(reader.string()?).map_err(|_| damaged())?;
    let _comment = reader.string()?;
    let padding_is_right = reader.0.len() < BLOCK && (1u8..).zip(reader.0).all(|(n, &p)| n == p);
    let (seed, pair_public) = pair.split_at(32);
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.try_into().expect("split at 32"));
    let key = SigningKey::from_seed(*seed);
    let own = key.public_key();
    let consistent = own == *outer_public && own.as_bytes() == public && public == pair_public;
    if !padding_is_right || !consistent {
        return Err(damaged());
    }
    Ok(key)
}

/// A public key as a line for `authorized_keys` and the like; no line end.
pub fn encode_public_key(key: &VerifyingKey, comment: &str) -> String {
    let mut line = format!("{ALGORITHM} {}", encode_base64(&public_blob(key)));
    if !comment.is_empty() {
        line.push(' ');
        line.push_str(comment);
    }
    line
}

/// The public key in a `ssh-ed25519` line; a comment may follow.
///
/// # Errors
/// [`TextError`]
pub fn decode_public_key(line: &str) -> Result<VerifyingKey, TextError> {
    if line.len() > super::MAX_TEXT_LEN {
        return Err(TextError::TooLong);
    }
    let mut words = line.split_ascii_whitespace();
    if words.next() != Some(ALGORITHM) {
        return Err(TextError::WrongAlgorithm);
    }
    let blob = words.next().ok_or_else(damaged)?;
    parse_public_blob(&decode_base64(blob)?)
}

fn public_blob(key: &VerifyingKey) -> Vec<u8> {
    let mut blob = Vec::with_capacity(51);
    put_string(&mut blob, ALGORITHM.as_bytes());
    put_string(&mut blob, key.as_bytes());
    blob
}

fn parse_public_blob(blob: &[u8]) -> Result<VerifyingKey, TextError> {
    let mut reader = Reader(blob);
    if reader.string()? != ALGORITHM.as_bytes() {
        return Err(TextError::WrongAlgorithm);
    }
    let bytes = <[u8; 32]>::try_from(reader.string()?).map_err(|_| damaged())?;
    reader.end()?;
    VerifyingKey::from_bytes(bytes).map_err(|_| damaged())
}

fn damaged() -> TextError {
    TextError::Malformed("key")
}

/// RFC 4251 §5 `string`: length, then bytes.
fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("no field is near 4 GiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], TextError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn expect(&mut self, bytes: &[u8]) -> Result<(), TextError> {
        if self.take(bytes.len())? == bytes { Ok(()) } else { Err(damaged()) }
    }

    fn number(&mut self) -> Result<u32, TextError> {
        let bytes = self.take(4)?.try_into().expect("took 4 bytes");
        Ok(u32::from_be_bytes(bytes))
    }

    fn string(&mut self) -> Result<&'a [u8], TextError> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| damaged())?)
    }

    fn end(&self) -> Result<(), TextError> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged()) }
    }
}

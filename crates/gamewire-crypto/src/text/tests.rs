//! The fixtures were written by `ssh-keygen` and are used nowhere else.

use super::*;
use crate::{Certificate, SigningKey};

const PRIVATE: &str = include_str!("fixtures/ed25519");
const PUBLIC: &str = include_str!("fixtures/ed25519.pub");
const ENCRYPTED: &str = include_str!("fixtures/ed25519_encrypted");
const RSA: &str = include_str!("fixtures/rsa");

fn key() -> SigningKey {
    SigningKey::from_seed([5; 32])
}

#[test]
fn what_ssh_keygen_writes() {
    let private = decode_private_key(PRIVATE).unwrap();
    let public = decode_public_key(PUBLIC).unwrap();
    assert_eq!(private.public_key(), public);
    let signature = private.sign(b"message");
    assert_eq!(public.verify(b"message", &signature), Ok(()));
    assert_eq!(encode_public_key(&public, "gamewire fixture"), PUBLIC.trim_end());
}

#[test]
fn what_we_write_is_what_ssh_keygen_writes_but_for_the_random_check() {
    let ours = encode_private_key(&decode_private_key(PRIVATE).unwrap(), "gamewire fixture");
    let theirs = decode_base64(find_block("OPENSSH PRIVATE KEY", PRIVATE).unwrap()).unwrap();
    let ours_bytes = decode_base64(find_block("OPENSSH PRIVATE KEY", &ours).unwrap()).unwrap();
    // Magic, "none" twice, no options, one key, the public key, the length of the private part.
    let check = 15 + 8 + 8 + 4 + 4 + 4 + 51 + 4;
    assert_eq!(ours_bytes.len(), theirs.len());
    assert_eq!(ours_bytes[..check], theirs[..check]);
    assert_eq!(ours_bytes[check + 8..], theirs[check + 8..]);
    let line_lengths = |text: &str| text.lines().map(str::len).collect::<Vec<_>>();
    assert_eq!(line_lengths(&ours), line_lengths(PRIVATE));
    assert_eq!(ours.lines().next(), PRIVATE.lines().next());
    assert_eq!(ours.lines().last(), PRIVATE.lines().last());
}

#[test]
fn private_keys_survive_the_round_trip() {
    for comment in ["", "a", "ab", "operator@example.org", "seven77", "eight888"] {
        let text = encode_private_key(&key(), comment);
        assert_eq!(decode_private_key(&text).unwrap().seed(), key().seed());
        // As environment variables and shells leave it behind.
        let one_line = text.replace('\n', " ");
        assert_eq!(decode_private_key(&one_line).unwrap().seed(), key().seed());
        let dos = text.replace('\n', "\r\n");
        assert_eq!(decode_private_key(&dos).unwrap().seed(), key().seed());
    }
}

#[test]
fn other_private_keys_are_refused() {
    let refused = |text: &str| decode_private_key(text).unwrap_err();
    assert_eq!(refused(ENCRYPTED), TextError::Encrypted);
    assert_eq!(refused(RSA), TextError::WrongAlgorithm);
    assert_eq!(refused(""), TextError::NoBlock("OPENSSH PRIVATE KEY"));
    assert_eq!(refused(PUBLIC), TextError::NoBlock("OPENSSH PRIVATE KEY"));
    assert_eq!(refused(&" ".repeat(MAX_TEXT_LEN + 1)), TextError::TooLong);
    let cut = PRIVATE.replace("-----END", "");
    assert_eq!(refused(&cut), TextError::NoBlock("OPENSSH PRIVATE KEY"));
    let broken = PRIVATE.replacen("b3Bl", "*3Bl", 1);
    assert_eq!(refused(&broken), TextError::Base64(Base64Error));
}

#[test]
fn damaged_private_keys_are_refused() {
    let bytes = decode_base64(find_block("OPENSSH PRIVATE KEY", PRIVATE).unwrap()).unwrap();
    let decode = |bytes: &[u8]| {
        decode_private_key(&encode_block("OPENSSH PRIVATE KEY", &encode_base64(bytes), 70))
    };
    assert!(decode(&bytes).is_ok());
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "cut to {length}");
    }
    let comment_ends = bytes.len() - 5;
    let comment_starts = comment_ends - "gamewire fixture".len();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let in_comment = (comment_starts..comment_ends).contains(&at);
        assert_eq!(decode(&changed).is_ok(), in_comment, "byte {at}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(decode(&longer).is_err());
}

#[test]
fn public_key_lines() {
    let public = key().public_key();
    let bare = encode_public_key(&public, "");
    assert_eq!(decode_public_key(&bare), Ok(public));
    assert_eq!(decode_public_key(&format!("  {bare} a comment\n")), Ok(public));
    for (line, expected) in [
        ("", TextError::WrongAlgorithm),
        ("ssh-rsa AAAA", TextError::WrongAlgorithm),
        ("ssh-ed25519", TextError::Malformed("key")),
        ("ssh-ed25519 !", TextError::Base64(Base64Error)),
        ("ssh-ed25519 AAAA", TextError::Malformed("key")),
    ] {
        assert_eq!(decode_public_key(line), Err(expected), "{line:?}");
    }
    assert_eq!(decode_public_key(&"a".repeat(MAX_TEXT_LEN + 1)), Err(TextError::TooLong));
}

#[test]
fn certificates() {
    let certificate = Certificate {
        app_ids: vec![480],
        time_expiry: Some(1_700_000_000),
        ..Certificate::new(key().public_key())
    };
    let signed = certificate.sign(&SigningKey::from_seed([6; 32]));
    let text = encode_certificate(&signed);
    assert!(text.starts_with("-----BEGIN STEAMDATAGRAM CERT-----\n"));
    assert!(text.ends_with("\n-----END STEAMDATAGRAM CERT-----\n"));
    assert!(text.lines().all(|line| line.len() <= 72));
    assert_eq!(decode_certificate(&text), Ok(signed.clone()));
    assert_eq!(decode_certificate(&text.replace('\n', " ")), Ok(signed));
    for (text, expected) in [
        (String::new(), TextError::NoBlock("STEAMDATAGRAM CERT")),
        (PRIVATE.to_owned(), TextError::NoBlock("STEAMDATAGRAM CERT")),
        (encode_block(CERT_LABEL, "/////w==", 72), TextError::Malformed("certificate")),
        (encode_block(CERT_LABEL, "?", 72), TextError::Base64(Base64Error)),
        ("x".repeat(MAX_TEXT_LEN + 1), TextError::TooLong),
    ] {
        assert_eq!(decode_certificate(&text), Err(expected));
    }
}

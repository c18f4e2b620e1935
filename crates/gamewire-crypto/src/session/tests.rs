use gamewire_wire::messages;

use super::*;
use crate::{Certificate, SeededEntropy, testing::Recording};

const BOTH: OfferParameters<'_> =
    OfferParameters { ciphers: &[Cipher::Aes256Gcm, Cipher::Null], extensions: None };

fn signing() -> SigningKey {
    SigningKey::from_seed([8; 32])
}

fn offer() -> CryptOffer {
    CryptOffer::generate(&mut SeededEntropy::new(3), &signing(), BOTH)
}

fn sign(info: &SessionCryptInfo) -> SessionCryptInfoSigned {
    let info = info.encode_to_vec();
    SessionCryptInfoSigned {
        signature: Some(Bytes::copy_from_slice(&signing().sign(&info))),
        info: Some(info.into()),
    }
}

fn good_info() -> SessionCryptInfo {
    SessionCryptInfo::decode(offer().info().clone()).unwrap()
}

fn verify(signed: &SessionCryptInfoSigned) -> Result<PeerCryptInfo, CryptInfoError> {
    PeerCryptInfo::verify(signed, &signing().public_key(), None)
}

#[test]
fn both_recorded_infos_verify() {
    let recording = Recording::load();
    let request: messages::ConnectRequest = recording.message("ConnectRequest");
    let ok: messages::ConnectOk = recording.message("ConnectOK");
    for (name, crypt, cert) in
        [("client", request.crypt, request.cert), ("server", ok.crypt, ok.cert)]
    {
        let cert = cert.unwrap().cert.unwrap();
        let key = Certificate::decode(&cert).unwrap().key;
        let info = PeerCryptInfo::verify(&crypt.unwrap(), &key, Some(13)).unwrap();
        assert_eq!(info.info, recording.bytes(&format!("{name}_crypt_info")));
        assert_eq!(info.nonce, recording.number(&format!("{name}_nonce")));
        assert_eq!(info.protocol_version, 13);
        assert_eq!(info.ciphers, [Cipher::Aes256Gcm]);
        assert_eq!(info.sole_cipher(), Ok(Cipher::Aes256Gcm));
        assert_eq!(info.extensions, None);
        if name == "server" {
            assert_eq!(info.public_key, recording.array("server_x25519_public"));
        }
    }
}

#[test]
fn the_recorded_offer_is_rebuilt_byte_for_byte() {
    let recording = Recording::load();
    let request: messages::ConnectRequest = recording.message("ConnectRequest");
    let exchange = KeyExchange::from_bytes(recording.array("client_x25519_private"));
    let signing = SigningKey::from_seed(recording.array("client_ed25519_private"));
    let parameters = OfferParameters { ciphers: &[Cipher::Aes256Gcm], extensions: None };
    let nonce = recording.number("client_nonce");
    let offer = CryptOffer::from_parts(exchange, nonce, &signing, parameters);
    assert_eq!(Some(offer.to_message()), request.crypt);
    assert_eq!(offer.nonce(), nonce);
}

#[test]
fn an_offer_arrives_as_it_was_made() {
    let extensions = Some(Extensions { features: Some(3), receive_window: Some(5) });
    let parameters = OfferParameters { extensions, ..BOTH };
    let mut entropy = SeededEntropy::new(4);
    let offer = CryptOffer::generate(&mut entropy, &signing(), parameters);
    let info = verify(&offer.to_message()).unwrap();
    assert_eq!(info.public_key, offer.exchange().public_key());
    assert_eq!(info.nonce, offer.nonce());
    assert_eq!(info.info, offer.info());
    assert_eq!(info.ciphers, BOTH.ciphers);
    assert_eq!(info.extensions, extensions);
    assert_eq!(info.sole_cipher(), Err(CryptInfoError::NoSoleCipher));
    let next = CryptOffer::generate(&mut entropy, &signing(), parameters);
    assert_ne!(next.nonce(), offer.nonce());
    assert_ne!(next.exchange().public_key(), offer.exchange().public_key());
}

#[test]
fn forged_and_foreign_signatures_are_refused() {
    let good = offer().to_message();
    assert!(verify(&good).is_ok());
    let mut changed = good.clone();
    let mut bytes = changed.info.unwrap().to_vec();
    bytes[40] ^= 1;
    changed.info = Some(bytes.into());
    assert_eq!(verify(&changed), Err(CryptInfoError::BadSignature));
    for signature in [None, Some(Bytes::new()), Some(Bytes::from_static(&[0; 64]))] {
        let signed = SessionCryptInfoSigned { signature, ..good.clone() };
        assert_eq!(verify(&signed), Err(CryptInfoError::BadSignature));
    }
    let other = SigningKey::from_seed([9; 32]).public_key();
    let result = PeerCryptInfo::verify(&good, &other, None);
    assert_eq!(result, Err(CryptInfoError::BadSignature));
}

#[test]
fn what_is_not_a_crypt_info_is_refused() {
    let missing = SessionCryptInfoSigned::default();
    assert_eq!(verify(&missing), Err(CryptInfoError::Missing));

    let long = vec![0; MAX_CRYPT_INFO_LEN + 1];
    let too_long = SessionCryptInfoSigned {
        signature: Some(Bytes::copy_from_slice(&signing().sign(&long))),
        info: Some(long.into()),
    };
    assert_eq!(verify(&too_long), Err(CryptInfoError::TooLong));

    let junk = b"\xff\xff\xff";
    let malformed = SessionCryptInfoSigned {
        signature: Some(Bytes::copy_from_slice(&signing().sign(junk))),
        info: Some(Bytes::from_static(junk)),
    };
    assert_eq!(verify(&malformed), Err(CryptInfoError::Malformed));
}

#[test]
fn keys_of_other_kinds_and_lengths_are_refused() {
    for key_type in [None, Some(0), Some(2), Some(-1)] {
        let info = SessionCryptInfo { key_type, ..good_info() };
        assert_eq!(verify(&sign(&info)), Err(CryptInfoError::BadKey));
    }
    for length in [0, 1, 31, 33, 64] {
        let key_data = Some(Bytes::from(vec![5; length]));
        let info = SessionCryptInfo { key_data, ..good_info() };
        assert_eq!(verify(&sign(&info)), Err(CryptInfoError::BadKey));
    }
    let info = SessionCryptInfo { key_data: None, ..good_info() };
    assert_eq!(verify(&sign(&info)), Err(CryptInfoError::BadKey));
}

#[test]
fn versions() {
    let with = |version| sign(&SessionCryptInfo { protocol_version: version, ..good_info() });
    assert_eq!(verify(&with(None)), Err(CryptInfoError::TooOld(0)));
    assert_eq!(verify(&with(Some(7))), Err(CryptInfoError::TooOld(7)));
    for version in [8, 13, 14, u32::MAX] {
        let info = verify(&with(Some(version))).unwrap();
        assert_eq!(info.protocol_version, version);
    }
    let key = signing().public_key();
    let changed = PeerCryptInfo::verify(&with(Some(12)), &key, Some(13));
    let expected = CryptInfoError::VersionChanged { claimed: 12, earlier: 13 };
    assert_eq!(changed, Err(expected));
}

#[test]
fn cipher_lists() {
    for (numbers, known, sole) in [
        (vec![], vec![Cipher::Aes256Gcm], None),
        (vec![2], vec![Cipher::Aes256Gcm], Some(Cipher::Aes256Gcm)),
        (vec![1], vec![Cipher::Null], Some(Cipher::Null)),
        (vec![7], vec![], None),
        (vec![2, 7], vec![Cipher::Aes256Gcm], None),
        (vec![2, 2], vec![Cipher::Aes256Gcm], None),
        (vec![1, 2], vec![Cipher::Null, Cipher::Aes256Gcm], None),
        (vec![2; 1000], vec![Cipher::Aes256Gcm], None),
    ] {
        let ciphers = numbers.clone();
        let info = verify(&sign(&SessionCryptInfo { ciphers, ..good_info() })).unwrap();
        assert_eq!(info.ciphers, known, "{numbers:?}");
        assert_eq!(info.sole_cipher().ok(), sole, "{numbers:?}");
    }
}

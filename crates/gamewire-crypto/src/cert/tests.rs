//! Building, parsing and installing; belief is tested in `trust`.

use super::*;
use crate::{
    ChainError, Trust, TrustStore,
    testing::{Recording, hex},
    trust::CertError,
};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn full() -> Certificate {
    Certificate {
        identity: Some(identity("str:alice")),
        app_ids: vec![480, 570],
        pops: vec![0x73746f, 0x61746c],
        ip_addresses: vec!["192.0.2.1".to_owned()],
        time_created: Some(1_700_000_000),
        time_expiry: Some(1_700_086_400),
        ..Certificate::new(key(1).public_key())
    }
}

#[test]
fn valves_unsigned_certificate_is_rebuilt_byte_for_byte() {
    let recorded = Recording::load().bytes("server_cert");
    let parsed = Certificate::decode(&recorded).unwrap();
    assert_eq!(parsed.identity, Some(Identity::localhost()));
    assert_eq!(parsed.real_identity(), None);
    assert_eq!(parsed.app_ids, [0]);
    let own = Certificate::self_made(parsed.key, &Identity::localhost(), 0);
    assert_eq!(own.encode(), recorded);
    assert_eq!(own, parsed);
    let message = own.unsigned();
    assert_eq!(message.cert.as_deref(), Some(recorded.as_slice()));
    assert_eq!((message.ca_key_id, message.ca_signature), (None, None));
    assert_eq!(message.private_key_data, None);
}

#[test]
fn the_recorded_initiators_certificate_parses() {
    let recorded = Recording::load().bytes("client_cert");
    let parsed = Certificate::decode(&recorded).unwrap();
    assert_eq!(parsed.real_identity(), Some(&identity("str:pyclient")));
}

#[test]
fn every_field_survives_and_stands_in_ascending_order() {
    let bytes = full().encode();
    assert_eq!(Certificate::decode(&bytes), Ok(full()));
    let key_hex: String = full().key.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let expected = [
        "0801",                    // 1: ED25519
        &format!("1220{key_hex}"), // 2: key
        "2d6f7473002d6c746100",    // 5: PoPs, not packed
        "4500f15365",              // 8: created
        "4d80425565",              // 9: expiry
        "50e00350ba04",            // 10: apps, not packed
        "5a071a05616c696365",      // 11: old binary identity
        "62097374723a616c696365",  // 12: identity
        "6a093139322e302e322e31",  // 13: address
    ];
    assert_eq!(bytes, hex(&expected.concat()));
}

#[test]
fn identities_are_looked_up_in_valves_order() {
    let base = messages::Certificate {
        key_type: Some(KeyType::Ed25519 as i32),
        key_data: Some(Bytes::copy_from_slice(key(1).public_key().as_bytes())),
        ..messages::Certificate::default()
    };
    let steam_id = 76_561_197_960_265_729;
    let binary = identity("str:binary").to_legacy_binary();
    let all = messages::Certificate {
        identity_string: Some("str:text".to_owned()),
        legacy_identity_binary: binary,
        legacy_steam_id: Some(steam_id),
        ..base.clone()
    };
    let without_text = messages::Certificate { identity_string: None, ..all.clone() };
    let only_id = messages::Certificate { legacy_identity_binary: None, ..without_text.clone() };
    for (message, expected) in [
        (&all, Some(identity("str:text"))),
        (&without_text, Some(identity("str:binary"))),
        (&only_id, Some(Identity::SteamId(steam_id))),
        (&base, None),
    ] {
        let parsed = Certificate::decode(&message.encode_to_vec()).unwrap();
        assert_eq!(parsed.identity, expected);
    }
    // A bad one is an error; the next field is not tried.
    for bad in ["", "invalid", "steamid:x", "nonsense"] {
        let message =
            messages::Certificate { identity_string: Some(bad.to_owned()), ..all.clone() };
        let result = Certificate::decode(&message.encode_to_vec());
        assert_eq!(result, Err(CertParseError::MalformedIdentity), "{bad:?}");
    }
    let zero = messages::Certificate { legacy_steam_id: Some(0), ..only_id };
    let result = Certificate::decode(&zero.encode_to_vec());
    assert_eq!(result, Err(CertParseError::MalformedIdentity));
}

#[test]
fn a_steam_id_goes_out_in_all_three_forms() {
    let id = 76_561_197_960_265_729;
    let certificate = Certificate::self_made(key(1).public_key(), &Identity::SteamId(id), 480);
    let message = messages::Certificate::decode(certificate.encode()).unwrap();
    assert_eq!(message.identity_string.as_deref(), Some("steamid:76561197960265729"));
    assert_eq!(message.legacy_steam_id, Some(id));
    assert_eq!(message.legacy_identity_binary.unwrap().steam_id, Some(id));
    let nameless = Certificate::self_made(key(1).public_key(), &Identity::Invalid, 480);
    let message = messages::Certificate::decode(nameless.encode()).unwrap();
    assert_eq!((message.identity_string, message.legacy_steam_id), (None, None));
}

#[test]
fn malformed_keys_are_refused() {
    let with = |key_type, data: &[u8]| {
        let message = messages::Certificate {
            key_type,
            key_data: Some(Bytes::copy_from_slice(data)),
            ..messages::Certificate::default()
        };
        Certificate::decode(&message.encode_to_vec())
    };
    let ed25519 = Some(KeyType::Ed25519 as i32);
    let good = *key(1).public_key().as_bytes();
    assert!(with(ed25519, &good).is_ok());
    for key_type in [None, Some(0), Some(2)] {
        assert_eq!(with(key_type, &good), Err(CertParseError::MalformedKey));
    }
    for data in [&[][..], &good[..31], &[0; 32], &[&good[..], &[0]].concat()] {
        assert_eq!(with(ed25519, data), Err(CertParseError::MalformedKey));
    }
}

#[test]
fn junk_and_giants_are_refused() {
    let refused = |bytes: &[u8]| Certificate::decode(bytes).unwrap_err();
    assert_eq!(refused(b""), CertParseError::MalformedKey);
    assert_eq!(refused(b"\xff\xff"), CertParseError::Malformed);
    assert_eq!(refused(&vec![0; MAX_CERT_LEN + 1]), CertParseError::TooLong);
    let bytes = full().encode();
    for length in 0..bytes.len() {
        if let Ok(parsed) = Certificate::decode(&bytes[..length]) {
            assert_ne!(parsed, full(), "cut to {length}");
        }
    }
}

#[test]
fn signatures_are_over_the_exact_bytes() {
    let ca = key(2);
    let signed = full().sign(&ca);
    assert_eq!(signed.ca_key_id, Some(ca.public_key().key_id()));
    let (cert, signature) = (signed.cert.unwrap(), signed.ca_signature.unwrap());
    assert_eq!(cert, full().encode());
    assert_eq!(ca.public_key().verify(&cert, &signature), Ok(()));
}

/// The id of RFC 8032's first test key, computed elsewhere.
#[test]
fn key_ids_are_the_first_bytes_of_the_hash() {
    let text = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let key = VerifyingKey::from_bytes(crate::testing::hex_array(text)).unwrap();
    assert_eq!(key.key_id(), 7_035_278_622_117_199_393);
}

#[test]
fn requests() {
    let request = CertificateRequest {
        key: key(3).public_key(),
        identity: Some(identity("steamid:76561197960265729")),
        pops: vec![0x73746f],
    };
    let bytes = request.encode();
    assert!(bytes.len() <= MAX_CERT_REQUEST_LEN);
    assert_eq!(CertificateRequest::decode(&bytes), Ok(request.clone()));
    let inner = messages::CertificateRequest::decode(bytes.as_slice()).unwrap().cert.unwrap();
    assert_eq!((inner.legacy_identity_binary, inner.legacy_steam_id), (None, None));

    let bare = CertificateRequest { identity: None, pops: vec![], ..request };
    assert_eq!(CertificateRequest::decode(&bare.encode()), Ok(bare));

    for (bytes, expected) in [
        (vec![], CertParseError::Missing),
        (vec![0xff], CertParseError::Malformed),
        (vec![0; MAX_CERT_REQUEST_LEN + 1], CertParseError::TooLong),
        (vec![0x0a, 0], CertParseError::MalformedKey),
    ] {
        assert_eq!(CertificateRequest::decode(&bytes), Err(expected));
    }
}

#[test]
fn a_request_cannot_smuggle_grants() {
    let wishes = messages::CertificateRequest { cert: Some(full().to_message()) };
    let request = CertificateRequest::decode(&wishes.encode_to_vec()).unwrap();
    let again = messages::CertificateRequest::decode(request.encode().as_slice()).unwrap();
    let cert = again.cert.unwrap();
    assert!(cert.app_ids.is_empty() && cert.ip_addresses.is_empty());
    assert_eq!((cert.time_created, cert.time_expiry), (None, None));
}

mod installing {
    use super::*;

    const NOW: u64 = 1_700_000_100;

    struct Case {
        store: TrustStore,
        key: Option<SigningKey>,
        identity: Option<Identity>,
        app_id: u32,
    }

    impl Case {
        fn new() -> Self {
            let mut builder = TrustStore::builder();
            builder.root(key(2).public_key()).unwrap();
            Self { store: builder.build().unwrap(), key: Some(key(1)), identity: None, app_id: 480 }
        }

        fn install(
            &self,
            signed: &CertificateSigned,
        ) -> Result<InstalledCertificate, InstallError> {
            let context = InstallContext {
                now_unix: NOW,
                app_id: self.app_id,
                key: self.key.as_ref(),
                identity: self.identity.as_ref(),
            };
            install(&signed.encode_to_vec(), &self.store, &context)
        }
    }

    fn signed() -> CertificateSigned {
        full().sign(&key(2))
    }

    fn with_private_key(seed: u8) -> CertificateSigned {
        CertificateSigned {
            private_key_data: Some(Bytes::copy_from_slice(key(seed).seed())),
            ..signed()
        }
    }

    #[test]
    fn identity_is_adopted_or_must_be_ours() {
        let mut case = Case::new();
        let installed = case.install(&signed()).unwrap();
        assert_eq!(installed.certificate, full());
        assert!(matches!(installed.trust, Trust::Chain { .. }));
        for unsettled in [Identity::localhost(), Identity::Invalid, identity("str:alice")] {
            case.identity = Some(unsettled);
            assert!(case.install(&signed()).is_ok());
        }
        case.identity = Some(identity("str:bob"));
        assert_eq!(case.install(&signed()).unwrap_err(), InstallError::IdentityMismatch);
    }

    #[test]
    fn nameless_certificates_need_a_pop() {
        let case = Case::new();
        let nameless = Certificate { identity: None, ..full() };
        assert!(case.install(&nameless.sign(&key(2))).is_ok());
        let nowhere = Certificate { pops: vec![], ..nameless };
        let result = case.install(&nowhere.sign(&key(2)));
        assert_eq!(result.unwrap_err(), InstallError::NoIdentity);
    }

    #[test]
    fn the_private_key_that_came_along() {
        let mut case = Case::new();
        assert_eq!(
            case.install(&with_private_key(9)).unwrap_err(),
            InstallError::PrivateKeyMismatch
        );
        assert!(case.install(&with_private_key(1)).is_ok());
        case.key = None;
        assert_eq!(case.install(&signed()).unwrap_err(), InstallError::NoPrivateKey);
        assert_eq!(case.install(&with_private_key(9)).unwrap_err(), InstallError::KeyMismatch);
        let installed = case.install(&with_private_key(1)).unwrap();
        assert_eq!(installed.key.seed(), key(1).seed());
        // It must never reach a peer.
        assert_eq!(installed.signed, signed());
        let short =
            CertificateSigned { private_key_data: Some(Bytes::from_static(b"x")), ..signed() };
        assert_eq!(case.install(&short).unwrap_err(), InstallError::PrivateKeyMismatch);
    }

    #[test]
    fn the_key_must_be_ours() {
        let case = Case { key: Some(key(9)), ..Case::new() };
        assert_eq!(case.install(&signed()).unwrap_err(), InstallError::KeyMismatch);
    }

    #[test]
    fn the_app_must_be_covered() {
        let case = Case { app_id: 730, ..Case::new() };
        let error = case.install(&signed()).unwrap_err();
        assert_eq!(error, InstallError::Scope(CertError::App(730)));
    }

    #[test]
    fn an_unknown_or_outdated_chain_is_only_worth_a_warning() {
        let case = Case::new();
        let installed = case.install(&full().sign(&key(7))).unwrap();
        let unknown = ChainError::UnknownCa(key(7).public_key().key_id());
        assert_eq!(installed.trust, Trust::Untrusted(unknown));
        let old = Certificate { time_expiry: Some(1_600_000_000), ..full() };
        let installed = case.install(&old.sign(&key(2))).unwrap();
        assert_eq!(installed.trust, Trust::Untrusted(ChainError::Expired(1_600_000_000)));
    }

    #[test]
    fn junk() {
        let case = Case::new();
        let context =
            InstallContext { now_unix: NOW, app_id: 480, key: case.key.as_ref(), identity: None };
        for (bytes, expected) in [
            (vec![], CertParseError::Missing),
            (vec![0xff], CertParseError::Malformed),
            (vec![0; MAX_CERT_LEN + 257], CertParseError::TooLong),
        ] {
            let error = install(&bytes, &case.store, &context).unwrap_err();
            assert_eq!(error, InstallError::Parse(expected));
        }
    }
}

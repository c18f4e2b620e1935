//! Published vectors for each backend, and the backends against each other.

use super::*;
use crate::testing::{hex, hex_array};

/// The u coordinates below 2^255 with which X25519 gives zero for every private key, non-canonical
/// encodings included.
pub(crate) const LOW_ORDER_X25519: [[u8; 32]; 7] = [
    [0; 32],
    little(1),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    near_prime(0xec),
    near_prime(0xed),
    near_prime(0xee),
];

const fn little(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = value;
    bytes
}

const fn near_prime(low: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = low;
    bytes[31] = 0x7f;
    bytes
}

fn hashes<B: CryptoBackend>() {
    let abc = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(B::sha256(&[b"abc"]).as_slice(), abc, "FIPS 180-2");
    assert_eq!(B::sha256(&[b"a", b"", b"bc"]).as_slice(), abc);
    let jefe = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
    assert_eq!(B::hmac_sha256(b"Jefe", &parts).as_slice(), jefe, "RFC 4231, case 2");
    let jefe = hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    assert_eq!(B::hmac_sha1(b"Jefe", &parts).as_slice(), jefe, "RFC 2202, case 2");
}

fn x25519<B: CryptoBackend>() {
    for (scalar, u, expected) in [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ] {
        let result = B::x25519(&hex_array(scalar), &hex_array(u));
        assert_eq!(result, Some(hex_array(expected)), "RFC 7748 §5.2");
    }
    let once = hex_array("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    assert_eq!(B::x25519_public(&little(9)), once, "RFC 7748 §5.2, iterated");
    for key in LOW_ORDER_X25519 {
        assert_eq!(B::x25519(&[0x55; 32], &key), None, "{key:?}");
        let mut with_top_bit = key;
        with_top_bit[31] |= 0x80;
        assert_eq!(B::x25519(&[0x55; 32], &with_top_bit), None, "{key:?}");
    }
}

fn ed25519<B: CryptoBackend>() {
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e\
             39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f\
             3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ] {
        let signer = B::Signer::from_seed(&hex_array(seed));
        let message = hex(message);
        let signature: Vec<u8> = hex(signature);
        assert_eq!(signer.public_key(), hex_array(public), "RFC 8032 §7.1");
        assert_eq!(signer.sign(&message).as_slice(), signature);
        let key = hex_array(public);
        assert!(B::ed25519_verify(&key, &message, &signature));
        assert!(!B::ed25519_verify(&key, b"other", &signature));
        for at in [0, 31, 32, 63] {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert!(!B::ed25519_verify(&key, &message, &changed), "byte {at}");
        }
        for length in [0, 63] {
            assert!(!B::ed25519_verify(&key, &message, &signature[..length]));
        }
    }
    // y = 2 is on no curve point: a key that cannot be decoded.
    assert!(!B::ed25519_verify(&little(2), b"", &[0; 64]));
}

fn aead<B: CryptoBackend>() {
    let zero = "00".repeat(32);
    let key = "feffe9928665731c6d6a8f9467308308".repeat(2);
    let plaintext = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c959568\
                     09532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    let ciphertext = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590\
                      dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
    for (key, nonce, plaintext, ciphertext, tag) in [
        (&zero, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        (
            &zero,
            "000000000000000000000000",
            "00000000000000000000000000000000",
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (
            &key,
            "cafebabefacedbaddecaf888",
            plaintext,
            ciphertext,
            "b094dac5d93471bdec1a502270e3cc6c",
        ),
    ] {
        let (aead, nonce) = (B::Aead::new(&hex_array(key)), hex_array(nonce));
        let mut buffer = hex(plaintext);
        let sealed_tag = aead.seal(nonce, &mut buffer);
        assert_eq!(buffer, hex(ciphertext), "GCM specification, cases 13 to 15");
        assert_eq!(sealed_tag.as_slice(), hex(tag));
        buffer.extend_from_slice(&sealed_tag);
        assert_eq!(aead.open(nonce, &mut buffer).unwrap(), hex(plaintext));
    }
}

/// lessons.md 5.1, CVE-2020-6018: every length around the limits, and nothing written outside.
fn aead_lengths<B: CryptoBackend>() {
    let aead = B::Aead::new(&[9; 32]);
    for length in (0..=40).chain(1230..=1301) {
        let mut arena = vec![0xa5; length + 64];
        let junk = &mut arena[32..32 + length];
        assert!(aead.open([1; 12], junk).is_none(), "length {length}");
        assert!(arena[..32].iter().all(|&byte| byte == 0xa5));
        assert!(arena[32 + length..].iter().all(|&byte| byte == 0xa5));
    }
}

fn conformance<B: CryptoBackend>() {
    hashes::<B>();
    x25519::<B>();
    ed25519::<B>();
    aead::<B>();
    aead_lengths::<B>();
    let mut bytes = [0; 64];
    B::fill_random(&mut bytes);
    assert_ne!(bytes, [0; 64]);
}

#[cfg(feature = "crypto-aws-lc")]
#[test]
fn aws_lc_meets_the_published_vectors() {
    conformance::<aws_lc::AwsLc>();
}

#[cfg(feature = "crypto-rustcrypto")]
#[test]
fn rustcrypto_meets_the_published_vectors() {
    conformance::<rustcrypto::RustCrypto>();
}

#[cfg(all(feature = "crypto-aws-lc", feature = "crypto-rustcrypto"))]
mod differential {
    use super::{
        super::{aws_lc::AwsLc as A, rustcrypto::RustCrypto as R},
        *,
    };
    use crate::{Entropy, SeededEntropy};

    fn random<const N: usize>(entropy: &mut SeededEntropy) -> [u8; N] {
        let mut bytes = [0; N];
        entropy.fill(&mut bytes);
        bytes
    }

    #[test]
    fn key_functions_agree() {
        let mut entropy = SeededEntropy::new(11);
        for _ in 0..100 {
            let (private, peer) = (random(&mut entropy), random(&mut entropy));
            assert_eq!(A::x25519_public(&private), R::x25519_public(&private));
            assert_eq!(A::x25519(&private, &peer), R::x25519(&private, &peer));
            let (a, r) = (
                <A as CryptoBackend>::Signer::from_seed(&private),
                <R as CryptoBackend>::Signer::from_seed(&private),
            );
            assert_eq!(a.public_key(), r.public_key());
            assert_eq!(a.sign(&peer), r.sign(&peer));
            assert_eq!(A::sha256(&[&peer]), R::sha256(&[&peer]));
            let parts: [&[u8]; 2] = [&peer, &private];
            assert_eq!(A::hmac_sha256(&private, &parts), R::hmac_sha256(&private, &parts));
        }
    }

    #[test]
    fn seals_and_openings_agree() {
        let mut entropy = SeededEntropy::new(12);
        for length in (0..=70).chain([500, 1231, 1232, 1233, 1284, 1285]) {
            let (key, nonce) = (random(&mut entropy), random(&mut entropy));
            let (a, r) =
                (<A as CryptoBackend>::Aead::new(&key), <R as CryptoBackend>::Aead::new(&key));
            let mut plaintext = vec![0; length];
            entropy.fill(&mut plaintext);
            let (mut by_a, mut by_r) = (plaintext.clone(), plaintext.clone());
            let tags = (a.seal(nonce, &mut by_a), r.seal(nonce, &mut by_r));
            assert_eq!((&by_a, tags.0), (&by_r, tags.1), "length {length}");
            by_a.extend_from_slice(&tags.0);
            by_r.extend_from_slice(&tags.1);
            for at in [0, length / 2, length + TAG_LEN - 1] {
                let (mut for_a, mut for_r) = (by_a.clone(), by_r.clone());
                for_a[at] ^= 0x10;
                for_r[at] ^= 0x10;
                assert!(a.open(nonce, &mut for_a).is_none());
                assert!(r.open(nonce, &mut for_r).is_none());
            }
            assert_eq!(a.open(nonce, &mut by_r).unwrap(), plaintext);
            assert_eq!(r.open(nonce, &mut by_a).unwrap(), plaintext);
        }
    }

    /// Both accept and refuse the same signatures under keys of low order, whatever they do; such
    /// keys never get that far, see `VerifyingKey::from_bytes`.
    #[test]
    fn low_order_signatures_agree() {
        let identity_r: [u8; 32] = little(1);
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&identity_r);
        for key in [little(1), [0; 32], near_prime(0xec)] {
            for message in [&b""[..], b"a", b"anything"] {
                assert_eq!(
                    A::ed25519_verify(&key, message, &signature),
                    R::ed25519_verify(&key, message, &signature),
                    "key {key:?}"
                );
            }
        }
    }
}

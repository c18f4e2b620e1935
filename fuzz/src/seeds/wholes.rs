//! Whole valid things, from which mutation starts, and long runs of instructions.

use gamewire_crypto::Entropy;
use gamewire_crypto::{
    Certificate, CertificateRequest, SeededEntropy, SigningKey,
    text::{encode_certificate, encode_private_key, encode_public_key},
};
use gamewire_wire::Identity;
use prost::Message as _;

use super::{Seed, join};
use crate::{TARGETS, targets::certificate::OWN_SEED};

pub(super) fn seeds() -> Vec<Seed> {
    [texts(), certificates(), runs()].concat()
}

const IDENTITIES: &[&str] = &[
    "steamid:76561197960287930",
    "str:hello",
    "gen:00ff10",
    "ip:127.0.0.1:27015",
    "ip:[2001:db8::1]:80",
    "xboxpwid:abcdef",
    "psn:1234567890",
    "future_type:some data",
    "invalid",
    "steamid:+1",
    "gen:0",
    "str:",
];
const ADDRESSES: &[&str] = &[
    "1.2.3.4:80",
    "1.2.3.4",
    "::1",
    "[::1]:27015",
    "[::ffff:1.2.3.4]:1",
    "::ffff:1.2.3.4",
    "[fe80::1%eth0]:1",
    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
    "1.2.3.4:65536",
    "1.2.3.4:+1",
];

fn texts() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (target, texts) in [("identity", IDENTITIES), ("address", ADDRESSES)] {
        for (index, text) in texts.iter().enumerate() {
            seeds.push(Seed::new(target, format!("text-{index:02}"), text.as_bytes()));
        }
    }
    for (index, text) in IDENTITIES.iter().enumerate() {
        let identity = text.parse::<Identity>();
        if let Some(binary) = identity.ok().and_then(|identity| identity.to_legacy_binary()) {
            let name = format!("legacy-{index:02}");
            seeds.push(Seed::new("identity", name, binary.encode_to_vec()));
        }
    }
    let key = SigningKey::from_seed(OWN_SEED);
    let signed = own_certificate(&key).sign(&SigningKey::from_seed([1; 32]));
    for (name, text) in [
        ("private-key", encode_private_key(&key, "somebody@somewhere").to_string()),
        ("public-key", encode_public_key(&key.public_key(), "somebody@somewhere")),
        ("certificate", encode_certificate(&signed)),
        ("base64", "Zm9v\r\n Yg==\n".to_owned()),
    ] {
        seeds.push(Seed::new("key_text", name, text));
    }
    seeds
}

fn own_certificate(key: &SigningKey) -> Certificate {
    Certificate {
        identity: Identity::generic_string("fuzz").ok(),
        app_ids: vec![480, 570],
        pops: vec![0x0073_746f],
        ip_addresses: vec!["192.0.2.1:27015".to_owned()],
        time_created: Some(1_600_000_000),
        time_expiry: Some(1_800_000_000),
        ..Certificate::new(key.public_key())
    }
}

fn certificates() -> Vec<Seed> {
    let key = SigningKey::from_seed(OWN_SEED);
    let certificate = own_certificate(&key);
    let mut signed = certificate.sign(&SigningKey::from_seed([1; 32]));
    let request = CertificateRequest {
        key: key.public_key(),
        identity: certificate.identity.clone(),
        pops: certificate.pops.clone(),
    };
    let kind = |kind: u8, bytes: &[u8]| join(&[&[kind], bytes]);
    let mut seeds = vec![
        Seed::new("certificate", "own", kind(0, &certificate.encode())),
        Seed::new("certificate", "request", kind(1, &request.encode())),
        Seed::new("certificate", "install", kind(0xc2, &signed.encode_to_vec())),
    ];
    signed.private_key_data = Some(OWN_SEED.to_vec().into());
    let with_key = signed.encode_to_vec();
    seeds.push(Seed::new("certificate", "install-with-private-key", kind(2, &with_key)));
    seeds
}

/// Handshakes that succeed, in trouble, and with each datagram altered in turn.
fn handshakes() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for setup in 0u8..4 {
        // Delivered one by one and accepted, with a message each way, and a close at the end.
        let honest = join(&[&[setup], &[0, 0, 0, 13, 0, 14, 0x8e, 0, 0, 11, 0, 9, 0, 0, 15, 8, 0]]);
        seeds.push(Seed::new("handshake", format!("honest-{setup}"), honest));
        // Lost, doubled, swapped and replayed, from strangers too.
        let mut troubled = vec![setup, 5, 0, 4, 0, 12, 130, 5, 1, 3, 1];
        for step in 0u8..6 {
            troubled.extend_from_slice(&[
                9,
                step,
                0x43,
                0,
                13,
                0,
                10,
                step / 2,
                3,
                1,
                0,
                12,
                20,
                14,
            ]);
        }
        seeds.push(Seed::new("handshake", format!("troubled-{setup}"), troubled));
        for altered in 0u8..4 {
            for (how, change) in
                [&[3, 0xff][..], &[0], &[1, 0x7a, 1, 2], &[2, 1]].iter().enumerate()
            {
                let mut input = vec![setup];
                input.extend(std::iter::repeat_n(0, usize::from(altered)));
                // From the twentieth byte on, where the content is.
                input.extend_from_slice(&join(&[
                    &[6, 0, 20 + altered * 9, 0],
                    change,
                    &[0, 13, 0],
                ]));
                input.extend_from_slice(&[0, 13, 14, 0x8e, 0, 0, 12, 200, 0, 0, 0]);
                let name = format!("altered-{setup}-{altered}-{how}");
                seeds.push(Seed::new("handshake", name, input));
            }
        }
    }
    seeds
}

/// Random instructions for every target, long enough to get anywhere.
fn runs() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (index, target) in (0u64..).zip(TARGETS) {
        for (number, len) in [(1, 64), (2, 400), (3, 1500)] {
            let mut bytes = vec![0; len];
            SeededEntropy::new(index * 16 + number).fill(&mut bytes);
            seeds.push(Seed::new(target.name, format!("random-{number}"), bytes));
        }
    }
    // Honest traffic of a pair: sends on every lane from both sides, time, and loss now and then.
    for (number, options) in (1..).zip([0u8, 1, 4, 8, 16, 32, 2, 0x55]) {
        let mut input = vec![options];
        if options & 4 != 0 {
            input.extend_from_slice(&[0, 8, 40]);
        }
        // Four lanes: two of priority 0 with different shares, two below.
        let lanes = [4, 0, 1, 0, 0, 3, 0, 1, 1, 1, 1, 1, 2];
        input.extend_from_slice(&join(&[&[15, 7], &lanes, &[0x8f, 7], &lanes]));
        for step in 0u8..40 {
            let side = step << 7;
            input.extend_from_slice(&[side, 0xc1 | (step & 3) << 1, step.wrapping_mul(37), 9]);
            input.extend_from_slice(&[side, (step & 3) << 1, step]);
            input.extend_from_slice(&[4, 0xff, 3]);
            input.extend_from_slice(if step % 5 == 0 { &[10, 1, 11, 0, 8, 3] } else { &[9, 9] });
            input.extend_from_slice(&[14, 200, 0x8e, 200]);
        }
        seeds.push(Seed::new("connected_pair", format!("honest-{number}"), input));
    }
    // Challenges and connect requests from every address, so that the limits are reached.
    let mut crowd = vec![1];
    for from in 0u8..8 {
        for id in 1u8..4 {
            crowd.extend_from_slice(&[from << 4 | 1, id, 1, from << 4 | 2, id, 0, id]);
        }
        crowd.extend_from_slice(&[9, from, 12, 0, 1]);
    }
    seeds.push(Seed::new("endpoint", "crowd", crowd));
    seeds.extend(handshakes());
    seeds
}

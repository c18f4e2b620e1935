//! The attacks and bugs that broke this library's peers (docs of each in the names: CVE numbers,
//! GNS = an issue or commit of GameNetworkingSockets).

use gamewire_wire::varint;

use super::{Seed, join, recorded::FRAME_HINTS, sized};

pub(super) fn seeds() -> Vec<Seed> {
    [
        unreliable_offsets(),
        oversized_segments(),
        short_ciphertexts(),
        stats_lengths(),
        bookkeeping(),
        number_encodings(),
        handshakes(),
        tiny_datagrams(),
    ]
    .concat()
}

/// CVE-2020-6016: offsets that are negative or overflow once they are signed.
fn unreliable_offsets() -> Vec<Seed> {
    let offsets = [0, (1 << 31) - 1, 1 << 31, u32::MAX - 2, u32::MAX];
    let mut seeds = Vec::new();
    for offset in offsets {
        let mut frame = vec![0x38, 1, 0, 0, 0];
        varint::append(u64::from(offset), &mut frame);
        frame.extend_from_slice(&[4, b'a', b'b', b'c', b'd']);
        // A valid one beside it, so that both meet in the receiver.
        let frames = join(&[&frame, &[0x30, 1, 2, b'o', b'k']]);
        let name = format!("cve-2020-6016-offset-{offset:#x}");
        seeds.push(Seed::new("frames", name.clone(), join(&[&FRAME_HINTS, &frames])));
        let injected = join(&[&[1, 13, 1, 0, 2], &sized(&frames), &[14, 9]]);
        seeds.push(Seed::new("connected_pair", name.clone(), injected));
        let mut garbage = vec![1, 0, 0x40, 8, 16, 0];
        for last in [0, 1] {
            garbage.extend_from_slice(&[0x82, 1, 0, 0, 0, 1]);
            garbage.extend_from_slice(&offset.to_le_bytes());
            garbage.push(last);
            garbage.extend_from_slice(&sized(b"abcd"));
        }
        seeds.push(Seed::new("receiver", name, garbage));
    }
    seeds
}

/// CVE-2020-6017: segments larger than any buffer, where packets are not encrypted.
fn oversized_segments() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (what, len) in [("mtu", 1285), ("mtu-plus-1", 1287), ("udp-max", 1400)] {
        let mut frames = vec![0x37, 1, 0, 0, 0];
        frames.resize(len, 0x41);
        let input = join(&[&[1, 13, 1, 0, 2], &sized(&frames), &[14, 9]]);
        seeds.push(Seed::new("connected_pair", format!("cve-2020-6017-{what}"), input));
        let reliable = [&[0x57, 1, 0, 0, 0, 0, 0], &frames[5..]].concat();
        let input = join(&[&[1, 13, 1, 0, 2], &sized(&reliable), &[14, 9]]);
        seeds.push(Seed::new("connected_pair", format!("cve-2020-6017-reliable-{what}"), input));
    }
    seeds
}

/// CVE-2020-6018: ciphertexts that do not fit what they are opened into.
fn short_ciphertexts() -> Vec<Seed> {
    let seed = |len: usize| {
        let input = join(&[&[0], &2u64.to_le_bytes(), &[0, 0, 3], &vec![0x77; len]]);
        Seed::new("sealed", format!("cve-2020-6018-{len:04}-bytes"), input)
    };
    [0, 1, 15, 16, 17, 1232, 1248, 1249, 1300, 4000].map(seed).to_vec()
}

/// CVE-2020-6019: lengths of the inline stats beyond the packet, and protobuf that is none.
fn stats_lengths() -> Vec<Seed> {
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    for len in [11, 1 << 31, (1u64 << 32) - 1, u64::MAX] {
        let mut blob = Vec::new();
        varint::append(len, &mut blob);
        blob.extend_from_slice(&[0; 10]);
        cases.push((format!("length-{len:#x}"), blob));
    }
    cases.push(("endless-length".into(), vec![0xff; 12]));
    cases.push(("malformed".into(), vec![4, 0x0a, 0x7f, 0xff, 0xff, 1, 2, 3]));
    cases.push(("duplicate-fields".into(), vec![6, 0x18, 2, 0x18, 4, 0x18, 6, 1, 2, 3]));
    // Nested groups and messages, as deep as a packet allows.
    let mut nested = vec![0xe0, 0x07];
    nested.resize(2 + 992, 0x0b);
    cases.push(("deep-groups".into(), nested));
    let mut nested = Vec::new();
    for depth in 0..90 {
        nested.splice(0..0, [0x0a, 2 * depth as u8]);
    }
    let mut blob = Vec::new();
    varint::append(nested.len() as u64, &mut blob);
    blob.extend_from_slice(&nested);
    cases.push(("deep-messages".into(), blob));
    cases
        .into_iter()
        .flat_map(|(what, blob)| {
            let name = format!("cve-2020-6019-{what}");
            let datagram = join(&[&[0x81, 1, 0, 0x34, 0x12, 2, 0], &blob]);
            let in_clear = join(&[&[1, 13, 1, 1, 2], &sized(&blob)]);
            [
                Seed::new("datagram", name.clone(), datagram),
                Seed::new("connected_pair", name, in_clear),
            ]
        })
        .collect()
}

/// Stop-waiting, gaps and acks that broke the bookkeeping.
fn bookkeeping() -> Vec<Seed> {
    // Packets, then a stop-waiting number beyond the newest, then acks.
    let beyond = [
        &[1, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &[4, 3, 0x10, 0],
        &[4, 3, 0xff, 0x7f],
        &[0, 0, 0, 5, 0x58, 2],
    ]
    .concat();
    // Reorder by 20 with one loss in eight, an ack after each.
    let mut reordered = vec![0, 0];
    for index in 0u8..60 {
        reordered.extend_from_slice(&[0, 2, if index % 2 == 0 { 21 } else { 0xed }, 1]);
        reordered.extend_from_slice(&[7, 0x80, 0, 5, 0x58, 2]);
    }
    // Three messages, then segments that overlap several gaps at once, from every side.
    let mut overlaps = vec![0, 0, 0x10, 8, 0xff, 3, 0xff, 0, 40, 0, 0x7f, 0, 0, 0];
    for (start, len) in [(0x10, 4), (0x20, 4), (0x30, 8), (0x0e, 0x18), (0x08, 0x60), (0, 0x10)] {
        overlaps.extend_from_slice(&[0, start, 0, len, 0, 1, 3]);
    }
    // Ack frames with counts that loop for long if anybody loops: 255 blocks of 800,007.
    let mut ranges = vec![0x97, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0xff];
    for _ in 0..255 {
        ranges.extend_from_slice(&[0xff, 0xa0, 0x8d, 0x06, 0xa0, 0x8d, 0x06]);
    }
    let acked_unsent = [0x9f, 0xff, 0x7f, 0, 0, 0];
    vec![
        Seed::new("received_packets", "gns-410-stop-waiting-beyond-newest", beyond),
        Seed::new("received_packets", "gns-0e4365d-heavy-reorder", reordered),
        Seed::new("receiver", "gns-409-overlaps-several-gaps", overlaps),
        Seed::new("frames", "raknet-102-huge-ack-ranges", join(&[&FRAME_HINTS, &ranges])),
        Seed::new(
            "sender",
            "raknet-102-huge-ack-ranges",
            join(&[&[0xff, 0xff, 0, 4, 4, 0, 1], &[4], &sized(&ranges)]),
        ),
        Seed::new(
            "connected_pair",
            "acks-of-packets-never-sent",
            join(&[&[1, 13, 1, 0, 2], &sized(&acked_unsent), &[13, 1, 0, 3], &sized(&[0; 9])]),
        ),
    ]
}

/// Sizes and numbers at the limits of their encoding, varints that never end.
fn number_encodings() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut headers = |what: &str, bytes: &[u8]| {
        let name = format!("gns-8ac7997-{what}");
        seeds.push(Seed::new("message_header", name.clone(), bytes));
        // The same as the start of lane 0's stream of an unencrypted connection.
        let frame = join(&[&[0x57, 1, 0, 0, 0, 0, 0], bytes]);
        let input = join(&[&[1, 13, 1, 0, 2], &sized(&frame), &[14, 9]]);
        seeds.push(Seed::new("connected_pair", name, input));
    };
    headers("size-31-bits", &[0x3f, 0xff, 0xff, 0xff, 0x1f]);
    headers("size-32-bits", &[0x3f, 0xff, 0xff, 0xff, 0x3f]);
    headers("size-33-bits", &[0x20, 0x80, 0x80, 0x80, 0x40]);
    headers("size-64-bits", &[0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    headers("endless-size", &[&[0x20][..], &[0x80; 20]].concat());
    headers("endless-increment", &[&[0x40][..], &[0xff; 20]].concat());
    headers("increment-zero", &[0x40, 0]);
    headers(
        "increment-2-to-the-63",
        &[0x40, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
    );
    headers("reserved-bit", &[0x80]);
    for (what, bytes) in [
        ("ten-bytes", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1][..]),
        ("overflow", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]),
        ("eleven-bytes", &[0x80; 11]),
        ("needlessly-long", &[0x81, 0x80, 0]),
        ("cut-short", &[0xff, 0xff]),
        ("empty", &[]),
    ] {
        seeds.push(Seed::new("varint", format!("gns-0d721a5-{what}"), bytes));
    }
    for (index, centre) in [(1u8, "2-16"), (3, "2-31"), (4, "2-32"), (5, "2-48")] {
        let hints = [index, 0, index, 0, index, 0, index, 1];
        let frames = join(&[&hints, &[0x80, 1, 0x98, 0xff, 0xff, 0, 0, 0x50], &[0; 8]]);
        seeds.push(Seed::new("frames", format!("gns-692c40f-near-{centre}"), frames));
        let packets = join(&[&[index, 0xf8], &[0, 0, 1].repeat(16), &[5, 0x58, 2]]);
        seeds.push(Seed::new("received_packets", format!("gns-692c40f-near-{centre}"), packets));
        let wrap = [0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 1, index, 0];
        seeds.push(Seed::new("truncated", format!("gns-692c40f-near-{centre}"), wrap));
    }
    seeds
}

/// Keys of low order, versions, and chains that claim too much.
fn handshakes() -> Vec<Seed> {
    let info = |key: [u8; 32], version: u8, ciphers: &[u8]| {
        join(&[
            &[0, 0x08, 1, 0x12, 32],
            &key,
            &[0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x20, version],
            ciphers,
        ])
    };
    let mut seeds = vec![
        Seed::new("crypt_info", "gns-384adb6-zero-key", info([0; 32], 13, &[0x28, 2])),
        Seed::new("crypt_info", "version-7", info([9; 32], 7, &[0x28, 2])),
        Seed::new("crypt_info", "unknown-ciphers", info([9; 32], 13, &[0x28, 99, 0x28, 0])),
        Seed::new("crypt_info", "no-cipher", info([9; 32], 13, &[])),
        Seed::new("crypt_info", "both-ciphers-packed", info([9; 32], 13, &[0x2a, 2, 2, 1])),
    ];
    // Roots, revocation, number of CAs, then certificates: owner, signer, apps, pops, times, fate.
    let ca = |owner: u8, signer: u8, apps: u8, pops: u8| [owner, signer, apps, pops, 0, 0, 0x7f, 0];
    let leaf = |signer: u8, apps: u8, pops: u8| [1, 4, signer, apps, pops, 0, 0, 0x7f, 0, 0];
    let context = [0, 1, 1, 1, 0];
    for (what, parts) in [
        ("chain-of-one", join(&[&[1, 0, 0], &leaf(0, 0x1f, 0x1f), &context])),
        ("gns-e57ad38-pop-not-allowed", {
            join(&[&[1, 0, 1], &ca(1, 0, 0, 0x11), &leaf(1, 0x1f, 0x12), &context])
        }),
        ("app-not-allowed", join(&[&[1, 0, 1], &ca(1, 0, 0x11, 0), &leaf(1, 0x12, 0), &context])),
        ("revoked", join(&[&[1, 0x81, 0], &leaf(0, 0x1f, 0), &context])),
        ("signed-crosswise", {
            let cas = [ca(1, 2, 0, 0), ca(2, 1, 0, 0), ca(1, 0, 0, 0), ca(3, 2, 0, 0)].concat();
            join(&[&[1, 0, 4], &cas, &leaf(3, 0x1f, 0), &context])
        }),
    ] {
        seeds.push(Seed::new("trust", what, parts));
    }
    seeds
}

/// GNS a8c9af8 and Left 4 Dead 2: empty datagrams and hardly more, on every socket.
fn tiny_datagrams() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for len in [0usize, 1, 4, 5, 6, 7] {
        for first in [0x20, 0x80, 0xff] {
            let bytes = vec![first; len];
            let name = format!("gns-a8c9af8-{len}-bytes-{first:02x}");
            seeds.push(Seed::new("datagram", name.clone(), bytes.clone()));
            let to_endpoint = join(&[&[1, 0], &sized(&bytes)]);
            seeds.push(Seed::new("endpoint", name.clone(), to_endpoint));
            let to_connection = join(&[&[0, 13, 0], &sized(&bytes), &[0, 1, 9, 4, 0, 9]]);
            seeds.push(Seed::new("connected_pair", name, to_connection));
        }
    }
    seeds
}

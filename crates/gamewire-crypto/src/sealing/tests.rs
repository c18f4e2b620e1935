use super::*;

const KEY: [u8; 32] = [7; 32];
const IV: [u8; 12] = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];

fn pair() -> (Sealer, Opener) {
    (Sealer::aes(&KEY, &IV), Opener::aes(&KEY, &IV))
}

#[test]
fn the_packet_number_is_added_to_the_first_eight_bytes() {
    assert_eq!(nonce(&IV, 0), IV);
    let wrapped = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    assert_eq!(nonce(&IV, 2), wrapped, "wraps without a carry into the rest");
    let low = nonce(&[0; 12], 0x0102_0304_0506_0708);
    assert_eq!(low, [8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0]);
    assert_eq!(nonce(&IV, u64::MAX)[0], 0xfd);
}

#[test]
fn seals_in_place_behind_a_header() {
    let (sealer, opener) = pair();
    assert_eq!((sealer.overhead(), opener.overhead()), (16, 16));
    for length in [0, 1, 15, 16, 17, 100, 1232] {
        let plaintext: Vec<u8> = (0..length).map(|i| i as u8).collect();
        let mut buffer = Vec::with_capacity(7 + length + 16);
        buffer.extend_from_slice(b"header!");
        buffer.extend_from_slice(&plaintext);
        let place = buffer.as_ptr();
        sealer.seal(5, &mut buffer, 7);
        assert_eq!(buffer.as_ptr(), place, "no new allocation");
        assert_eq!(buffer.len(), 7 + length + 16);
        assert_eq!(&buffer[..7], b"header!");
        if length > 0 {
            assert_ne!(&buffer[7..7 + length], plaintext);
        }
        assert_eq!(opener.open(5, &mut buffer[7..]).unwrap(), plaintext);
    }
}

#[test]
fn every_changed_bit_and_number_is_noticed() {
    let (sealer, opener) = pair();
    let mut sealed = b"plaintext".to_vec();
    sealer.seal(1 << 40, &mut sealed, 0);
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let result = opener.open(1 << 40, &mut changed);
        assert_eq!(result.unwrap_err(), OpenError::BadTag, "bit {bit}");
    }
    for number in [0, 1, (1 << 40) - 1, (1 << 40) + 1, 1 << 41] {
        let mut copy = sealed.clone();
        let result = opener.open(number, &mut copy);
        assert_eq!(result.unwrap_err(), OpenError::BadTag, "number {number}");
    }
    assert_eq!(opener.open(1 << 40, &mut sealed).unwrap(), b"plaintext");
}

/// lessons.md 5.1, CVE-2020-6018: decryption wrote past a buffer that was too small.
#[test]
fn cve_2020_6018_lengths_around_the_limits() {
    use gamewire_wire::limits::{MAX_ENCRYPTED_PAYLOAD, MAX_UDP_PAYLOAD, TAG_LEN as WIRE_TAG_LEN};

    assert_eq!(TAG_LEN, WIRE_TAG_LEN);
    let (sealer, opener) = pair();
    for length in 0..TAG_LEN {
        let mut short = vec![0; length];
        assert_eq!(opener.open(1, &mut short), Err(OpenError::TooShort));
        assert_eq!(short, vec![0; length]);
    }
    for sealed_len in [
        TAG_LEN,
        TAG_LEN + 1,
        MAX_ENCRYPTED_PAYLOAD,
        MAX_ENCRYPTED_PAYLOAD + 1,
        MAX_UDP_PAYLOAD,
        MAX_UDP_PAYLOAD + 1,
        65_535,
    ] {
        let plaintext = vec![0x33; sealed_len - TAG_LEN];
        let mut sealed = plaintext.clone();
        sealer.seal(9, &mut sealed, 0);
        let mut arena = vec![0xa5; sealed_len + 64];
        arena[32..32 + sealed_len].copy_from_slice(&sealed);
        let opened = opener.open(9, &mut arena[32..32 + sealed_len]).unwrap();
        assert_eq!(opened, plaintext);
        // One byte less, one byte more: refused, and the surroundings stay.
        let mut cut = sealed[..sealed_len - 1].to_vec();
        assert!(opener.open(9, &mut cut).is_err());
        sealed.push(0);
        assert_eq!(opener.open(9, &mut sealed), Err(OpenError::BadTag));
        assert!(arena[..32].iter().all(|&byte| byte == 0xa5));
        assert!(arena[32 + sealed_len..].iter().all(|&byte| byte == 0xa5));
    }
}

#[test]
fn null_protects_nothing_and_adds_nothing() {
    let (sealer, opener) = (Sealer::null(), Opener::null());
    assert_eq!((sealer.overhead(), opener.overhead()), (0, 0));
    let mut buffer = b"header!clear".to_vec();
    sealer.seal(5, &mut buffer, 7);
    assert_eq!(buffer, b"header!clear");
    assert_eq!(opener.open(99, &mut buffer[7..]).unwrap(), b"clear");
    assert_eq!(opener.open(0, &mut []).unwrap(), b"");
}

#[test]
fn debug_shows_no_key() {
    let (sealer, opener) = pair();
    assert_eq!(format!("{sealer:?} {opener:?}"), "Sealer(Aes256Gcm) Opener(Aes256Gcm)");
}

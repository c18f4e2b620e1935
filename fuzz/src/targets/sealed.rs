//! Sealed payloads of any length: opening never writes elsewhere, and opens nothing forged.

use gamewire_crypto::{Cipher, KeyExchange, KeySchedule, Opener, Sealer, Side};

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let cipher = if choice & 1 == 0 { Cipher::Aes256Gcm } else { Cipher::Null };
    let (sealer, opener) = keys(cipher);
    let number = input.u64();
    let (at, bit) = (input.u16(), input.byte() % 8);
    let bytes = input.rest();
    arbitrary(cipher, &opener, number, bytes);

    let mut buffer = b"head".to_vec();
    buffer.extend_from_slice(bytes);
    sealer.seal(number, &mut buffer, 4);
    assert_eq!(buffer.len(), 4 + bytes.len() + sealer.overhead());
    assert_eq!(&buffer[..4], b"head");
    let mut copy = buffer.clone();
    let opened = opener.open(number, &mut copy[4..]).expect("sealed a line above");
    assert_eq!(opened, bytes);
    if cipher == Cipher::Null {
        return;
    }
    let mut copy = buffer.clone();
    assert!(opener.open(number.wrapping_add(1), &mut copy[4..]).is_err());
    let index = 4 + usize::from(at) % (buffer.len() - 4);
    buffer[index] ^= 1 << bit;
    assert!(opener.open(number, &mut buffer[4..]).is_err(), "a flipped bit was not noticed");
}

fn arbitrary(cipher: Cipher, opener: &Opener, number: u64, bytes: &[u8]) {
    const GUARD: [u8; 64] = [0xa5; 64];
    let mut buffer = [&GUARD[..], bytes, &GUARD[..]].concat();
    let end = GUARD.len() + bytes.len();
    let opened =
        opener.open(number, &mut buffer[GUARD.len()..end]).map(|plaintext| plaintext.len());
    match cipher {
        Cipher::Null => assert_eq!(opened.ok(), Some(bytes.len())),
        Cipher::Aes256Gcm => assert!(opened.is_err(), "opened what nobody sealed"),
    }
    assert_eq!((&buffer[..GUARD.len()], &buffer[end..]), (&GUARD[..], &GUARD[..]));
}

/// The initiator's sealer and the acceptor's opener.
fn keys(cipher: Cipher) -> (Sealer, Opener) {
    let (initiator, acceptor) =
        (KeyExchange::from_bytes([1; 32]), KeyExchange::from_bytes([2; 32]));
    let schedule = KeySchedule {
        initiator_connection_id: 1,
        acceptor_connection_id: 2,
        initiator_cert: b"a",
        acceptor_cert: b"b",
        initiator_info: b"c",
        acceptor_info: b"d",
        initiator_nonce: 3,
        acceptor_nonce: 4,
    };
    let secret = |own: &KeyExchange, other: &KeyExchange| {
        own.agree(&other.public_key()).expect("an honest key")
    };
    let (sealer, _) = schedule.derive(&secret(&initiator, &acceptor), cipher, Side::Initiator);
    let (_, opener) = schedule.derive(&secret(&acceptor, &initiator), cipher, Side::Acceptor);
    (sealer, opener)
}

//! The signed crypt info of a handshake: parsed as a peer's, signed by it or not.

use bytes::Bytes;
use gamewire_crypto::{MAX_CRYPT_INFO_LEN, PeerCryptInfo, SigningKey};
use gamewire_wire::{limits::MIN_PROTOCOL_VERSION, messages::SessionCryptInfoSigned};
use prost::Message as _;

use crate::input::Input;

pub(crate) const PEER_SEED: [u8; 32] = [9; 32];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let earlier = (choice & 2 != 0).then(|| u32::from(input.byte()));
    let bytes = input.rest();
    let peer = SigningKey::from_seed(PEER_SEED);
    let signed = if choice & 1 == 0 {
        SessionCryptInfoSigned {
            info: Some(Bytes::copy_from_slice(bytes)),
            signature: Some(Bytes::copy_from_slice(&peer.sign(bytes))),
        }
    } else {
        let Ok(signed) = SessionCryptInfoSigned::decode(bytes) else { return };
        signed
    };
    let Ok(info) = PeerCryptInfo::verify(&signed, &peer.public_key(), earlier) else { return };
    let signature = signed.signature.expect("verified");
    assert_eq!(signature, peer.sign(&info.info)[..], "signatures of Ed25519 are unique");
    assert_eq!(signed.info, Some(info.info.clone()));
    assert!(info.info.len() <= MAX_CRYPT_INFO_LEN);
    assert!(info.protocol_version >= MIN_PROTOCOL_VERSION);
    assert!(earlier.is_none_or(|earlier| earlier == info.protocol_version));
    assert!(info.ciphers.len() <= 2);
    if let Ok(cipher) = info.sole_cipher() {
        assert_eq!(info.ciphers, [cipher]);
    }
}

//! The blob, byte for byte, and everything that must keep it closed.

use gamewire_crypto::SeededEntropy;
use proptest::prelude::*;

use super::*;

fn server() -> ServerAddress {
    ServerAddress {
        address: "192.0.2.7:27015".parse().unwrap(),
        routing_secret: 0x0807_0605_0403_0201,
        protocol_version: 12,
    }
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn pop(code: &str) -> PopId {
    code.parse().unwrap()
}

#[test]
fn plain_bytes() {
    let plain = HostedAddress::Plain { pop: pop("sto"), server: server() };
    let expected = [
        b's', b't', b'o', 0, 3, 0x0d, 7, 2, 0, 192, 0x18, 0x87, 0xd3, 1, 0x21, 1, 2, 3, 4, 5, 6, 7,
        8, 0x28, 12,
    ];
    assert_eq!(plain.encode().unwrap(), expected);
    assert_eq!(HostedAddress::decode(&expected), Ok(plain.clone()));
    assert_eq!(plain.server(), Ok(server()));
    let six = ServerAddress { address: "[2001:db8::5]:9".parse().unwrap(), ..server() };
    let six = HostedAddress::Plain { pop: pop("atl2"), server: six };
    assert_eq!(HostedAddress::decode(&six.encode().unwrap()), Ok(six));
}

#[test]
fn dev_bytes() {
    let dev = HostedAddress::Dev { pop: PopId::DEV, address: "192.0.2.7:27015".parse().unwrap() };
    let expected = [b'd', b'e', b'v', 0, 1, 1, 0x87, 0x69, 7, 2, 0, 192];
    assert_eq!(dev.encode().unwrap(), expected);
    assert_eq!(HostedAddress::decode(&expected), Ok(dev.clone()));
    assert_eq!(dev.server().unwrap().routing_secret, 0);
    let no_port = HostedAddress::Dev { pop: PopId::DEV, address: "192.0.2.7".parse().unwrap() };
    assert_eq!(no_port.server(), Err(HostedAddressError::NoAddress));
    let six = HostedAddress::Dev { pop: PopId::DEV, address: "[::1]:5".parse().unwrap() };
    assert_eq!(six.encode(), None);
}

#[test]
fn an_address_that_is_none() {
    for bytes in [&[][..], &[0x18, 5], &[0x0d, 1, 0, 0, 127], &[0x0d, 1, 0, 0, 127, 0x18, 0]] {
        let blob = [b"sto\0\x03", bytes].concat();
        assert_eq!(HostedAddress::decode(&blob), Err(HostedAddressError::NoAddress));
    }
    let port_too_big = b"sto\0\x03\x0d\x01\0\0\x7f\x18\x80\x80\x04";
    assert_eq!(HostedAddress::decode(port_too_big), Err(HostedAddressError::NoAddress));
    let short_v6 = b"sto\0\x03\x12\x02ab\x18\x05";
    assert_eq!(HostedAddress::decode(short_v6), Err(HostedAddressError::Malformed));
    for blob in [&b""[..], b"sto", b"sto\0", b"s\0\0\0\x03", b"sto\0\x09", b"sto\0\x01\x02aaaaaa"] {
        assert_eq!(HostedAddress::decode(blob), Err(HostedAddressError::Malformed), "{blob:?}");
    }
    let long = [b"sto\0\x02".as_slice(), &[0; 124]].concat();
    assert_eq!(HostedAddress::decode(&long), Err(HostedAddressError::Malformed));
}

struct World {
    keys: RelayKeys,
    client: Identity,
    relay_key: [u8; 32],
    server: Identity,
}

impl World {
    fn new() -> Self {
        let relay = KeyExchange::generate(&mut SeededEntropy::new(1));
        let relay_key = relay.public_key();
        let mut keys = RelayKeys::default();
        assert!(keys.insert(None, relay));
        let (client, server) = (identity("steamid:76561197960265729"), identity("str:server"));
        Self { keys, client, relay_key, server }
    }

    fn context(&self) -> BlobContext<'_> {
        let (client, server) = (&self.client, &self.server);
        BlobContext { client, server, signer_key_id: 18_220_590_129_359_924_542 }
    }

    fn encrypt(&self) -> HostedAddress {
        let entropy = &mut SeededEntropy::new(2);
        HostedAddress::encrypt(pop("sto"), &server(), &self.relay_key, &self.context(), entropy)
            .unwrap()
    }
}

#[test]
fn encrypted_bytes() {
    let world = World::new();
    let blob = world.encrypt();
    let bytes = blob.encode().unwrap();
    assert_eq!(bytes[..6], [b's', b't', b'o', 0, 2, world.relay_key[0]]);
    let ephemeral = KeyExchange::generate(&mut SeededEntropy::new(2));
    assert_eq!(bytes[6..38], ephemeral.public_key());
    assert_eq!(bytes.len(), 38 + 20 + 16);
    assert!(!bytes.windows(4).any(|four| four == [7, 2, 0, 192]), "the address shows");
    let decoded = HostedAddress::decode(&bytes).unwrap();
    assert_eq!(decoded, blob);
    assert_eq!(world.keys.open(&decoded, &world.context()), Ok(server()));
    assert_eq!(decoded.server(), Err(HostedAddressError::Encrypted));

    // The key and nonce of the public description, worked out by hand.
    let secret = ephemeral.agree(&world.relay_key).unwrap();
    let names = b"steamid:76561197960265729str:server";
    let key = MessageKey::from_hash(&secret, &[names]);
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&18_220_590_129_359_924_542u64.to_le_bytes());
    let mut sealed = bytes[38..].to_vec();
    assert_eq!(key.open(nonce, &mut sealed).unwrap(), server().encode());
}

#[test]
fn a_stolen_blob_opens_in_no_other_ticket() {
    let world = World::new();
    let blob = world.encrypt();
    let (mallory, other) = (identity("str:mallory"), identity("str:other"));
    let context = world.context();
    for stolen in [
        BlobContext { client: &mallory, ..context },
        BlobContext { server: &other, ..context },
        BlobContext { signer_key_id: 1, ..context },
        BlobContext { signer_key_id: 0, ..context },
    ] {
        assert_eq!(world.keys.open(&blob, &stolen), Err(HostedAddressError::BadSeal));
    }
    let bytes = blob.encode().unwrap();
    for at in 5..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let changed = HostedAddress::decode(&changed).unwrap();
        assert!(world.keys.open(&changed, &context).is_err(), "byte {at}");
    }
}

#[test]
fn keys_of_pops_and_rotation() {
    let world = World::new();
    let sto = KeyExchange::generate(&mut SeededEntropy::new(5));
    let for_sto = HostedAddress::encrypt(
        pop("sto"),
        &server(),
        &sto.public_key(),
        &world.context(),
        &mut SeededEntropy::new(6),
    )
    .unwrap();
    let context = world.context();
    assert_eq!(world.keys.open(&for_sto, &context), Err(HostedAddressError::UnknownKey));
    let mut keys = RelayKeys::default();
    keys.insert(Some(pop("fra")), KeyExchange::generate(&mut SeededEntropy::new(5)));
    assert_eq!(keys.open(&for_sto, &context), Err(HostedAddressError::UnknownKey));
    keys.insert(Some(pop("sto")), sto);
    assert_eq!(keys.open(&for_sto, &context), Ok(server()));
    // Old and new side by side.
    keys.insert(None, KeyExchange::generate(&mut SeededEntropy::new(1)));
    assert_eq!(keys.open(&world.encrypt(), &context), Ok(server()));
}

#[test]
fn weak_keys_encrypt_nothing() {
    let world = World::new();
    let entropy = &mut SeededEntropy::new(2);
    let result = HostedAddress::encrypt(pop("sto"), &server(), &[0; 32], &world.context(), entropy);
    assert_eq!(result, Err(HostedAddressError::BadRelayKey));
    let lead = world.relay_key[0];
    let sealed = Bytes::from_static(&[0; 36]);
    let blob = HostedAddress::Encrypted { pop: pop("sto"), lead, ephemeral: [0; 32], sealed };
    let result = world.keys.open(&blob, &world.context());
    assert_eq!(result, Err(HostedAddressError::BadRelayKey));
}

proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..140)) {
        if let Ok(blob) = HostedAddress::decode(&bytes) {
            let world = World::new();
            prop_assert!(world.keys.open(&blob, &world.context()).is_err());
        }
    }
}

use super::*;
use crate::{KeyExchange, testing::Recording};

struct Inputs {
    recording: Recording,
    certs: [Vec<u8>; 2],
    infos: [Vec<u8>; 2],
}

impl Inputs {
    fn load() -> Self {
        let recording = Recording::load();
        Self {
            certs: [recording.bytes("client_cert"), recording.bytes("server_cert")],
            infos: [recording.bytes("client_crypt_info"), recording.bytes("server_crypt_info")],
            recording,
        }
    }

    fn schedule(&self) -> KeySchedule<'_> {
        let id = |key| u32::try_from(self.recording.number(key)).unwrap();
        KeySchedule {
            initiator_connection_id: id("client_connection_id"),
            acceptor_connection_id: id("server_connection_id"),
            initiator_cert: &self.certs[0],
            acceptor_cert: &self.certs[1],
            initiator_info: &self.infos[0],
            acceptor_info: &self.infos[1],
            initiator_nonce: self.recording.number("client_nonce"),
            acceptor_nonce: self.recording.number("server_nonce"),
        }
    }

    fn secret(&self) -> SharedSecret {
        KeyExchange::from_bytes(self.recording.array("client_x25519_private"))
            .agree(&self.recording.array("server_x25519_public"))
            .unwrap()
    }
}

#[test]
fn every_step_as_recorded_with_valves_library() {
    let inputs = Inputs::load();
    let (recording, schedule) = (&inputs.recording, inputs.schedule());
    let secret = inputs.secret();
    assert_eq!(secret.as_bytes().as_slice(), recording.bytes("premaster_secret"));
    let key = schedule.pseudorandom_key(&secret);
    assert_eq!(key.as_slice(), recording.bytes("prk"));
    let keys = schedule.expand(&key);
    assert_eq!(keys.initiator_key.as_slice(), recording.bytes("c2s_key"));
    assert_eq!(keys.acceptor_key.as_slice(), recording.bytes("s2c_key"));
    assert_eq!(keys.initiator_iv.as_slice(), recording.bytes("c2s_iv"));
    assert_eq!(keys.acceptor_iv.as_slice(), recording.bytes("s2c_iv"));
}

#[test]
fn every_recorded_packet_opens_and_seals_to_the_same_bytes() {
    let inputs = Inputs::load();
    let derive = |side| inputs.schedule().derive(&inputs.secret(), Cipher::Aes256Gcm, side);
    let (initiator_sealer, initiator_opener) = derive(Side::Initiator);
    let (acceptor_sealer, acceptor_opener) = derive(Side::Acceptor);
    let mut counts = [0; 2];
    for datagram in inputs.recording.datagrams() {
        let Some((number, plaintext)) = datagram.data else {
            continue;
        };
        let (sealer, opener) = if datagram.from_initiator {
            (&initiator_sealer, &acceptor_opener)
        } else {
            (&acceptor_sealer, &initiator_opener)
        };
        let header_len = datagram.bytes.len() - sealer.overhead() - plaintext.len();
        let mut opened = datagram.bytes.clone();
        let payload = opener.open(number, &mut opened[header_len..]).unwrap();
        assert_eq!(payload, plaintext, "packet {number}");

        let mut sealed = datagram.bytes[..header_len].to_vec();
        sealed.extend_from_slice(&plaintext);
        sealer.seal(number, &mut sealed, header_len);
        assert_eq!(sealed, datagram.bytes, "packet {number}");
        counts[usize::from(datagram.from_initiator)] += 1;
    }
    assert!(counts[0] > 10 && counts[1] > 0, "recorded: {counts:?}");
}

#[test]
fn every_input_matters() {
    let inputs = Inputs::load();
    let (schedule, secret) = (inputs.schedule(), inputs.secret());
    let keys_of = |schedule: KeySchedule<'_>| {
        let keys = schedule.expand(&schedule.pseudorandom_key(&secret));
        (*keys.initiator_key, *keys.acceptor_key)
    };
    let right = keys_of(schedule);
    assert_eq!(keys_of(schedule), right);
    let other: &[u8] = b"other";
    for (name, wrong) in [
        ("initiator id", KeySchedule { initiator_connection_id: 1, ..schedule }),
        ("acceptor id", KeySchedule { acceptor_connection_id: 1, ..schedule }),
        ("initiator cert", KeySchedule { initiator_cert: other, ..schedule }),
        ("acceptor cert", KeySchedule { acceptor_cert: other, ..schedule }),
        ("initiator info", KeySchedule { initiator_info: other, ..schedule }),
        ("acceptor info", KeySchedule { acceptor_info: other, ..schedule }),
        ("initiator nonce", KeySchedule { initiator_nonce: 1, ..schedule }),
        ("acceptor nonce", KeySchedule { acceptor_nonce: 1, ..schedule }),
    ] {
        assert_ne!(keys_of(wrong), right, "{name}");
    }
}

#[test]
fn null_needs_no_keys() {
    let inputs = Inputs::load();
    let (sealer, opener) = inputs.schedule().derive(&inputs.secret(), Cipher::Null, Side::Acceptor);
    assert_eq!((sealer.overhead(), opener.overhead()), (0, 0));
}

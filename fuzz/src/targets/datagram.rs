//! One UDP payload: what parses can be encoded again and says the same.

use gamewire_wire::{
    limits::{MAX_CLOSE_DEBUG, MAX_LARGE_UDP_PAYLOAD, MAX_UDP_PAYLOAD, MIN_DATAGRAM, MIN_PADDED},
    messages::ConnectionClosed,
    udp::{self, DataPacket, Datagram, DatagramError},
};

pub(crate) fn run(data: &[u8]) {
    let parsed = udp::parse(data);
    let is_data = data.first().is_some_and(|first| first & 0x80 != 0);
    let limit = if is_data { MAX_LARGE_UDP_PAYLOAD } else { MAX_UDP_PAYLOAD };
    assert_eq!(data.len() > limit, parsed == Err(DatagramError::TooLong));
    if data.len() < MIN_DATAGRAM {
        assert_eq!(parsed, Err(DatagramError::TooShort));
    }
    match parsed {
        Ok(Datagram::Data(packet)) => data_packet(data, &packet),
        Ok(control) => {
            assert_eq!(udp::peek_connection_id(data), None);
            control_message(data, control);
        }
        Err(_) => {}
    }
}

fn data_packet(data: &[u8], packet: &DataPacket<'_>) {
    assert_eq!(udp::peek_connection_id(data), Some(packet.header.to_connection_id));
    let payload = &data[packet.payload_offset..];
    let stats = match packet.stats.map(udp::decode_stats) {
        None => None,
        Some(Ok(stats)) => Some(stats),
        Some(Err(error)) => {
            assert_eq!(error, DatagramError::Protobuf);
            return;
        }
    };
    let mut again = Vec::new();
    let len = udp::encode_data_header(&packet.header, stats.as_ref(), &mut again);
    assert_eq!(len, again.len());
    assert_eq!(len, udp::data_header_len(&packet.header, stats.as_ref()));
    again.extend_from_slice(payload);
    // A packed list grows when it is written unpacked.
    if again.len() > MAX_LARGE_UDP_PAYLOAD {
        return;
    }
    let Ok(Datagram::Data(second)) = udp::parse(&again) else {
        panic!("a data packet does not parse again: {again:02x?}");
    };
    assert_eq!(second.header, packet.header);
    assert_eq!(second.stats.map(udp::decode_stats).transpose(), Ok(stats));
    assert_eq!(&again[second.payload_offset..], payload);
}

fn control_message(data: &[u8], control: Datagram<'_>) {
    let mut again = Vec::new();
    let (len, expected) = match control {
        Datagram::Data(_) => unreachable!("handled by the caller"),
        Datagram::ChallengeRequest(message) => {
            assert!(data.len() >= MIN_PADDED);
            (udp::encode_challenge_request(&message, &mut again), control)
        }
        Datagram::ChallengeReply(message) => {
            (udp::encode_challenge_reply(&message, &mut again), control)
        }
        Datagram::ConnectRequest(ref message) => {
            (udp::encode_connect_request(message, &mut again), control)
        }
        Datagram::ConnectOk(ref message) => (udp::encode_connect_ok(message, &mut again), control),
        Datagram::ConnectionClosed(message) => {
            assert!(data.len() >= MIN_PADDED);
            let len = udp::encode_connection_closed(&message, &mut again);
            (len, Datagram::ConnectionClosed(with_short_debug(message)))
        }
        Datagram::NoConnection(message) => {
            (udp::encode_no_connection(&message, &mut again), control)
        }
    };
    assert_eq!(len, again.len());
    match udp::parse(&again) {
        Ok(second) => assert_eq!(second, expected),
        Err(error) => {
            // Only what is empty or grew by being written differently can fail to come back.
            let expected = if again.len() < MIN_DATAGRAM {
                DatagramError::TooShort
            } else {
                DatagramError::TooLong
            };
            assert_eq!(error, expected);
        }
    }
}

fn with_short_debug(message: ConnectionClosed) -> ConnectionClosed {
    let debug = message.debug.map(|mut debug| {
        debug.truncate(debug.floor_char_boundary(MAX_CLOSE_DEBUG));
        debug
    });
    ConnectionClosed { debug, ..message }
}

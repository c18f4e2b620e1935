//! Message headers inside the reliable stream: a stream of them, cut anywhere.

use gamewire_wire::{
    limits::MAX_MESSAGE_HEADER,
    snp::{decode_message_header, encode_message_header},
};

pub(crate) fn run(data: &[u8]) {
    let whole = decode_message_header(data);
    if data.len() >= MAX_MESSAGE_HEADER {
        assert_ne!(whole, Ok(None), "a header that never ends would wedge its stream");
    }
    for cut in 0..data.len().min(MAX_MESSAGE_HEADER) {
        let part = decode_message_header(&data[..cut]);
        assert!(part == Ok(None) || part == whole, "{cut} bytes: {part:?}, all: {whole:?}");
    }
    let Ok(Some((header, len))) = whole else { return };
    assert!(len <= data.len() && header.number_increment >= 1);
    let mut again = [0; MAX_MESSAGE_HEADER];
    let written = encode_message_header(header.number_increment, header.size, &mut again);
    assert!(written <= len);
    assert_eq!(decode_message_header(&again[..written]), Ok(Some((header, written))));
}

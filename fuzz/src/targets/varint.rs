//! Varints, against prost's reader and writer.

use gamewire_wire::varint::{self, MAX_LEN, VarintError};

pub(crate) fn run(data: &[u8]) {
    let mut rest = data;
    let theirs = prost::encoding::decode_varint(&mut rest);
    match varint::read(data) {
        Ok((value, len)) => {
            assert_eq!(theirs.ok(), Some(value));
            assert_eq!(len, data.len() - rest.len());
            let mut ours = Vec::new();
            varint::append(value, &mut ours);
            let mut reference = Vec::new();
            prost::encoding::encode_varint(value, &mut reference);
            assert_eq!(ours, reference);
            assert_eq!((varint::len(value), true), (ours.len(), ours.len() <= len));
        }
        Err(VarintError::Truncated) => assert!(theirs.is_err() && data.len() < MAX_LEN),
        Err(VarintError::Overflow) => assert!(theirs.is_err() && data.len() >= MAX_LEN),
    }
}

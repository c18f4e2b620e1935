//! One module per target, each with `run`.

pub(crate) mod address;
pub(crate) mod certificate;
pub(crate) mod connected_pair;
pub(crate) mod cookie;
pub(crate) mod crypt_info;
pub(crate) mod datagram;
pub(crate) mod endpoint;
pub(crate) mod frame_writer;
pub(crate) mod frames;
pub(crate) mod handshake;
pub(crate) mod identity;
pub(crate) mod key_text;
pub(crate) mod message_header;
pub(crate) mod received_packets;
pub(crate) mod receiver;
pub(crate) mod sealed;
pub(crate) mod sender;
pub(crate) mod stats;
pub(crate) mod truncated;
pub(crate) mod trust;
pub(crate) mod varint;

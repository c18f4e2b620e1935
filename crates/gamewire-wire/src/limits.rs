//! Sizes and versions of the public protocol, each a fact both peers rely on.

/// The protocol version spoken here, sent in ChallengeRequest and the crypt info (wire.md §2).
pub const PROTOCOL_VERSION: u32 = 13;

/// The oldest protocol version accepted from a peer (wire.md §3).
pub const MIN_PROTOCOL_VERSION: u32 = 8;

/// From this version on the first data packet after the handshake has number 2 (wire.md §2).
pub const MIN_VERSION_HANDSHAKE_COUNTS: u32 = 10;

/// From this version on a peer understands lanes (wire.md §5).
pub const MIN_VERSION_LANES: u32 = 11;

/// From this version on a peer understands the time since the previous packet (wire.md §1).
pub const MIN_VERSION_TIME_SINCE_PREVIOUS: u32 = 12;

/// From this version on a peer reads 32-bit ack numbers (snp-frames.md, "Ack").
pub const MIN_VERSION_WIDE_ACK: u32 = 13;

/// Largest UDP payload sent or accepted, in bytes, but for data packets between peers that negotiated
/// larger ones.
pub const MAX_UDP_PAYLOAD: usize = 1300;

/// Largest UDP payload of a data packet between peers that negotiated to find the path's limit, in
/// bytes: what IPv4 can carry.
pub const MAX_LARGE_UDP_PAYLOAD: usize = 65_507;

/// Largest sealed payload (plaintext and tag) sent, in bytes: leaves room for header and stats.
pub const MAX_ENCRYPTED_PAYLOAD: usize = 1248;

/// Largest plaintext sent, in bytes: [`MAX_ENCRYPTED_PAYLOAD`] without the tag.
pub const MAX_PLAINTEXT: usize = MAX_ENCRYPTED_PAYLOAD - TAG_LEN;

/// Least size of a padded message, in bytes, so that no reply is larger than its request.
pub const MIN_PADDED: usize = 512;

/// Length of the AES-GCM tag behind a sealed payload, in bytes.
pub const TAG_LEN: usize = 16;

/// Length of a data packet's fixed header, in bytes: flags, connection id, packet number.
pub const DATA_HEADER_LEN: usize = 7;

/// Shorter datagrams are ignored, in bytes.
pub const MIN_DATAGRAM: usize = 5;

/// Most lanes of a connection; lane numbers run from 0 to one below.
pub const MAX_LANES: usize = 255;

/// A received packet number further than this past the newest one is an error to Valve's library.
pub const MAX_PACKET_LEAD: u64 = 0x4000;

/// Our own packet numbers stay within this distance of the newest acked one (wire.md §5).
pub const MAX_UNACKED_LEAD: u64 = 0x2000;

/// Largest size an explicit size field of a segment can say, in bytes.
pub const MAX_EXPLICIT_SEGMENT: usize = 0x4ff;

/// Largest reliable segment Valve's library cuts at its usual packet size, in bytes.
pub const MAX_RELIABLE_SEGMENT: usize = 1137;

/// Largest ack or gap count of one ack block; a larger one is an error.
pub const MAX_ACK_COUNT: u32 = (100_000 << 3) | 7;

/// Most blocks of one ack frame (its count is one byte).
pub const MAX_ACK_BLOCKS: usize = 255;

/// Longest debug text in a ConnectionClosed, in bytes; a longer one is cut when encoding.
pub const MAX_CLOSE_DEBUG: usize = 127;

/// Longest identity as text, in bytes (128 with its terminating NUL in C).
pub const MAX_IDENTITY_TEXT: usize = 127;

/// Longest address as text, in bytes (48 with its terminating NUL in C).
pub const MAX_ADDRESS_TEXT: usize = 47;

/// Longest generic string identity, in bytes.
pub const MAX_GENERIC_STRING: usize = 31;

/// Longest generic bytes identity, in bytes.
pub const MAX_GENERIC_BYTES: usize = 32;

/// Longest Xbox pairwise id, in bytes.
pub const MAX_XBOX_PAIRWISE_ID: usize = 32;

/// Longest prefix of an identity of unknown type, in bytes.
pub const MAX_IDENTITY_PREFIX: usize = 16;

/// Longest header of a message inside the reliable stream, in bytes.
pub const MAX_MESSAGE_HEADER: usize = 16;

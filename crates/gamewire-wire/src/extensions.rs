//! Bits of `Extensions.features`, Gamewire's own field in the signed crypt info.
//!
//! A feature is in force only where both peers name it; Valve's library names none.

/// Reliable messages delivered as they complete, in any order
/// ([`SegmentKind::ReliableUnordered`](crate::snp::SegmentKind::ReliableUnordered)).
pub const RELIABLE_UNORDERED: u64 = 1 << 0;

/// Unreliable messages of which one older than the newest delivered is dropped
/// ([`SegmentKind::Sequenced`](crate::snp::SegmentKind::Sequenced)).
pub const SEQUENCED: u64 = 1 << 1;

/// The receiver tells how much data it has room for ([`Frame::Room`](crate::snp::Frame)),
/// and the sender sends no more.
pub const RECEIVE_WINDOW: u64 = 1 << 2;

/// Data packets may be larger than 1300 bytes where the path carries them: segments may tell their
/// size as a varint, and [`Frame::Padding`](crate::snp::Frame) is understood.
pub const LARGE_PACKETS: u64 = 1 << 3;

/// Every feature this version knows.
pub const ALL: u64 = RELIABLE_UNORDERED | SEQUENCED | RECEIVE_WINDOW | LARGE_PACKETS;

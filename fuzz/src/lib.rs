//! Fuzz targets as plain functions of bytes.
//!
//! `cargo test` replays their corpus (`tests/replay.rs`), `cargo xtask fuzz TARGET` runs one of them
//! under libFuzzer through the package in `cargo-fuzz/`, which is no member of the workspace. A
//! target panics when a property does not hold; it is a function of its input alone, so that every
//! input reproduces.
#![forbid(unsafe_code)]

mod input;
pub mod seeds;
mod targets;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its folders under `corpus/` and `regressions/`, and of its libFuzzer program.
    pub name: &'static str,
    /// Runs it; panics if a property does not hold.
    pub run: fn(&[u8]),
}

impl Target {
    /// The target of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.iter().copied().find(|target| target.name == name)
    }
}

macro_rules! targets {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        $($(#[doc = $doc])+ pub fn $name(data: &[u8]) { targets::$name::run(data); })+

        /// Every target.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), run: $name },)+];
    };
}

targets! {
    /// One UDP payload: parse, encode again, compare.
    datagram,
    /// A plaintext through the frame reader, written again and compared.
    frames,
    /// Frames written by instructions, read back and compared.
    frame_writer,
    /// Message headers inside the reliable stream.
    message_header,
    /// Varints, against prost's reader.
    varint,
    /// Truncated numbers, against the definition.
    truncated,
    /// Identities as text and in the legacy binary form.
    identity,
    /// Addresses as text.
    address,
    /// Certificates, certificate requests, and taking a certificate into use.
    certificate,
    /// Certificate chains: nothing is believed that no root signed.
    trust,
    /// The signed crypt info of a handshake.
    crypt_info,
    /// Keys and certificates as text, base64.
    key_text,
    /// Challenge cookies, against their definition.
    cookie,
    /// Sealed payloads of any length, opened and sealed.
    sealed,
    /// Link statistics fed with traffic, time and a lying peer's messages.
    stats,
    /// Received packet numbers and the acks about them, against sets.
    received_packets,
    /// The receiving half: honest senders are served, others bounded.
    receiver,
    /// The sending half and loss recovery, driven by arbitrary acks.
    sender,
    /// What one socket does with datagrams of anyone.
    endpoint,
    /// Two whole connections over a bad network.
    connected_pair,
    /// A whole handshake whose datagrams are lost, repeated, swapped, altered and replayed.
    handshake,
}

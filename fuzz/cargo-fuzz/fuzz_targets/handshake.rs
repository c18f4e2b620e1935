//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::handshake;

libfuzzer_sys::fuzz_target!(|data: &[u8]| handshake(data));

//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::varint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| varint(data));

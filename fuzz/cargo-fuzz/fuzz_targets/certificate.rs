//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::certificate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| certificate(data));

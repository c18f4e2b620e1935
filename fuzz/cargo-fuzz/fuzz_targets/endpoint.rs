//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::endpoint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| endpoint(data));

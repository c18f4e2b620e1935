//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::trust;

libfuzzer_sys::fuzz_target!(|data: &[u8]| trust(data));

//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::stats;

libfuzzer_sys::fuzz_target!(|data: &[u8]| stats(data));

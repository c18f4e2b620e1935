//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::truncated;

libfuzzer_sys::fuzz_target!(|data: &[u8]| truncated(data));

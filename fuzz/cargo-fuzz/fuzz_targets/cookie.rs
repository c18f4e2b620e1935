//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::cookie;

libfuzzer_sys::fuzz_target!(|data: &[u8]| cookie(data));

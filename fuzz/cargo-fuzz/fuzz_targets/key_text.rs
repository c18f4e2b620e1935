//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::key_text;

libfuzzer_sys::fuzz_target!(|data: &[u8]| key_text(data));

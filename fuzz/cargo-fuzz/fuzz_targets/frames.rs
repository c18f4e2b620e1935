//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::frames;

libfuzzer_sys::fuzz_target!(|data: &[u8]| frames(data));

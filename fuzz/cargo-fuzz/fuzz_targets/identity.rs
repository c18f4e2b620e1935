//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::identity;

libfuzzer_sys::fuzz_target!(|data: &[u8]| identity(data));

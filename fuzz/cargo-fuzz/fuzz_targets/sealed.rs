//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::sealed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sealed(data));

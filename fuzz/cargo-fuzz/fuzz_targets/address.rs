//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::address;

libfuzzer_sys::fuzz_target!(|data: &[u8]| address(data));

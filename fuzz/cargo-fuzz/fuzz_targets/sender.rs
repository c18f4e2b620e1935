//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::sender;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sender(data));

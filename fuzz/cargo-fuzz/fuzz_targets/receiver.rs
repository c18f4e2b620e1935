//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::receiver;

libfuzzer_sys::fuzz_target!(|data: &[u8]| receiver(data));

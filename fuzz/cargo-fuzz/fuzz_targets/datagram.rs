//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::datagram;

libfuzzer_sys::fuzz_target!(|data: &[u8]| datagram(data));

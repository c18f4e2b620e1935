//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::connected_pair;

libfuzzer_sys::fuzz_target!(|data: &[u8]| connected_pair(data));

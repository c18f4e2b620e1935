//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::frame_writer;

libfuzzer_sys::fuzz_target!(|data: &[u8]| frame_writer(data));

//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::message_header;

libfuzzer_sys::fuzz_target!(|data: &[u8]| message_header(data));

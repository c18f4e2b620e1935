//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::received_packets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| received_packets(data));

//! libFuzzer program of one target.
#![no_main]

use gamewire_fuzz::crypt_info;

libfuzzer_sys::fuzz_target!(|data: &[u8]| crypt_info(data));

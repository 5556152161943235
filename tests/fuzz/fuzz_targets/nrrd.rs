#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| samora_fuzz::scan("nrrd", bytes));

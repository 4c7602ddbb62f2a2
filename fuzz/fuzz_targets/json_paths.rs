//! Finds JSON paths in arbitrary text. No input may cause a panic or a long path.

#![no_main]

use kalshi_core::rt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (usize, usize, Vec<u8>)| {
    let (line, column, text) = input;
    assert!(rt::json_path(&text, line, column).chars().count() <= 256);
    // The position at which serde_json stops.
    if let Err(error) = serde_json::from_slice::<Vec<u8>>(&text) {
        assert!(rt::json_path(&text, error.line(), error.column()).starts_with('$'));
    }
});

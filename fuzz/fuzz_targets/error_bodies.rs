//! Parses arbitrary bodies of rejections. No body may cause a panic or a long error message.

#![no_main]

use kalshi_core::{reqwest::header::HeaderMap, rt};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, bool, Vec<u8>)| {
    let (status, is_complete, body) = input;
    let Ok(status) = status.try_into() else {
        return;
    };
    let error = rt::parse_rejection(status, &HeaderMap::new(), body, is_complete);
    assert!(error.to_string().chars().count() < 1_200);
    assert!(is_complete || error.code().is_none());
});

//! Generates code from arbitrary specs: `cargo fuzz run generate`. No input may cause a panic. `fuzz/seeds` has a small spec to start from.
#![no_main]

use kalshi_gen::{Options, generate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = generate(text, &Options::new());
});

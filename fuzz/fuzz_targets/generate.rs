//! No text makes the generator panic: `cargo fuzz run generate`. Start it on `fuzz/seeds`, where there are small contracts.
#![no_main]

use kalshi_gen::{Options, generate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = generate(text, &Options::new());
});

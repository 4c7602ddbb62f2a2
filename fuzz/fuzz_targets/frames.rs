//! Parses arbitrary WebSocket frames. No frame may cause a panic or a live book that is crossed.

#![no_main]

use kalshi_sdk::ws::{Books, Frame, PriceMode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut books = Books::with_mode(PriceMode::YesPrices);
    for line in text.lines() {
        books.apply(&Frame::parse(line));
    }
    let tickers: Vec<String> = books.market_tickers().map(str::to_owned).collect();
    for ticker in tickers {
        assert!(books.live(&ticker).is_none_or(|book| !book.is_crossed()));
    }
});

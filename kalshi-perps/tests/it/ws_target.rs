//! The parts of this API that the shared tests of WebSockets and order books depend on.

use kalshi_perps::{
    BookSide, PriceLevel,
    ws::{Books, OrderBook},
};
pub use kalshi_perps::{
    Client, ClientBuilder, Contracts, Credentials, Dollars, Environment, PrivateKey, auth, ws,
};
use serde_json::{Value, json};

pub const WEBSOCKET_PATH: &str = "/trade-api/ws/v2/margin";

/// `true` if messages about books may have clocks.
pub const HAS_CLOCK: bool = false;

pub type Side = BookSide;
pub const SIDES: [Side; 2] = [BookSide::Bid, BookSide::Ask];

/// Order in which a message lists levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The order that the exchange uses.
    WorstFirst,
    /// The order that the spec documents.
    BestFirst,
    Shuffled,
}

pub const STYLES: [Style; 3] = [Style::WorstFirst, Style::BestFirst, Style::Shuffled];
pub const STREAM_STYLE: Style = Style::WorstFirst;

/// Field names of a change.
pub const PRICE_FIELD: &str = "price";
pub const COUNT_FIELD: &str = "delta";

/// Name of the snapshot field with the levels of the first side.
pub const LEVELS_FIELD: &str = "bid";

/// A price that is too high, and one that is out of range for any book.
pub const TOO_HIGH: Option<Dollars> = None;
pub const OUT_OF_RANGE: Dollars = Dollars::from_micros(-1_000_000);

/// Returns the price at `tick`, where 1 is the worst: around a dollar. Prices of the two sides whose ticks add up to 100 or more cross.
pub fn price(side: Side, tick: i64) -> Dollars {
    let cents = match side {
        BookSide::Ask => 150 - tick,
        _ => 50 + tick,
    };
    Dollars::from_micros(cents * 10_000)
}

/// Returns the levels of a side, best first.
pub fn levels(book: &OrderBook, side: Side) -> Vec<PriceLevel> {
    book.levels(side).collect()
}

pub fn register(books: &mut Books, sid: u64, _: Style, tickers: &[String]) {
    books.register(sid, tickers);
}

/// Returns the JSON fields of a change apart from the market.
pub fn change_fields(_: Style, side: Side, price: Dollars, count: Contracts) -> String {
    format!(
        r#""price":"{price}","delta":"{count}","side":"{}","ts_ms":1781231146425"#,
        side.as_str()
    )
}

/// Returns the JSON fields of a snapshot apart from the market. The levels are best first.
pub fn level_fields(style: Style, levels: [Vec<(Dollars, Contracts)>; 2]) -> String {
    let [bids, asks] = levels.map(|mut levels| {
        match style {
            Style::BestFirst => {}
            Style::WorstFirst => levels.reverse(),
            // The order is arbitrary but must be deterministic.
            Style::Shuffled => levels.sort_by_key(|(price, _)| price.micros() / 10_000 * 37 % 101),
        }
        let levels = levels.iter();
        let levels = levels.map(|(price, count)| format!(r#"["{price}","{count}"]"#));
        levels.collect::<Vec<_>>().join(",")
    });
    format!(r#""bid":[{bids}],"ask":[{asks}]"#)
}

/// Checks the parameters with which a `BookStream` subscribes.
pub fn check_subscription(params: &Value) {
    assert_eq!(params.get("use_yes_price"), None, "{params}");
}

/// Returns a change of a book.
pub fn delta(sid: u64, seq: u64, price: &str, count: &str) -> Value {
    json!({"type": "orderbook_delta", "sid": sid, "seq": seq, "msg": {"market_ticker": "KXTEST-26-A",
        "price": price, "delta": count, "side": "bid", "ts_ms": 1_781_231_146_425_u64}})
}

/// Returns a snapshot with one level.
pub fn snapshot(sid: u64, seq: u64) -> Value {
    json!({"type": "orderbook_snapshot", "sid": sid, "seq": seq, "msg": {"market_ticker": "KXTEST-26-A",
        "bid": [["0.4000", "10.00"]]}})
}

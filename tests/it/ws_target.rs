//! The parts of this API that the shared tests of WebSockets and order books depend on.

pub use kalshi_sdk::{
    Client, ClientBuilder, Contracts, Credentials, Dollars, Environment, PrivateKey, auth, ws,
};
use kalshi_sdk::{
    OutcomeSide, PriceLevel,
    ws::{Books, OrderBook, PriceMode},
};
use serde_json::{Value, json};

pub const WEBSOCKET_PATH: &str = "/trade-api/ws/v2";

/// `true` if messages about books may have clocks.
pub const HAS_CLOCK: bool = true;

pub type Side = OutcomeSide;
pub const SIDES: [Side; 2] = [OutcomeSide::Yes, OutcomeSide::No];

/// Notation of levels. `STREAM_STYLE` is the one a `BookStream` requests.
pub type Style = PriceMode;
pub const STYLES: [Style; 2] = [PriceMode::YesPrices, PriceMode::NoPrices];
pub const STREAM_STYLE: Style = PriceMode::YesPrices;

/// Field names of a change.
pub const PRICE_FIELD: &str = "price_dollars";
pub const COUNT_FIELD: &str = "delta_fp";

/// Name of the snapshot field with the levels of the first side.
pub const LEVELS_FIELD: &str = "yes_dollars_fp";

/// A price that is too high, and one that is out of range for any book.
pub const TOO_HIGH: Option<Dollars> = Some(Dollars::ONE);
pub const OUT_OF_RANGE: Dollars = Dollars::from_micros(1_120_000);

/// Returns the price at `tick`, where 1 is the worst. Prices of the two sides whose ticks add up to 100 or more cross.
pub fn price(_: Side, tick: i64) -> Dollars {
    Dollars::from_micros(tick * 10_000)
}

/// Returns the levels of a side, best first.
pub fn levels(book: &OrderBook, side: Side) -> Vec<PriceLevel> {
    book.bids(side).collect()
}

pub fn register(books: &mut Books, sid: u64, style: Style, tickers: &[String]) {
    books.register_with_mode(sid, style, tickers);
}

fn quoted(style: Style, side: Side, price: Dollars) -> Dollars {
    match (side, style) {
        (OutcomeSide::No, PriceMode::YesPrices) => {
            Dollars::from_micros(Dollars::ONE.micros() - price.micros())
        }
        _ => price,
    }
}

/// Returns the JSON fields of a change apart from the market.
pub fn change_fields(style: Style, side: Side, price: Dollars, count: Contracts) -> String {
    let price = quoted(style, side, price);
    format!(
        r#""market_id":"m","price_dollars":"{price}","delta_fp":"{count}","side":"{}""#,
        side.as_str()
    )
}

/// Returns the JSON fields of a snapshot apart from the market. The levels are best first.
pub fn level_fields(style: Style, levels: [Vec<(Dollars, Contracts)>; 2]) -> String {
    let [yes, no] = [0, 1].map(|index| {
        let levels = levels[index].iter().map(|(price, count)| {
            let price = quoted(style, SIDES[index], *price);
            format!(r#"["{price}","{count}"]"#)
        });
        levels.collect::<Vec<_>>().join(",")
    });
    format!(r#""market_id":"m","yes_dollars_fp":[{yes}],"no_dollars_fp":[{no}]"#)
}

/// Checks the parameters with which a `BookStream` subscribes.
pub fn check_subscription(params: &Value) {
    assert_eq!(params["use_yes_price"], true, "{params}");
}

/// Returns a change of a book.
pub fn delta(sid: u64, seq: u64, price: &str, count: &str) -> Value {
    json!({"type": "orderbook_delta", "sid": sid, "seq": seq, "msg": {"market_ticker": "KXTEST-26-A",
        "market_id": "0190e1ac-5b68-4f9f-9f02-9a2d1b8ac1a1", "price_dollars": price, "delta_fp": count, "side": "yes"}})
}

/// Returns a snapshot with one level.
pub fn snapshot(sid: u64, seq: u64) -> Value {
    json!({"type": "orderbook_snapshot", "sid": sid, "seq": seq, "msg": {"market_ticker": "KXTEST-26-A",
        "market_id": "0190e1ac-5b68-4f9f-9f02-9a2d1b8ac1a1", "yes_dollars_fp": [["0.4000", "10.00"]]}})
}

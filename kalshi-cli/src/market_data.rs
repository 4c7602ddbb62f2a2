//! Rows of order books and trades that several commands print.

use chrono::{DateTime, Utc};
use kalshi_sdk::{
    Contracts, OutcomeSide, PriceLevel,
    ws::{BookEvent, OrderBook, messages},
};

use crate::output::{Cell, Record, Table};

/// Adds the best prices of a book. They are absent if `book` is `None`.
pub(crate) fn with_quote(record: Record, book: Option<&OrderBook>) -> Record {
    let bid = book.and_then(|book| book.best_bid(OutcomeSide::Yes));
    let ask = book.and_then(|book| book.best_ask(OutcomeSide::Yes));
    record
        .field("yes_bid", bid.map(|level| level.price))
        .field("yes_bid_count", bid.map(|level| level.count))
        .field("yes_ask", ask.map(|level| level.price))
        .field("yes_ask_count", ask.map(|level| level.count))
        .field("spread", book.and_then(OrderBook::spread))
}

/// Returns a table for levels of order books.
pub(crate) fn levels_table() -> Table {
    Table::new(
        "levels",
        ["market_ticker", "side", "yes_price", "count", "total"],
    )
}

/// Adds up to `depth` levels of each side, highest price first. The total of a level includes all better levels.
pub(crate) fn push_levels(table: &mut Table, ticker: &str, book: &OrderBook, depth: usize) {
    let bids = cumulative(book.bids(OutcomeSide::Yes).take(depth));
    let mut asks = cumulative(book.asks(OutcomeSide::Yes).take(depth));
    asks.reverse();
    for (side, levels) in [("ask", asks), ("bid", bids)] {
        for (level, total) in levels {
            table.push([
                ticker.into(),
                side.into(),
                level.price.into(),
                level.count.into(),
                total.into(),
            ]);
        }
    }
}

/// Returns levels with cumulative counts. A count that overflows is absent.
fn cumulative(levels: impl Iterator<Item = PriceLevel>) -> Vec<(PriceLevel, Option<Contracts>)> {
    let mut total = Some(Contracts::ZERO);
    levels
        .map(|level| {
            total = total.and_then(|total| total.checked_add(level.count));
            (level, total)
        })
        .collect()
}

/// Returns the line of a change of a book, or `None` if nothing changed. `book` is the book after it, if it is live.
pub(crate) fn book_line(
    time: DateTime<Utc>,
    event: &BookEvent,
    book: Option<&OrderBook>,
) -> Option<Record> {
    let (state, reason) = match event {
        BookEvent::Changed { .. } | BookEvent::Live { .. } => ("live", None),
        BookEvent::Withheld { .. } => ("crossed", None),
        BookEvent::Stale { reason, .. } => ("stale", Some(reason.to_string())),
        _ => return None,
    };
    let record = Record::new("book")
        .field("time", time)
        .field("market_ticker", event.market_ticker())
        .field("state", state);
    Some(with_quote(record, book).field("reason", reason))
}

/// Returns the line of a trade.
pub(crate) fn trade_line(time: DateTime<Utc>, trade: &messages::Trade) -> Record {
    Record::new("trade")
        .field("time", time)
        .field("market_ticker", trade.market_ticker.as_str())
        .field("yes_price", trade.yes_price_dollars)
        .field("count", trade.count_fp)
        .field("taker_side", taker_side(trade))
        .field("traded_time", traded_time(trade))
        .field("trade_id", trade.trade_id.to_string())
}

/// Returns the outcome that the taker bought. Absent if the exchange does not report it.
pub(crate) fn taker_side(trade: &messages::Trade) -> Cell {
    trade
        .taker_outcome_side
        .as_ref()
        .map(|side| side.as_str().to_owned())
        .into()
}

pub(crate) fn traded_time(trade: &messages::Trade) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(trade.ts_ms?)
}

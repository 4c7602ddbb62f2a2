//! Implements the runtime's WebSocket traits for the Trade API.

use kalshi_core::{
    rt,
    ws::{
        ConnectionError, Targets, WebSocketApi,
        books::{ApiBook, OrderBookApi},
    },
};
use serde_json::{Map, Value};

use super::{
    Books, ConnectionBuilder,
    book::{OrderBook, PriceMode},
    messages::{Message, OrderbookSnapshot, SubscribeParams, SubscribeParamsChannels, builder},
};
use crate::TradeApi;

/// Targets of the channels of markets, by ticker or by id.
static MARKETS: Targets = Targets {
    ids: &["market_id", "market_ids"],
    ..Targets::MARKETS
};

/// Targets of `orderbook_delta`, which sends snapshots.
static BOOKS: Targets = Targets {
    snapshot: Some(OrderBook::SNAPSHOT),
    ..MARKETS
};

/// Targets of the CF Benchmarks channels: indices.
static INDICES: Targets = Targets {
    list: "index_ids",
    single: None,
    ids: &[],
    add: "subscribe_indices",
    remove: "unsubscribe_indices",
    all_if_empty: false,
    snapshot: None,
    counts_from_one: false,
};

/// Targets of the Pyth channels: underlyings.
static UNDERLYINGS: Targets = Targets {
    list: "underlying_tickers",
    single: None,
    ids: &[],
    add: "subscribe_underlyings",
    remove: "unsubscribe_underlyings",
    all_if_empty: false,
    snapshot: None,
    counts_from_one: false,
};

impl WebSocketApi for TradeApi {
    type Message = Message;
    type Channel = SubscribeParamsChannels;
    type Params = builder::SubscribeParams;
    type Snapshot = OrderbookSnapshot;

    fn params(
        params: builder::SubscribeParams,
        channel: &SubscribeParamsChannels,
    ) -> Result<Map<String, Value>, String> {
        rt::command_params::<SubscribeParams>(params.channels(vec![channel.clone()]))
    }

    fn targets(channel: &str) -> &'static Targets {
        if channel.starts_with("cfbenchmarks") {
            &INDICES
        } else if channel.starts_with("pyth") {
            &UNDERLYINGS
        } else if channel == SubscribeParamsChannels::OrderbookDelta.as_str() {
            &BOOKS
        } else {
            &MARKETS
        }
    }
}

impl OrderBookApi for TradeApi {
    type Book = OrderBook;

    const BOOK_CHANNEL: SubscribeParamsChannels = SubscribeParamsChannels::OrderbookDelta;

    fn prepare_books(builder: ConnectionBuilder) -> Result<ConnectionBuilder, ConnectionError> {
        let params = builder.params_of(&Self::BOOK_CHANNEL);
        let uses_no_price =
            |params: &Map<String, Value>| params.get("use_yes_price") == Some(&false.into());
        if params.as_ref().is_ok_and(uses_no_price) {
            return Err(ConnectionError::Invalid(
                "order books are kept with YES prices: do not set `use_yes_price` to false"
                    .to_owned(),
            ));
        }
        // The exchange will support YES prices only. Books need the list of markets in acknowledgements.
        Ok(builder.params(|params| params.use_yes_price(true).skip_ticker_ack(false)))
    }

    fn new_books() -> Books {
        Books::with_mode(PriceMode::YesPrices)
    }
}

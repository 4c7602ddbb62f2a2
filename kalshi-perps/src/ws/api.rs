//! Implements the runtime's WebSocket traits for the perpetuals API.

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
    book::OrderBook,
    messages::{Message, OrderbookSnapshot, SubscribeParams, SubscribeParamsChannels, builder},
};
use crate::PerpsApi;

/// Targets of channels without snapshots.
static MARKETS: Targets = Targets {
    counts_from_one: true,
    ..Targets::MARKETS
};

/// Targets of `orderbook_delta`.
static BOOKS: Targets = Targets {
    snapshot: Some(OrderBook::SNAPSHOT),
    ..MARKETS
};

impl WebSocketApi for PerpsApi {
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
        match channel == SubscribeParamsChannels::OrderbookDelta.as_str() {
            true => &BOOKS,
            false => &MARKETS,
        }
    }
}

impl OrderBookApi for PerpsApi {
    type Book = OrderBook;

    const BOOK_CHANNEL: SubscribeParamsChannels = SubscribeParamsChannels::OrderbookDelta;

    fn prepare_books(builder: ConnectionBuilder) -> Result<ConnectionBuilder, ConnectionError> {
        // Books read the list of markets from acknowledgements.
        Ok(builder.params(|params| params.skip_ticker_ack(false)))
    }

    fn new_books() -> Books {
        Books::new()
    }
}

//! The WebSocket of the perpetuals API, as the runtime knows it.

use kalshi_core::{
    Core,
    ws::{ConnectionError, Targets, WebSocketApi, books::BookApi},
};
use serde_json::{Map, Value};

use super::{
    Books, ConnectionBuilder,
    book::OrderBook,
    messages::{Message, OrderbookSnapshot, SubscribeParams, SubscribeParamsChannels, builder},
};
use crate::{Client, PerpsApi};

/// Markets, by ticker.
static MARKETS: Targets = Targets {
    list: "market_tickers",
    single: Some("market_ticker"),
    ids: &[],
    add: "add_markets",
    remove: "delete_markets",
    all_if_empty: true,
    snapshot: Some("orderbook_snapshot"),
};

/// Markets of a channel without snapshots.
static MARKETS_WITHOUT_SNAPSHOTS: Targets = Targets {
    snapshot: None,
    ..MARKETS
};

impl WebSocketApi for PerpsApi {
    type Message = Message;
    type Channel = SubscribeParamsChannels;
    type Params = builder::SubscribeParams;
    type Snapshot = OrderbookSnapshot;

    fn core(client: &Client) -> &Core {
        &client.core
    }

    fn channel_name(channel: &SubscribeParamsChannels) -> &str {
        channel.as_str()
    }

    fn params(
        params: builder::SubscribeParams,
        channel: &SubscribeParamsChannels,
    ) -> Result<Map<String, Value>, String> {
        let params = params.channels(vec![channel.clone()]);
        let params = SubscribeParams::try_from(params).map_err(|error| error.to_string())?;
        match serde_json::to_value(params) {
            Ok(Value::Object(params)) => Ok(params),
            _ => Ok(Map::new()),
        }
    }

    fn targets(channel: &str) -> &'static Targets {
        match channel == SubscribeParamsChannels::OrderbookDelta.as_str() {
            true => &MARKETS,
            false => &MARKETS_WITHOUT_SNAPSHOTS,
        }
    }
}

impl BookApi for PerpsApi {
    type Book = OrderBook;

    const BOOK_CHANNEL: SubscribeParamsChannels = SubscribeParamsChannels::OrderbookDelta;

    fn prepare_books(builder: ConnectionBuilder) -> Result<ConnectionBuilder, ConnectionError> {
        // Books need the list of markets in acknowledgements.
        Ok(builder.params(|params| params.skip_ticker_ack(false)))
    }

    fn new_books() -> Books {
        Books::new()
    }
}

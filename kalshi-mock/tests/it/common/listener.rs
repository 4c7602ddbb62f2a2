//! A raw WebSocket client that checks frames against the spec.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use kalshi_mock::{MockExchange, OrderBook, User};
use kalshi_sdk::{
    Contracts, Dollars, PriceLevel,
    auth::{ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, signing_text},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::Request},
};

use crate::common::now_ms;

pub(crate) const PATH: &str = "/trade-api/ws/v2";

/// Timeout of reads, much longer than any test needs.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Listener {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    commands: u64,
    is_margin: bool,
}

/// Builds a handshake request signed by a user.
pub(crate) fn signed(exchange: &MockExchange, user: &User, method: &str) -> Request<()> {
    signed_to(&exchange.ws_url(), PATH, user, method)
}

/// Builds a handshake request to a URL, signed by a user for a path.
pub(crate) fn signed_to(url: &str, path: &str, user: &User, method: &str) -> Request<()> {
    let mut request = url.into_client_request().unwrap();
    let now = now_ms();
    let signature = user
        .private_key()
        .sign(signing_text(now, method, path).as_bytes())
        .unwrap()
        .to_base64();
    let headers = request.headers_mut();
    headers.insert(
        ACCESS_KEY,
        user.credentials().key_id().to_owned().parse().unwrap(),
    );
    headers.insert(ACCESS_TIMESTAMP, now.to_string().parse().unwrap());
    headers.insert(ACCESS_SIGNATURE, signature.parse().unwrap());
    request
}

/// Sends a handshake that must be rejected and returns status and body.
pub(crate) async fn rejected_handshake(request: Request<()>) -> (u16, Value) {
    match connect_async(request).await {
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            (
                response.status().as_u16(),
                serde_json::from_slice(body).unwrap_or_default(),
            )
        }
        other => panic!("the handshake was not rejected: {other:?}"),
    }
}

impl Listener {
    pub(crate) async fn open(exchange: &MockExchange) -> Self {
        Self::open_as(exchange, exchange.user()).await
    }

    pub(crate) async fn open_as(exchange: &MockExchange, user: &User) -> Self {
        Self::at(signed(exchange, user, "GET"), false).await
    }

    /// Connects to the margin exchange.
    #[cfg(feature = "perps")]
    pub(crate) async fn margin(exchange: &MockExchange, user: &User) -> Self {
        let path = format!("{PATH}/margin");
        let request = signed_to(&exchange.margin_ws_url(), &path, user, "GET");
        Self::at(request, true).await
    }

    async fn at(request: Request<()>, is_margin: bool) -> Self {
        let (socket, _) = connect_async(request).await.unwrap();
        Self {
            socket,
            commands: 0,
            is_margin,
        }
    }

    /// Returns the next WebSocket message.
    pub(crate) async fn message(&mut self) -> Option<Result<Message, Error>> {
        timeout(READ_TIMEOUT, self.socket.next())
            .await
            .unwrap_or_else(|_| panic!("timed out waiting for a message"))
    }

    /// Returns the next text frame.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self.message().await {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("not a text frame: {other:?}"),
            }
        }
    }

    /// Returns the next frame, checked against the spec.
    pub(crate) async fn next(&mut self) -> Value {
        let frame: Value = serde_json::from_str(&self.text().await).unwrap();
        check(&frame, self.is_margin);
        frame
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut frames = Vec::new();
        for _ in 0..count {
            frames.push(self.next().await);
        }
        frames
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends a command and returns its id.
    pub(crate) async fn command(&mut self, command: &str, params: Value) -> u64 {
        self.commands += 1;
        let text = json!({ "id": self.commands, "cmd": command, "params": params });
        self.send(&text.to_string()).await;
        self.commands
    }

    /// Subscribes to one channel and returns the subscription id.
    pub(crate) async fn subscribe(&mut self, channel: &str, mut params: Value) -> u64 {
        params["channels"] = json!([channel]);
        let id = self.command("subscribe", params).await;
        let reply = self.next().await;
        assert_eq!(
            (&reply["type"], &reply["id"]),
            (&json!("subscribed"), &json!(id)),
            "{reply}"
        );
        assert_eq!(reply["msg"]["channel"], channel);
        reply["msg"]["sid"].as_u64().unwrap()
    }

    /// Returns the code of the error that a command is rejected with.
    pub(crate) async fn error(&mut self, command: &str, params: Value) -> u64 {
        let id = self.command(command, params).await;
        let reply = self.next().await;
        assert_eq!(reply["id"], id, "{reply}");
        code(&reply)
    }

    /// Returns the frames that arrive before the reply to a command sent now.
    pub(crate) async fn drain(&mut self) -> Vec<Value> {
        let id = self.command("list_subscriptions", json!({})).await;
        let mut frames = Vec::new();
        loop {
            let frame = self.next().await;
            if frame["id"] == id {
                return frames;
            }
            frames.push(frame);
        }
    }
}

pub(crate) fn code(frame: &Value) -> u64 {
    assert_eq!(frame["type"], "error", "{frame}");
    frame["msg"]["code"].as_u64().unwrap()
}

pub(crate) fn seqs(frames: &[Value]) -> Vec<u64> {
    frames
        .iter()
        .filter_map(|frame| frame["seq"].as_u64())
        .collect()
}

/// An order book as a client keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    sides: HashMap<&'static str, BTreeMap<Dollars, i64>>,
    clock: u64,
}

impl Book {
    pub(crate) fn apply(&mut self, frame: &Value) {
        let message = &frame["msg"];
        let clock = message["clock"].as_u64().unwrap();
        if frame["type"] == "orderbook_snapshot" {
            self.sides.clear();
            for (side, name) in [("yes", "yes_dollars_fp"), ("no", "no_dollars_fp")] {
                for level in message[name].as_array().into_iter().flatten() {
                    let price: Dollars = level[0].as_str().unwrap().parse().unwrap();
                    let count: Contracts = level[1].as_str().unwrap().parse().unwrap();
                    self.sides
                        .entry(side)
                        .or_default()
                        .insert(price, count.hundredths());
                }
            }
        } else {
            assert_eq!(frame["type"], "orderbook_delta", "{frame}");
            assert!(clock >= self.clock, "{frame}");
            let price: Dollars = message["price_dollars"].as_str().unwrap().parse().unwrap();
            let delta: Contracts = message["delta_fp"].as_str().unwrap().parse().unwrap();
            let side = match message["side"].as_str().unwrap() {
                "yes" => "yes",
                _ => "no",
            };
            let side = self.sides.entry(side).or_default();
            let count = side.entry(price).or_default();
            *count += delta.hundredths();
            assert!(*count >= 0, "{frame}");
            if *count == 0 {
                side.remove(&price);
            }
        }
        self.clock = clock;
    }

    /// Returns true if the book equals that of the exchange. With `yes_prices`, NO levels have YES prices.
    pub(crate) fn is(&self, book: &OrderBook, yes_prices: bool) -> bool {
        let levels = |name: &str| {
            let side = self.sides.get(name).cloned().unwrap_or_default();
            let flipped = name == "no" && !yes_prices;
            let mut levels: Vec<(Dollars, Contracts)> = side
                .into_iter()
                .map(|(price, count)| {
                    let yes = if flipped {
                        Dollars::from_micros(1_000_000 - price.micros())
                    } else {
                        price
                    };
                    (yes, Contracts::from_hundredths(count))
                })
                .collect();
            levels.sort_by_key(|(price, _)| price.micros() * if name == "yes" { -1 } else { 1 });
            levels.into_iter().map(PriceLevel::from).collect::<Vec<_>>()
        };
        levels("yes") == book.bids && levels("no") == book.asks && self.clock == book.clock
    }
}

/// Required fields of an envelope and of its `msg`.
type RequiredFields = (Vec<String>, Vec<String>);

/// Required fields by message type. Types with two schemas have the fields of both.
static REQUIRED: LazyLock<BTreeMap<String, RequiredFields>> =
    LazyLock::new(|| required("asyncapi.yaml"));

/// Required fields by message type of the margin exchange.
static MARGIN_REQUIRED: LazyLock<BTreeMap<String, RequiredFields>> =
    LazyLock::new(|| required("kalshi-perps/perps_asyncapi.yaml"));

fn required(spec: &str) -> BTreeMap<String, RequiredFields> {
    let spec = format!("{}/../{spec}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(spec).unwrap();
    let (_, schemas) = text.split_once("\n  schemas:\n").unwrap();
    let mut required = BTreeMap::new();
    let (mut name, mut path): (String, Vec<(usize, String)>) = (String::new(), Vec::new());
    let mut lists = RequiredFields::default();
    for line in schemas.lines().chain(["    end:"]) {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(field) = line.strip_prefix("- ") {
            let names: Vec<&str> = path.iter().map(|(_, name)| name.as_str()).collect();
            match names.as_slice() {
                ["required"] => lists.0.push(field.to_owned()),
                ["properties", "msg", "required"] => lists.1.push(field.to_owned()),
                _ => {}
            }
            continue;
        }
        let Some((key, _)) = line.split_once(':') else {
            continue;
        };
        if depth == 4 {
            required.insert(std::mem::take(&mut name), std::mem::take(&mut lists));
            key.clone_into(&mut name);
            path.clear();
            continue;
        }
        path.retain(|(other, _)| *other < depth);
        path.push((depth, key.to_owned()));
    }
    assert!(required.len() > 20);
    required
}

fn check(frame: &Value, is_margin: bool) {
    let kind = frame["type"].as_str().unwrap();
    let schema = match kind {
        "orderbook_snapshot" if is_margin => "marginOrderbookSnapshot",
        "orderbook_delta" if is_margin => "marginOrderbookDelta",
        "user_order" if is_margin => "marginUserOrder",
        "ticker" if is_margin => "marginTicker",
        "trade" if is_margin => "marginTrade",
        "fill" if is_margin => "marginFill",
        "orderbook_snapshot" => "orderbookSnapshot",
        "orderbook_delta" => "orderbookDelta",
        "user_order" => "userOrder",
        "market_position" => "marketPosition",
        "market_lifecycle_v2" => "marketLifecycleV2",
        "event_lifecycle" => "eventLifecycle",
        "order_group_updates" => "orderGroupUpdates",
        "rfq_created" => "rfqCreated",
        "rfq_deleted" => "rfqDeleted",
        "quote_created" => "quoteCreated",
        "quote_accepted" => "quoteAccepted",
        "quote_executed" => "quoteExecuted",
        "multivariate_market_lifecycle" => "multivariateMarketLifecycle",
        "cfbenchmarks_value" => "cfbenchmarksValue",
        "cfbenchmarks_value_5hz" => "cfbenchmarksValue5Hz",
        "cfbenchmarks_value_indexlist" => "cfbenchmarksIndexList",
        "cfbenchmarks_value_5hz_indexlist" => "cfbenchmarks5HzIndexList",
        "pyth_value" => "pythValue",
        "pyth_value_underlying_list" => "pythUnderlyingList",
        "rfq_batch_created" => "rfqBatchCreated",
        "rfq_batch_deleted" => "rfqBatchDeleted",
        "rfq_batch_best_quotes" => "rfqBatchBestQuotes",
        "rfq_batch_executed" => "rfqBatchExecuted",
        "batch_quote_created" => "batchQuoteCreated",
        "batch_quote_accepted" => "batchQuoteAccepted",
        "batch_quote_executed" => "batchQuoteExecuted",
        "ok" if frame["msg"].is_array() => "listSubscriptionsResponse",
        "ok" | "subscribed" | "unsubscribed" | "error" => &format!("{kind}Response"),
        _ => kind,
    };
    let known = if is_margin {
        &MARGIN_REQUIRED
    } else {
        &REQUIRED
    };
    let (envelope, message) = &known[&format!("{schema}Payload")];
    assert!(!envelope.is_empty(), "{schema}");
    for field in envelope {
        assert!(!frame[field].is_null(), "{field} is missing: {frame}");
    }
    for field in message {
        assert!(
            !frame["msg"][field].is_null(),
            "{field} is missing: {frame}"
        );
    }
    assert!(frame["sending_ts_ms"].is_i64(), "{frame}");
}

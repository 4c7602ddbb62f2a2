//! Backfill of fills and orders after a lost connection: nothing is missed, and no fill is counted twice.

mod account;
mod clocks;
mod need;
mod rows;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use kalshi_mock::{Fault, MockExchange};
use kalshi_sdk::{
    Client, Contracts, Credentials, Dollars, Environment, Error, RetryPolicy,
    auth::{Clock, ClockError},
    limits::RateLimits,
    types::{
        BookSide, CreateOrderV2Request, Fill, Order, OrderStatus, SelfTradePreventionType,
        TimeInForce,
    },
    ws::{
        Backfill, BackfillError, Backpressure, Channel, Connection, Event, Message, Missed,
        Observation, ReconnectPolicy, messages,
    },
};
use serde_json::{Value, json};

use crate::{
    common::{
        KEY_ID, SkewedClock,
        exchange::{Exchange as Rest, Received, Reply},
        key,
    },
    scripted_server::{Exchange as Server, Peer},
};

const MARKET: &str = "KXTEST-26-A";

/// Timeout that no step of these tests reaches.
const LONG: Duration = Duration::from_secs(10);

/// The account data that the REST side of the exchange returns.
#[derive(Default)]
struct AccountData {
    fills: Vec<Value>,
    archived_fills: Vec<Value>,
    orders: Vec<Value>,
    archived_orders: Vec<Value>,
    /// Lag of reads behind writes. `None` if reads are up to date.
    lag: Option<TimeDelta>,
    cutoff: DateTime<Utc>,
    /// Rows per page. 0 returns all rows in one page.
    page: usize,
    /// Path that returns a 503.
    failing: Option<&'static str>,
    /// Omits the `date` of responses.
    hides_date: bool,
    /// Adds this `date` to responses.
    date: Option<DateTime<Utc>>,
}

impl AccountData {
    fn reply(&self, request: &Received) -> Reply {
        let path = request.path.strip_prefix("/trade-api/v2").unwrap();
        if self.failing == Some(path) {
            return Reply::status(503);
        }
        let as_of = Utc::now() - self.lag.unwrap_or_default();
        match path {
            "/exchange/user_data_timestamp" => Reply::json(200, &json!({ "as_of_time": as_of })),
            "/historical/cutoff" => {
                let cutoff = self.cutoff;
                let cutoff = json!({ "market_settled_ts": cutoff, "trades_created_ts": cutoff, "orders_updated_ts": cutoff });
                Reply::json(200, &cutoff)
            }
            "/portfolio/fills" => self.list("fills", &self.fills, request),
            "/historical/fills" => self.list("fills", &self.archived_fills, request),
            "/portfolio/orders" => self.list("orders", &self.orders, request),
            "/historical/orders" => self.list("orders", &self.archived_orders, request),
            _ => {
                let order_id = path.strip_prefix("/portfolio/orders/").unwrap();
                let order = self
                    .orders
                    .iter()
                    .find(|order| order["order_id"] == order_id);
                match order {
                    Some(order) => Reply::json(200, &json!({ "order": order })),
                    None => Reply::json(404, &json!({ "error": { "code": "not_found" } })),
                }
            }
        }
    }

    /// Returns a page with the newest row first. Rows are filtered by creation time, as the exchange may do.
    fn list(&self, name: &str, rows: &[Value], request: &Received) -> Reply {
        let query = |name| request.query.get(name).map(String::as_str);
        let since: i64 = query("min_ts").map_or(0, |since| since.parse().unwrap());
        let is_later = |row: &Value| match row["created_time"].as_str() {
            Some(created) => created.parse::<DateTime<Utc>>().unwrap().timestamp() > since,
            None => true,
        };
        let tickers = query("ticker").map(|tickers| tickers.split(',').collect::<Vec<_>>());
        let has_ticker = |row: &Value| match &tickers {
            Some(tickers) => tickers.contains(&row["ticker"].as_str().unwrap()),
            None => true,
        };
        let has_status = |row: &Value| query("status").is_none_or(|status| row["status"] == status);
        let rows = rows.iter().rev();
        let rows: Vec<_> = rows
            .filter(|row| is_later(row) && has_ticker(row) && has_status(row))
            .collect();
        let start: usize = query("cursor").map_or(0, |cursor| cursor.parse().unwrap());
        let end = match self.page {
            0 => rows.len(),
            page => rows.len().min(start + page),
        };
        let cursor = match end < rows.len() {
            true => end.to_string(),
            false => String::new(),
        };
        Reply::json(200, &json!({ name: rows[start..end], "cursor": cursor }))
    }
}

fn millis(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn merge(mut object: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// Returns a fill as listed over REST.
fn fill_row(trade_id: &str, order_id: &str, time: DateTime<Utc>) -> Value {
    json!({
        "fill_id": trade_id, "trade_id": trade_id, "order_id": order_id, "exchange_index": 0, "ticker": MARKET,
        "market_ticker": MARKET, "outcome_side": "yes", "book_side": "bid", "count_fp": "1.00",
        "yes_price_dollars": "0.4000", "no_price_dollars": "0.6000", "is_taker": false, "fee_cost": "0.000000",
        "created_time": millis(time),
    })
}

/// Returns the WebSocket message of the same fill.
fn fill_message(trade_id: &str, order_id: &str, time: DateTime<Utc>) -> Value {
    json!({"type": "fill", "sid": 1, "msg": {
        "trade_id": trade_id, "order_id": order_id, "market_ticker": MARKET, "exchange_index": 0, "is_taker": false,
        "side": "yes", "yes_price_dollars": "0.4000", "count_fp": "1.00", "fee_cost": "0.000000", "action": "buy",
        "outcome_side": "yes", "book_side": "bid", "ts": time.timestamp(), "ts_ms": time.timestamp_millis(),
        "post_position_fp": "1.00", "purchased_side": "yes",
    }})
}

/// The mutable fields of an order.
#[derive(Clone, Copy)]
struct State {
    status: &'static str,
    filled: &'static str,
    remaining: &'static str,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

fn resting(filled: &'static str, remaining: &'static str, updated: DateTime<Utc>) -> State {
    State {
        status: "resting",
        filled,
        remaining,
        created: updated,
        updated,
    }
}

fn order_row(order_id: &str, state: State) -> Value {
    json!({
        "order_id": order_id, "client_order_id": "", "ticker": MARKET, "user_id": "u", "status": state.status, "type": "limit",
        "book_side": "bid", "outcome_side": "yes", "yes_price_dollars": "0.4000", "no_price_dollars": "0.6000",
        "fill_count_fp": state.filled, "remaining_count_fp": state.remaining, "initial_count_fp": "10.00",
        "maker_fees_dollars": "0.000000", "taker_fees_dollars": "0.000000", "maker_fill_cost_dollars": "0.000000",
        "taker_fill_cost_dollars": "0.000000", "created_time": state.created, "last_update_time": state.updated,
    })
}

fn order_message(order_id: &str, state: State) -> Value {
    json!({"type": "user_order", "sid": 2, "msg": {
        "order_id": order_id, "user_id": "u", "ticker": MARKET, "exchange_index": 0, "status": state.status, "side": "yes",
        "is_yes": true, "outcome_side": "yes", "book_side": "bid", "yes_price_dollars": "0.4000",
        "fill_count_fp": state.filled, "remaining_count_fp": state.remaining, "initial_count_fp": "10.00",
        "maker_fees_dollars": "0.000000", "taker_fees_dollars": "0.000000", "maker_fill_cost_dollars": "0.000000",
        "taker_fill_cost_dollars": "0.000000", "client_order_id": "",
        "created_time": millis(state.created), "created_ts_ms": state.created.timestamp_millis(),
        "last_updated_ts_ms": state.updated.timestamp_millis(),
    }})
}

/// A connection to private channels, its server side, and the REST side of the same exchange.
struct World {
    held: Arc<Mutex<AccountData>>,
    rest: Rest,
    server: Server,
    client: Client,
    connection: Connection,
    peer: Peer,
    backfill: Backfill,
}

fn policy() -> ReconnectPolicy {
    ReconnectPolicy::default()
        .with_initial_backoff(Duration::from_millis(5))
        .with_max_backoff(Duration::from_millis(5))
}

impl World {
    async fn new() -> Self {
        Self::with(&[Channel::Fill, Channel::UserOrders], |client| client).await
    }

    async fn with(
        channels: &[Channel],
        set: impl FnOnce(kalshi_sdk::ClientBuilder) -> kalshi_sdk::ClientBuilder,
    ) -> Self {
        let held = Arc::new(Mutex::new(AccountData::default()));
        let rest = {
            let held = held.clone();
            Rest::start(move |request| {
                let held = held.lock().unwrap();
                let reply = held.reply(request);
                match (held.hides_date, held.date) {
                    (true, _) => reply.with_header("date", ""),
                    (false, Some(date)) => {
                        reply.with_header("date", date.format("%a, %d %b %Y %H:%M:%S GMT"))
                    }
                    (false, None) => reply,
                }
            })
            .await
        };
        let server = Server::new().await;
        let environment = Environment::custom(
            &format!("{}/trade-api/v2", rest.base),
            server.client.environment().websocket_url(),
        );
        let client = Client::builder()
            .environment(environment.unwrap())
            .credentials(Credentials::new(KEY_ID, key()).unwrap())
            .rate_limits(RateLimits::Unlimited)
            .retry(RetryPolicy::none())
            .timeout(Duration::from_secs(2));
        let client = set(client).build().unwrap();
        let mut builder = client
            .websocket()
            .reconnect(policy())
            .backpressure(Backpressure::DropOldest { capacity: 8 });
        for channel in channels {
            builder = builder.channel(channel.clone());
        }
        let (connection, peer) = tokio::join!(builder.connect(), async {
            let mut peer = server.accept().await;
            for _ in channels {
                peer.acknowledge().await;
            }
            peer
        });
        let mut connection = connection.unwrap();
        let backfill = Backfill::new(&client).subscriptions(connection.subscriptions());
        assert!(matches!(
            connection.next().await,
            Some(Ok(Event::Connected))
        ));
        Self {
            held,
            rest,
            server,
            client,
            connection,
            peer,
            backfill,
        }
    }

    fn held(&self, change: impl FnOnce(&mut AccountData)) {
        change(&mut self.held.lock().unwrap());
    }

    async fn next(&mut self) -> Event {
        let event = tokio::time::timeout(LONG, self.connection.next()).await;
        event
            .expect("no event within the timeout")
            .unwrap()
            .unwrap()
    }

    /// Sends a message and observes it.
    async fn deliver(&mut self, message: Value) -> Observation {
        self.peer.send(message).await;
        let event = self.next().await;
        assert!(matches!(event, Event::Message(_)), "{event:?}");
        self.backfill.observe(&event)
    }

    /// Closes the connection from the server side.
    async fn lose(&mut self) {
        let lost = std::mem::replace(&mut self.peer, Peer::over(unconnected().await).await);
        drop(lost);
        let event = self.next().await;
        assert!(matches!(event, Event::Disconnected { .. }), "{event:?}");
        assert_eq!(self.backfill.observe(&event), Observation::Other);
        assert!(!self.backfill.is_fetch_needed());
    }

    /// Reconnects and returns the observation of every event.
    async fn resubscribe(&mut self) -> Vec<Observation> {
        let channels = self.connection.subscriptions().len();
        let accepting = async {
            let mut peer = self.server.accept().await;
            for _ in 0..channels {
                peer.acknowledge().await;
            }
            peer
        };
        let reading = async {
            let mut observed = Vec::new();
            while observed.len() <= channels {
                let event = self.connection.next().await.unwrap().unwrap();
                assert!(
                    matches!(event, Event::Connected | Event::Resubscribed { .. }),
                    "{event:?}"
                );
                observed.push(self.backfill.observe(&event));
            }
            observed
        };
        let (peer, observed) = tokio::join!(accepting, reading);
        self.peer = peer;
        observed
    }

    async fn reconnect(&mut self) {
        self.lose().await;
        let observed = self.resubscribe().await;
        assert_eq!(observed.last(), Some(&Observation::FetchNeeded));
        assert!(self.backfill.is_fetch_needed());
    }

    fn requests(&self, path: &str) -> Vec<Received> {
        let received = self.rest.received().into_iter();
        received
            .filter(|request| request.path == format!("/trade-api/v2{path}"))
            .collect()
    }
}

/// Returns a socket that takes the place of a dropped one.
async fn unconnected() -> tokio::net::TcpStream {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::net::TcpStream::connect(address).await.unwrap()
}

fn trades(fills: &[Fill]) -> Vec<&str> {
    fills.iter().map(|fill| fill.trade_id.as_str()).collect()
}

fn ids(orders: &[Order]) -> BTreeSet<&str> {
    orders.iter().map(|order| order.order_id.as_str()).collect()
}

/// A clock that is set by hand. At 0 it returns the system time.
#[derive(Debug, Default)]
struct SetClock(AtomicU64);

impl SetClock {
    fn set(&self, time: DateTime<Utc>) {
        let millis = time.timestamp_millis().try_into().unwrap();
        self.0.store(millis, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now_ms(&self) -> Result<u64, ClockError> {
        match self.0.load(Ordering::Relaxed) {
            0 => SkewedClock(TimeDelta::zero()).now_ms(),
            millis => Ok(millis),
        }
    }
}

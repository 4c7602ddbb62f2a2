//! Backfill of fills and orders after a lost connection: nothing is missed, and no fill is counted twice.

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
        KEY_ID,
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
            Rest::start(move |request| held.lock().unwrap().reply(request)).await
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
        assert!(!self.backfill.is_due());
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
        assert_eq!(observed.last(), Some(&Observation::FetchDue));
        assert!(self.backfill.is_due());
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

#[tokio::test]
async fn fetch_returns_missed_fills_once() {
    let mut world = World::new().await;
    let now = Utc::now();
    assert_eq!(
        world.deliver(fill_message("a", "o", now)).await,
        Observation::New
    );
    assert_eq!(
        world.deliver(fill_message("a", "o", now)).await,
        Observation::Known
    );
    world.held(|held| {
        held.fills = vec![fill_row("a", "o", now), fill_row("b", "o", now)];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["b"]);
    assert!(!world.backfill.is_due());
    // Fetched fills are known when their message arrives, and delivered fills are not fetched again.
    assert_eq!(
        world.deliver(fill_message("b", "o", now)).await,
        Observation::Known
    );
    assert_eq!(
        world.deliver(fill_message("c", "o", now)).await,
        Observation::New
    );
    world.held(|held| held.fills.push(fill_row("c", "o", now)));
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert!(missed.fills.is_empty(), "{missed:?}");
}

#[tokio::test]
async fn fill_delivered_during_read_is_not_returned() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| held.fills = vec![fill_row("a", "o", now), fill_row("b", "o", now)]);
    world.reconnect().await;
    let reading = tokio::spawn(world.backfill.read());
    assert_eq!(
        world.deliver(fill_message("b", "o", now)).await,
        Observation::New
    );
    let rows = reading.await.unwrap().unwrap();
    // The fetch stays due until the rows are merged.
    assert!(world.backfill.is_due());
    assert_eq!(trades(&world.backfill.merge(rows).fills), ["a"]);
    assert!(!world.backfill.is_due());
}

#[tokio::test]
async fn gap_that_ends_during_read_stays_due() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.reconnect().await;
    let reading = tokio::spawn(world.backfill.read());
    world.reconnect().await;
    let rows = reading.await.unwrap().unwrap();
    let missed = world.backfill.merge(rows);
    assert!(missed.fills.is_empty() && world.backfill.is_due());
    world.held(|held| held.fills = vec![fill_row("a", "o", now)]);
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    assert!(!world.backfill.is_due());
}

#[tokio::test]
async fn fetch_is_due_when_all_private_channels_are_resubscribed() {
    let channels = [Channel::Fill, Channel::Trade, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client).await;
    world.lose().await;
    let observed = world.resubscribe().await;
    let (last, earlier) = observed.split_last().unwrap();
    assert_eq!(*last, Observation::FetchDue);
    assert!(
        earlier
            .iter()
            .all(|observed| *observed == Observation::Other)
    );
    _ = world.backfill.fetch().await.unwrap();
    // Without named subscriptions, any of them may be a private channel.
    world.backfill = Backfill::new(&world.client);
    world.lose().await;
    let observed = world.resubscribe().await;
    assert_eq!(observed[1..], [Observation::FetchDue; 3]);
}

/// The connection reports no event when a detached subscription ends.
#[tokio::test]
async fn ended_subscription_does_not_block_fetch() {
    let mut world = World::new().await;
    let ended = world.connection.subscriptions()[1].id();
    assert_eq!(world.backfill.unsubscribed(ended), Observation::FetchDue);
    _ = world.backfill.fetch().await.unwrap();
    // A repeated call has no effect.
    assert_eq!(world.backfill.unsubscribed(ended), Observation::Other);
    world.lose().await;
    let observed = world.resubscribe().await;
    // The remaining subscription makes the fetch due. Nothing else is awaited.
    assert_eq!(
        observed[1..],
        [Observation::FetchDue, Observation::Other],
        "{observed:?}"
    );
    // During a reconnect, the fetch becomes due when the last awaited subscription ends.
    let mut world = World::new().await;
    let subscriptions = world.connection.subscriptions().iter();
    let ids: Vec<_> = subscriptions.map(|one| one.id()).collect();
    world.lose().await;
    assert_eq!(world.backfill.unsubscribed(ids[0]), Observation::Other);
    assert_eq!(world.backfill.unsubscribed(ids[1]), Observation::FetchDue);
}

/// Unsubscribing a subscription made later reports no event, so it must not be awaited.
#[tokio::test]
async fn later_subscription_does_not_block_fetch() {
    let mut world = World::new().await;
    let later = world.connection.subscribe(Channel::Fill);
    let (later, ()) = tokio::join!(later.send(), async {
        world.peer.acknowledge().await;
    });
    let later = later.unwrap();
    let mut message = fill_message("a", "o", Utc::now());
    message["sid"] = json!(3);
    assert_eq!(world.deliver(message).await, Observation::New);
    let (ended, ()) = tokio::join!(later.unsubscribe(), async {
        let command = world.peer.command().await;
        let reply = json!({"id": command["id"], "sid": 3, "seq": 2, "type": "unsubscribed"});
        world.peer.send(reply).await;
    });
    ended.unwrap();
    drop(std::mem::replace(
        &mut world.peer,
        Peer::over(unconnected().await).await,
    ));
    let mut is_lost = false;
    while !is_lost {
        let event = world.next().await;
        is_lost = matches!(event, Event::Disconnected { .. });
        _ = world.backfill.observe(&event);
    }
    let accepting = async {
        let mut peer = world.server.accept().await;
        peer.acknowledge().await;
        peer.acknowledge().await;
        peer
    };
    let reading = async {
        while !world.backfill.is_due() {
            let event = world.connection.next().await.unwrap().unwrap();
            _ = world.backfill.observe(&event);
        }
    };
    let (_peer, ()) = tokio::time::timeout(LONG, async { tokio::join!(accepting, reading) })
        .await
        .expect("no fetch became due");
}

/// Messages may be missing from the error until the fetch, not only until the new subscription.
#[tokio::test]
async fn ended_subscription_is_blind_until_fetch() {
    // The error names the subscription that ended, or none.
    for sid in [json!(1), Value::Null] {
        let mut world = World::new().await;
        assert!(!world.backfill.is_blind());
        let mut ended = json!({"type": "error", "msg": {"code": 25, "msg": "overflow"}});
        let mut renewed = 2;
        if !sid.is_null() {
            ended["sid"] = sid;
            renewed = 1;
        }
        assert_eq!(world.deliver(ended).await, Observation::Other);
        assert!(world.backfill.is_blind() && !world.backfill.is_due());
        // Another sign of lost messages does not close the gap.
        let mut broken = order_message("o", resting("0.00", "10.00", Utc::now()));
        broken["msg"]["fill_count_fp"] = json!("many");
        if renewed == 1 {
            assert_eq!(world.deliver(broken).await, Observation::Other);
        }
        for _ in 0..renewed {
            world.peer.acknowledge().await;
        }
        for left in (0..renewed).rev() {
            let event = world.next().await;
            assert!(matches!(event, Event::Resubscribed { .. }), "{event:?}");
            let expected = match left {
                0 => Observation::FetchDue,
                _ => Observation::Other,
            };
            assert_eq!(world.backfill.observe(&event), expected);
            assert!(world.backfill.is_blind());
        }
        _ = world.backfill.fetch().await.unwrap();
        assert!(!world.backfill.is_blind());
    }
}

#[tokio::test]
async fn error_of_public_channel_does_not_blind() {
    let mut world = World::with(&[Channel::Trade, Channel::Fill], |client| client).await;
    let ended = json!({"type": "error", "sid": 1, "msg": {"code": 25, "msg": "overflow"}});
    assert_eq!(world.deliver(ended).await, Observation::Other);
    assert!(!world.backfill.is_blind());
}

#[tokio::test]
async fn fetch_waits_for_stale_reads() {
    let mut world = World::new().await;
    world.held(|held| held.lag = Some(TimeDelta::hours(1)));
    world.reconnect().await;
    let held = world.held.clone();
    let now = Utc::now();
    let began = Instant::now();
    let caught_up = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let mut held = held.lock().unwrap();
        held.fills = vec![fill_row("a", "o", now)];
        held.lag = Some(TimeDelta::milliseconds(400));
    });
    let missed = world.backfill.fetch().await.unwrap();
    caught_up.await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    // Reads must be up to date past the gap, plus a margin of 1 s.
    assert!(
        began.elapsed() >= Duration::from_millis(1_400),
        "{:?}",
        began.elapsed()
    );
    let freshness = world.requests("/exchange/user_data_timestamp");
    let read = world.requests("/portfolio/fills");
    assert!(
        freshness.len() >= 3 && read.len() == 1,
        "{} {}",
        freshness.len(),
        read.len()
    );
    assert!(read[0].number > freshness.last().unwrap().number);
}

/// A clock ahead of the exchange by a fixed duration.
#[derive(Debug)]
struct Ahead(Duration);

impl Clock for Ahead {
    fn now_ms(&self) -> Result<u64, ClockError> {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap() + self.0;
        Ok(u64::try_from(now.as_millis()).unwrap())
    }
}

#[tokio::test]
async fn fetch_waits_for_reads_by_clock_that_is_ahead() {
    let ahead = Arc::new(Ahead(Duration::from_secs(2)));
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(ahead)).await;
    world.reconnect().await;
    let began = Instant::now();
    _ = world.backfill.fetch().await.unwrap();
    assert!(
        began.elapsed() >= Duration::from_millis(2_900),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn fetch_without_fresh_reads_fails_and_can_be_repeated() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        held.fills = vec![fill_row("a", "o", now)];
        held.lag = Some(TimeDelta::hours(1));
    });
    world.backfill = world.backfill.timeout(Duration::from_millis(1_600));
    world.reconnect().await;
    let error = world.backfill.fetch().await.unwrap_err();
    assert!(
        matches!(&error, BackfillError::Stale { source: None, .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains("up to date within 1600 ms"), "{text}");
    assert!(world.backfill.is_due() && world.backfill.remembered_fills() == 0);
    assert!(world.requests("/portfolio/fills").is_empty());

    // Reads are up to date, but the list of orders fails after the fills were read.
    world.held(|held| {
        held.lag = None;
        held.failing = Some("/portfolio/orders");
    });
    let error = world.backfill.fetch().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        matches!(error, BackfillError::Incomplete { .. }) && source.contains("503"),
        "{source}"
    );
    assert!(world.backfill.is_due() && world.backfill.remembered_fills() == 0);
    assert!(!world.requests("/portfolio/fills").is_empty());

    world.held(|held| held.failing = Some("/exchange/user_data_timestamp"));
    let error = world.backfill.fetch().await.unwrap_err();
    assert!(
        matches!(
            error,
            BackfillError::Stale {
                source: Some(_),
                ..
            }
        ),
        "{error:?}"
    );

    world.held(|held| held.failing = None);
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    assert!(!world.backfill.is_due());
}

#[tokio::test]
async fn both_fills_of_self_trade_count() {
    let mut world = World::new().await;
    let now = Utc::now();
    assert_eq!(
        world.deliver(fill_message("a", "bid", now)).await,
        Observation::New
    );
    world.held(|held| {
        let sell = json!({ "book_side": "ask", "outcome_side": "no" });
        for trade in ["a", "b"] {
            held.fills.push(fill_row(trade, "bid", now));
            held.fills
                .push(merge(fill_row(trade, "ask", now), sell.clone()));
        }
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    let mut sides: Vec<_> = missed
        .fills
        .iter()
        .map(|fill| (fill.trade_id.as_str(), fill.order_id.as_str()))
        .collect();
    sides.sort_unstable();
    assert_eq!(sides, [("a", "ask"), ("b", "ask"), ("b", "bid")]);
    assert_eq!(
        world.deliver(fill_message("a", "ask", now)).await,
        Observation::Known
    );
    assert_eq!(
        world.deliver(fill_message("b", "bid", now)).await,
        Observation::Known
    );
    assert_eq!(
        world.deliver(fill_message("c", "ask", now)).await,
        Observation::New
    );
    assert_eq!(
        world.deliver(fill_message("c", "bid", now)).await,
        Observation::New
    );
}

#[tokio::test]
async fn all_pages_are_read_and_sorted_by_time() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        held.page = 400;
        // More rows than fit into the largest page.
        for number in 0..1_500 {
            let time = now + TimeDelta::milliseconds(number / 3);
            held.fills.push(fill_row(&format!("t{number}"), "o", time));
            held.orders.push(order_row(
                &format!("o{number}"),
                resting("0.00", "10.00", time),
            ));
        }
        // A row moves to the next page while the pages are read.
        let repeated = held.fills[700].clone();
        held.fills.insert(700, repeated);
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    let expected: Vec<_> = (0..1_500).map(|number| format!("t{number}")).collect();
    assert_eq!(trades(&missed.fills), expected);
    assert_eq!(missed.orders.len(), 1_500);
    assert!(
        missed
            .orders
            .is_sorted_by_key(|order| order.last_update_time)
    );
    assert_eq!(world.requests("/portfolio/fills").len(), 4);
}

#[tokio::test]
async fn order_never_reverts_to_older_state() {
    let mut world = World::new().await;
    let now = Utc::now();
    let (early, late) = (now, now + TimeDelta::milliseconds(200));
    let executed = State {
        status: "executed",
        ..resting("10.00", "0.00", late)
    };
    let canceled = State {
        status: "canceled",
        ..resting("0.00", "0.00", late)
    };
    for (order_id, state) in [
        ("older", resting("5.00", "5.00", late)),
        ("same", resting("5.00", "5.00", late)),
        ("newer", resting("0.00", "10.00", early)),
        ("ended", executed),
        ("filled", resting("6.00", "4.00", early)),
        ("tied", resting("0.00", "7.00", late)),
    ] {
        assert_eq!(
            world.deliver(order_message(order_id, state)).await,
            Observation::New
        );
    }
    world.held(|held| {
        held.orders = vec![
            order_row("older", resting("0.00", "10.00", early)),
            order_row("same", resting("5.00", "5.00", late)),
            order_row("newer", resting("0.00", "3.00", late)),
            // Later, but a finished order cannot rest again.
            order_row(
                "ended",
                resting("9.00", "1.00", late + TimeDelta::seconds(1)),
            ),
            order_row("filled", resting("5.00", "5.00", late)),
            order_row("unknown", canceled),
            // With equal times, a read replaces earlier messages but not later ones.
            order_row("tied", resting("0.00", "6.00", late)),
            order_row("tied later", resting("0.00", "7.00", late)),
        ];
    });
    world.reconnect().await;
    let later = order_message("tied later", resting("0.00", "6.00", late));
    assert_eq!(world.deliver(later).await, Observation::New);
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(
        ids(&missed.orders),
        BTreeSet::from(["newer", "tied", "unknown"])
    );
    // Messages that arrive after the fetch, with older and newer states.
    for (order_id, state, expected) in [
        ("newer", resting("0.00", "10.00", early), Observation::Known),
        ("newer", resting("0.00", "3.00", late), Observation::Known),
        ("newer", resting("1.00", "2.00", late), Observation::New),
        (
            "unknown",
            resting("0.00", "10.00", early),
            Observation::Known,
        ),
        (
            "older",
            resting("5.00", "4.00", late + TimeDelta::milliseconds(1)),
            Observation::New,
        ),
    ] {
        assert_eq!(
            world.deliver(order_message(order_id, state)).await,
            expected,
            "{order_id}"
        );
    }
}

#[tokio::test]
async fn old_order_that_ended_in_gap_is_found() {
    let mut world = World::new().await;
    let now = Utc::now();
    let old = |state: State| State {
        created: now - TimeDelta::days(30),
        ..state
    };
    let unchanged = old(resting("0.00", "10.00", now - TimeDelta::days(2)));
    // One order is known from a message, the other from a fetch.
    assert_eq!(
        world.deliver(order_message("reported", unchanged)).await,
        Observation::New
    );
    world.held(|held| {
        held.orders = vec![
            order_row("reported", unchanged),
            order_row("seen", unchanged),
        ];
    });
    let missed = world.backfill.fetch().await.unwrap();
    assert!(missed.orders.is_empty(), "{missed:?}");
    world.lose().await;
    let canceled = State {
        status: "canceled",
        ..old(resting("0.00", "0.00", now))
    };
    let executed = State {
        status: "executed",
        ..old(resting("10.00", "0.00", now))
    };
    world.held(|held| {
        held.orders = vec![
            order_row("reported", canceled),
            order_row("seen", canceled),
            // Known only from its fill.
            order_row("filled", executed),
        ];
        held.fills = vec![fill_row("a", "filled", now)];
    });
    world.resubscribe().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(
        ids(&missed.orders),
        BTreeSet::from(["filled", "reported", "seen"])
    );
    assert!(
        missed
            .orders
            .iter()
            .all(|order| order.status != OrderStatus::Resting)
    );
    // Finished orders are not looked up again.
    let looked_up = |world: &World| world.requests("/portfolio/orders/reported").len();
    assert_eq!(looked_up(&world), 1);
    _ = world.backfill.fetch().await.unwrap();
    assert_eq!(looked_up(&world), 1);
}

#[tokio::test]
async fn order_missing_from_exchange_is_forgotten() {
    let mut world = World::new().await;
    let state = resting("0.00", "10.00", Utc::now());
    assert_eq!(
        world.deliver(order_message("gone", state)).await,
        Observation::New
    );
    for _ in 0..2 {
        _ = world.backfill.fetch().await.unwrap();
    }
    assert_eq!(world.requests("/portfolio/orders/gone").len(), 1);
    assert_eq!(world.backfill.remembered_orders(), 0);
}

#[tokio::test]
async fn rows_older_than_last_merge_are_ignored() {
    let clock = Arc::new(SetClock::default());
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(clock.clone())).await;
    let now = Utc::now();
    let state = resting("0.00", "10.00", now);
    assert_eq!(
        world.deliver(order_message("o", state)).await,
        Observation::New
    );
    world.held(|held| held.orders = vec![order_row("o", state)]);
    let early = world.backfill.read().await.unwrap();
    let canceled = State {
        status: "canceled",
        ..state
    };
    assert_eq!(
        world.deliver(order_message("o", canceled)).await,
        Observation::New
    );
    world.held(|held| held.orders = vec![order_row("o", canceled)]);
    let late = world.backfill.read().await.unwrap();
    assert!(world.backfill.merge(late).orders.is_empty());
    // A much later message makes the backfill forget the order.
    let later = now + TimeDelta::hours(1);
    clock.set(later);
    let last = order_message(
        "last",
        State {
            status: "canceled",
            ..resting("0.00", "0.00", later)
        },
    );
    assert_eq!(world.deliver(last).await, Observation::New);
    assert_eq!(world.backfill.remembered_orders(), 1);
    let missed = world.backfill.merge(early);
    assert!(missed.orders.is_empty(), "{missed:?}");
    assert_eq!(world.backfill.remembered_orders(), 1);
}

#[tokio::test]
async fn archive_is_read_if_gap_may_reach_it() {
    let mut world = World::new().await;
    let now = Utc::now();
    let state = resting("0.00", "10.00", now);
    assert_eq!(
        world.deliver(order_message("archived", state)).await,
        Observation::New
    );
    world.reconnect().await;
    _ = world.backfill.fetch().await.unwrap();
    assert!(world.requests("/historical/fills").is_empty());
    assert!(world.requests("/historical/orders").is_empty());
    let world = &mut World::new().await;
    let now = Utc::now();
    let state = resting("0.00", "10.00", now);
    assert_eq!(
        world.deliver(order_message("archived", state)).await,
        Observation::New
    );
    world.held(|held| {
        held.cutoff = now + TimeDelta::hours(1);
        held.fills = vec![fill_row("a", "o", now)];
        held.archived_fills = vec![fill_row("a", "o", now), fill_row("b", "o", now)];
        let canceled = State {
            status: "canceled",
            ..state
        };
        held.archived_orders = vec![order_row("archived", canceled)];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(missed.fills.len(), 2);
    assert_eq!(ids(&missed.orders), BTreeSet::from(["archived"]));
}

#[tokio::test]
async fn fills_before_the_backfill_are_not_returned() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        let untimed = |trade| {
            let row = fill_row(trade, "o", now);
            merge(row, json!({ "created_time": null, "ts": now.timestamp() }))
        };
        held.fills = vec![
            fill_row("before", "o", now - TimeDelta::seconds(30)),
            merge(untimed("early"), json!({ "ts": now.timestamp() - 30 })),
            fill_row("a", "o", now),
            untimed("b"),
        ];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    let mut found = trades(&missed.fills);
    found.sort_unstable();
    assert_eq!(found, ["a", "b"]);
    let query = &world.requests("/portfolio/fills")[0].query;
    let since: i64 = query["min_ts"].parse().unwrap();
    assert!(
        (now.timestamp() - 120..now.timestamp()).contains(&since),
        "{since}"
    );
}

/// A clock behind the exchange by a fixed duration.
#[derive(Debug)]
struct Behind(Duration);

impl Clock for Behind {
    fn now_ms(&self) -> Result<u64, ClockError> {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap() - self.0;
        Ok(u64::try_from(now.as_millis()).unwrap())
    }
}

/// With a slow clock, the first fetch also returns fills since the earliest time at which the backfill may have been created.
#[tokio::test]
async fn fetch_with_slow_clock_returns_each_fill_once() {
    let behind = Arc::new(Behind(Duration::from_secs(3_600)));
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(behind)).await;
    let now = Utc::now();
    let before = |minutes| now - TimeDelta::minutes(minutes);
    world.held(|held| {
        // Reads are up to date by the local clock, which is an hour behind.
        held.lag = Some(TimeDelta::hours(1));
        held.fills = vec![
            fill_row("too old", "o", before(62)),
            fill_row("before", "o", before(58)),
        ];
    });
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["before"]);
    // Positions read between the two fetches may already contain this fill.
    world.held(|held| held.fills.push(fill_row("between", "o", now)));
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["between"]);
    assert_eq!(
        world.deliver(fill_message("between", "o", now)).await,
        Observation::Known
    );
    let missed = world.backfill.fetch().await.unwrap();
    assert!(missed.fills.is_empty(), "{missed:?}");
}

/// Messages may arrive out of order.
#[tokio::test]
async fn fill_older_than_last_message_is_found() {
    let mut world = World::new().await;
    let before = Utc::now();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let last = fill_message("last", "o", Utc::now());
    assert_eq!(world.deliver(last).await, Observation::New);
    world.held(|held| held.fills = vec![fill_row("a", "o", before)]);
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
}

#[tokio::test]
async fn subaccount_and_markets_restrict_reads() {
    let mut world = World::new().await;
    let now = Utc::now();
    let other = "KXTEST-26-B";
    world.backfill = Backfill::new(&world.client)
        .subscriptions(world.connection.subscriptions())
        .subaccount(3)
        .markets([MARKET, other]);
    world.held(|held| {
        for (number, (ticker, subaccount)) in
            [(MARKET, 3), (other, 3), (MARKET, 0), ("KXTEST-26-C", 3)].into_iter().enumerate()
        {
            let place = json!({ "ticker": ticker, "market_ticker": ticker, "subaccount_number": subaccount });
            let (fill, order) = (fill_row(&format!("t{number}"), "o0", now), order_row(&format!("o{number}"), resting("0.00", "10.00", now)));
            held.fills.push(merge(fill, place.clone()));
            held.orders.push(merge(order, place));
        }
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["t0", "t1"]);
    assert_eq!(ids(&missed.orders), BTreeSet::from(["o0", "o1"]));
    let fills = &world.requests("/portfolio/fills")[0].query;
    assert_eq!(
        (fills["subaccount"].as_str(), fills["ticker"].as_str()),
        ("3", "KXTEST-26-A,KXTEST-26-B")
    );
    assert!(
        world
            .requests("/portfolio/orders")
            .iter()
            .all(|request| request.query["subaccount"] == "3")
    );
}

#[tokio::test]
async fn invalid_row_is_reported_and_others_are_returned() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        held.fills = vec![
            fill_row("a", "o", now),
            merge(fill_row("b", "o", now), json!({ "count_fp": null })),
            fill_row("c", "o", now),
        ];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a", "c"]);
    assert!(
        matches!(missed.skipped.as_slice(), [error] if Error::is_row(error)),
        "{missed:?}"
    );
}

#[tokio::test]
async fn row_errors_are_bounded_and_counted() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        let broken = json!({ "count_fp": null });
        held.fills = (0..100)
            .map(|number| merge(fill_row(&format!("t{number}"), "o", now), broken.clone()))
            .collect();
        held.fills.push(fill_row("a", "o", now));
        let broken = json!({ "fill_count_fp": null });
        held.orders = vec![merge(order_row("o", resting("0.00", "10.00", now)), broken)];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    // The order counts three times: it is in two lists and is looked up.
    assert_eq!((missed.skipped.len(), missed.skipped_count), (16, 103));
}

#[tokio::test]
async fn too_many_rows_are_an_error() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.backfill = world.backfill.max_rows(3);
    world.held(|held| {
        held.page = 1;
        held.fills = (0..10)
            .map(|number| fill_row(&format!("t{number}"), "o", now))
            .collect();
    });
    world.reconnect().await;
    let began = Instant::now();
    let error = world.backfill.fetch().await.unwrap_err();
    assert!(
        matches!(error, BackfillError::TooManyRows { max_rows: 3 }),
        "{error:?}"
    );
    // The fetch is not retried, and reading stops at the limit.
    assert!(began.elapsed() < LONG);
    assert_eq!(world.requests("/portfolio/fills").len(), 4);
    assert!(world.backfill.is_due() && world.backfill.remembered_fills() == 0);
    world.held(|held| held.fills.truncate(3));
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(missed.fills.len(), 3);
}

/// Entries beyond the bound are counted as uncertain, neither returned twice nor lost silently.
#[tokio::test]
async fn memory_is_bounded_while_fetch_is_due() {
    let clock = Arc::new(SetClock::default());
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(clock.clone())).await;
    world.backfill = world.backfill.max_remembered(100);
    world.reconnect().await;
    let begin = Utc::now();
    let at = |number: i32| begin + TimeDelta::seconds(10) * number;
    let ended = |number| State {
        status: "executed",
        ..resting("10.00", "0.00", at(number))
    };
    for number in 0..250 {
        clock.set(at(number));
        let name = format!("t{number}");
        let message = fill_message(&name, "o", at(number));
        assert_eq!(world.deliver(message).await, Observation::New);
        let message = order_message(&name, ended(number));
        assert_eq!(world.deliver(message).await, Observation::New);
        let max = world.backfill.remembered_fills();
        assert!(max <= 100 && world.backfill.remembered_orders() <= 100);
    }
    let message = order_message("resting", resting("0.00", "10.00", at(0)));
    assert_eq!(world.deliver(message).await, Observation::New);
    clock.0.store(0, Ordering::Relaxed);
    world.held(|held| {
        for number in 0..250 {
            let name = format!("t{number}");
            held.fills.push(fill_row(&name, "o", at(number)));
            held.orders.push(order_row(&name, ended(number)));
        }
        // Missed entries, of which one is from a time already forgotten.
        held.fills.push(fill_row("early", "o", at(10)));
        held.fills.push(fill_row("late", "o", at(240)));
        held.orders.push(order_row("late", ended(240)));
        let rests = resting("0.00", "10.00", at(0));
        held.orders.push(order_row("resting", rests));
        held.orders.push(order_row("o", ended(249)));
    });
    let remembered = (
        world.backfill.remembered_fills(),
        world.backfill.remembered_orders(),
    );
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["late"]);
    assert_eq!(ids(&missed.orders), BTreeSet::from(["late", "o"]));
    // Everything that is not remembered. The resting order is.
    let (fills, orders) = (251 - remembered.0, 251 - remembered.1);
    assert_eq!(missed.uncertain, fills + orders, "{remembered:?}");
}

#[tokio::test]
async fn undelivered_messages_make_fetch_due() {
    let mut world = World::new().await;
    let now = Utc::now();
    // A message that fails to decode.
    let mut broken = fill_message("a", "o", now);
    broken["msg"]["count_fp"] = json!("many");
    assert_eq!(world.deliver(broken).await, Observation::FetchDue);
    world.held(|held| held.fills = vec![fill_row("a", "o", now)]);
    assert_eq!(trades(&world.backfill.fetch().await.unwrap().fills), ["a"]);
    let mut other = fill_message("b", "o", now);
    other["type"] = json!("trade");
    assert_eq!(world.deliver(other).await, Observation::Other);
    // Messages dropped because they were not read in time.
    for number in 0..40 {
        let trade = format!("t{number}");
        world.held(|held| held.fills.push(fill_row(&trade, "o", now)));
        world.peer.send(fill_message(&trade, "o", now)).await;
    }
    world
        .peer
        .send(json!({"type": "ok", "sid": 1, "msg": {}}))
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut counted = 0;
    while !world.backfill.is_due() {
        let event = world.next().await;
        match world.backfill.observe(&event) {
            Observation::New => counted += 1,
            Observation::FetchDue => assert!(matches!(event, Event::Lagged { .. })),
            _ => {}
        }
    }
    let missed = world.backfill.fetch().await.unwrap();
    assert!(
        counted < 40 && counted + missed.fills.len() == 40,
        "{counted}"
    );
    // The messages still in the queue were covered by the fetch.
    for _ in 0..4 {
        let event = world.next().await;
        assert_ne!(world.backfill.observe(&event), Observation::New);
    }
}

/// Splitting the subscription would lose fills in the later parts without an event.
#[tokio::test]
async fn private_channel_is_resubscribed_in_one_command_after_overflow() {
    let server = Server::new().await;
    let markets = ["A", "B", "C", "D", "E", "F", "G", "H"].map(|name| format!("KXTEST-26-{name}"));
    let builder = server.client.websocket().channel(Channel::Fill);
    let (connection, mut peer) = tokio::join!(builder.markets(&markets).connect(), async {
        let mut peer = server.accept().await;
        peer.acknowledge().await;
        peer
    });
    let mut connection = connection.unwrap();
    let mut backfill = Backfill::new(&server.client).subscriptions(connection.subscriptions());
    peer.send(json!({"type": "error", "sid": 1, "msg": {"code": 25, "msg": "overflow"}}))
        .await;
    let (params, _) = tokio::time::timeout(LONG, peer.acknowledge())
        .await
        .expect("no subscription within the timeout");
    assert_eq!(params["market_tickers"], json!(markets));
    while !backfill.is_due() {
        let event = connection.next().await.unwrap().unwrap();
        _ = backfill.observe(&event);
    }
}

/// After `disconnected`, a fetch covers everything up to its own call, not only the gap that was open before.
#[tokio::test]
async fn fetch_after_disconnect_covers_everything_until_its_call() {
    let mut world = World::new().await;
    world.reconnect().await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    world.backfill.disconnected();
    assert!(!world.backfill.is_due());
    let began = Instant::now();
    _ = world.backfill.fetch().await.unwrap();
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    // Messages observed after `disconnected` still count.
    world.backfill.disconnected();
    let late = fill_message("late", "o", Utc::now());
    assert_eq!(world.deliver(late).await, Observation::New);
    world.reconnect().await;
}

#[tokio::test]
async fn replaced_connection_continues_the_count() {
    let mut world = World::new().await;
    let now = Utc::now();
    assert_eq!(
        world.deliver(fill_message("a", "o", now)).await,
        Observation::New
    );
    world.held(|held| held.fills = vec![fill_row("a", "o", now), fill_row("b", "o", now)]);
    let builder = world.client.websocket().channel(Channel::Fill);
    let (connection, _peer) = tokio::join!(builder.connect(), async {
        let mut peer = world.server.accept().await;
        peer.acknowledge().await;
        peer
    });
    let connection = connection.unwrap();
    world
        .backfill
        .replace_connection(connection.subscriptions());
    assert!(world.backfill.is_due());
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["b"]);
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
            0 => Ahead(Duration::ZERO).now_ms(),
            millis => Ok(millis),
        }
    }
}

/// Simulates ten days with a fill and an order every 43 s.
#[tokio::test]
async fn memory_is_bounded_and_late_messages_are_known() {
    let clock = Arc::new(SetClock::default());
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(clock.clone())).await;
    let overlap = TimeDelta::minutes(10);
    let begin = Utc::now() - TimeDelta::days(11);
    let step = TimeDelta::seconds(43);
    let mut now = begin;
    let (mut fills, mut orders) = (0, 0);
    for number in 0..20_000 {
        now += step;
        clock.set(now);
        let order_id = format!("o{number}");
        let state = State {
            status: "executed",
            ..resting("10.00", "0.00", now)
        };
        assert_eq!(
            world
                .deliver(fill_message(&format!("t{number}"), &order_id, now))
                .await,
            Observation::New
        );
        assert_eq!(
            world.deliver(order_message(&order_id, state)).await,
            Observation::New
        );
        fills = fills.max(world.backfill.remembered_fills());
        orders = orders.max(world.backfill.remembered_orders());
    }
    // Entries from the overlap and the minute before it, plus a quarter because old ones are dropped periodically.
    let kept = overlap.num_seconds() + 60;
    let max = usize::try_from(kept * 5 / 4 / step.num_seconds()).unwrap() + 2;
    assert!(fills <= max && orders <= max, "{fills} {orders} {max}");
    let late = 19_999 - overlap.num_seconds() / step.num_seconds() + 1;
    let time = begin + step * i32::try_from(late + 1).unwrap();
    let late = fill_message(&format!("t{late}"), &format!("o{late}"), time);
    assert_eq!(world.deliver(late).await, Observation::Known);

    // Until the fetch, everything it could return is remembered.
    clock.0.store(0, Ordering::Relaxed);
    world.reconnect().await;
    clock.set(now);
    let before = world.backfill.remembered_fills();
    for number in 0..100 {
        now += step;
        assert_eq!(
            world
                .deliver(fill_message(&format!("h{number}"), "o", now))
                .await,
            Observation::New
        );
    }
    assert_eq!(world.backfill.remembered_fills(), before + 100);
    clock.0.store(0, Ordering::Relaxed);
    _ = world.backfill.fetch().await.unwrap();
    assert_eq!(world.backfill.remembered_fills(), 0);
}

/// The row of a fill may be later than its message, so it is inside the window although the message was before it.
#[tokio::test]
async fn fill_at_edge_of_window_is_counted_once() {
    let mut world = World::new().await;
    world.backfill = world.backfill.overlap(Duration::from_secs(1));
    let begin = Utc::now();
    // Two fills delivered before the window: one has a row with a time, the other a row without.
    let first = begin + TimeDelta::milliseconds(50);
    // A fill whose message has a time far in the past.
    let wrong = DateTime::UNIX_EPOCH;
    for (trade, time) in [("edge", first), ("second", first), ("wrong", wrong)] {
        let message = fill_message(trade, "o", time);
        assert_eq!(world.deliver(message).await, Observation::New);
    }
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let last = Utc::now();
    let message = fill_message("last", "o", last);
    assert_eq!(world.deliver(message).await, Observation::New);
    world.held(|held| {
        let untimed = json!({ "created_time": null, "ts": last.timestamp() });
        held.fills = vec![
            fill_row("edge", "o", last),
            merge(fill_row("second", "o", last), untimed),
            fill_row("wrong", "o", last),
            fill_row("missed", "o", last),
        ];
    });
    for expected in [vec!["missed"], vec![], vec![]] {
        world.reconnect().await;
        let missed = world.backfill.fetch().await.unwrap();
        assert_eq!(trades(&missed.fills), expected);
    }
}

/// A message from the future does not hide earlier fills.
#[tokio::test]
async fn future_time_does_not_move_window() {
    let mut world = World::new().await;
    let now = Utc::now();
    let future = fill_message("future", "o", now + TimeDelta::days(1_000));
    assert_eq!(world.deliver(future).await, Observation::New);
    world.held(|held| held.fills = vec![fill_row("a", "o", now)]);
    world.reconnect().await;
    let missed: Missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    assert!(matches!(missed.fills.as_slice(), [fill] if fill.count_fp == Contracts::from(1)));
}

/// The position and orders that a program derives from messages and fetches.
#[derive(Debug, Default, PartialEq)]
struct Account {
    /// Position in hundredths of a YES contract.
    position: i64,
    /// Status, filled count and remaining count by order id.
    orders: BTreeMap<String, (String, Contracts, Contracts)>,
}

impl Account {
    fn fill(&mut self, is_bid: bool, count: Contracts) {
        let count = count.hundredths();
        self.position += if is_bid { count } else { -count };
    }

    fn order(&mut self, order: &Order) {
        let status = order.status.to_string();
        let counts = (order.fill_count_fp, order.remaining_count_fp);
        self.orders
            .insert(order.order_id.to_string(), (status, counts.0, counts.1));
    }

    fn message(&mut self, message: &Message) {
        match message {
            Message::Fill(fill) => {
                self.fill(
                    fill.book_side == Some(messages::BookSide::Bid),
                    fill.count_fp,
                );
            }
            Message::UserOrder(order) => {
                let state = (
                    order.status.to_string(),
                    order.fill_count_fp,
                    order.remaining_count_fp,
                );
                self.orders.insert(order.order_id.to_string(), state);
            }
            _ => {}
        }
    }

    /// Reads the same data from the exchange.
    async fn read(client: &Client) -> Self {
        let mut account = Self::default();
        let positions = client.get_positions().ticker(MARKET).send().await.unwrap();
        let position = positions.market_positions.first();
        account.position = position.map_or(0, |position| position.position_fp.hundredths());
        let orders = client.get_orders().collect_all(usize::MAX).await.unwrap();
        orders.iter().for_each(|order| account.order(order));
        account
    }
}

/// Reads events until none arrives for 300 ms and fetches when due. Returns the number of missed fills.
async fn follow(
    connection: &mut Connection,
    backfill: &mut Backfill,
    account: &mut Account,
) -> usize {
    let mut missed_fills = 0;
    let pause = Duration::from_millis(300);
    while let Ok(event) = tokio::time::timeout(pause, connection.next()).await {
        let event = event.unwrap().unwrap();
        match (backfill.observe(&event), &event) {
            (Observation::New, Event::Message(received)) => {
                account.message(&received.frame.message)
            }
            (Observation::FetchDue, _) => {
                let missed = backfill.fetch().await.unwrap();
                missed_fills += missed.fills.len();
                for fill in &missed.fills {
                    account.fill(fill.book_side == Some(BookSide::Bid), fill.count_fp);
                }
                missed.orders.iter().for_each(|order| account.order(order));
            }
            _ => {}
        }
    }
    missed_fills
}

#[tokio::test]
async fn account_matches_exchange_after_every_outage() {
    let seed = std::env::var("KALSHI_TEST_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    println!("KALSHI_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let exchange = MockExchange::builder()
        .without_limits()
        .seed(seed)
        .start()
        .await
        .unwrap();
    exchange.fault(Fault::StaleReads(Duration::from_millis(400)));
    let market = exchange.market(MARKET);
    let client = exchange.client().unwrap();
    let mut connection = client
        .websocket()
        .channel(Channel::Fill)
        .channel(Channel::UserOrders)
        .reconnect(policy().with_max_backoff(Duration::from_millis(80)))
        .connect()
        .await
        .unwrap();
    let mut backfill = Backfill::new(&client).subscriptions(connection.subscriptions());
    let mut account = Account::default();
    let mut missed = 0;
    for _ in 0..4 {
        let outage = random.usize(5..25);
        for step in 0..40 {
            if step == outage {
                exchange.websockets().reject_handshakes(503, 2);
                exchange.websockets().reset();
            }
            let cents = random.i64(45..=55);
            let count = Contracts::from(random.i32(1..=9));
            if random.bool() {
                let order = CreateOrderV2Request::builder()
                    .ticker(MARKET)
                    .side(if random.bool() {
                        BookSide::Bid
                    } else {
                        BookSide::Ask
                    })
                    .price(Dollars::from_cents(cents))
                    .count(count)
                    .time_in_force(TimeInForce::GoodTillCanceled)
                    .self_trade_prevention_type(SelfTradePreventionType::Maker);
                _ = client.orders().place(order).await.unwrap();
            } else if random.bool() {
                market.bid(Dollars::from_cents(cents), count);
            } else {
                market.ask(Dollars::from_cents(cents), count);
            }
        }
        missed += follow(&mut connection, &mut backfill, &mut account).await;
        // Wait until the stale reads have caught up.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(account, Account::read(&client).await);
    }
    assert!(missed > 0, "no fill was missed during the outages");
}

//! [`MockExchange`]: starts and controls an exchange.

mod control;
#[cfg(feature = "klear")]
mod klear;
#[cfg(feature = "perps")]
mod margin;
mod start;
#[cfg(feature = "tls")]
mod tls;

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use kalshi_sdk::{
    Client, ClientBuilder, ConfigError, Credentials, Dollars, Environment, Operation, PrivateKey,
    auth::{KeyAlgorithm, PublicKey},
    limits::Tier,
};

use self::start::Running;
use crate::{
    Activity, Fault, FaultRule, Market, ReceivedRequest, ScheduledEvent, StartError, Time, User,
    control::Access,
    keys::Window,
    server,
    shared::Shared,
    state::State,
    sync::lock,
    time::to_micros,
    user::Balances,
    websocket::{self, WebSockets},
};

/// An exchange in this process. Clones are handles on the same exchange, and dropping the last one shuts it down.
///
/// It starts with one user with a generated key, and with markets that a market maker quotes. The test controls the market
/// maker.
///
/// | Task | Method |
/// |---|---|
/// | Start | [`start`](Self::start), or [`builder`](Self::builder) for other settings |
/// | Connect a client | [`client`](Self::client), [`client_builder`](Self::client_builder), [`environment`](Self::environment) |
/// | Create and quote markets | [`market`](Self::market) |
/// | Inject faults | [`fault`](Self::fault) for requests, [`websockets`](Self::websockets) for WebSocket connections |
/// | Control time and trading | [`time`](Self::time), [`pause_trading`](Self::pause_trading), [`schedule`](Self::schedule) |
/// | Inspect | [`requests_to`](Self::requests_to), [`user`](Self::user), [`snapshot`](Self::snapshot) |
///
/// The [guide](crate::guide::setup) lists more tasks.
#[derive(Clone)]
pub struct MockExchange {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    user: User,
    /// `None` in the control interface, which does not keep the exchange running.
    running: Option<Arc<Running>>,
}

/// Builder of a [`MockExchange`], returned by [`MockExchange::builder`]. [`start`](Self::start) starts the exchange.
#[derive(Clone, Debug)]
#[must_use]
pub struct MockExchangeBuilder {
    address: SocketAddr,
    seed: Option<u64>,
    tier: Tier,
    rate_limited: bool,
    balances: Balances,
    algorithm: KeyAlgorithm,
    key: Option<PrivateKey>,
    initial_markets: bool,
    activity: Option<Activity>,
    schedule: Vec<ScheduledEvent>,
    max_requests: usize,
    record: Option<PathBuf>,
    time: Option<DateTime<Utc>>,
    websocket: websocket::Settings,
    control: Option<Access>,
    window: Window,
    legacy_fields: bool,
    #[cfg(feature = "tls")]
    tls: bool,
}

/// # Start, clients, markets and faults
impl MockExchange {
    /// Starts an exchange on a free port of 127.0.0.1, with one user of the Basic tier and 10,000 dollars on shard 0.
    ///
    /// # Errors
    ///
    /// Returns an error if no port is free or no key can be generated.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Returns a builder to start an exchange with other settings.
    pub fn builder() -> MockExchangeBuilder {
        MockExchangeBuilder {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            seed: None,
            key: None,
            tier: Tier::default(),
            rate_limited: true,
            balances: Balances {
                event: Dollars::from_cents(1_000_000),
                #[cfg(feature = "perps")]
                margin: Dollars::from_cents(1_000_000),
            },
            algorithm: KeyAlgorithm::Ed25519,
            initial_markets: true,
            activity: None,
            schedule: Vec::new(),
            max_requests: 10_000,
            record: None,
            time: None,
            websocket: websocket::Settings::default(),
            control: None,
            window: Window::default(),
            legacy_fields: false,
            #[cfg(feature = "tls")]
            tls: false,
        }
    }

    /// Returns the address the exchange listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the base URL of REST operations: `http://127.0.0.1:PORT/trade-api/v2`.
    #[must_use]
    pub fn rest_url(&self) -> String {
        self.shared.url("http", self.address, server::PREFIX)
    }

    /// Returns the WebSocket URL: `ws://127.0.0.1:PORT/trade-api/ws/v2`.
    #[must_use]
    pub fn ws_url(&self) -> String {
        self.shared.url("ws", self.address, server::WS_PATH)
    }

    /// Returns both URLs as the environment of a `kalshi-sdk` client.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange does not listen on a loopback address: the SDK rejects plaintext to other hosts.
    pub fn environment(&self) -> Result<Environment, ConfigError> {
        self.user.environment()
    }

    /// Returns the first user.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Returns the credentials of the first user.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.user.credentials()
    }

    /// Returns a client of the first user, with the limits of its tier and the clock of the exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if [`ClientBuilder::build`] does.
    pub fn client(&self) -> Result<Client, ConfigError> {
        self.user.client()
    }

    /// Returns a builder with the settings of [`client`](Self::client).
    ///
    /// # Errors
    ///
    /// Returns an error if [`environment`](Self::environment) does.
    pub fn client_builder(&self) -> Result<ClientBuilder, ConfigError> {
        self.user.client_builder()
    }

    /// Adds a user with the same balance as the first.
    ///
    /// # Errors
    ///
    /// Returns an error if no key can be generated.
    pub fn add_user(&self) -> Result<User, StartError> {
        self.user.add_similar()
    }

    /// Registers the public half of another key of the first user.
    pub fn register_key(&self, key_id: &str, key: PublicKey) {
        self.user.register_key(key_id, key);
    }

    /// Returns the market with a ticker. Creates it if necessary: open for 30 days, prices in cents, on the shard of its series.
    /// `SERIES-EVENT-MARKET` belongs to the event `SERIES-EVENT` of the series `SERIES`.
    pub fn market(&self, ticker: &str) -> Market {
        Market::new(Arc::clone(&self.shared), ticker)
    }

    /// Returns the tickers of all markets, in order of creation.
    #[must_use]
    pub fn tickers(&self) -> Vec<String> {
        self.shared
            .state()
            .markets
            .iter()
            .map(|market| market.ticker.clone())
            .collect()
    }

    /// Returns a handle on the clock of the exchange.
    #[must_use]
    pub fn time(&self) -> Time {
        self.shared.time.clone()
    }

    /// Stops all trading: rejects new orders, still accepts cancels, and cancels orders with `cancel_order_on_pause`.
    pub fn pause_trading(&self) {
        self.for_each_state(|state| state.set_trading(false));
    }

    /// Resumes trading after [`pause_trading`](Self::pause_trading).
    pub fn resume_trading(&self) {
        self.for_each_state(|state| state.set_trading(true));
    }

    /// Schedules a pause of trading, which the exchange schedule lists as a maintenance window.
    pub fn schedule_pause(&self, from: DateTime<Utc>, length: Duration) {
        let from = from.timestamp_micros();
        let length = to_micros(length);
        self.for_each_state(|state| state.schedule_pause(from, from.saturating_add(length)));
    }

    /// Opens or closes the exchange. While it is closed, order writes are rejected with 409, and all other requests except those
    /// for status and schedule with 503.
    pub fn set_active(&self, active: bool) {
        self.for_each_state(|state| state.set_active(active));
    }

    /// Returns a hash of all events so far: book changes, trades, market lifecycles and events of users. It is the same for
    /// exchanges with the same seed, settings and requests at the same times, if the test stops or moves the clock. Returns `None`
    /// without [`activity`](MockExchangeBuilder::activity).
    #[must_use]
    pub fn event_hash(&self) -> Option<u64> {
        let mut state = self.shared.state();
        let hashes = state
            .instances()
            .states()
            .map(|(_, state)| state.event_hash());
        hashes.reduce(combine).flatten()
    }

    /// Returns a hash of money, positions, markets, orders and trades. It is reproducible like [`event_hash`](Self::event_hash).
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let mut state = self.shared.state();
        let hashes = state
            .instances()
            .states()
            .map(|(_, state)| Some(state.state_hash()));
        hashes.reduce(combine).flatten().unwrap_or_default()
    }

    fn for_each_state(&self, mut act: impl FnMut(&mut State)) {
        let mut guard = self.shared.state();
        guard.instances().states().for_each(|(_, state)| act(state));
    }

    /// Injects a fault into the following requests. Several faults can apply to the same request.
    pub fn fault(&self, fault: impl Into<FaultRule>) {
        let rule = fault.into();
        if let Fault::StaleReads(lag) = rule.fault {
            self.for_each_state(|state| state.keep_versions(to_micros(lag)));
        }
        self.shared.faults().push(rule);
    }

    /// Removes all injected faults of requests and handshakes. Those of open WebSocket connections remain.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
        self.for_each_state(State::drop_versions);
        self.shared.hub.accept_handshakes();
    }

    /// Returns a handle on the open WebSocket connections.
    #[must_use]
    pub fn websockets(&self) -> WebSockets {
        WebSockets::new(Arc::clone(&self.shared))
    }

    /// Returns the last received requests, oldest first: up to 10,000, or the number set with
    /// [`max_requests`](MockExchangeBuilder::max_requests).
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.shared.log).all()
    }

    /// Returns the received requests of one operation, such as `operation::CREATE_ORDER_V2`, oldest first.
    #[must_use]
    pub fn requests_to(&self, operation: &Operation) -> Vec<ReceivedRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.is(operation.id));
        requests
    }

    /// Clears the list of received requests.
    pub fn clear_requests(&self) {
        lock(&self.shared.log).clear();
    }

    /// Shuts down: accepts no new connections, completes the requests in flight and closes WebSocket connections. Waits up to
    /// 5 seconds for clients that do not read their responses. Waiting for this is optional: dropping the exchange does the same in
    /// the background.
    pub async fn shutdown(self) {
        self.shared.stop.send_replace(true);
        if let Some(running) = &self.running {
            // Nothing is ever sent: this waits until the sender is dropped.
            _ = running.server.clone().changed().await;
        }
        self.websockets().wait_for_connections(0).await;
    }
}

impl fmt::Debug for MockExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockExchange")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// # Settings
impl MockExchangeBuilder {
    /// Sets the address to listen on; port 0 picks a free one. Defaults to 127.0.0.1 with a free port.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Sets the seed of ids and of the initial books, which defaults to 0. The seed also determines the Ed25519 keys of users,
    /// which are therefore not secret. Without a seed, these keys are random. RSA keys are always random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the usage tier of users, which determines their token buckets. Defaults to Basic.
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }

    /// Disables the rate limits of users and of unsigned requests.
    pub fn without_limits(mut self) -> Self {
        self.rate_limited = false;
        self
    }

    /// Sets the balance of each user on shard 0, in whole cents. Defaults to 10,000 dollars.
    pub fn balance(mut self, balance: Dollars) -> Self {
        self.balances.event = balance;
        self
    }

    /// Sets the algorithm of generated keys. Defaults to Ed25519. RSA keys have 2048 bits.
    pub fn key_algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Sets the key of the first user. Defaults to a generated one.
    pub fn private_key(mut self, key: PrivateKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Starts the exchange without the initial markets.
    pub fn without_markets(mut self) -> Self {
        self.initial_markets = false;
        self
    }

    /// Simulates participants that quote, trade and cancel in the initial markets, around a random walk of fair values. Their money
    /// is accounted for like that of other users. The clock of the exchange drives them, so the same seed and times give the same
    /// events, even if the clock is stopped and advanced: see [`MockExchange::event_hash`]. Events settle half an hour after they
    /// close. Off by default.
    pub fn activity(mut self, activity: Activity) -> Self {
        self.activity = Some(activity);
        self
    }

    /// Schedules an event, counted from the start and again from each [`reset`](MockExchange::reset). Its market must exist at the
    /// start.
    pub fn schedule(mut self, event: ScheduledEvent) -> Self {
        self.schedule.push(event);
        self
    }

    /// Sets the maximum number of received requests to keep. Defaults to 10,000. Fewer are kept if their bodies exceed 256 MiB in total.
    pub fn max_requests(mut self, max: usize) -> Self {
        self.max_requests = max;
        self
    }

    /// Writes every request and its response to a file, one line of JSON each, without signatures and private keys. The file must
    /// be empty or absent.
    pub fn record(mut self, path: impl Into<PathBuf>) -> Self {
        self.record = Some(path.into());
        self
    }

    /// Sets the interval of WebSocket pings. Defaults to 10 seconds.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.websocket.ping_interval = interval;
        self
    }

    /// Sets the value of `use_yes_price` for subscriptions that do not send it. Defaults to false; the exchange announced that its
    /// default will be true.
    pub fn default_use_yes_price(mut self, use_yes_price: bool) -> Self {
        self.websocket.use_yes_price = use_yes_price;
        self
    }

    /// Sets the maximum number of frames to queue per subscription for a client that does not read. One more frame ends the
    /// subscription with error 25 and drops the queued frames. Defaults to 50,000. A connection with more than 1,000,000 frames or
    /// 256 MiB in its queue ends.
    pub fn max_waiting_frames(mut self, max: usize) -> Self {
        self.websocket.max_queued = max;
        self
    }

    /// Sets the tolerances for timestamps of signatures behind and ahead of the clock of the exchange. Defaults to 15 seconds
    /// each. In June 2026 the demo exchange accepted 30 seconds ahead and rejected 30 seconds behind.
    pub fn timestamp_window(mut self, behind: Duration, ahead: Duration) -> Self {
        self.window = Window {
            past: behind,
            future: ahead,
        };
        self
    }

    /// Adds fields to responses that the exchange kept sending long after they were removed from the spec: `liquidity_dollars`,
    /// `fractional_trading_enabled` and `response_price_units` of markets, `available_on_brokers` of events and
    /// `resting_orders_count` of positions, with recorded values that do not change. Older clients require some of them.
    pub fn legacy_fields(mut self) -> Self {
        self.legacy_fields = true;
        self
    }

    /// Starts with the clock stopped at a time. The same time and seed give the same tickers and timestamps.
    pub fn time(mut self, time: DateTime<Utc>) -> Self {
        self.time = Some(time);
        self
    }
}

/// Combines the hashes of two exchange instances.
fn combine(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one?.rotate_left(1) ^ other?)
}

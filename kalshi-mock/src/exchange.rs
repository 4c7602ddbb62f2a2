//! `MockExchange`: starting an exchange, and telling it what to do.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use kalshi_sdk::{
    Client, ClientBuilder, ConfigError, Credentials, Dollars, Environment,
    auth::{KeyAlgorithm, PublicKey},
    limits::Tier,
};
use tokio::net::TcpListener;

use crate::{
    FaultRule, Market, ReceivedRequest, StartError, Streams, Time, User,
    requests::Log,
    server,
    shared::Shared,
    state::State,
    streams::{self, Hub, Settings},
    sync::lock,
    time::Micros,
};

/// An exchange in this process. It is shut down when it is dropped.
///
/// It comes with a user, whose key is made for it, and a small universe of markets, quoted by a market maker that the
/// test controls.
pub struct MockExchange {
    shared: Arc<Shared>,
    address: SocketAddr,
    user: User,
    server: tokio::task::JoinHandle<io::Result<()>>,
}

/// How an exchange is to be started.
#[derive(Clone, Debug)]
#[must_use]
pub struct MockExchangeBuilder {
    address: SocketAddr,
    seed: u64,
    tier: Tier,
    limited: bool,
    balance: Dollars,
    algorithm: KeyAlgorithm,
    universe: bool,
    requests: usize,
    record: Option<PathBuf>,
    time: Option<DateTime<Utc>>,
    streams: Settings,
}

impl MockExchange {
    /// An exchange on a free port of this machine, with one user of the Basic tier and 10,000 dollars on shard 0.
    ///
    /// # Errors
    ///
    /// If no port or no key can be had.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// To start one otherwise.
    pub fn builder() -> MockExchangeBuilder {
        MockExchangeBuilder {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            seed: 0,
            tier: Tier::default(),
            limited: true,
            balance: Dollars::from_cents(1_000_000),
            algorithm: KeyAlgorithm::Ed25519,
            universe: true,
            requests: 10_000,
            record: None,
            time: None,
            streams: Settings::default(),
        }
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its operations are: `http://127.0.0.1:PORT/trade-api/v2`.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://{}{}", self.address, server::PREFIX)
    }

    /// Where its streams are: `ws://127.0.0.1:PORT/trade-api/ws/v2`.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}{}", self.address, server::STREAMS)
    }

    /// Both, for a client of `kalshi-sdk`.
    ///
    /// # Errors
    ///
    /// None for an exchange on this machine: plaintext to another one is refused.
    pub fn environment(&self) -> Result<Environment, ConfigError> {
        self.user.environment()
    }

    /// The first user.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The key of the first user.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.user.credentials()
    }

    /// A client of the first user, with the limits of its tier and the exchange's clock.
    ///
    /// # Errors
    ///
    /// Those of [`ClientBuilder::build`].
    pub fn client(&self) -> Result<Client, ConfigError> {
        self.user.client()
    }

    /// The same, to be told more.
    ///
    /// # Errors
    ///
    /// Those of [`environment`](Self::environment).
    pub fn client_builder(&self) -> Result<ClientBuilder, ConfigError> {
        self.user.client_builder()
    }

    /// Another user, with as much money as the first.
    ///
    /// # Errors
    ///
    /// If no key can be made.
    pub fn add_user(&self) -> Result<User, StartError> {
        self.user.another()
    }

    /// Registers the public half of a key of one's own for the first user.
    pub fn register_key(&self, key_id: &str, key: PublicKey) {
        self.user.register_key(key_id, key);
    }

    /// The market of that ticker. It is made if there is none: open for 30 days, prices in cents, on the shard of its series.
    /// `SERIES-EVENT-MARKET` is in the event `SERIES-EVENT` of the series `SERIES`.
    pub fn market(&self, ticker: &str) -> Market {
        Market::of(Arc::clone(&self.shared), ticker)
    }

    /// The tickers of all markets, in the order they were made.
    #[must_use]
    pub fn tickers(&self) -> Vec<String> {
        self.shared
            .state()
            .markets
            .iter()
            .map(|market| market.ticker.clone())
            .collect()
    }

    /// The exchange's clock.
    #[must_use]
    pub fn time(&self) -> Time {
        self.shared.time.clone()
    }

    /// Stops trading everywhere: orders are refused, cancels are not, and orders with `cancel_order_on_pause` are cancelled.
    pub fn pause_trading(&self) {
        self.shared.state().set_trading(false);
    }

    /// Lets trading go on after [`pause_trading`](Self::pause_trading).
    pub fn resume_trading(&self) {
        self.shared.state().set_trading(true);
    }

    /// Plans a pause of trading, which is a maintenance window of the schedule.
    pub fn plan_pause(&self, from: DateTime<Utc>, length: Duration) {
        let from = from.timestamp_micros();
        let length = Micros::try_from(length.as_micros()).unwrap_or(Micros::MAX);
        self.shared
            .state()
            .plan_pause(from, from.saturating_add(length));
    }

    /// Opens or closes the exchange as a whole. Closed, it answers everything but its status and schedule with 503.
    pub fn set_active(&self, active: bool) {
        self.shared.state().set_active(active);
    }

    /// Lets something go wrong from now on. Several faults can strike the same call.
    pub fn fault(&self, fault: impl Into<FaultRule>) {
        self.shared.faults().push(fault.into());
    }

    /// Lets everything go right again.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// The open streams, and what can be done to them.
    #[must_use]
    pub fn streams(&self) -> Streams {
        Streams::of(Arc::clone(&self.shared))
    }

    /// The requests that were received, oldest first: the last 10,000, or as many as
    /// [`with_requests`](MockExchangeBuilder::with_requests) says.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.shared.log).all()
    }

    /// Forgets the requests that were received.
    pub fn clear_requests(&self) {
        lock(&self.shared.log).clear();
    }

    /// Shuts it down: no new connections, the calls under way are answered, and streams are closed. To wait for that is not
    /// needed; dropping it does the same without.
    pub async fn shut_down(mut self) {
        self.shared.stop.send_replace(true);
        // Whatever it ended with, it has ended.
        _ = (&mut self.server).await;
        self.streams().until_connected(0).await;
    }
}

impl Drop for MockExchange {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}

impl fmt::Debug for MockExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockExchange")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl MockExchangeBuilder {
    /// Where to listen; a port of 0 is a free one. 127.0.0.1 with a free port if it is not said.
    pub fn with_address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Where chance begins: ids, and the books of the universe. The same seed gives the same. 0 if it is not said.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The usage tier of users, which sets their token buckets. Basic if it is not said.
    pub fn with_tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }

    /// No call is refused for want of tokens.
    pub fn without_limits(mut self) -> Self {
        self.limited = false;
        self
    }

    /// What each user has on shard 0, in whole cents. 10,000 dollars if it is not said.
    pub fn with_balance(mut self, balance: Dollars) -> Self {
        self.balance = balance;
        self
    }

    /// What kind of key users get. Ed25519 if it is not said; RSA keys have 2048 bits.
    pub fn with_key_algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// No markets to begin with.
    pub fn without_universe(mut self) -> Self {
        self.universe = false;
        self
    }

    /// How many requests are remembered; 0 for none. 10,000 if it is not said.
    pub fn with_requests(mut self, most: usize) -> Self {
        self.requests = most;
        self
    }

    /// A file to which every request and its answer are written, one line of JSON each. Signatures and private keys are not.
    pub fn with_record(mut self, path: impl Into<PathBuf>) -> Self {
        self.record = Some(path.into());
        self
    }

    /// How often streams are pinged. Every 10 seconds if it is not said.
    pub fn with_pings_every(mut self, interval: Duration) -> Self {
        self.streams.ping_interval = interval;
        self
    }

    /// How many frames of a subscription may wait for a client that does not read. One more ends the subscription with error 25,
    /// and those that wait are lost. 50,000 if it is not said.
    pub fn with_waiting_frames(mut self, most: usize) -> Self {
        self.streams.max_queued = most;
        self
    }

    /// Begins with a clock that stands at a time. The same time and seed give the same tickers and stamps.
    pub fn with_time(mut self, time: DateTime<Utc>) -> Self {
        self.time = Some(time);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// If the address is taken, the file cannot be written, or no key can be made.
    pub async fn start(self) -> Result<MockExchange, StartError> {
        let log = Log::new(self.requests, self.record.as_deref()).map_err(|source| {
            StartError::Record {
                path: self.record.clone().unwrap_or_default(),
                source,
            }
        })?;
        let unbound = |source| StartError::Address {
            address: self.address,
            source,
        };
        let listener = TcpListener::bind(self.address).await.map_err(unbound)?;
        let address = listener.local_addr().map_err(unbound)?;
        let time = Time::default();
        if let Some(at) = self.time {
            time.stop_at(at);
        }
        let mut state = State::new(self.seed, time.micros());
        if self.universe {
            state.populate();
        }
        let shared = Arc::new(Shared::new(
            state,
            time,
            log,
            self.limited,
            Hub::new(self.streams),
        ));
        let user = User::add(
            &shared,
            address,
            (self.tier, self.limited),
            self.balance,
            self.algorithm,
        )?;
        tokio::spawn(streams::keep_time(Arc::clone(&shared)));
        let server = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        Ok(MockExchange {
            shared,
            address,
            user,
            server,
        })
    }
}

//! [`MockExchange`]: starts and controls an exchange.

mod control;
#[cfg(feature = "klear")]
mod klear;
#[cfg(feature = "perps")]
mod margin;

use std::{
    fmt,
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
use tokio::{net::TcpListener, sync::watch};

#[cfg(feature = "klear")]
use crate::klear::KlearAccess;
use crate::{
    FaultRule, Market, ReceivedRequest, StartError, Streams, Time, User,
    control::{Access, Control},
    requests::Log,
    server,
    shared::{Instances, Origin, Shared},
    state::State,
    streams::{self, Hub, Settings},
    sync::lock,
    time::Micros,
    user::Balances,
};

/// An exchange in this process. Clones are handles on the same exchange, and dropping the last one shuts it down.
///
/// It has one user with a generated key, and a few markets that a market maker quotes. The test controls the market
/// maker.
#[derive(Clone)]
pub struct MockExchange {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    user: User,
    /// `None` in the control interface, which does not keep the exchange running.
    running: Option<Arc<Running>>,
}

/// Shuts down the exchange when it is dropped.
struct Running {
    shared: Arc<Shared>,
    /// The sender is dropped when the server has ended.
    server: watch::Receiver<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}

/// Builder of a [`MockExchange`].
#[derive(Clone, Debug)]
#[must_use]
pub struct MockExchangeBuilder {
    address: SocketAddr,
    seed: u64,
    tier: Tier,
    limited: bool,
    balances: Balances,
    algorithm: KeyAlgorithm,
    universe: bool,
    requests: usize,
    record: Option<PathBuf>,
    time: Option<DateTime<Utc>>,
    streams: Settings,
    control: Option<Access>,
}

impl MockExchange {
    /// Starts an exchange on a free port of 127.0.0.1, with one user of the Basic tier and 10,000 dollars on shard 0.
    ///
    /// # Errors
    ///
    /// Returns an error if no port is free or no key can be generated.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Returns a builder, to start an exchange with other settings.
    pub fn builder() -> MockExchangeBuilder {
        MockExchangeBuilder {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            seed: 0,
            tier: Tier::default(),
            limited: true,
            balances: Balances {
                event: Dollars::from_cents(1_000_000),
                #[cfg(feature = "perps")]
                margin: Dollars::from_cents(1_000_000),
            },
            algorithm: KeyAlgorithm::Ed25519,
            universe: true,
            requests: 10_000,
            record: None,
            time: None,
            streams: Settings::default(),
            control: None,
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
        format!("http://{}{}", self.address, server::PREFIX)
    }

    /// Returns the WebSocket URL: `ws://127.0.0.1:PORT/trade-api/ws/v2`.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}{}", self.address, server::STREAMS)
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
        self.user.another()
    }

    /// Registers the public half of another key of the first user.
    pub fn register_key(&self, key_id: &str, key: PublicKey) {
        self.user.register_key(key_id, key);
    }

    /// Returns the market with that ticker. Creates it if necessary: open for 30 days, prices in cents, on the shard of its series.
    /// `SERIES-EVENT-MARKET` is in the event `SERIES-EVENT` of the series `SERIES`.
    pub fn market(&self, ticker: &str) -> Market {
        Market::of(Arc::clone(&self.shared), ticker)
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
        self.each(|state| state.set_trading(false));
    }

    /// Resumes trading after [`pause_trading`](Self::pause_trading).
    pub fn resume_trading(&self) {
        self.each(|state| state.set_trading(true));
    }

    /// Schedules a pause of trading. It is a maintenance window in the exchange schedule.
    pub fn plan_pause(&self, from: DateTime<Utc>, length: Duration) {
        let from = from.timestamp_micros();
        let length = Micros::try_from(length.as_micros()).unwrap_or(Micros::MAX);
        self.each(|state| state.plan_pause(from, from.saturating_add(length)));
    }

    /// Opens or closes the exchange. While closed, everything except status and schedule is 503.
    pub fn set_active(&self, active: bool) {
        self.each(|state| state.set_active(active));
    }

    fn each(&self, mut act: impl FnMut(&mut State)) {
        let mut guard = self.shared.state();
        guard.instances().each().for_each(|(_, state)| act(state));
    }

    /// Injects a fault into the following requests. Several faults can apply to the same request.
    pub fn fault(&self, fault: impl Into<FaultRule>) {
        self.shared.faults().push(fault.into());
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Returns a handle on the open WebSocket connections.
    #[must_use]
    pub fn streams(&self) -> Streams {
        Streams::of(Arc::clone(&self.shared))
    }

    /// Returns the received requests, oldest first: the last 10,000, or as many as
    /// [`max_requests`](MockExchangeBuilder::max_requests) says.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.shared.log).all()
    }

    /// Clears the list of received requests.
    pub fn clear_requests(&self) {
        lock(&self.shared.log).clear();
    }

    /// Shuts down: accepts no new connections, completes the requests in flight and closes WebSocket connections. Waiting for this
    /// is optional, dropping the exchange does the same in the background.
    pub async fn shut_down(self) {
        self.shared.stop.send_replace(true);
        if let Some(running) = &self.running {
            // Nothing is ever sent: this waits until the sender is dropped.
            _ = running.server.clone().changed().await;
        }
        self.streams().until_connected(0).await;
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
    /// Sets the address to listen on; port 0 picks a free one. Defaults to 127.0.0.1 with a free port.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Sets the seed of ids and of the initial books. Defaults to 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the usage tier of users, which determines their token buckets. Defaults to Basic.
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }

    /// Disables rate limits.
    pub fn without_limits(mut self) -> Self {
        self.limited = false;
        self
    }

    /// Sets the balance of each user on shard 0, in whole cents. Defaults to 10,000 dollars.
    pub fn balance(mut self, balance: Dollars) -> Self {
        self.balances.event = balance;
        self
    }

    /// Sets the balance of each user on the margin exchange, in whole cents. Defaults to 10,000 dollars.
    #[cfg(feature = "perps")]
    pub fn margin_balance(mut self, balance: Dollars) -> Self {
        self.balances.margin = balance;
        self
    }

    /// Sets the algorithm of generated keys. Defaults to Ed25519. RSA keys have 2048 bits.
    pub fn key_algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Starts without markets.
    pub fn without_universe(mut self) -> Self {
        self.universe = false;
        self
    }

    /// Sets how many received requests are kept; 0 keeps none. Defaults to 10,000.
    pub fn max_requests(mut self, most: usize) -> Self {
        self.requests = most;
        self
    }

    /// Writes every request and its response to a file, one line of JSON each, without signatures and private keys.
    pub fn record(mut self, path: impl Into<PathBuf>) -> Self {
        self.record = Some(path.into());
        self
    }

    /// Sets the interval of WebSocket pings. Defaults to 10 seconds.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.streams.ping_interval = interval;
        self
    }

    /// Sets how many frames of a subscription are queued for a client that does not read. One more ends the subscription with error 25
    /// and drops the queued frames. Defaults to 50,000.
    pub fn max_waiting_frames(mut self, most: usize) -> Self {
        self.streams.max_queued = most;
        self
    }

    /// Starts with the clock stopped at a time. The same time and seed give the same tickers and timestamps.
    pub fn time(mut self, time: DateTime<Utc>) -> Self {
        self.time = Some(time);
        self
    }

    /// Starts the exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if the address is in use, the file cannot be written, or no key can be generated.
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
        let origin = Origin {
            seed: self.seed,
            universe: self.universe,
            time: self.time,
        };
        #[cfg_attr(
            not(feature = "klear"),
            allow(unused_mut, reason = "of the clearing API")
        )]
        let mut instances = Instances::new(&origin, time.micros());
        #[cfg(feature = "klear")]
        let klear = KlearAccess::new(&mut instances.event);
        let shared = Arc::new(Shared::new(
            instances,
            time,
            log,
            self.limited,
            Hub::new(self.streams),
            origin,
            #[cfg(feature = "klear")]
            klear,
        ));
        let user = User::add(
            &shared,
            address,
            (self.tier, self.limited),
            self.balances,
            self.algorithm,
        )?;
        tokio::spawn(streams::keep_time(Arc::clone(&shared)));
        #[cfg(feature = "perps")]
        tokio::spawn(streams::send_tickers(Arc::clone(&shared)));
        let (ended, server) = watch::channel(());
        let mut exchange = MockExchange {
            shared: Arc::clone(&shared),
            address,
            user,
            running: None,
        };
        let control = self
            .control
            .map(|access| Control::new(exchange.clone(), access));
        exchange.running = Some(Arc::new(Running {
            shared: Arc::clone(&shared),
            server,
        }));
        tokio::spawn(async move {
            // Whatever it ends with, it has ended.
            _ = server::serve(listener, shared, control).await;
            drop(ended);
        });
        Ok(exchange)
    }
}

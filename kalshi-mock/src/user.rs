//! [`User`]: a user of the exchange and its key.

mod keys;

use std::{fmt, net::SocketAddr, sync::Arc};

use base64::prelude::{BASE64_STANDARD, Engine};
use kalshi_sdk::{
    Client, ClientBuilder, ConfigError, Credentials, Dollars, Environment, PrivateKey,
    auth::{Clock, KeyAlgorithm},
    limits::{RateLimits, Tier},
    types,
};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    StartError, UserSnapshot,
    call::{Call, Caller},
    handlers,
    keys::Key,
    parse::Parameters,
    server::{PREFIX, WS_PATH},
    shared::{Instances, Shared},
    spec::Spec,
    sync::lock,
};
#[cfg(feature = "perps")]
use crate::{server::MARGIN_WS_PATH, state};

pub use keys::{AddKeyError, KeyOptions};

/// Initial balances of a user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Balances {
    pub(crate) event: Dollars,
    #[cfg(feature = "perps")]
    pub(crate) margin: Dollars,
}

/// The data of a user that the exchange keeps for handles and resets.
#[derive(Clone)]
pub(crate) struct UserRecord {
    id: Uuid,
    pub(crate) index: u32,
    limits: (Tier, bool),
    balances: Balances,
    keys: KeySettings,
    key: PrivateKey,
    credentials: Credentials,
}

impl UserRecord {
    /// Adds the user to the new states after a reset.
    pub(crate) fn restore(&self, instances: &mut Instances) {
        let cents = |balance: Dollars| balance.micros() / 10_000;
        let (tier, limited) = self.limits;
        let state = &mut instances.event;
        let index = state.add_user(tier, limited, cents(self.balances.event));
        if let Some(user) = state.user_mut(index) {
            user.id = self.id;
        }
        // Skips the id that was generated for the user's key.
        state.new_id();
        #[cfg(feature = "perps")]
        {
            let margin = cents(self.balances.margin);
            instances
                .margin
                .add_margin_user(self.id, self.limits, margin);
        }
    }
}

/// Settings for generating the keys of users.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySettings {
    pub(crate) algorithm: KeyAlgorithm,
    /// Seed from which Ed25519 keys are derived, or `None` for random keys.
    pub(crate) seed: Option<u64>,
}

impl KeySettings {
    /// Returns true if the key does not depend on the user.
    fn is_random(self) -> bool {
        self.algorithm == KeyAlgorithm::Rsa || self.seed.is_none()
    }

    /// Generates the key of the user with an index. RSA keys are always random.
    fn key(self, user: u32) -> Result<PrivateKey, StartError> {
        let key = match (self.algorithm, self.seed) {
            (KeyAlgorithm::Rsa, _) => PrivateKey::generate_rsa(2048),
            (_, None) => PrivateKey::generate_ed25519(),
            (_, Some(seed)) => {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut secret = [0; 32];
                (0..=user).for_each(|_| random.fill(&mut secret));
                // The PKCS#8 form of an Ed25519 key is a constant prefix and 32 bytes.
                let der = [&PKCS8_ED25519, secret.as_slice()].concat();
                let pem = format!(
                    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
                    BASE64_STANDARD.encode(der)
                );
                PrivateKey::from_pem(&pem)
            }
        };
        key.map_err(StartError::Key)
    }
}

/// DER of an Ed25519 key in PKCS#8, up to the 32 bytes of the key.
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A user of the exchange, with keys, money, orders and positions. Returned by
/// [`MockExchange::user`](crate::MockExchange::user) and [`add_user`](crate::MockExchange::add_user).
#[derive(Clone)]
pub struct User {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    pub(crate) index: u32,
    /// Tier, and whether its limits apply.
    limits: (Tier, bool),
    balances: Balances,
    keys: KeySettings,
    key: PrivateKey,
    credentials: Credentials,
}

impl User {
    pub(crate) fn add(
        shared: &Arc<Shared>,
        address: SocketAddr,
        limits: (Tier, bool),
        balances: Balances,
        keys: KeySettings,
        key: Option<PrivateKey>,
    ) -> Result<Self, StartError> {
        let is_generated = key.is_none();
        // Generating an RSA key takes long, so the state is not locked during it.
        let random = (is_generated && keys.is_random()).then(|| keys.key(0));
        let key = key.map(Ok).or(random).transpose()?;
        let mut state = shared.state();
        let cents = |balance: Dollars| balance.micros() / 10_000;
        let index = state.add_user(limits.0, limits.1, cents(balances.event));
        // After a reset, the ids of kept users are generated again.
        let mut id = state.user(index).id;
        while lock(&shared.users).iter().any(|user| user.id == id) {
            id = state.new_id();
        }
        if let Some(user) = state.user_mut(index) {
            user.id = id;
        }
        #[cfg(feature = "perps")]
        {
            let margin = state.margin();
            margin.add_margin_user(id, limits, cents(balances.margin));
        }
        let key_id = shared.keys.unused_id(&mut state);
        // Not the number of the user in the state, because simulated participants come first there.
        let ordinal = u32::try_from(lock(&shared.users).len() + 1).unwrap_or(u32::MAX);
        let key = key.map_or_else(|| keys.key(ordinal), Ok)?;
        let registered = match is_generated {
            true => Key::generated(&key_id, index, &key),
            false => Key::new(&key_id, index, key.public_key()),
        };
        shared.keys.insert(&key_id, registered.permanent());
        let credentials = Credentials::new(key_id, key.clone()).map_err(StartError::Credentials)?;
        let record = UserRecord {
            id,
            index,
            limits,
            balances,
            keys,
            key,
            credentials,
        };
        lock(&shared.users).push(record.clone());
        drop(state);
        Ok(Self::from_record(Arc::clone(shared), address, record))
    }

    pub(crate) fn from_record(
        shared: Arc<Shared>,
        address: SocketAddr,
        record: UserRecord,
    ) -> Self {
        Self {
            shared,
            address,
            index: record.index,
            limits: record.limits,
            balances: record.balances,
            keys: record.keys,
            key: record.key,
            credentials: record.credentials,
        }
    }

    pub(crate) fn add_similar(&self) -> Result<Self, StartError> {
        Self::add(
            &self.shared,
            self.address,
            self.limits,
            self.balances,
            self.keys,
            None,
        )
    }

    /// Returns the `user_id` of the user.
    #[must_use]
    pub fn id(&self) -> String {
        self.shared.state().user(self.index).id.to_string()
    }

    /// Returns the private key of the user and its id.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    /// Returns the private key, for programs that read it from a file.
    #[must_use]
    pub fn private_key(&self) -> &PrivateKey {
        &self.key
    }

    /// Returns the URLs of the exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange does not listen on a loopback address.
    pub fn environment(&self) -> Result<Environment, ConfigError> {
        Environment::custom(
            &self.shared.url("http", self.address, PREFIX),
            &self.shared.url("ws", self.address, WS_PATH),
        )
    }

    /// Returns a client of this user, with the limits of its tier and the clock of the exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if [`ClientBuilder::build`] does.
    pub fn client(&self) -> Result<Client, ConfigError> {
        self.client_builder()?.build()
    }

    /// Returns a builder with the settings of [`client`](Self::client).
    ///
    /// # Errors
    ///
    /// Returns an error if [`environment`](Self::environment) does.
    pub fn client_builder(&self) -> Result<ClientBuilder, ConfigError> {
        let limits = match self.limits {
            (tier, true) => RateLimits::Tier(tier),
            _ => RateLimits::Unlimited,
        };
        let clock: Arc<dyn Clock> = Arc::new(self.shared.time.clone());
        let builder = Client::builder()
            .environment(self.environment()?)
            .credentials(self.credentials())
            .rate_limits(limits)
            .clock(clock);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.shared.tls {
            return Ok(builder.http_client(tls.http_client()?));
        }
        Ok(builder)
    }

    /// Returns the orders of this user, as `GET /portfolio/orders` does: newest first, of all subaccounts, in any state.
    #[must_use]
    pub fn orders(&self) -> Vec<types::Order> {
        let body = self.read("GetOrders");
        types::GetOrdersResponse::deserialize(body).map_or_else(|_| Vec::new(), |body| body.orders)
    }

    /// Returns the positions of this user's primary account in markets that are not settled, as `GET /portfolio/positions` does.
    #[must_use]
    pub fn positions(&self) -> Vec<types::MarketPosition> {
        let body = self.read("GetPositions");
        types::GetPositionsResponse::deserialize(body)
            .map_or_else(|_| Vec::new(), |body| body.market_positions)
    }

    /// Returns the keys, money, positions and resting orders of this user.
    #[must_use]
    pub fn snapshot(&self) -> UserSnapshot {
        let mut state = self.shared.state();
        UserSnapshot::new(&self.shared, state.instances(), self.index)
    }

    /// Returns the response to a list operation, with all items on one page.
    fn read(&self, operation: &str) -> Value {
        let mut endpoints = Spec::get().endpoints();
        let Some(endpoint) = endpoints.find(|endpoint| endpoint.operation.id == operation) else {
            // Unreachable: the spec has the operation.
            return Value::Null;
        };
        let call = Call {
            endpoint,
            parameters: Parameters::from([("limit".to_owned(), i64::MAX.into())]),
            body: Value::Null,
            caller: Caller {
                user: self.index,
                key_id: String::new(),
                subaccount: None,
            },
            generated_key: None,
            as_of: None,
        };
        let mut state = self.shared.state();
        handlers::dispatch(state.instances(), &self.shared.keys, &call).unwrap_or_default()
    }

    /// Deposits money on a shard, in whole cents. A negative amount withdraws money, at most what is available. The maximum balance
    /// is 100 million dollars.
    pub fn deposit(&self, exchange_index: u32, amount: Dollars) {
        let cents = amount.micros() / 10_000;
        self.shared
            .state()
            .deposit(self.index, exchange_index, cents);
    }
}

/// # Perpetual futures
#[cfg(feature = "perps")]
impl User {
    /// Returns the URLs of the margin exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange does not listen on a loopback address.
    pub fn perps_environment(&self) -> Result<kalshi_perps::Environment, ConfigError> {
        kalshi_perps::Environment::custom(
            &self.shared.url("http", self.address, PREFIX),
            &self.shared.url("ws", self.address, MARGIN_WS_PATH),
        )
    }

    /// Returns a client of the margin exchange for this user, with the clock of the exchange and the user's token buckets there.
    ///
    /// # Errors
    ///
    /// Returns an error if [`ClientBuilder::build`](kalshi_perps::ClientBuilder::build) does.
    pub fn perps_client(&self) -> Result<kalshi_perps::Client, ConfigError> {
        self.perps_client_builder()?.build()
    }

    /// Returns a builder with the settings of [`perps_client`](Self::perps_client).
    ///
    /// # Errors
    ///
    /// Returns an error if [`perps_environment`](Self::perps_environment) does.
    pub fn perps_client_builder(&self) -> Result<kalshi_perps::ClientBuilder, ConfigError> {
        let limits = match self.limits {
            (tier, true) => RateLimits::Account(state::margin_limits(tier)),
            _ => RateLimits::Unlimited,
        };
        let clock: Arc<dyn Clock> = Arc::new(self.shared.time.clone());
        let builder = kalshi_perps::Client::builder()
            .environment(self.perps_environment()?)
            .credentials(self.credentials())
            .rate_limits(limits)
            .clock(clock);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.shared.tls {
            return Ok(builder.http_client(tls.http_client()?));
        }
        Ok(builder)
    }

    /// Sets whether the user may trade on margin. Defaults to true.
    pub fn set_margin_enabled(&self, enabled: bool) {
        if let Some(user) = self.shared.state().margin().user_mut(self.index) {
            user.enabled = enabled;
        }
    }

    /// Deposits money on the margin exchange, in whole cents. A negative amount withdraws money, at most what is available.
    pub fn margin_deposit(&self, amount: Dollars) {
        let cents = amount.micros() / 10_000;
        let mut state = self.shared.state();
        state.margin().deposit(self.index, state::SHARD, cents);
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("key_id", &self.credentials.key_id())
            .finish_non_exhaustive()
    }
}

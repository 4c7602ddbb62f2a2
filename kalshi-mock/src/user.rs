//! [`User`]: a user of the exchange and its key.

use std::{fmt, net::SocketAddr, sync::Arc};

use kalshi_sdk::{
    Client, ClientBuilder, ConfigError, Credentials, Dollars, Environment, PrivateKey,
    auth::{Clock, KeyAlgorithm, PublicKey},
    limits::{RateLimits, Tier},
};

use crate::{StartError, keys::Key, server::PREFIX, shared::Shared};

/// A user of the exchange.
#[derive(Clone)]
pub struct User {
    shared: Arc<Shared>,
    address: SocketAddr,
    index: u32,
    /// Tier, and true if its limits apply.
    limits: (Tier, bool),
    balance: Dollars,
    key: PrivateKey,
    credentials: Credentials,
}

impl User {
    pub(crate) fn add(
        shared: &Arc<Shared>,
        address: SocketAddr,
        limits: (Tier, bool),
        balance: Dollars,
        algorithm: KeyAlgorithm,
    ) -> Result<Self, StartError> {
        let key = match algorithm {
            KeyAlgorithm::Rsa => PrivateKey::generate_rsa(2048),
            _ => PrivateKey::generate_ed25519(),
        };
        let key = key.map_err(StartError::Key)?;
        let mut state = shared.state();
        let index = state.add_user(limits.0, limits.1, balance.micros() / 10_000);
        let key_id = state.id().to_string();
        drop(state);
        shared
            .keys
            .insert(&key_id, Key::new(&key_id, index, key.public_key()));
        let credentials = Credentials::new(key_id, key.clone()).map_err(StartError::Credentials)?;
        Ok(Self {
            shared: Arc::clone(shared),
            address,
            index,
            limits,
            balance,
            key,
            credentials,
        })
    }

    pub(crate) fn another(&self) -> Result<Self, StartError> {
        Self::add(
            &self.shared,
            self.address,
            self.limits,
            self.balance,
            self.key.algorithm(),
        )
    }

    /// Returns the `user_id`.
    #[must_use]
    pub fn id(&self) -> String {
        self.shared.state().user(self.index).id.to_string()
    }

    /// Returns the key and its id.
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
        let address = self.address;
        Environment::custom(
            &format!("http://{address}{PREFIX}"),
            &format!("ws://{address}/trade-api/ws/v2"),
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
        Ok(Client::builder()
            .environment(self.environment()?)
            .credentials(self.credentials())
            .rate_limits(limits)
            .clock(clock))
    }

    /// Registers the public half of another key of this user. Replaces the key with that id, even one of another user.
    pub fn register_key(&self, key_id: &str, key: PublicKey) {
        self.shared
            .keys
            .insert(key_id, Key::new(key_id, self.index, key));
    }

    /// Deposits money on a shard, in whole cents. A negative amount withdraws what is available. The maximum balance is
    /// 100 million dollars.
    pub fn deposit(&self, exchange_index: u32, amount: Dollars) {
        let cents = amount.micros() / 10_000;
        self.shared
            .state()
            .deposit(self.index, exchange_index, cents);
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("key_id", &self.credentials.key_id())
            .finish_non_exhaustive()
    }
}

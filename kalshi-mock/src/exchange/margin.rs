//! The margin exchange of a [`MockExchange`].

use std::sync::Arc;

use kalshi_sdk::{ConfigError, Dollars};

use crate::{MarginMarket, MockExchange, MockExchangeBuilder, server};

/// # Perpetual futures
impl MockExchange {
    /// Returns the WebSocket URL of the margin exchange: `ws://127.0.0.1:PORT/trade-api/ws/v2/margin`. Its REST operations are at
    /// [`rest_url`](Self::rest_url).
    #[must_use]
    pub fn margin_ws_url(&self) -> String {
        self.shared.url("ws", self.address, server::MARGIN_WS_PATH)
    }

    /// Returns both URLs as the environment of a `kalshi-perps` client.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange does not listen on a loopback address: the SDK rejects plaintext to other hosts.
    pub fn perps_environment(&self) -> Result<kalshi_perps::Environment, ConfigError> {
        self.user.perps_environment()
    }

    /// Returns a client of the margin exchange for the first user, with its limits there and the clock of the exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if [`ClientBuilder::build`](kalshi_perps::ClientBuilder::build) does.
    pub fn perps_client(&self) -> Result<kalshi_perps::Client, ConfigError> {
        self.user.perps_client()
    }

    /// Returns a builder with the settings of [`perps_client`](Self::perps_client).
    ///
    /// # Errors
    ///
    /// Returns an error if [`perps_environment`](Self::perps_environment) does.
    pub fn perps_client_builder(&self) -> Result<kalshi_perps::ClientBuilder, ConfigError> {
        self.user.perps_client_builder()
    }

    /// Returns the margin market with a ticker. Creates it if necessary: active, with a reference price of 10 dollars.
    pub fn margin_market(&self, ticker: &str) -> MarginMarket {
        MarginMarket::new(Arc::clone(&self.shared), ticker)
    }

    /// Returns the tickers of all margin markets, in order of creation.
    #[must_use]
    pub fn margin_tickers(&self) -> Vec<String> {
        let mut state = self.shared.state();
        let markets = state.margin().markets.iter();
        markets.map(|market| market.ticker.clone()).collect()
    }

    /// Sets the limit of the notional value that a user can have in positions and resting orders. Defaults to 50,000 dollars. The
    /// maximum is a billion dollars.
    pub fn set_notional_limit(&self, limit: Dollars) {
        self.shared.state().margin().set_notional_limit(limit);
    }
}

/// # Perpetual futures
impl MockExchangeBuilder {
    /// Sets the balance of each user on the margin exchange, in whole cents. Defaults to 10,000 dollars.
    pub fn margin_balance(mut self, balance: Dollars) -> Self {
        self.balances.margin = balance;
        self
    }
}

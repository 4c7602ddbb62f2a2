//! Clients from the environment variables of the process.

use kalshi_core::{ConfigError, Credentials, rt};

use crate::{Client, Environment, TradeApi};

/// # Keys from the environment
impl Client {
    /// Returns a client for the production exchange, which trades real money. The key is read from `KALSHI_API_KEY_ID`, and
    /// `KALSHI_PRIVATE_KEY` or `KALSHI_PRIVATE_KEY_PATH`: see [keys](crate::guide::keys).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = kalshi_sdk::Client::from_env()?;
    /// let balance = client.get_balance().send().await?;
    /// println!("{} dollars", balance.balance_dollars);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the variables are not set or do not contain a usable key.
    pub fn from_env() -> Result<Self, ConfigError> {
        rt::client::<TradeApi>(Environment::Production, Credentials::from_env())
    }

    /// Returns a client for the demo exchange, which trades play money. The key is read from `KALSHI_DEMO_API_KEY_ID`, and
    /// `KALSHI_DEMO_PRIVATE_KEY` or `KALSHI_DEMO_PRIVATE_KEY_PATH`: see [keys](crate::guide::keys).
    ///
    /// # Errors
    ///
    /// Returns an error if the variables are not set or do not contain a usable key.
    pub fn demo_from_env() -> Result<Self, ConfigError> {
        rt::client::<TradeApi>(Environment::Demo, Credentials::demo_from_env())
    }
}

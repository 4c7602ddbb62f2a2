//! Clients from the environment variables of the process.

use kalshi_core::{ConfigError, auth::BearerCredentials, rt};

use crate::{Client, Environment, KlearApi};

/// # Credentials from the environment
impl Client {
    /// Returns a client for the production environment, which moves real money. The credentials are read from
    /// `KALSHI_KLEAR_ADMIN_USER_ID` and `KALSHI_KLEAR_ACCESS_TOKEN`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use kalshi_klear::Dollars;
    ///
    /// let client = kalshi_klear::Client::from_env()?;
    /// let balance = client.get_settlement_balance().send().await?;
    /// println!("{} dollars", Dollars::from_centicents(balance.balance_available_centicents));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a variable is not set or its value is invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        rt::client::<KlearApi>(Environment::Production, BearerCredentials::from_env())
    }

    /// Returns a client for the demo environment. The credentials are read from `KALSHI_KLEAR_DEMO_ADMIN_USER_ID` and
    /// `KALSHI_KLEAR_DEMO_ACCESS_TOKEN`.
    ///
    /// # Errors
    ///
    /// Returns an error if a variable is not set or its value is invalid.
    pub fn demo_from_env() -> Result<Self, ConfigError> {
        rt::client::<KlearApi>(Environment::Demo, BearerCredentials::demo_from_env())
    }
}

//! Clients from the environment variables of the process.

use kalshi_core::{ConfigError, Credentials, auth::CredentialsError, rt};

use crate::{Client, Environment, PerpsApi};

/// # Keys from the environment
///
/// The variables are those of `kalshi-sdk` with `PERPS_` in their names, because Kalshi recommends a separate key for this API. To use one
/// key for both APIs, pass its [`Credentials`] to [`Client::builder`].
impl Client {
    /// Returns a client for the production exchange, which trades real money. The key is read from `KALSHI_PERPS_API_KEY_ID`, and
    /// `KALSHI_PERPS_PRIVATE_KEY` or `KALSHI_PERPS_PRIVATE_KEY_PATH`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = kalshi_perps::Client::from_env()?;
    /// let balance = client.get_margin_balance().send().await?;
    /// println!("{} dollars", balance.settled_funds);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the variables are not set or do not contain a usable key.
    pub fn from_env() -> Result<Self, ConfigError> {
        rt::client::<PerpsApi>(Environment::Production, key("KALSHI_PERPS_"))
    }

    /// Returns a client for the demo exchange, which trades play money. The key is read from `KALSHI_PERPS_DEMO_API_KEY_ID`, and
    /// `KALSHI_PERPS_DEMO_PRIVATE_KEY` or `KALSHI_PERPS_DEMO_PRIVATE_KEY_PATH`.
    ///
    /// # Errors
    ///
    /// Returns an error if the variables are not set or do not contain a usable key.
    pub fn demo_from_env() -> Result<Self, ConfigError> {
        rt::client::<PerpsApi>(Environment::Demo, key("KALSHI_PERPS_DEMO_"))
    }
}

/// Reads a key from the environment variables with this prefix.
fn key(prefix: &str) -> Result<Credentials, CredentialsError> {
    Credentials::from_lookup(prefix, |name| std::env::var_os(name))
}

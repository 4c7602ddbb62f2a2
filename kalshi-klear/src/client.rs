//! Clients from the environment variables of the process, and requests beyond the spec.

use kalshi_core::{ConfigError, CustomRequest, auth::BearerCredentials, reqwest::Method, rt};

use crate::{Client, Environment};

/// # Credentials from the environment
impl Client {
    /// Returns a client of production with the credentials in `KALSHI_KLEAR_ADMIN_USER_ID` and `KALSHI_KLEAR_ACCESS_TOKEN`. It
    /// moves real money.
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
    /// Returns an error if a variable is not set or its value is unusable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let credentials = BearerCredentials::from_env()?;
        Self::builder()
            .environment(Environment::Production)
            .credentials(credentials)
            .build()
    }

    /// Returns a client of the demo environment with the credentials in `KALSHI_KLEAR_DEMO_ADMIN_USER_ID` and
    /// `KALSHI_KLEAR_DEMO_ACCESS_TOKEN`.
    ///
    /// # Errors
    ///
    /// Returns an error if a variable is not set or its value is unusable.
    pub fn demo_from_env() -> Result<Self, ConfigError> {
        let credentials = BearerCredentials::demo_from_env()?;
        Self::builder()
            .environment(Environment::Demo)
            .credentials(credentials)
            .build()
    }

    /// Returns a request to any path of the API, for an endpoint that is newer than this version of the crate.
    ///
    /// It carries the credentials, and is limited and retried like an operation: a GET takes tokens of the read bucket and is retried as
    /// reads are; any other method takes tokens of the write bucket, and is sent again only if it certainly was not processed.
    ///
    /// `path` begins with `/`, is below the base URL of the [environment](Self::environment), and is sent exactly as given. Parts that
    /// come from elsewhere must be percent-encoded already. A path that a URL would change is an error of `send`, and nothing is sent:
    /// `.` and `..` segments (encoded ones too), empty segments, another origin, a query, a fragment, and characters that no path has.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_klear::Client) -> Result<(), kalshi_klear::Error> {
    /// use kalshi_klear::reqwest::Method;
    ///
    /// let balance = client
    ///     .request(Method::GET, "/margin/settlement_balance")
    ///     .send::<serde_json::Value>()
    ///     .await?;
    /// println!("{}", balance["balance_available_centicents"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn request(&self, method: Method, path: impl Into<String>) -> CustomRequest {
        rt::custom_request(&self.core, method, path.into())
    }
}

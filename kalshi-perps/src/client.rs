//! Clients from the environment variables of the process, and requests beyond the spec.

use kalshi_core::{ConfigError, Credentials, CustomRequest, reqwest::Method, rt};

use crate::{Client, Environment};

/// # Keys from the environment
///
/// The variables are those of `kalshi-sdk` with `PERPS_` in their names: Kalshi recommends a key for this API alone. A program that
/// uses one key for both passes its [`Credentials`] to [`Client::builder`].
impl Client {
    /// Returns a client of the production exchange with the key that `KALSHI_PERPS_API_KEY_ID` and `KALSHI_PERPS_PRIVATE_KEY` or
    /// `KALSHI_PERPS_PRIVATE_KEY_PATH` name. It trades real money.
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
        Self::with_key(Environment::Production, "KALSHI_PERPS_")
    }

    /// Returns a client of the demo exchange with the key that `KALSHI_PERPS_DEMO_API_KEY_ID` and `KALSHI_PERPS_DEMO_PRIVATE_KEY` or
    /// `KALSHI_PERPS_DEMO_PRIVATE_KEY_PATH` name.
    ///
    /// # Errors
    ///
    /// Returns an error if the variables are not set or do not contain a usable key.
    pub fn demo_from_env() -> Result<Self, ConfigError> {
        Self::with_key(Environment::Demo, "KALSHI_PERPS_DEMO_")
    }

    fn with_key(environment: Environment, prefix: &str) -> Result<Self, ConfigError> {
        let credentials = Credentials::from_lookup(prefix, |name| std::env::var_os(name))?;
        Self::builder()
            .environment(environment)
            .credentials(credentials)
            .build()
    }

    /// Returns a request to any path of the API, for an endpoint that is newer than this version of the crate.
    ///
    /// It is signed, limited and retried like an operation: a GET takes tokens of the read bucket and is retried as reads are; any other
    /// method takes tokens of the write bucket, and is sent again only if it certainly was not processed. The cost is 10 tokens unless
    /// [`cost`](CustomRequest::cost) sets another. A public endpoint needs [`unsigned`](CustomRequest::unsigned) if the client has no
    /// credentials.
    ///
    /// `path` begins with `/`, is below the base URL of the [environment](Self::environment), and is sent and signed exactly as given.
    /// Parts that come from elsewhere must be percent-encoded already. A path that a URL would change is an error of `send`, and nothing
    /// is sent.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_perps::Client) -> Result<(), kalshi_perps::Error> {
    /// use kalshi_perps::reqwest::Method;
    ///
    /// let risk = client
    ///     .request(Method::GET, "/margin/risk")
    ///     .send::<serde_json::Value>()
    ///     .await?;
    /// println!("{}", risk["total_position_notional"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn request(&self, method: Method, path: impl Into<String>) -> CustomRequest {
        rt::custom_request(&self.core, method, path.into())
    }
}

//! Clients from the environment variables of the process, and requests beyond the spec.

use kalshi_core::{ConfigError, Credentials, CustomRequest, reqwest::Method, rt};

use crate::{Client, Environment};

/// # Keys from the environment
impl Client {
    /// Returns a client of the production exchange with the key that `KALSHI_API_KEY_ID` and `KALSHI_PRIVATE_KEY` or
    /// `KALSHI_PRIVATE_KEY_PATH` name. It trades real money.
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
        let credentials = Credentials::from_env()?;
        Self::builder()
            .environment(Environment::Production)
            .credentials(credentials)
            .build()
    }

    /// Returns a client of the demo exchange with the key that `KALSHI_DEMO_API_KEY_ID` and `KALSHI_DEMO_PRIVATE_KEY` or
    /// `KALSHI_DEMO_PRIVATE_KEY_PATH` name.
    ///
    /// # Errors
    ///
    /// Returns an error if the variables are not set or do not contain a usable key.
    pub fn demo_from_env() -> Result<Self, ConfigError> {
        let credentials = Credentials::demo_from_env()?;
        Self::builder()
            .environment(Environment::Demo)
            .credentials(credentials)
            .build()
    }

    /// Returns a request to any path of the API, for an endpoint that is newer than this version of the crate.
    ///
    /// It is signed, rate limited and retried like an operation: a GET takes tokens from the read bucket and is retried as reads are; any
    /// other method takes tokens from the write bucket, and is sent again only if it certainly was not processed. The cost is 10 tokens
    /// unless [`cost`](CustomRequest::cost) sets another. With the method and path of an operation, it takes the cost of that operation
    /// from the operation's bucket. A public endpoint needs [`unsigned`](CustomRequest::unsigned) if the client has no credentials.
    ///
    /// `path` begins with `/`, is below the base URL of the [environment](Self::environment), and is sent and signed exactly as given.
    /// Parts that come from user input must already be percent-encoded. `send` returns an error without sending anything if the path would
    /// not survive URL parsing unchanged: with `.` and `..` segments (encoded ones too), empty segments, another origin, a query, a
    /// fragment, or characters that are invalid in a path.
    ///
    /// ```
    /// use kalshi_sdk::reqwest::Method;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Balance {
    ///     balance: i64,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let exchange = kalshi_mock::MockExchange::start().await?;
    /// # let client = exchange.client()?;
    /// let response = client
    ///     .request(Method::GET, "/portfolio/balance")
    ///     .query(&[("subaccount", 0)])
    ///     .send::<Balance>()
    ///     .await?;
    /// println!("{} cents", response.balance);
    ///
    /// let group = client
    ///     .request(Method::POST, "/portfolio/order_groups/create")
    ///     .json(&serde_json::json!({ "contracts_limit": 10 }))
    ///     .send::<serde_json::Value>()
    ///     .await?;
    /// println!("{}", group["order_group_id"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn request(&self, method: Method, path: impl Into<String>) -> CustomRequest {
        rt::custom_request(&self.core, method, path.into())
    }
}

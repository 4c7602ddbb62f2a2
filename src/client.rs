//! The client and its builder.

use std::{fmt, sync::Arc, time::Duration};

use kalshi_auth::{Clock, Credentials, SigningMiddleware, SystemClock};
use reqwest::redirect::Policy;
use reqwest_middleware::Middleware;

use crate::{
    ClockCorrection, ConfigError, Environment, RetryPolicy,
    limits::{RateLimiter, RateLimits},
    server_time::ServerTime,
    transport::Transport,
    wire::Wire,
};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a whole call may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A client of the exchange: one method for every operation, each a builder that `send` completes.
///
/// ```no_run
/// use kalshi_sdk::{Client, Credentials, Environment};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder()
///     .environment(Environment::Demo)
///     .credentials(Credentials::demo_from_env()?)
///     .build()?;
/// let balance = client.get_balance().send().await?;
/// println!("{} dollars", balance.balance_dollars);
/// # Ok(())
/// # }
/// ```
///
/// Clones share connections. Operations that need no signature work without credentials.
#[derive(Clone)]
pub struct Client {
    pub(crate) transport: Arc<Transport>,
    environment: Environment,
    pub(crate) retry: RetryPolicy,
    /// How long a call may wait for tokens; the limiter's default where it is not set.
    pub(crate) max_wait: Option<Duration>,
}

impl Client {
    /// A builder with the defaults: the demo exchange, no credentials, 5 s to connect, 15 s for a call, the token buckets of the
    /// Basic tier, and the retries of [`RetryPolicy::default`].
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client of the production exchange with the key that `KALSHI_API_KEY_ID` and `KALSHI_PRIVATE_KEY` or
    /// `KALSHI_PRIVATE_KEY_PATH` name. It trades real money.
    ///
    /// # Errors
    ///
    /// When the variables are not set or do not hold a usable key.
    pub fn from_env() -> Result<Self, ConfigError> {
        let credentials = Credentials::from_env()?;
        Self::builder()
            .environment(Environment::Production)
            .credentials(credentials)
            .build()
    }

    /// A client of the demo exchange with the key that `KALSHI_DEMO_API_KEY_ID` and `KALSHI_DEMO_PRIVATE_KEY` or
    /// `KALSHI_DEMO_PRIVATE_KEY_PATH` name.
    ///
    /// # Errors
    ///
    /// When the variables are not set or do not hold a usable key.
    pub fn demo_from_env() -> Result<Self, ConfigError> {
        let credentials = Credentials::demo_from_env()?;
        Self::builder()
            .environment(Environment::Demo)
            .credentials(credentials)
            .build()
    }

    /// The exchange it talks to.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The same client with another retry policy, for one call or for some: `client.with_retry(RetryPolicy::none())`.
    #[must_use]
    pub fn with_retry(&self, policy: RetryPolicy) -> Self {
        Self {
            retry: policy,
            ..self.clone()
        }
    }

    /// The same client whose calls wait at most that long for tokens. With [`Duration::ZERO`] they never do: a call that cannot
    /// go now is an error that tells how long it would have to wait.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_sdk::Client) {
    /// use std::time::Duration;
    ///
    /// match client.with_max_wait(Duration::ZERO).get_balance().send().await {
    ///     Ok(balance) => println!("{}", balance.balance_dollars),
    ///     Err(error) => match error.would_wait() {
    ///         Some(wait) => println!("not before {wait:?} from now"),
    ///         None => println!("{error}"),
    ///     },
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn with_max_wait(&self, max_wait: Duration) -> Self {
        Self {
            max_wait: Some(max_wait),
            ..self.clone()
        }
    }

    /// The limiter that this client and its clones share.
    #[must_use]
    pub fn rate_limiter(&self) -> &Arc<RateLimiter> {
        &self.transport.limiter
    }

    /// How far the exchange's clock is ahead of this machine's; negative when it is behind, none before the first answer. Learnt
    /// from the answers' dates: from one of them to about half a second, from several more closely. Zero when nothing speaks
    /// against the two being the same.
    #[must_use]
    pub fn clock_skew(&self) -> Option<chrono::TimeDelta> {
        self.transport
            .server_time
            .behind_ms()
            .map(chrono::TimeDelta::milliseconds)
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.transport.base_url
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.transport.http
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("environment", &self.environment)
            .field("has_credentials", &self.transport.has_credentials)
            .finish_non_exhaustive()
    }
}

/// Sets up a [`Client`].
#[derive(Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    environment: Environment,
    credentials: Option<Credentials>,
    clock: Option<Arc<dyn Clock>>,
    connect_timeout: Option<Duration>,
    timeout: Option<Duration>,
    user_agent: Option<String>,
    proxy: Option<reqwest::Proxy>,
    http_client: Option<reqwest::Client>,
    middleware: Vec<Arc<dyn Middleware>>,
    rate_limits: RateLimits,
    rate_limiter: Option<Arc<RateLimiter>>,
    max_wait: Option<Duration>,
    retry: RetryPolicy,
    correction: ClockCorrection,
}

impl ClientBuilder {
    /// Which exchange to talk to; [`Environment::Demo`] unless set.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Signs with these. They must be of the environment's own exchange.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Takes the time of signatures from here; the system's clock unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// How long a connection may take to be made, TLS included; 5 s unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How long a whole call may take, from signing to the last byte of the answer, all waits, pauses and
    /// attempts included; 15 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Which token buckets are kept; those of the [Basic tier](crate::limits::Tier::Basic) unless set.
    pub fn rate_limits(mut self, limits: impl Into<RateLimits>) -> Self {
        self.rate_limits = limits.into();
        self
    }

    /// Shares the token buckets of another client of the same account, in place of [`rate_limits`](Self::rate_limits).
    pub fn rate_limiter(mut self, limiter: Arc<RateLimiter>) -> Self {
        self.rate_limiter = Some(limiter);
        self
    }

    /// How long a call may wait for tokens before it fails; 5 s unless set.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// When a call is tried again; see [`RetryPolicy`] for what is unless set. [`RetryPolicy::none`] turns it off.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Whether calls are signed once more with the exchange's time when this machine's is off; reads are unless set.
    pub fn clock_correction(mut self, correction: ClockCorrection) -> Self {
        self.correction = correction;
        self
    }

    /// What the client calls itself; `kalshi-sdk/VERSION` unless set.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Sends everything by this proxy; the proxies of the process environment unless set.
    pub fn proxy(mut self, proxy: reqwest::Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Uses an HTTP client of your own, with its timeouts, proxies and TLS. [`timeout`](Self::timeout) may still be set here;
    /// the other options of HTTP may not.
    ///
    /// Build it with `redirect(reqwest::redirect::Policy::none())`: a client that follows redirects may carry a signature
    /// to another host. A call that was redirected fails, so that this does not stay unseen.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// Adds a middleware of your own around the signing: the first added is the outermost. The request's
    /// [`Operation`](crate::Operation) is in its extensions as `&'static Operation`. Pass the extensions on as they came.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// When an address cannot be used, when TLS cannot be set up, and when [`http_client`](Self::http_client) was given
    /// beside an option it decides for itself.
    pub fn build(self) -> Result<Client, ConfigError> {
        self.environment.check()?;
        let base_url = self.environment.rest_url().to_owned();
        let origin = reqwest::Url::parse(&base_url).map_err(|error| ConfigError::Url {
            url: base_url.clone(),
            reason: error.to_string(),
        })?;
        let own_client = self.http_client.is_some();
        let options = HttpOptions {
            connect_timeout: self.connect_timeout,
            user_agent: self.user_agent,
            proxy: self.proxy,
            is_plaintext: origin.scheme() == "http",
        };
        let http = match self.http_client {
            Some(client) => {
                for (set, option) in [
                    (options.connect_timeout.is_some(), "connect_timeout"),
                    (options.user_agent.is_some(), "user_agent"),
                    (options.proxy.is_some(), "proxy"),
                ] {
                    if set {
                        return Err(ConfigError::Conflict(option));
                    }
                }
                client
            }
            None => {
                if origin.scheme() == "https" && !cfg!(any(feature = "aws-lc-rs", feature = "ring"))
                {
                    return Err(ConfigError::NoTls);
                }
                options.build()?
            }
        };
        let mut stack = reqwest_middleware::ClientBuilder::new(http.clone());
        for middleware in self.middleware {
            stack = stack.with_arc(middleware);
        }
        let has_credentials = self.credentials.is_some();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        #[cfg(feature = "ws")]
        let credentials = self.credentials.clone();
        if let Some(credentials) = self.credentials {
            let signing = SigningMiddleware::new(credentials, &origin);
            stack = stack.with(signing.with_clock(clock.clone()));
        }
        let transport = Transport {
            base_url,
            http,
            stack: stack.with(Wire).build(),
            has_credentials,
            timeout: self.timeout.or((!own_client).then_some(TIMEOUT)),
            limiter: self
                .rate_limiter
                .unwrap_or_else(|| Arc::new(RateLimiter::new(self.rate_limits))),
            correction: self.correction,
            server_time: ServerTime::default(),
            clock,
            #[cfg(feature = "ws")]
            credentials,
            #[cfg(feature = "ws")]
            own_options: (!own_client).then_some(options),
        };
        Ok(Client {
            transport: Arc::new(transport),
            environment: self.environment,
            retry: self.retry,
            max_wait: self.max_wait,
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("environment", &self.environment)
            .field("has_credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

/// How an HTTP client of ours is set up.
#[derive(Debug)]
pub(crate) struct HttpOptions {
    connect_timeout: Option<Duration>,
    user_agent: Option<String>,
    proxy: Option<reqwest::Proxy>,
    is_plaintext: bool,
}

impl HttpOptions {
    fn build(&self) -> Result<reqwest::Client, ConfigError> {
        self.finish(reqwest::Client::builder())
    }

    /// One that speaks HTTP/1.1 only, as sockets want it.
    #[cfg(feature = "ws")]
    pub(crate) fn build_upgrading(&self) -> Result<reqwest::Client, ConfigError> {
        self.finish(reqwest::Client::builder().http1_only())
    }

    fn finish(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::Client, ConfigError> {
        let agent = self.user_agent.clone();
        let builder =
            builder
                .connect_timeout(self.connect_timeout.unwrap_or(CONNECT_TIMEOUT))
                .redirect(Policy::none())
                .user_agent(agent.unwrap_or_else(|| {
                    concat!("kalshi-sdk/", env!("CARGO_PKG_VERSION")).to_owned()
                }));
        let builder = match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            // Plaintext is for this machine, and does not go by way of another.
            None if self.is_plaintext => builder.no_proxy(),
            None => builder,
        };
        with_tls(builder)?.build().map_err(ConfigError::Http)
    }
}

/// Where reqwest comes without a provider, ring is made the one of this client, and of nothing else in the process.
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn with_tls(builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, ConfigError> {
    use rustls_platform_verifier::BuilderVerifierExt;

    let tls = |error: rustls::Error| ConfigError::Tls(error.into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_platform_verifier()
        .map_err(tls)?
        .with_no_client_auth();
    Ok(builder.tls_backend_preconfigured(config))
}

#[cfg(not(all(feature = "ring", not(feature = "aws-lc-rs"))))]
fn with_tls(builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, ConfigError> {
    Ok(builder)
}

//! The core of a client: the state that clones share, and the settings of each clone.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use kalshi_auth::Clock;
use reqwest::Url;
use reqwest_middleware::{ClientWithMiddleware, Middleware};
use tokio::time::Instant;

use crate::{
    config_error::ConfigError,
    error::Error,
    http_options::HttpOptions,
    limits::RateLimiter,
    operation::Operation,
    retry::RetryPolicy,
    server_time::{ClockCorrection, ServerTime},
    wire::Wire,
};

/// The future returned by [`Api::discover_limits`](crate::Api::discover_limits).
pub type Discovery = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// The part of a client that is the same for every API. The `Client` of an API crate wraps it.
///
/// Clones share the connections, the rate limiter and the measured clock skew.
#[derive(Clone)]
pub struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) retry: RetryPolicy,
    /// Maximum wait for rate limit tokens, or `None` for the default.
    pub(crate) max_wait: Option<Duration>,
    /// `true` if responses are used as evidence of an order's outcome. See [`for_evidence`](Self::for_evidence).
    pub(crate) reads_evidence: bool,
    /// `true` if a page without its list or cursor is no evidence.
    pub(crate) requires_cursor: bool,
}

/// State shared by the clones of a client.
pub(crate) struct Shared {
    /// Base URL of the REST API.
    pub(crate) base_url: Url,
    /// Builds requests. `connections` sends them.
    pub(crate) http: reqwest::Client,
    /// The options that `http` was built with, or `None` for a custom HTTP client, whose connections cannot be replaced.
    pub(crate) http_options: Option<HttpOptions>,
    /// The middleware except [`Wire`], outermost first.
    pub(crate) middleware: Vec<Arc<dyn Middleware>>,
    pub(crate) connections: RwLock<Arc<Connections>>,
    /// Connections for reads that serve as evidence, built on first use. Not used with a custom HTTP client.
    pub(crate) evidence_connections: OnceLock<Arc<Connections>>,
    /// Timeout of the lookup after an order is rejected as a duplicate.
    pub(crate) lookup_timeout: Duration,
    pub(crate) has_credentials: bool,
    /// `true` if the API's requests are signed with a timestamp.
    pub(crate) signs: bool,
    /// Timeout of a whole request, including waits and retries.
    pub(crate) timeout: Duration,
    /// Maximum size of a response body in bytes.
    pub(crate) max_body_bytes: usize,
    pub(crate) limiter: Arc<RateLimiter>,
    pub(crate) correction: ClockCorrection,
    pub(crate) server_time: ServerTime,
    /// Source of signature timestamps.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) operations: &'static [Operation],
    pub(crate) discover: Box<dyn Fn(Core) -> Discovery + Send + Sync>,
    #[cfg(feature = "ws")]
    pub(crate) socket: SocketSettings,
}

/// Settings of WebSocket handshakes.
#[cfg(feature = "ws")]
pub(crate) struct SocketSettings {
    /// `None` if the API has no WebSocket API.
    pub(crate) url: Option<String>,
    pub(crate) credentials: Option<kalshi_auth::Credentials>,
    /// The HTTP client for handshakes, built on first use.
    pub(crate) http: std::sync::OnceLock<reqwest::Client>,
}

/// Builds an HTTP client.
type Build = fn(&HttpOptions) -> Result<reqwest::Client, ConfigError>;

/// A connection pool with the middleware in front of it.
pub(crate) struct Connections {
    /// Number of pools that were replaced before this one.
    pub(crate) generation: u64,
    pub(crate) stack: ClientWithMiddleware,
    /// `true` if the connections had to be replaced and building new ones failed.
    is_outdated: AtomicBool,
}

impl Connections {
    /// Wraps an HTTP client in the middleware and [`Wire`].
    pub(crate) fn new(
        generation: u64,
        http: reqwest::Client,
        middleware: &[Arc<dyn Middleware>],
        is_custom_client: bool,
    ) -> Self {
        let wire = Wire {
            http: http.clone(),
            is_custom_client,
        };
        let stack = reqwest_middleware::ClientBuilder::new(http);
        let stack = middleware.iter().fold(stack, |stack, middleware| {
            stack.with_arc(middleware.clone())
        });
        Self {
            generation,
            stack: stack.with(wire).build(),
            is_outdated: AtomicBool::new(false),
        }
    }
}

impl Shared {
    /// Returns the connections for evidence. They are built only once because building reads the system's certificates, and again if
    /// that failed.
    fn evidence_connections(
        &self,
        options: &HttpOptions,
        build: Build,
    ) -> Result<Arc<Connections>, ConfigError> {
        if let Some(connections) = self.evidence_connections.get() {
            return Ok(connections.clone());
        }
        let new = Connections::new(0, build(options)?, &self.middleware, false);
        let new = Arc::new(new);
        Ok(self.evidence_connections.get_or_init(|| new).clone())
    }
}

impl Shared {
    /// Returns the URL of a path below the base URL. The base is parsed only once.
    pub(crate) fn url(&self, path: fmt::Arguments<'_>) -> Url {
        let base = self.base_url.path().trim_end_matches('/');
        let mut url = self.base_url.clone();
        url.set_path(&format!("{base}{path}"));
        url
    }

    /// Returns the exchange's current time: the local time, corrected by the measured skew if there is one.
    pub(crate) fn exchange_time(&self) -> SystemTime {
        let Ok(now_ms) = self.clock.now_ms() else {
            return SystemTime::now();
        };
        let behind_ms = self.server_time.behind_ms(now_ms).unwrap_or_default();
        let now = Duration::from_millis(now_ms.saturating_add_signed(behind_ms));
        SystemTime::UNIX_EPOCH
            .checked_add(now)
            .unwrap_or_else(SystemTime::now)
    }
}

#[cfg(feature = "ws")]
impl Shared {
    /// Returns the HTTP client for WebSocket handshakes: an HTTP/1.1 client, or the custom one. It is built only once because
    /// building reads the system's certificates.
    pub(crate) fn upgrading_client(&self) -> Result<&reqwest::Client, crate::ConfigError> {
        let Some(options) = &self.http_options else {
            return Ok(&self.http);
        };
        let cell = &self.socket.http;
        if let Some(http) = cell.get() {
            return Ok(http);
        }
        let url = self.socket.url.as_deref().unwrap_or_default();
        let http = options.build_upgrading(url.starts_with("ws:"))?;
        Ok(cell.get_or_init(|| http))
    }
}

impl Core {
    /// Returns the connections to send requests over.
    ///
    /// # Errors
    ///
    /// Returns an error if the connections for evidence cannot be built.
    pub(crate) fn connections(&self) -> Result<Arc<Connections>, ConfigError> {
        let shared = &self.shared;
        if let (true, Some(options)) = (self.reads_evidence, &shared.http_options) {
            return shared.evidence_connections(options, HttpOptions::build_without_pool);
        }
        let connections = self.shared_connections();
        if connections.is_outdated.load(Relaxed) {
            self.replace_connections(connections.generation);
            return Ok(self.shared_connections());
        }
        Ok(connections)
    }

    /// Returns the generation of the shared connections.
    pub(crate) fn generation(&self) -> u64 {
        self.shared_connections().generation
    }

    fn shared_connections(&self) -> Arc<Connections> {
        let lock = &self.shared.connections;
        lock.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the connections of this generation, unless they already were. Requests in flight finish on the old ones. If the new ones
    /// cannot be built, the next request tries again.
    pub(crate) fn replace_connections(&self, generation: u64) {
        self.replace_connections_with(generation, HttpOptions::build);
    }

    fn replace_connections_with(&self, generation: u64, build: Build) {
        let shared = &self.shared;
        let old = self.shared_connections();
        let Some(options) = &shared.http_options else {
            return;
        };
        if self.reads_evidence || old.generation != generation {
            return;
        }
        // Built outside the lock, so that requests do not wait for it.
        let http = match build(options) {
            Ok(http) => http,
            Err(error) => {
                old.is_outdated.store(true, Relaxed);
                tracing::warn!(%error, "could not replace the connections");
                return;
            }
        };
        let new = Connections::new(generation + 1, http, &shared.middleware, false);
        let lock = &shared.connections;
        let mut connections = lock.write().unwrap_or_else(PoisonError::into_inner);
        if connections.generation == generation {
            tracing::warn!("response does not match its request, replaced the connections");
            *connections = Arc::new(new);
        }
    }

    /// Returns a client for reads that serve as evidence of an order's outcome. Each read uses a connection of its own, and
    /// responses from caches are errors, and so are pages without a cursor if `requires_cursor`.
    pub(crate) fn for_evidence(&self, requires_cursor: bool) -> Self {
        Self {
            reads_evidence: true,
            requires_cursor,
            ..self.clone()
        }
    }

    /// Returns the earliest Unix time in milliseconds that the exchange's clock may have shown at `instant`, based on
    /// all observations so far, or on those that a majority supports.
    pub(crate) fn earliest_ms(&self, instant: Instant, excludes_outvoted: bool) -> u64 {
        let wall_ms = self.shared.clock.now_ms().ok();
        let server_time = &self.shared.server_time;
        server_time.earliest_ms(instant, wall_ms, excludes_outvoted)
    }

    /// Returns the latest Unix time in milliseconds that the exchange's clock may have shown at `instant`, based on
    /// all observations so far.
    pub(crate) fn latest_ms(&self, instant: Instant) -> u64 {
        let wall_ms = self.shared.clock.now_ms().ok();
        self.shared.server_time.latest_ms(instant, wall_ms)
    }

    /// Returns this client with a different retry policy.
    #[must_use]
    pub fn with_retry(&self, policy: RetryPolicy) -> Self {
        Self {
            retry: policy,
            ..self.clone()
        }
    }

    /// Returns this client with a different maximum wait for rate limit tokens.
    #[must_use]
    pub fn with_max_wait(&self, max_wait: Duration) -> Self {
        Self {
            max_wait: Some(max_wait),
            ..self.clone()
        }
    }

    /// Returns the rate limiter that this client and its clones share.
    #[must_use]
    pub fn rate_limiter(&self) -> &Arc<RateLimiter> {
        &self.shared.limiter
    }

    /// Returns how far the exchange's clock is ahead of the local clock. Negative if it is behind.
    ///
    /// The skew is measured from the `Date` headers of the last 16 signed responses that arrived within the last 30 minutes. Returns `None`
    /// unless at least three of them, and more than half, agree. Also returns `None` if the local clock fails or was set since the last of
    /// them. A step of the local clock discards the measurements before it, and so does suspending the machine.
    #[must_use]
    pub fn clock_skew(&self) -> Option<chrono::TimeDelta> {
        let now_ms = self.shared.clock.now_ms().ok()?;
        let behind_ms = self.shared.server_time.behind_ms(now_ms)?;
        Some(chrono::TimeDelta::milliseconds(behind_ms))
    }

    /// Returns `true` if the client has credentials.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.shared.has_credentials
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field(
                "base_url",
                &crate::endpoint::redacted(self.shared.base_url.as_str()),
            )
            .field("has_credentials", &self.shared.has_credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{
        Api, ClientBuilder,
        test_client::{Local, TestClient},
    };

    struct TestApi;

    impl Api for TestApi {
        type Client = TestClient;
        type Environment = Local;
        type Credentials = kalshi_auth::Credentials;
    }

    fn fail(_: &HttpOptions) -> Result<reqwest::Client, ConfigError> {
        Err(ConfigError::NoTls)
    }

    #[test]
    fn connections_for_evidence_are_built_again_after_a_failure() {
        let TestClient(core) = ClientBuilder::<TestApi>::default().build().unwrap();
        let options = core.shared.http_options.as_ref().unwrap();
        assert!(core.shared.evidence_connections(options, fail).is_err());
        let reader = core.for_evidence(true);
        let own = reader.connections().unwrap();
        assert!(!Arc::ptr_eq(&own, &core.connections().unwrap()));
        assert!(Arc::ptr_eq(&own, &reader.connections().unwrap()));
    }

    #[test]
    fn failed_replacement_of_connections_is_repeated_by_the_next_request() {
        let TestClient(core) = ClientBuilder::<TestApi>::default().build().unwrap();
        core.replace_connections_with(0, fail);
        assert_eq!(core.generation(), 0);
        assert_eq!(core.connections().unwrap().generation, 1);
        assert_eq!(core.connections().unwrap().generation, 1);
    }

    #[cfg(feature = "ws")]
    #[test]
    fn handshake_http_client_is_built_once() {
        let TestClient(core) = ClientBuilder::<TestApi>::default().build().unwrap();
        let first: *const _ = core.shared.upgrading_client().unwrap();
        let clone = core.clone();
        let second: *const _ = clone.shared.upgrading_client().unwrap();
        assert_eq!(first, second);
        assert!(core.shared.socket.http.get().is_some());
    }
}

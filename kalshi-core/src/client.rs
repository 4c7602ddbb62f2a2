//! The core of a client: the state that clones share, and the settings of each clone.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock, PoisonError, RwLock},
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
    /// The middleware, outermost first.
    pub(crate) middleware: Vec<Arc<dyn Middleware>>,
    pub(crate) connections: RwLock<Arc<Connections>>,
    /// Connections for reads that serve as evidence, built on first use. `None` with a custom HTTP client.
    pub(crate) evidence_connections: OnceLock<Option<Arc<Connections>>>,
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

/// A connection pool with the middleware in front of it.
pub(crate) struct Connections {
    /// Number of pools that were replaced before this one.
    pub(crate) generation: u64,
    pub(crate) stack: ClientWithMiddleware,
}

impl Shared {
    /// Wraps an HTTP client in the middleware.
    pub(crate) fn stack(
        http: reqwest::Client,
        middleware: &[Arc<dyn Middleware>],
    ) -> ClientWithMiddleware {
        let stack = reqwest_middleware::ClientBuilder::new(http);
        middleware
            .iter()
            .fold(stack, |stack, middleware| {
                stack.with_arc(middleware.clone())
            })
            .build()
    }

    /// Builds a new pool behind the middleware. Returns `None` with a custom HTTP client or if building fails.
    fn new_connections(
        &self,
        generation: u64,
        build: fn(&HttpOptions) -> Result<reqwest::Client, ConfigError>,
    ) -> Option<Arc<Connections>> {
        let http = match build(self.http_options.as_ref()?) {
            Ok(http) => http,
            Err(error) => {
                tracing::warn!(%error, "could not replace the connections");
                return None;
            }
        };
        Some(Arc::new(Connections {
            generation,
            stack: Self::stack(http, &self.middleware),
        }))
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
    pub(crate) fn connections(&self) -> Arc<Connections> {
        let shared = &self.shared;
        if self.reads_evidence {
            // Built only once because building reads the system's certificates.
            let build = || shared.new_connections(0, HttpOptions::build_without_pool);
            if let Some(connections) = shared.evidence_connections.get_or_init(build) {
                return connections.clone();
            }
        }
        self.shared_connections()
    }

    fn shared_connections(&self) -> Arc<Connections> {
        let lock = &self.shared.connections;
        lock.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the connections of this generation, unless they already were. Requests in flight finish on the old ones.
    pub(crate) fn replace_connections(&self, generation: u64) {
        if self.reads_evidence || self.shared_connections().generation != generation {
            return;
        }
        // Built outside the lock, so that requests do not wait for it.
        let Some(new) = self
            .shared
            .new_connections(generation + 1, HttpOptions::build)
        else {
            return;
        };
        let lock = &self.shared.connections;
        let mut connections = lock.write().unwrap_or_else(PoisonError::into_inner);
        if connections.generation == generation {
            tracing::warn!("response does not match its request, replaced the connections");
            *connections = new;
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
    /// unless at least three of them, and more than half, agree, and if the local clock fails or was set since the last of them. A step of
    /// the local clock also discards the measurements before it, and so does suspending the machine.
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

#[cfg(all(test, feature = "ws"))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
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

//! URLs of an exchange other than production and demo.

use std::fmt;

use reqwest::Url;

use crate::{
    config_error::ConfigError,
    endpoint::{check_endpoint, parse_endpoint, redacted},
};

/// The URLs of a custom exchange, such as a local mock. The constructors of an API's `Environment` check and return them.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomUrls {
    rest: Url,
    websocket: Option<Url>,
}

impl CustomUrls {
    /// Creates the URLs of a REST API at any path, and of a WebSocket API if there is one.
    ///
    /// # Errors
    ///
    /// Returns an error if a URL is invalid, has a scheme other than `https`/`http` or `wss`/`ws`, contains a user, a query or a
    /// fragment, or is plaintext to a host that is not a loopback address.
    pub fn new(rest: &str, websocket: Option<&str>) -> Result<Self, ConfigError> {
        let urls = Self {
            rest: parse_endpoint(rest)?,
            websocket: websocket.map(parse_endpoint).transpose()?,
        };
        check_endpoint(&urls.rest, "https", "http")?;
        if let Some(websocket) = &urls.websocket {
            check_endpoint(websocket, "wss", "ws")?;
        }
        Ok(urls)
    }

    /// Creates the URLs of a REST API whose path must be `path`.
    ///
    /// # Errors
    ///
    /// Returns an error if `rest` has a different path, and in the cases of [`new`](Self::new).
    pub fn at(path: &str, rest: &str, websocket: Option<&str>) -> Result<Self, ConfigError> {
        let url = parse_endpoint(rest)?;
        if url.path().trim_end_matches('/') != path {
            let mut right = url;
            right.set_path(path);
            return Err(ConfigError::Url {
                url: redacted(rest),
                reason: format!(
                    "the path of the REST API is {path}; use {}, or `Environment::custom_path` for a host with another path",
                    redacted(right.as_str())
                ),
            });
        }
        Self::new(rest, websocket)
    }

    /// Returns the base URL of the REST API, without a trailing slash.
    #[must_use]
    pub fn rest(&self) -> &str {
        self.rest.as_str().trim_end_matches('/')
    }

    /// Returns the URL of the WebSocket API without a trailing slash, or `None` if there is none.
    #[must_use]
    pub fn websocket(&self) -> Option<&str> {
        let url = self.websocket.as_ref()?;
        Some(url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for CustomUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomUrls")
            .field("rest", &self.rest())
            .field("websocket", &self.websocket())
            .finish()
    }
}

/// Defines the constructors `custom` and `custom_path` of an environment that has a variant `Custom(CustomUrls)` and a WebSocket URL.
/// `$rest_path` is the usual path of the REST API.
#[doc(hidden)]
#[macro_export]
macro_rules! custom_environment {
    ($environment:ident, $rest_path:literal) => {
        impl $environment {
            #[doc = concat!("Returns an environment with custom URLs and the REST API at `", $rest_path, "`.")]
            ///
            /// # Errors
            ///
            /// Returns an error if `rest` has another path, or if a URL is invalid, has a scheme other than `https`/`http` or
            /// `wss`/`ws`, contains a user, a query or a fragment, or is plaintext to a host that is not a loopback address.
            pub fn custom(rest: &str, websocket: &str) -> Result<Self, $crate::ConfigError> {
                $crate::CustomUrls::at($rest_path, rest, Some(websocket)).map(Self::Custom)
            }

            /// Returns an environment with custom URLs and the REST API at any path. Requests are signed with that path.
            ///
            /// # Errors
            ///
            /// Returns an error in the cases of [`custom`](Self::custom), except that `rest` may have any path.
            pub fn custom_path(rest: &str, websocket: &str) -> Result<Self, $crate::ConfigError> {
                $crate::CustomUrls::new(rest, Some(websocket)).map(Self::Custom)
            }
        }
    };
}

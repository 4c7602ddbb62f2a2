//! Bearer credentials, and the middleware that sends them.

use std::ffi::OsString;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderValue};
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Error, Middleware, Next};
use zeroize::Zeroizing;

use crate::credentials::utf8_value;
use crate::origin::Origin;
use crate::{CredentialsError, SigningMiddlewareError, Unsigned, format};

/// The credentials of a clearing member: an admin user's id together with an access token.
///
/// Cheap to clone. `Debug` shows neither the id nor the token. The header that clones and requests share is wiped when the last of
/// them is dropped; the copies that the HTTP client makes while it sends a request are not.
#[derive(Clone)]
pub struct BearerCredentials {
    admin_user_id: Arc<str>,
    /// The whole header, which is this crate's only copy of the token.
    authorization: HeaderValue,
}

impl BearerCredentials {
    /// Creates credentials from their two parts, as the Security page of <https://klearing.kalshi.com> shows them.
    ///
    /// # Errors
    /// Returns an error if a part is empty or cannot be sent as a header, or if the id contains a colon or is a private key.
    pub fn new(
        admin_user_id: impl Into<String>,
        access_token: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let id = Zeroizing::new(admin_user_id.into());
        let token = Zeroizing::new(access_token.into());
        Self::build(&id, &token)
    }

    /// Creates credentials from one string, `admin_user_id:access_token`. The first colon ends the id.
    ///
    /// # Errors
    /// Returns an error if the string has no colon, or in the cases of [`new`](Self::new).
    pub fn from_text(text: impl Into<String>) -> Result<Self, CredentialsError> {
        let text = Zeroizing::new(text.into());
        let (id, token) = text.split_once(':').ok_or(CredentialsError::NoColon)?;
        Self::build(id, token)
    }

    /// Reads credentials for production from the environment variables `KALSHI_KLEAR_ADMIN_USER_ID` and
    /// `KALSHI_KLEAR_ACCESS_TOKEN`.
    ///
    /// An empty variable counts as unset. Quotes around a value are removed, because some loaders of `.env` files keep
    /// them. Errors do not show values.
    ///
    /// # Errors
    /// Returns an error if a variable is missing or its value is unusable.
    pub fn from_env() -> Result<Self, CredentialsError> {
        Self::from_lookup("KALSHI_KLEAR_", |name| std::env::var_os(name))
    }

    /// Reads credentials for the demo environment. Works as [`from_env`](Self::from_env), with the variables
    /// `KALSHI_KLEAR_DEMO_ADMIN_USER_ID` and `KALSHI_KLEAR_DEMO_ACCESS_TOKEN`.
    ///
    /// # Errors
    /// Returns an error in the cases of [`from_env`](Self::from_env).
    pub fn demo_from_env() -> Result<Self, CredentialsError> {
        Self::from_lookup("KALSHI_KLEAR_DEMO_", |name| std::env::var_os(name))
    }

    /// Reads credentials from the variables `ADMIN_USER_ID` and `ACCESS_TOKEN` after `prefix`, whose values `lookup` returns.
    /// Works as [`from_env`](Self::from_env) otherwise.
    ///
    /// # Errors
    /// Returns an error in the cases of [`from_env`](Self::from_env).
    pub fn from_lookup(
        prefix: &str,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, CredentialsError> {
        let get = |name: &str| {
            let variable = format!("{prefix}{name}");
            match lookup(&variable).filter(|value| !value.is_empty()) {
                Some(value) => utf8_value(value, &variable),
                None => Err(CredentialsError::BearerNotSet { variable }),
            }
        };
        let (id, token) = (get("ADMIN_USER_ID")?, get("ACCESS_TOKEN")?);
        Self::build(format::unquoted_str(&id), format::unquoted_str(&token))
    }

    fn build(id: &str, token: &str) -> Result<Self, CredentialsError> {
        // Stricter than `HeaderValue`: HTTP trims outer spaces, so the exchange would receive another value.
        let is_header_text =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
        // A private key must not be sent to anyone. A token may look like one.
        if !is_header_text(id) || id.contains(':') || format::is_key_or_part(id.as_bytes()) {
            return Err(CredentialsError::InvalidAdminUserId);
        }
        if !is_header_text(token) {
            return Err(CredentialsError::InvalidAccessToken);
        }
        let parts = ["Bearer ", id, ":", token];
        // Full capacity from the start, because growing would leave a part of the token in memory.
        let length = parts.iter().map(|part| part.len()).sum();
        let mut value = Zeroizing::new(Vec::with_capacity(length));
        for part in parts {
            value.extend_from_slice(part.as_bytes());
        }
        // The header keeps this memory and makes no copy of it.
        let mut authorization = HeaderValue::from_maybe_shared(Bytes::from_owner(value))
            .map_err(|_| CredentialsError::InvalidAccessToken)?;
        authorization.set_sensitive(true);
        Ok(Self {
            admin_user_id: id.into(),
            authorization,
        })
    }

    /// Returns the admin user's id.
    #[must_use]
    pub fn admin_user_id(&self) -> &str {
        &self.admin_user_id
    }
}

impl fmt::Debug for BearerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerCredentials").finish_non_exhaustive()
    }
}

/// Adds `Authorization: Bearer admin_user_id:access_token` to every request to one origin and stops requests to any other.
///
/// Requests with [`Unsigned`] in their extensions are sent without the header. Add this after (that is, inside) all other
/// middleware, so that none of them sees the token. The header is marked sensitive: `Debug` and HTTP/2 header compression
/// leave it out.
///
/// Turn redirects off in the `reqwest::Client` below (`redirect(Policy::none())`), as for
/// [`SigningMiddleware`](crate::SigningMiddleware).
///
/// ```
/// use kalshi_auth::{BearerCredentials, BearerMiddleware};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let credentials = BearerCredentials::new("my-admin-user-id", "my-access-token")?;
/// let origin = "https://demo-api.kalshi.co".parse()?;
/// let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
/// let client = reqwest_middleware::ClientBuilder::new(http)
///     .with(BearerMiddleware::new(credentials, &origin))
///     .build();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct BearerMiddleware {
    credentials: BearerCredentials,
    origin: Origin,
}

impl BearerMiddleware {
    /// Adds the header to requests to the scheme, host and port of `origin`. The rest of that URL is ignored.
    ///
    /// If `origin` is plaintext (`http`) and not a loopback address, every request that would carry the token fails.
    #[must_use]
    pub fn new(credentials: BearerCredentials, origin: &Url) -> Self {
        Self {
            credentials,
            origin: Origin::new(origin),
        }
    }

    fn prepare(&self, request: &mut Request, unsigned: bool) -> Result<(), SigningMiddlewareError> {
        self.origin.check(request.url())?;
        if !unsigned {
            self.origin.check_encrypted()?;
        }
        let headers = request.headers_mut();
        match unsigned {
            true => headers.remove(AUTHORIZATION),
            false => headers.insert(AUTHORIZATION, self.credentials.authorization.clone()),
        };
        Ok(())
    }
}

impl Middleware for BearerMiddleware {
    // Written without `async_trait`, to return the future of `next` without wrapping it in another one.
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        mut request: Request,
        extensions: &'b mut Extensions,
        next: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = reqwest_middleware::Result<Response>> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
    {
        let unsigned = extensions.get::<Unsigned>().is_some();
        match self.prepare(&mut request, unsigned) {
            Ok(()) => next.run(request, extensions),
            Err(error) => Box::pin(std::future::ready(Err(Error::middleware(error)))),
        }
    }
}

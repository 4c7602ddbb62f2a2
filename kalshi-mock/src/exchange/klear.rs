//! The clearing API of a [`MockExchange`].

use kalshi_klear::{BearerCredentials, Client, Environment};
use kalshi_sdk::ConfigError;

use crate::{MockExchange, server};

/// # Clearing
impl MockExchange {
    /// Returns the base URL of the clearing API: `http://127.0.0.1:PORT/klear-api/v1`.
    #[must_use]
    pub fn klear_url(&self) -> String {
        self.shared.url("http", self.address, server::KLEAR_PREFIX)
    }

    /// Returns the admin user of the clearing API.
    #[must_use]
    pub fn klear_admin_user_id(&self) -> &str {
        &self.shared.klear.admin_user_id
    }

    /// Returns the access token of the admin user.
    #[must_use]
    pub fn klear_access_token(&self) -> &str {
        &self.shared.klear.access_token
    }

    /// Returns a client of the clearing API, as the admin user.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange does not listen on a loopback address: the SDK rejects plaintext to other hosts.
    pub fn klear_client(&self) -> Result<Client, ConfigError> {
        let (user, token) = (self.klear_admin_user_id(), self.klear_access_token());
        let builder = Client::builder()
            .environment(Environment::custom(&self.klear_url())?)
            .credentials(BearerCredentials::new(user, token)?);
        #[cfg(feature = "tls")]
        let builder = match &self.shared.tls {
            Some(tls) => builder.http_client(tls.http_client()?),
            None => builder,
        };
        builder.build()
    }
}

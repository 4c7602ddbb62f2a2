//! TLS of a [`MockExchange`].

use crate::{MockExchange, MockExchangeBuilder};

/// # TLS
impl MockExchange {
    /// Returns the PEM certificate of the generated authority, which clients must trust, or `None` without
    /// [`tls`](MockExchangeBuilder::tls).
    #[must_use]
    pub fn certificate_authority(&self) -> Option<&str> {
        let tls = self.shared.tls.as_ref()?;
        Some(tls.authority())
    }
}

/// # TLS
impl MockExchangeBuilder {
    /// Serves `https` and `wss` instead of `http` and `ws`, for clients that require TLS. The certificate is valid for `localhost`,
    /// loopback addresses and the address of the exchange. Each start generates a new authority, which
    /// [`MockExchange::certificate_authority`] returns and [`MockExchange::client`] trusts.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
}

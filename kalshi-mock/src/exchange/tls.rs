//! TLS of a [`MockExchange`].

use crate::{MockExchange, MockExchangeBuilder};

impl MockExchange {
    /// Returns the certificate of the generated authority as PEM, which clients must trust, or `None` without
    /// [`tls`](MockExchangeBuilder::tls).
    #[must_use]
    pub fn certificate_authority(&self) -> Option<&str> {
        let tls = self.shared.tls.as_ref()?;
        Some(tls.authority())
    }
}

impl MockExchangeBuilder {
    /// Serves `https` and `wss` instead of `http` and `ws`, for clients that insist on them. The certificate is for `localhost`,
    /// loopback addresses and the address of the exchange, by an authority that is generated at each start:
    /// [`MockExchange::certificate_authority`]. [`MockExchange::client`] trusts it.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
}

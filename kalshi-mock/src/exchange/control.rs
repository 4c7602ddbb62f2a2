//! The control interface of a [`MockExchange`], and the methods that only it needs.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use crate::{
    MarketSnapshot, MockExchange, MockExchangeBuilder, Snapshot, User, control::Access,
    state::Instance, sync::lock,
};

/// # Users, snapshots and reset
impl MockExchange {
    /// Returns all users in order of creation.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        let users = lock(&self.shared.users).clone();
        let users = users.into_iter();
        users
            .map(|record| User::from_record(Arc::clone(&self.shared), self.address, record))
            .collect()
    }

    /// Returns the state at this moment: markets with their books, and users with their money, positions and resting orders.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(&self.shared)
    }

    /// Returns a market without creating it, or `None` if it does not exist.
    #[must_use]
    pub fn market_snapshot(&self, ticker: &str) -> Option<MarketSnapshot> {
        let state = self.shared.state();
        let (_, market) = state.market(ticker)?;
        Some(MarketSnapshot::new(&state, market))
    }

    /// Returns a margin market without creating it, or `None` if it does not exist.
    #[cfg(feature = "perps")]
    #[must_use]
    pub fn margin_market_snapshot(&self, ticker: &str) -> Option<MarketSnapshot> {
        let mut guard = self.shared.state();
        let state = guard.margin();
        let (_, market) = state.market(ticker)?;
        Some(MarketSnapshot::new(state, market))
    }

    /// Returns true if orders are accepted, on the margin exchange if `margin`.
    pub(crate) fn is_trading(&self, margin: bool) -> bool {
        let mut guard = self.shared.state();
        let instance = match margin {
            true => Instance::Margined,
            false => Instance::EventContract,
        };
        guard.instances().get_mut(instance).is_trading()
    }

    /// Resets the exchange to its start: restores the markets, the clock, the schedule and the simulated trading, and removes
    /// orders, trades, faults and recorded requests. Users keep their ids and get their initial balances back. Keys that were
    /// created over the API are removed, and so are subaccounts. WebSocket connections are reset.
    ///
    /// Handles stay valid. A handle to a market that no longer exists creates it at its next change.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Returns the URL of the control interface: `http://127.0.0.1:PORT/mock`, even if the exchange listens on all addresses. It is
    /// served if [`control`](MockExchangeBuilder::control) or [`control_token`](MockExchangeBuilder::control_token) was called.
    #[must_use]
    pub fn control_url(&self) -> String {
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        self.shared.url("http", address, "/mock")
    }
}

/// # Control interface
impl MockExchangeBuilder {
    /// Serves the control interface under `/mock/` to programs on this machine. Requests from pages of other websites are rejected.
    /// The address must be a loopback address or all addresses.
    pub fn control(mut self) -> Self {
        self.control = Some(Access::Loopback);
        self
    }

    /// Serves the control interface under `/mock/` to all clients that send `Authorization: Bearer TOKEN`. With an empty token,
    /// every request is rejected.
    pub fn control_token(mut self, token: impl Into<String>) -> Self {
        self.control = Some(Access::Token(token.into()));
        self
    }
}

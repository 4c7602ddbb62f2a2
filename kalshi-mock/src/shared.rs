//! State that the tasks of the server and the handles of a test share.

use std::{
    collections::HashMap,
    net::IpAddr,
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard},
};

use kalshi_sdk::limits::{AccountLimits, Tier};
use tokio::sync::watch;

use crate::{
    Rejection,
    buckets::TokenBucket,
    fault::{Fault, FaultRule},
    keys::Keys,
    requests::Log,
    state::State,
    streams::Hub,
    sync::lock,
    time::{Micros, Time},
};

/// The exchange behind its server.
pub(crate) struct Shared {
    pub(crate) time: Time,
    pub(crate) keys: Keys,
    pub(crate) log: Mutex<Log>,
    /// True once the exchange shuts down.
    pub(crate) stop: watch::Sender<bool>,
    /// The open WebSocket connections.
    pub(crate) hub: Hub,
    state: Mutex<State>,
    faults: Mutex<Vec<FaultRule>>,
    /// Token buckets of unsigned requests by address. `None` if requests are not limited.
    public: Option<Mutex<HashMap<IpAddr, TokenBucket>>>,
}

impl Shared {
    pub(crate) fn new(state: State, time: Time, log: Log, limited: bool, hub: Hub) -> Self {
        Self {
            time,
            keys: Keys::default(),
            log: Mutex::new(log),
            stop: watch::Sender::new(false),
            hub,
            state: Mutex::new(state),
            faults: Mutex::default(),
            public: limited.then(Mutex::default),
        }
    }

    /// Waits until the exchange shuts down.
    pub(crate) async fn stopped(&self) {
        // The sender is a field of `self`, so this cannot fail.
        _ = self.stop.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Returns the state, advanced to the current time. Its events are published when the guard is dropped.
    pub(crate) fn state(&self) -> StateGuard<'_> {
        let mut state = lock(&self.state);
        state.advance_to(self.time.micros());
        let mut guard = StateGuard {
            shared: self,
            state,
        };
        guard.publish();
        guard
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Vec<FaultRule>> {
        lock(&self.faults)
    }

    /// Returns the faults that apply to a request.
    pub(crate) fn struck(&self, operation: &kalshi_sdk::Operation) -> Vec<Fault> {
        let mut faults = self.faults();
        faults
            .iter_mut()
            .filter_map(|rule| rule.strikes(operation).then(|| rule.fault.clone()))
            .collect()
    }

    /// Takes tokens from the bucket of an address that sends unsigned requests.
    pub(crate) fn take_public(
        &self,
        peer: IpAddr,
        tokens: u32,
        now: Micros,
    ) -> Result<(), Rejection> {
        let Some(buckets) = &self.public else {
            return Ok(());
        };
        let full = || TokenBucket::new(AccountLimits::from_tier(Tier::Basic).public(), now);
        lock(buckets)
            .entry(peer)
            .or_insert_with(full)
            .take(tokens, now)
    }
}

/// The locked state.
pub(crate) struct StateGuard<'a> {
    shared: &'a Shared,
    state: MutexGuard<'a, State>,
}

impl StateGuard<'_> {
    fn publish(&mut self) {
        if self.state.has_listeners {
            self.shared.hub.publish(&mut self.state, &self.shared.time);
        }
    }
}

impl Deref for StateGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        self.publish();
    }
}

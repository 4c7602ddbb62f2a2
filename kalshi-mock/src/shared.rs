//! What the server's tasks and the handles of a test share.

use std::{
    collections::HashMap,
    net::IpAddr,
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
};

use kalshi_sdk::limits::{AccountLimits, Tier};
use tokio::sync::watch;

use crate::{
    Refusal,
    buckets::TokenBucket,
    fault::{Fault, FaultRule},
    keys::Keys,
    requests::Log,
    state::State,
    streams::Hub,
    time::{Micros, Time},
};

/// The exchange behind its server.
pub(crate) struct Shared {
    pub(crate) time: Time,
    pub(crate) keys: Keys,
    pub(crate) log: Mutex<Log>,
    /// Whether it is to shut down.
    pub(crate) stop: watch::Sender<bool>,
    /// Whoever is told what happens.
    pub(crate) hub: Hub,
    state: Mutex<State>,
    faults: Mutex<Vec<FaultRule>>,
    /// Of addresses that call without a signature. None: they may call as often as they like.
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

    /// Until it is to shut down.
    pub(crate) async fn stopped(&self) {
        // An error would be that nobody can tell any more: this does.
        _ = self.stop.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// The state as it is now. What is done to it is told when it is let go.
    pub(crate) fn state(&self) -> StateGuard<'_> {
        let mut state = lock(&self.state);
        state.advance_to(self.time.micros());
        let mut guard = StateGuard {
            shared: self,
            state,
        };
        guard.tell();
        guard
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Vec<FaultRule>> {
        lock(&self.faults)
    }

    /// The faults that strike a call.
    pub(crate) fn struck(&self, operation: &kalshi_sdk::Operation) -> Vec<Fault> {
        let mut faults = self.faults();
        faults
            .iter_mut()
            .filter_map(|rule| rule.strikes(operation).then(|| rule.fault.clone()))
            .collect()
    }

    /// Takes tokens of an address that calls without a signature.
    pub(crate) fn take_public(
        &self,
        peer: IpAddr,
        tokens: u32,
        now: Micros,
    ) -> Result<(), Refusal> {
        let Some(buckets) = &self.public else {
            return Ok(());
        };
        let full = || TokenBucket::new(AccountLimits::of(Tier::Basic).public, now);
        lock(buckets)
            .entry(peer)
            .or_insert_with(full)
            .take(tokens, now)
    }
}

/// The state, held.
pub(crate) struct StateGuard<'a> {
    shared: &'a Shared,
    state: MutexGuard<'a, State>,
}

impl StateGuard<'_> {
    fn tell(&mut self) {
        if self.state.listened {
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
        self.tell();
    }
}

/// A panic in a test that holds a lock is that test's own: what is behind the lock is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

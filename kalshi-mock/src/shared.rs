//! State that the tasks of the server share with the handles of a test.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard},
};

use chrono::{DateTime, Utc};
use kalshi_sdk::limits::{AccountLimits, Tier};
use tokio::sync::{Notify, watch};

#[cfg(feature = "klear")]
use crate::klear::KlearAccess;
use crate::{
    Activity, Rejection, ScheduledEvent,
    buckets::TokenBucket,
    fault::{Fault, FaultRule},
    keys::Keys,
    requests::Log,
    state::{Instance, State},
    sync::lock,
    time::{Micros, Time},
    user::UserRecord,
    websocket::Hub,
};

/// Settings that determine the state at the start.
#[derive(Clone, Debug)]
pub(crate) struct StartSettings {
    pub(crate) seed: u64,
    /// True if unsigned requests are limited.
    pub(crate) rate_limited: bool,
    /// False if the exchange starts without markets.
    pub(crate) initial_markets: bool,
    pub(crate) activity: Option<Activity>,
    /// Time at which the clock is stopped, if it is.
    pub(crate) time: Option<DateTime<Utc>>,
    /// Events that are scheduled at the start.
    pub(crate) schedule: Vec<ScheduledEvent>,
}

/// The exchange instances, behind one lock.
pub(crate) struct Instances {
    pub(crate) event: State,
    #[cfg(feature = "perps")]
    pub(crate) margin: State,
}

impl Instances {
    /// Returns the states at the start, without users.
    pub(crate) fn new(settings: &StartSettings, now: Micros) -> Self {
        let populated = |mut state: State, populate: fn(&mut State), seed| {
            if settings.initial_markets {
                populate(&mut state);
            }
            if let Some(activity) = settings.activity {
                state.start_activity(activity, seed);
            }
            state
        };
        let seed = settings.seed;
        let mut instances = Self {
            event: populated(State::new(seed, now), State::populate, seed),
            // Its ids differ from those of the event exchange.
            #[cfg(feature = "perps")]
            margin: populated(
                State::new(!seed, now).with_margin(),
                State::populate_margin,
                !seed,
            ),
        };
        for event in &settings.schedule {
            event.apply(&mut instances);
        }
        instances
    }

    /// Returns the state of an instance. Without margin markets, there is only one.
    pub(crate) fn get_mut(&mut self, instance: Instance) -> &mut State {
        match instance {
            #[cfg(feature = "perps")]
            Instance::Margined => &mut self.margin,
            _ => &mut self.event,
        }
    }

    /// Returns the states with their instances.
    pub(crate) fn states(&mut self) -> impl Iterator<Item = (Instance, &mut State)> {
        [
            (Instance::EventContract, &mut self.event),
            #[cfg(feature = "perps")]
            (Instance::Margined, &mut self.margin),
        ]
        .into_iter()
    }

    /// Returns the time of the next action that a listener would see, or of the next step of the activity.
    pub(crate) fn next_timer(&mut self) -> Option<Micros> {
        let states = self
            .states()
            .filter(|(_, state)| state.has_connections || state.has_activity());
        states.filter_map(|(_, state)| state.next_timer()).min()
    }
}

/// The exchange: its instances, keys, clock, faults and connections.
pub(crate) struct Shared {
    pub(crate) time: Time,
    pub(crate) keys: Keys,
    #[cfg(feature = "klear")]
    pub(crate) klear: KlearAccess,
    pub(crate) log: Mutex<Log>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::Tls>,
    /// True if responses include fields that were removed from the spec.
    pub(crate) legacy_fields: bool,
    /// True once the exchange shuts down.
    pub(crate) stop: watch::Sender<bool>,
    /// The open WebSocket connections.
    pub(crate) hub: Hub,
    /// All users but the market maker, in order of their numbers.
    pub(crate) users: Mutex<Vec<UserRecord>>,
    /// Settings that a reset starts from.
    pub(crate) start_settings: StartSettings,
    /// Notifies those who wait for a change of an order book.
    pub(crate) book_changed: Notify,
    state: Mutex<Instances>,
    faults: Mutex<Vec<FaultRule>>,
    /// Token buckets of unsigned requests by address, or `None` if requests are not limited.
    unsigned_buckets: Option<Mutex<HashMap<IpAddr, TokenBucket>>>,
}

impl Shared {
    pub(crate) fn new(
        state: Instances,
        time: Time,
        log: Log,
        hub: Hub,
        start_settings: StartSettings,
        keys: Keys,
        #[cfg(feature = "klear")] klear: KlearAccess,
    ) -> Self {
        Self {
            time,
            keys,
            #[cfg(feature = "klear")]
            klear,
            log: Mutex::new(log),
            legacy_fields: false,
            #[cfg(feature = "tls")]
            tls: None,
            stop: watch::Sender::new(false),
            hub,
            users: Mutex::default(),
            book_changed: Notify::new(),
            state: Mutex::new(state),
            faults: Mutex::default(),
            unsigned_buckets: start_settings.rate_limited.then(Mutex::default),
            start_settings,
        }
    }

    /// Returns the URL of a path. The scheme is `http` or `ws`; with TLS, `https` or `wss`.
    pub(crate) fn url(&self, scheme: &str, address: SocketAddr, path: &str) -> String {
        #[cfg(feature = "tls")]
        let secure = if self.tls.is_some() { "s" } else { "" };
        #[cfg(not(feature = "tls"))]
        let secure = "";
        format!("{scheme}{secure}://{address}{path}")
    }

    /// Waits until the exchange shuts down.
    pub(crate) async fn stopped(&self) {
        // The sender is a field of `self`, so this cannot fail.
        _ = self.stop.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Locks the state and advances it to the current time. The guard dereferences to the state of the event exchange, and
    /// [`StateGuard::instances`] has all of them. Events are published when the guard is dropped.
    pub(crate) fn state(&self) -> StateGuard<'_> {
        let mut state = lock(&self.state);
        let now = self.time.micros();
        for (_, state) in state.states() {
            state.advance_to(now);
        }
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
    pub(crate) fn faults_for(&self, operation: &kalshi_sdk::Operation) -> Vec<Fault> {
        let mut faults = self.faults();
        faults
            .iter_mut()
            .filter_map(|rule| rule.applies(operation).then(|| rule.fault.clone()))
            .collect()
    }

    /// Resets state, clock, faults and requests to the start. Users keep their ids and get their initial balances back. Ends all
    /// WebSocket connections.
    pub(crate) fn reset(&self) {
        let mut guard = self.state();
        self.time.restart(self.start_settings.time);
        let instances = guard.instances();
        *instances = Instances::new(&self.start_settings, self.time.micros());
        // The credentials of the clearing API are kept. Generating them again makes the following ids those of the start.
        #[cfg(feature = "klear")]
        KlearAccess::new(&mut instances.event);
        lock(&self.users)
            .iter()
            .for_each(|user| user.restore(instances));
        self.keys.reset();
        self.hub.reset();
        self.faults().clear();
        lock(&self.log).clear();
        if let Some(buckets) = &self.unsigned_buckets {
            lock(buckets).clear();
        }
        self.book_changed.notify_waiters();
    }

    /// Takes tokens from the bucket of an address that sends unsigned requests.
    pub(crate) fn take_unsigned_tokens(
        &self,
        peer: IpAddr,
        tokens: u32,
        now: Micros,
    ) -> Result<(), Rejection> {
        let Some(buckets) = &self.unsigned_buckets else {
            return Ok(());
        };
        let full = || TokenBucket::new(AccountLimits::from_tier(Tier::Basic).public(), now);
        lock(buckets)
            .entry(peer)
            .or_insert_with(full)
            .take(tokens, now)
    }
}

/// Guard of the locked state. It publishes events when it is dropped.
pub(crate) struct StateGuard<'a> {
    shared: &'a Shared,
    state: MutexGuard<'a, Instances>,
}

impl StateGuard<'_> {
    /// Returns the states of all instances.
    pub(crate) fn instances(&mut self) -> &mut Instances {
        &mut self.state
    }

    /// Returns the state of the margin exchange.
    #[cfg(feature = "perps")]
    pub(crate) fn margin(&mut self) -> &mut State {
        &mut self.state.margin
    }

    fn publish(&mut self) {
        let states = self.state.states();
        // Not short-circuiting, because every flag must be cleared.
        if states.fold(false, |changed, (_, state)| {
            std::mem::take(&mut state.book_changed) | changed
        }) {
            self.shared.book_changed.notify_waiters();
        }
        self.shared.hub.publish(&mut self.state, &self.shared.time);
    }
}

impl Deref for StateGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state.event
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state.event
    }
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        self.publish();
    }
}

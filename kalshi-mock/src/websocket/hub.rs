//! The hub of open connections, which publishes events and runs commands.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use http::StatusCode;
use tokio::sync::watch;
use uuid::Uuid;

#[cfg(feature = "perps")]
use super::messages;
use super::{
    commands,
    feeds::FEEDS,
    outbox::Outbox,
    socket::{Socket, of_instance},
    subscription::Channel,
    tickers::Tickers,
};
use crate::{
    call::Caller,
    connection::Connection,
    shared::Instances,
    state::{Event, Instance, State},
    sync::lock,
    time::{Micros, Time},
};

/// Settings of WebSocket connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) ping_interval: Duration,
    /// Maximum number of queued frames per subscription.
    pub(crate) max_queued: usize,
    /// Default of `use_yes_price` for subscriptions.
    pub(crate) use_yes_price: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(10),
            max_queued: 50_000,
            use_yes_price: false,
        }
    }
}

/// All open WebSocket connections, and the state they share.
///
/// Lock order: the state first, then the hub.
pub(crate) struct Hub {
    pub(crate) settings: Settings,
    inner: Mutex<Inner>,
    /// Number of open connections.
    pub(super) count: watch::Sender<usize>,
    /// Time for which the timer task is set.
    pub(super) timer: AtomicI64,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) sockets: BTreeMap<u64, Socket>,
    /// Number of connections opened so far.
    opened: u64,
    tickers: BTreeMap<Instance, Tickers>,
    /// Sequence number of the last value that each feed sent.
    last_ticks: [i64; FEEDS.len()],
    pub(super) rejections: Option<HandshakeRejection>,
}

/// Rejection of the next handshakes.
#[derive(Clone, Copy)]
pub(super) struct HandshakeRejection {
    pub(super) status: StatusCode,
    pub(super) remaining: u32,
    /// True if the body is an HTML page.
    pub(super) html: bool,
}

impl Hub {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            inner: Mutex::default(),
            count: watch::Sender::new(0),
            timer: AtomicI64::new(Micros::MAX),
        }
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Sends the pending events on all connections.
    pub(crate) fn publish(&self, instances: &mut Instances, time: &Time) {
        let next = instances.next_timer();
        if next.is_some_and(|next| next < self.timer.load(SeqCst)) {
            time.wake();
        }
        for (instance, state) in instances.states() {
            if state.emitted.is_empty() {
                continue;
            }
            let mut events = state.take_events();
            if instance == Instance::Margined {
                events = merge_orders(events);
            }
            let mut inner = self.inner();
            let Inner {
                sockets, tickers, ..
            } = &mut *inner;
            for socket in of_instance(sockets, instance) {
                for event in &events {
                    socket.deliver(state, event);
                }
            }
            let tickers = tickers.entry(instance).or_default();
            tickers.deliver(state, sockets, instance, &events);
        }
    }

    /// Returns true if a connection to an instance is open.
    #[cfg(feature = "perps")]
    pub(super) fn has_connection_to(&self, instance: Instance) -> bool {
        let mut inner = self.inner();
        of_instance(&mut inner.sockets, instance).next().is_some()
    }

    /// Sends all tickers of the margin exchange, changed or not, as the exchange does about once a second.
    #[cfg(feature = "perps")]
    pub(crate) fn send_margin_tickers(&self, state: &State) {
        let mut inner = self.inner();
        for (index, market) in state.markets.iter().enumerate() {
            let body = messages::ticker(state, messages::ticker_fields(state, market));
            for socket in of_instance(&mut inner.sockets, Instance::Margined) {
                socket.send_ticker(state, index, &body);
            }
        }
    }

    /// Returns the number of open connections.
    pub(crate) fn connections(&self) -> usize {
        *self.count.borrow()
    }

    /// Sends the external prices that are new since the last call.
    pub(crate) fn send_prices(&self, state: &State) {
        let mut inner = self.inner();
        let Inner {
            sockets,
            last_ticks,
            ..
        } = &mut *inner;
        for (feed, last) in FEEDS.iter().zip(last_ticks) {
            let tick = feed.tick(state.now);
            if std::mem::replace(last, tick) == tick {
                continue;
            }
            for socket in of_instance(sockets, Instance::EventContract) {
                socket.send_prices(state, feed);
            }
        }
    }

    /// Waits until a connection is open.
    pub(super) async fn wait_for_connection(&self) {
        // The sender is a field of `self`, so this cannot fail.
        _ = self.count.subscribe().wait_for(|count| *count > 0).await;
    }

    /// Registers a connection. Returns its number and the queue of its outgoing frames.
    pub(super) fn open(
        &self,
        instances: &mut Instances,
        instance: Instance,
        caller: Caller,
        connection: Connection,
    ) -> (u64, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::new(connection));
        let mut inner = self.inner();
        inner.opened += 1;
        let number = inner.opened;
        let queue = (Arc::clone(&outbox), self.settings.max_queued);
        let mut socket = Socket::new(instance, caller, queue);
        socket.use_yes_price = self.settings.use_yes_price;
        inner.sockets.insert(number, socket);
        instances.get_mut(instance).has_connections = true;
        self.count.send_replace(inner.sockets.len());
        (number, outbox)
    }

    /// Removes a connection. Events of its instance are no longer recorded if it was the last one.
    pub(super) fn close(&self, instances: &mut Instances, number: u64) {
        let mut inner = self.inner();
        if let Some(Socket { instance, .. }) = inner.sockets.remove(&number)
            && of_instance(&mut inner.sockets, instance).next().is_none()
        {
            let state = instances.get_mut(instance);
            state.has_connections = false;
            state.take_events();
            inner.tickers.remove(&instance);
        }
        self.count.send_replace(inner.sockets.len());
    }

    /// Resets all connections and removes them from the hub.
    pub(crate) fn reset(&self) {
        let mut inner = self.inner();
        for socket in std::mem::take(&mut inner.sockets).into_values() {
            socket.outbox.connection.reset();
            socket.outbox.end();
        }
        inner.tickers.clear();
        inner.rejections = None;
        self.count.send_replace(0);
    }

    /// Runs a command of a client.
    pub(super) fn command(&self, instances: &mut Instances, number: u64, text: &[u8]) {
        let mut inner = self.inner();
        let Inner {
            sockets, tickers, ..
        } = &mut *inner;
        if let Some(socket) = sockets.get_mut(&number) {
            let state = &*instances.get_mut(socket.instance);
            commands::run(state, socket, text);
            if socket.subscription_to(Channel::Ticker).is_some() {
                let tickers = tickers.entry(socket.instance).or_default();
                tickers.record(state);
            }
        }
    }

    /// Stops rejecting handshakes.
    pub(crate) fn accept_handshakes(&self) {
        self.inner().rejections = None;
    }

    /// Returns the rejection of the next handshake, if a test has requested one.
    pub(super) fn next_rejection(&self) -> Option<HandshakeRejection> {
        let mut inner = self.inner();
        let next = inner
            .rejections
            .as_mut()
            .filter(|next| next.remaining > 0)?;
        next.remaining -= 1;
        Some(*next)
    }
}

/// Merges the changes of each order into one, at the position of the first. The margin exchange sends one for each request.
fn merge_orders(events: Vec<Event>) -> Vec<Event> {
    let mut indices: HashMap<Uuid, usize> = HashMap::new();
    let mut merged: Vec<Event> = Vec::with_capacity(events.len());
    for event in events {
        let id = match &event {
            Event::Order { order, .. } => Some(order.id),
            _ => None,
        };
        let index = id.map(|id| *indices.entry(id).or_insert(merged.len()));
        match index.and_then(|index| merged.get_mut(index)) {
            Some(earlier) => *earlier = event,
            None => merged.push(event),
        }
    }
    merged
}

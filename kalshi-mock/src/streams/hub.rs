//! The open connections: publishes events on them, and runs their commands.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use http::StatusCode;
use tokio::sync::watch;

use super::{commands, outbox::Outbox, socket::Socket, subscription::Channel, tickers::Tickers};
use crate::{
    call::Caller,
    connection::Connection,
    state::State,
    sync::lock,
    time::{Micros, Time},
};

/// Settings of WebSocket connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) ping_interval: Duration,
    /// Limit of queued frames per subscription.
    pub(crate) max_queued: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(10),
            max_queued: 50_000,
        }
    }
}

/// All open connections.
///
/// Lock order: the state first, then the hub.
pub(crate) struct Hub {
    pub(crate) settings: Settings,
    inner: Mutex<Inner>,
    /// Number of open connections.
    pub(super) count: watch::Sender<usize>,
    /// Time for which the timer is set.
    pub(super) alarm: AtomicI64,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) sockets: BTreeMap<u64, Socket>,
    /// Connections opened so far.
    opened: u64,
    tickers: Tickers,
    /// Handshakes to reject: status and number.
    pub(super) rejections: Option<(StatusCode, u32)>,
}

impl Hub {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            inner: Mutex::default(),
            count: watch::Sender::new(0),
            alarm: AtomicI64::new(Micros::MAX),
        }
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Sends the pending events on all connections.
    pub(crate) fn publish(&self, state: &mut State, time: &Time) {
        if state.next_due().unwrap_or(Micros::MAX) < self.alarm.load(SeqCst) {
            time.wake();
        }
        if state.emitted.is_empty() {
            return;
        }
        let events = std::mem::take(&mut state.emitted);
        let mut inner = self.inner();
        let Inner {
            sockets, tickers, ..
        } = &mut *inner;
        for socket in sockets.values_mut() {
            for event in &events {
                socket.deliver(state, event);
            }
        }
        tickers.deliver(state, sockets, &events);
    }

    /// Registers a connection. Returns its number and the queue of its outgoing frames.
    pub(super) fn open(
        &self,
        state: &mut State,
        caller: Caller,
        connection: Connection,
    ) -> (u64, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::new(connection));
        let mut inner = self.inner();
        inner.opened += 1;
        let number = inner.opened;
        let socket = Socket::new(caller, Arc::clone(&outbox), self.settings.max_queued);
        inner.sockets.insert(number, socket);
        state.has_listeners = true;
        self.count.send_replace(inner.sockets.len());
        (number, outbox)
    }

    /// Removes a connection.
    pub(super) fn close(&self, state: &mut State, number: u64) {
        let mut inner = self.inner();
        inner.sockets.remove(&number);
        if inner.sockets.is_empty() {
            state.has_listeners = false;
            state.emitted = Vec::new();
            inner.tickers = Tickers::default();
        }
        self.count.send_replace(inner.sockets.len());
    }

    /// Runs a command of a client.
    pub(super) fn command(&self, state: &State, number: u64, text: &[u8]) {
        let mut inner = self.inner();
        let Inner {
            sockets, tickers, ..
        } = &mut *inner;
        if let Some(socket) = sockets.get_mut(&number) {
            commands::run(state, socket, text);
            if socket.on(Channel::Ticker).is_some() {
                tickers.remember(state);
            }
        }
    }

    /// Returns the status that rejects the next handshake, if a test asked for it.
    pub(super) fn next_rejection(&self) -> Option<http::StatusCode> {
        let mut inner = self.inner();
        let (status, left) = inner.rejections.filter(|(_, left)| *left > 0)?;
        inner.rejections = Some((status, left - 1));
        Some(status)
    }
}

//! The streams: who is connected, and how everybody is told what happens.

mod commands;
mod faults;
mod handshake;
mod messages;
mod outbox;
mod private;
mod refusals;
mod socket;
mod subscription;
mod tickers;
mod timer;

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

pub use faults::Streams;
pub(crate) use handshake::handshake;
pub(crate) use timer::keep_time;

use self::{outbox::Outbox, socket::Socket, tickers::Tickers};
use crate::{
    call::Caller,
    connection::Connection,
    shared::lock,
    state::State,
    time::{Micros, Time},
};

/// How streams are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) ping_every: Duration,
    /// How many frames of a subscription may wait.
    pub(crate) most_waiting: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(10),
            most_waiting: 50_000,
        }
    }
}

/// All open sockets. Whoever holds the state may take it; nobody takes the state who holds it.
pub(crate) struct Hub {
    pub(crate) settings: Settings,
    inner: Mutex<Inner>,
    count: watch::Sender<usize>,
    /// What the timer waits for.
    alarm: AtomicI64,
}

#[derive(Default)]
struct Inner {
    sockets: BTreeMap<u64, Socket>,
    /// How many there have been.
    opened: u64,
    tickers: Tickers,
    /// Handshakes to refuse: with which status, how many.
    refused: Option<(StatusCode, u32)>,
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

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Tells everybody what has happened.
    pub(crate) fn publish(&self, state: &mut State, time: &Time) {
        if state.next_due().unwrap_or(Micros::MAX) < self.alarm.load(SeqCst) {
            time.wake();
        }
        if state.news.is_empty() {
            return;
        }
        let news = std::mem::take(&mut state.news);
        let mut inner = self.inner();
        let Inner {
            sockets, tickers, ..
        } = &mut *inner;
        for socket in sockets.values_mut() {
            for item in &news {
                socket.tell(state, item);
            }
        }
        tickers.tell(state, sockets, &news);
    }

    /// A socket that is to open: its number, and what is to be sent.
    fn open(
        &self,
        state: &mut State,
        caller: Caller,
        connection: Connection,
    ) -> (u64, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::new(connection));
        let mut inner = self.inner();
        inner.opened += 1;
        let number = inner.opened;
        let socket = Socket::new(caller, Arc::clone(&outbox), self.settings.most_waiting);
        inner.sockets.insert(number, socket);
        state.listened = true;
        self.count.send_replace(inner.sockets.len());
        (number, outbox)
    }

    /// A socket that has ended.
    fn close(&self, state: &mut State, number: u64) {
        let mut inner = self.inner();
        inner.sockets.remove(&number);
        if inner.sockets.is_empty() {
            state.listened = false;
            state.news = Vec::new();
            inner.tickers = Tickers::default();
        }
        self.count.send_replace(inner.sockets.len());
    }

    /// Carries out what a client has sent.
    fn command(&self, state: &State, number: u64, text: &[u8]) {
        let mut inner = self.inner();
        let Inner {
            sockets, tickers, ..
        } = &mut *inner;
        if let Some(socket) = sockets.get_mut(&number) {
            commands::carry_out(state, socket, text);
            if socket.on(subscription::Channel::Ticker).is_some() {
                tickers.remember(state);
            }
        }
    }
}

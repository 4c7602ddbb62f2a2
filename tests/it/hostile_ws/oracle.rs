//! The client, and the comparison of its live books with the exchange's.

use std::{collections::BTreeSet, future::Future, pin::Pin, rc::Rc, time::Duration};

use serde_json::Value;
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep},
};

use super::{
    model::{EXTRA, FIRST, Model, ticker},
    server::{Instruction, Shared},
};
use crate::{
    scripted_server::credentials,
    ws_target::{
        Client, Environment, WEBSOCKET_PATH,
        ws::{BookStream, BookUpdate, ConnectionError, Event, Message, ReconnectPolicy},
    },
};

/// Maximum length of a message that the client accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Time limit for every book to become live after the last fault.
pub const BOUND: Duration = Duration::from_secs(60);

/// Time limit for all faults to end.
const FAULTS_TIMEOUT: Duration = Duration::from_secs(600);

/// Pause before a command or a first connection is retried.
const PAUSE: Duration = Duration::from_secs(1);

/// Statistics of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Number of live books compared with the history of their market.
    pub compared: u64,
    /// Number of live books compared with the book at the same frame.
    pub at_marks: u64,
    /// Time from the last fault until every book was live.
    pub recovery: Duration,
}

type Change = Pin<Box<dyn Future<Output = Result<(), ConnectionError>>>>;

/// Compares the books of a client.
pub struct Oracle {
    /// Index in the history of each market of the last state that its live book had.
    cursors: Vec<usize>,
    pub stats: Stats,
}

impl Oracle {
    pub fn new(markets: usize) -> Self {
        Self {
            cursors: vec![0; markets],
            stats: Stats::default(),
        }
    }

    /// Compares every live book with the history of its market, starting at the last matching state.
    pub fn check(&mut self, model: &Model, books: &BookStream) -> Result<(), String> {
        for (market, cursor) in self.cursors.iter_mut().enumerate() {
            let ticker = ticker(market);
            let Some(book) = books.live(&ticker) else {
                continue;
            };
            let clock = books.books().clock(&ticker);
            self.stats.compared += 1;
            let states = &model.markets[market].history[*cursor..];
            let same = states.iter().position(|state| {
                // Frames without clocks leave the last clock in place.
                state.book == *book && (state.clock.is_none() || state.clock == clock)
            });
            let Some(later) = same else {
                let last = &model.markets[market].book;
                return Err(format!(
                    "{ticker} at clock {clock:?} matches no state from {cursor} on: {book:?}; the last state is {last:?}"
                ));
            };
            *cursor += later;
        }
        Ok(())
    }

    /// Compares every live book with the book at the same frame. Returns `true` if all of `wanted` are live.
    pub fn check_mark(
        &mut self,
        model: &mut Model,
        books: &BookStream,
        mark: u64,
        wanted: &BTreeSet<usize>,
    ) -> Result<bool, String> {
        let Some(expected) = model.marks.remove(&mark) else {
            return Err(format!("mark {mark} arrived twice"));
        };
        let mut are_live = true;
        for (market, expected) in expected.iter().enumerate() {
            let ticker = ticker(market);
            match books.live(&ticker) {
                Some(book) if book == expected => self.stats.at_marks += 1,
                Some(book) => {
                    return Err(format!(
                        "{ticker} at mark {mark} is {book:?}, not {expected:?}"
                    ));
                }
                None => are_live &= !wanted.contains(&market),
            }
        }
        Ok(are_live)
    }
}

/// Checks that no book is live without a connection.
fn check_disconnected(model: &Model, books: &BookStream) -> Result<(), String> {
    let mut markets = 0..model.markets.len();
    match markets.find(|market| books.live(&ticker(*market)).is_some()) {
        Some(market) => Err(format!("{} is live without a connection", ticker(market))),
        None => Ok(()),
    }
}

/// Returns the number of a mark, or `None` if the update is not a mark.
fn mark_of(update: &BookUpdate) -> Option<u64> {
    let BookUpdate::Connection(Event::Message(received)) = update else {
        return None;
    };
    let Message::Unknown(unknown) = &received.frame.message else {
        return None;
    };
    let text: Value = serde_json::from_str(&unknown.raw).ok()?;
    text["msg"]["position"].as_u64()
}

/// Returns a client for a server at this address.
pub fn client(address: std::net::SocketAddr) -> Client {
    let environment = Environment::custom(
        &format!("http://{address}/trade-api/v2"),
        &format!("ws://{address}{WEBSOCKET_PATH}"),
    );
    let (credentials, _) = credentials();
    let builder = Client::builder().environment(environment.unwrap());
    builder.credentials(credentials).build().unwrap()
}

async fn connect(client: &Client) -> BookStream {
    loop {
        let policy = ReconnectPolicy::default()
            .with_retry_first(true)
            .with_max_backoff(Duration::from_secs(4));
        let builder = client.websocket().markets((0..FIRST).map(ticker));
        let builder = builder
            .idle_timeout(Duration::from_secs(10))
            .command_timeout(Duration::from_secs(8))
            .max_message_bytes(MAX_MESSAGE_BYTES)
            .reconnect(policy);
        match builder.books().await {
            Ok(books) => return books,
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Reads until every book is live after the last fault.
pub async fn read(
    client: Client,
    shared: Rc<Shared>,
    mut instructions: UnboundedReceiver<Instruction>,
) -> Result<Stats, String> {
    let begun = Instant::now();
    let mut books = connect(&client).await;
    let mut oracle = Oracle::new(shared.model.borrow().markets.len());
    let mut wanted: BTreeSet<usize> = (0..FIRST).collect();
    let mut instruction = None;
    let mut change: Option<Change> = None;
    loop {
        if let Ok(next) = instructions.try_recv() {
            instruction = Some(next);
            wanted.remove(&EXTRA);
            change = Some(attempt(&books, next, Duration::ZERO));
        }
        let calm_since = shared.calm_since.get();
        let deadline = calm_since.map_or(begun + FAULTS_TIMEOUT, |since| since + BOUND);
        tokio::select! {
            update = books.next() => {
                shared.is_busy.set(true);
                let update = match update {
                    Some(Ok(update)) => update,
                    end => return Err(format!("the book stream ended: {end:?}")),
                };
                let model = &mut *shared.model.borrow_mut();
                oracle.check(model, &books)?;
                if matches!(update, BookUpdate::Connection(Event::Disconnected { .. })) {
                    check_disconnected(model, &books)?;
                }
                if let Some(mark) = mark_of(&update)
                    && oracle.check_mark(model, &books, mark, &wanted)?
                    && change.is_none()
                    && let Some(since) = calm_since
                {
                    oracle.stats.recovery = since.elapsed();
                    return Ok(oracle.stats);
                }
            }
            Some(result) = async { Some(change.as_mut()?.await) } => {
                change = match (result, instruction) {
                    (Ok(()), Some(Instruction::AddMarket)) => {
                        wanted.insert(EXTRA);
                        None
                    }
                    (Ok(()), _) => None,
                    (Err(_), Some(instruction)) => Some(attempt(&books, instruction, PAUSE)),
                    (Err(_), None) => None,
                };
            }
            () = sleep(Duration::from_millis(500)) => {}
        }
        if Instant::now() > deadline {
            let are_live =
                (0..=EXTRA).map(|market| (market, books.live(&ticker(market)).is_some()));
            let are_live: Vec<_> = are_live.collect();
            return Err(match calm_since {
                Some(_) => format!("not live within {BOUND:?}: {are_live:?}, of {wanted:?}"),
                None => format!("a fault does not end: {are_live:?}, of {wanted:?}"),
            });
        }
    }
}

fn attempt(books: &BookStream, instruction: Instruction, pause: Duration) -> Change {
    let handle = books.connection().handle();
    let subscription = books.connection().subscriptions()[0].id();
    Box::pin(async move {
        sleep(pause).await;
        match instruction {
            Instruction::AddMarket => handle.add_markets(subscription, [ticker(EXTRA)]).await,
            Instruction::RemoveMarket => handle.remove_markets(subscription, [ticker(EXTRA)]).await,
        }
    })
}

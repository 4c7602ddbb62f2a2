//! The task of a connection: reads the socket, writes commands, detects idle connections and reconnects.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, Sleep, sleep_until, timeout_at},
};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message as Data};

use super::{
    backoff::ConnectLimit,
    closing::{close_gracefully, close_oversized, closed, lost},
    command::Command,
    error::ConnectionError,
    event::{Arrival, RawEvent},
    handshake::{self, Socket},
    options::Options,
    queue::EventQueue,
    session::Session,
};
use crate::{client::Core, server_time::Skew};

/// Interval of the pongs that keep a connection alive while it is not being read.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Maximum total size of unwritten commands, in bytes.
const MAX_OUTGOING_BYTES: usize = 64 * 1024 * 1024;

/// Maximum total size of unwritten pongs, in bytes.
const MAX_PONG_BYTES: usize = 128 * 1024;

/// Size of the header of a pong, in bytes.
const PONG_HEADER_BYTES: usize = 6;

/// Maximum number of frames read before anything else is polled.
const MAX_FRAMES_PER_TURN: usize = 64;

/// Delay of the idle timer above which the task is assumed not to have been running, so that the exchange may have sent frames in the
/// meantime.
const MAX_TIMER_DELAY: Duration = Duration::from_secs(1);

/// The task of a connection.
pub(super) struct Driver {
    core: Core,
    options: Options,
    session: Session,
    inbox: mpsc::UnboundedReceiver<Command>,
    stopped: oneshot::Receiver<()>,
    /// The skew of the local clock when it was last looked up.
    skew: Option<Skew>,
    /// A frame was received on this socket.
    has_received: bool,
}

/// The reason why a connection ended.
enum Exit {
    Stopped,
    Lost(ConnectionError),
}

/// Output that the socket has not accepted yet.
#[derive(Default)]
struct Unsent {
    /// The socket must be flushed.
    is_any: bool,
    pong_bytes: usize,
    /// Time since which a flush has been pending. `None` if there is none, and while the reader blocks the connection.
    since: Option<Instant>,
}

impl Unsent {
    /// Returns `true` if the server has stopped reading. It may still send, so that the connection is never idle.
    fn is_stuck(&self, now: Instant, timeout: Duration, outgoing_bytes: usize) -> bool {
        outgoing_bytes > MAX_OUTGOING_BYTES
            || self.pong_bytes > MAX_PONG_BYTES
            || self.since.is_some_and(|since| now >= since + timeout)
    }
}

/// An outage: the time without a working connection.
pub(super) struct Outage {
    since: Instant,
    /// Number of attempts after the first failure.
    attempts: u32,
    /// The last failure. `None` before the first attempt.
    pub(super) error: Option<ConnectionError>,
}

impl Outage {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            attempts: 0,
            error: None,
        }
    }

    /// Records that the connection was lost.
    fn lost(&mut self, error: ConnectionError) {
        let source = (&error as &dyn std::error::Error).source();
        tracing::warn!(%error, source, "connection lost");
        self.error = Some(error);
    }

    /// Records that an attempt failed.
    pub(super) fn failed(&mut self, error: ConnectionError) {
        let source = (&error as &dyn std::error::Error).source();
        tracing::warn!(%error, source, attempt = self.attempts, "connection attempt failed");
        self.error = Some(error);
    }

    /// Connects once, after a pause unless it is the very first attempt. Returns `None` if the time limit of the policy has passed.
    pub(super) async fn connect(
        &mut self,
        core: &Core,
        options: &Options,
        limit: &mut ConnectLimit,
    ) -> Option<Result<Socket, ConnectionError>> {
        let Some(error) = &self.error else {
            return Some(handshake::connect(core, options, limit).await);
        };
        let policy = &options.reconnect;
        let now = Instant::now();
        let start = now + policy.pause(self.attempts, error.retry_after());
        self.attempts = self.attempts.saturating_add(1);
        let start = start.max(limit.next_at(now));
        let end = policy
            .max_elapsed()
            .and_then(|max| self.since.checked_add(max));
        let Some(end) = end else {
            sleep_until(start).await;
            return Some(handshake::connect(core, options, limit).await);
        };
        sleep_until(start.min(end)).await;
        if start >= end {
            return None;
        }
        let connecting = handshake::connect(core, options, limit);
        timeout_at(end, connecting).await.ok()
    }
}

/// The end of an outage.
enum Reconnect {
    Stopped,
    Ended(ConnectionError),
    Connected(Box<Socket>),
}

impl Driver {
    pub(super) fn new(
        core: Core,
        options: Options,
        queue: EventQueue,
        inbox: mpsc::UnboundedReceiver<Command>,
        stopped: oneshot::Receiver<()>,
    ) -> Self {
        Self {
            core,
            options,
            session: Session::new(queue),
            inbox,
            stopped,
            skew: None,
            has_received: false,
        }
    }

    /// Runs until the connection is shut down or the policy gives up.
    pub(super) async fn run(mut self, first: Socket, mut limit: ConnectLimit) {
        let (mut socket, mut outage) = (first, None);
        let error = loop {
            self.learn_clock();
            self.session.connected();
            self.has_received = false;
            let error = match self.serve(&mut socket).await {
                Exit::Stopped => return close_gracefully(socket).await,
                Exit::Lost(error) => error,
            };
            drop(socket);
            self.session.disconnected();
            if self.has_received {
                // The connection worked, so this is a new outage.
                outage = None;
            }
            let outage = outage.get_or_insert_with(Outage::new);
            outage.lost(error.clone());
            self.report_disconnected(error);
            match self.reconnect(outage, &mut limit).await {
                Reconnect::Stopped => return,
                Reconnect::Ended(error) => break error,
                Reconnect::Connected(new) => socket = *new,
            }
        };
        // Commands fail from now on.
        drop(self.inbox);
        tokio::select! {
            () = self.session.finish(error) => {}
            _ = &mut self.stopped => {}
        }
    }

    async fn reconnect(&mut self, outage: &mut Outage, limit: &mut ConnectLimit) -> Reconnect {
        let (core, options) = (self.core.clone(), self.options);
        loop {
            let connecting = outage.connect(&core, &options, limit);
            match self.run_disconnected(connecting).await {
                None => return Reconnect::Stopped,
                Some(None) => {
                    let error = outage.error.take();
                    return Reconnect::Ended(error.unwrap_or(ConnectionError::Ended));
                }
                Some(Some(Ok(socket))) => return Reconnect::Connected(Box::new(socket)),
                Some(Some(Err(error))) => {
                    outage.failed(error.clone());
                    self.report_disconnected(error);
                }
            }
        }
    }

    fn report_disconnected(&mut self, error: ConnectionError) {
        let reason = Arc::new(error);
        self.session.broadcast(&RawEvent::Disconnected { reason });
    }

    fn learn_clock(&mut self) {
        self.skew = self.core.shared.server_time.skew();
    }

    /// Polls shutdown, commands and outgoing queues. Returns `Ready` on shutdown.
    fn poll_background(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if Pin::new(&mut self.stopped).poll(context).is_ready() {
            return Poll::Ready(());
        }
        // `stopped` reports that the connection was dropped, so the end of the channel can be ignored.
        while let Poll::Ready(Some(command)) = self.inbox.poll_recv(context) {
            self.session.command(command);
        }
        self.session.poll_flush(context);
        Poll::Pending
    }

    /// Drives a future while there is no connection. Returns `None` on shutdown.
    async fn run_disconnected<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if self.poll_background(context).is_ready() {
                return Poll::Ready(None);
            }
            future.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// Serves one connection until it ends.
    async fn serve(&mut self, socket: &mut Socket) -> Exit {
        let idle_timeout = self.options.idle_timeout;
        let mut last = Instant::now();
        let mut unsent = Unsent::default();
        let mut is_blocked = false;
        // Error of a write. Frames that arrived before it are read first.
        let mut broken = None;
        // The task did not run for a while, so the exchange was given a second idle timeout.
        let mut was_late = false;
        let mut timer = pin!(sleep_until(last + idle_timeout));
        poll_fn(|context| {
            loop {
                if self.poll_background(context).is_ready() {
                    return Poll::Ready(Exit::Stopped);
                }
                let now = Instant::now();
                if self.session.is_full() != is_blocked {
                    is_blocked = !is_blocked;
                    // Frames that were left in the socket are not late, and the server may have waited for them to be read.
                    last = now;
                    unsent.since = None;
                    if is_blocked {
                        timer.as_mut().reset(now + KEEPALIVE_INTERVAL);
                    }
                }
                let mut is_idle = false;
                if timer.as_mut().poll(context).is_ready() {
                    self.session.retry_due(now);
                    if is_blocked {
                        let pong = Data::Pong(Default::default());
                        if matches!(socket.poll_ready_unpin(context), Poll::Ready(Ok(()))) {
                            // The next flush reports an error.
                            _ = socket.start_send_unpin(pong);
                            unsent.is_any = true;
                        }
                    } else {
                        is_idle = now >= last + idle_timeout;
                    }
                    if is_idle && !was_late && now > last + idle_timeout + MAX_TIMER_DELAY {
                        (was_late, is_idle) = (true, false);
                        last = now;
                    }
                    if !is_idle {
                        let next = match is_blocked {
                            true => now + KEEPALIVE_INTERVAL,
                            false => last + idle_timeout,
                        };
                        let stuck = unsent.since.map(|since| since + idle_timeout);
                        let next = next.min(stuck.filter(|at| *at > now).unwrap_or(next));
                        timer.as_mut().reset(next);
                        self.wake_for_retry(timer.as_mut());
                        continue;
                    }
                } else {
                    self.wake_for_retry(timer.as_mut());
                }
                if broken.is_none() {
                    match self.poll_write(socket, &mut unsent, context) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => broken = Some(error),
                        Poll::Pending if is_blocked => {}
                        Poll::Pending => _ = unsent.since.get_or_insert(now),
                    }
                }
                let outgoing_bytes = self.session.outgoing_bytes();
                if !is_idle && unsent.is_stuck(now, idle_timeout, outgoing_bytes) {
                    return Poll::Ready(Exit::Lost(ConnectionError::Unread));
                }
                if is_blocked {
                    // The reader wakes this task when it takes messages.
                    return Poll::Pending;
                }
                for _ in 0..MAX_FRAMES_PER_TURN {
                    let data = match socket.poll_next_unpin(context) {
                        Poll::Ready(Some(Ok(data))) => data,
                        Poll::Ready(Some(Err(error))) => {
                            if matches!(error, SocketError::Capacity(_)) {
                                close_oversized(socket, context);
                            }
                            return Poll::Ready(Exit::Lost(lost(error)));
                        }
                        Poll::Ready(None) => {
                            return Poll::Ready(Exit::Lost(lost(SocketError::ConnectionClosed)));
                        }
                        Poll::Pending => {
                            if let Some(error) = broken.take() {
                                return Poll::Ready(Exit::Lost(error));
                            }
                            // The socket has no more frames.
                            if is_idle {
                                let idle = ConnectionError::Idle(idle_timeout);
                                return Poll::Ready(Exit::Lost(idle));
                            }
                            if timer.is_elapsed() || self.retries_before(timer.deadline()) {
                                break;
                            }
                            // Events that were just received may wait for their reader.
                            self.session.poll_flush(context);
                            return Poll::Pending;
                        }
                    };
                    last = now;
                    (is_idle, was_late) = (false, false);
                    match data {
                        Data::Text(text) => self.receive(&text),
                        Data::Binary(bytes) => {
                            self.receive(&String::from_utf8_lossy(&bytes));
                        }
                        // tungstenite replies with the next write.
                        Data::Ping(payload) => {
                            unsent.is_any = true;
                            unsent.pong_bytes += payload.len() + PONG_HEADER_BYTES;
                            self.learn_clock();
                        }
                        Data::Close(frame) => {
                            _ = socket.poll_flush_unpin(context);
                            return Poll::Ready(Exit::Lost(closed(frame)));
                        }
                        _ => {}
                    }
                    self.has_received = true;
                    if unsent.is_any || self.session.has_urgent_work() {
                        break;
                    }
                }
            }
        })
        .await
    }

    fn receive(&mut self, text: &str) {
        let now = self.core.shared.clock.now_ms().ok();
        let exchange_ms = now.and_then(|now| {
            let behind_ms = self.skew.and_then(|skew| skew.behind_ms(now));
            let now = i64::try_from(now).ok()?;
            Some(now.saturating_add(behind_ms.unwrap_or(0)))
        });
        let arrival = Arrival {
            exchange_ms,
            local_us: self.options.keep_raw.then(|| {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
            }),
        };
        self.session.frame(text.into(), arrival);
    }

    /// Sets the timer to the next retry of a subscription if that comes first.
    fn wake_for_retry(&self, timer: Pin<&mut Sleep>) {
        if let Some(next) = self.session.next_retry()
            && next < timer.deadline()
        {
            timer.reset(next);
        }
    }

    fn retries_before(&self, deadline: Instant) -> bool {
        self.session
            .next_retry()
            .is_some_and(|next| next < deadline)
    }

    /// Writes outgoing commands for as long as the socket accepts them. Each waits until the previous output is flushed, so that tungstenite
    /// buffers at most one.
    fn poll_write(
        &mut self,
        socket: &mut Socket,
        unsent: &mut Unsent,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), ConnectionError>> {
        loop {
            if unsent.is_any {
                ready!(socket.poll_flush_unpin(context)).map_err(lost)?;
                *unsent = Unsent::default();
            }
            let Some(text) = self.session.next_outgoing() else {
                return Poll::Ready(Ok(()));
            };
            socket.start_send_unpin(Data::text(text)).map_err(lost)?;
            unsent.is_any = true;
        }
    }
}

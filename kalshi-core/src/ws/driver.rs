//! The task of a connection: reads the socket, writes commands, detects idle connections and reconnects.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, Sleep, sleep, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message as Data, error::CapacityError};

use super::{
    backoff::{STABLE_AFTER, pause},
    command::Command,
    error::ConnectionError,
    event::RawEvent,
    handshake::{self, Socket},
    queue::EventQueue,
    session::Session,
};
use crate::client::Core;

/// How often a connection that is not being read sends a pong to stay alive.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Timeout of the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Most frames that are read before anything else is polled.
const MAX_FRAMES_PER_TURN: usize = 64;

/// Timeouts of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Longest time without a frame before the connection counts as dead.
    pub(super) idle_timeout: Duration,
    /// Timeout of a handshake and of the reply to a command.
    pub(super) command_timeout: Duration,
}

/// The task of a connection.
pub(super) struct Driver {
    core: Core,
    options: Options,
    session: Session,
    inbox: mpsc::UnboundedReceiver<Command>,
    stopped: oneshot::Receiver<()>,
    /// How far our clock is behind the exchange's, in milliseconds.
    behind_ms: i64,
}

/// Why a connection ended.
enum Exit {
    Stopped,
    Lost(ConnectionError),
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
            behind_ms: 0,
        }
    }

    /// Runs until the connection is shut down, or fails in a way that another connection would repeat.
    pub(super) async fn run(mut self, first: Socket) {
        let (mut socket, mut attempt) = (first, 0);
        let error = 'over: loop {
            let began = Instant::now();
            self.learn_clock();
            self.session.connected();
            let error = match self.serve(&mut socket).await {
                Exit::Stopped => return close_gracefully(socket).await,
                Exit::Lost(error) => error,
            };
            drop(socket);
            tracing::debug!(%error, "connection lost");
            self.session.disconnected();
            self.report_disconnected(error.clone());
            if error.is_permanent() {
                break error;
            }
            if began.elapsed() > STABLE_AFTER {
                attempt = 0;
            }
            socket = loop {
                let (core, timeout) = (self.core.clone(), self.options.command_timeout);
                let connecting = async move {
                    sleep(pause(attempt)).await;
                    handshake::connect(&core, timeout).await
                };
                attempt += 1;
                match self.run_disconnected(connecting).await {
                    None => return,
                    Some(Ok(socket)) => break socket,
                    Some(Err(error)) if error.is_permanent() => break 'over error,
                    Some(Err(error)) => self.report_disconnected(error),
                }
            };
        };
        // From here on commands fail.
        drop(self.inbox);
        tokio::select! {
            () = self.session.finish(error) => {}
            _ = &mut self.stopped => {}
        }
    }

    fn report_disconnected(&mut self, error: ConnectionError) {
        let reason = Arc::new(error);
        self.session.broadcast(&RawEvent::Disconnected { reason });
    }

    fn learn_clock(&mut self) {
        self.behind_ms = self.core.shared.server_time.behind_ms().unwrap_or(0);
    }

    /// Polls shutdown, commands and outgoing queues. Ready on shutdown.
    fn poll_background(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if Pin::new(&mut self.stopped).poll(context).is_ready() {
            return Poll::Ready(());
        }
        // `stopped` reports that the connection was dropped, so the end of the channel is ignored.
        while let Poll::Ready(Some(command)) = self.inbox.poll_recv(context) {
            self.session.command(command);
        }
        self.session.poll_flush(context);
        Poll::Pending
    }

    /// Waits for a future without a connection. `None` on shutdown.
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
        let mut last = Instant::now();
        let mut unsent = false;
        let mut is_blocked = false;
        let mut timer = pin!(sleep_until(last + self.options.idle_timeout));
        poll_fn(|context| {
            loop {
                if self.poll_background(context).is_ready() {
                    return Poll::Ready(Exit::Stopped);
                }
                let now = Instant::now();
                if self.session.is_full() != is_blocked {
                    is_blocked = !is_blocked;
                    // Frames that wait in the socket are not late.
                    last = now;
                    if is_blocked {
                        timer.as_mut().reset(now + KEEPALIVE_INTERVAL);
                    }
                }
                if timer.as_mut().poll(context).is_ready() {
                    if is_blocked {
                        let pong = Data::Pong(Default::default());
                        if matches!(socket.poll_ready_unpin(context), Poll::Ready(Ok(()))) {
                            // An error shows at the next flush.
                            _ = socket.start_send_unpin(pong);
                            unsent = true;
                        }
                    } else if now >= last + self.options.idle_timeout {
                        return Poll::Ready(Exit::Lost(ConnectionError::Idle(
                            self.options.idle_timeout,
                        )));
                    }
                    self.session.retry_due(now);
                    let next = match is_blocked {
                        true => now + KEEPALIVE_INTERVAL,
                        false => last + self.options.idle_timeout,
                    };
                    timer.as_mut().reset(next);
                    self.wake_for_retry(timer.as_mut());
                    continue;
                }
                self.wake_for_retry(timer.as_mut());
                if let Poll::Ready(Err(error)) = self.poll_write(socket, &mut unsent, context) {
                    return Poll::Ready(Exit::Lost(error));
                }
                if is_blocked {
                    // The reader wakes this when it makes room.
                    return Poll::Pending;
                }
                for _ in 0..MAX_FRAMES_PER_TURN {
                    let data = match socket.poll_next_unpin(context) {
                        Poll::Ready(Some(Ok(data))) => data,
                        Poll::Ready(Some(Err(error))) => {
                            return Poll::Ready(Exit::Lost(lost(error)));
                        }
                        Poll::Ready(None) => {
                            return Poll::Ready(Exit::Lost(lost(SocketError::ConnectionClosed)));
                        }
                        Poll::Pending if self.retries_before(timer.deadline()) => break,
                        Poll::Pending => {
                            // Events that just came may wait for their reader.
                            self.session.poll_flush(context);
                            return Poll::Pending;
                        }
                    };
                    last = now;
                    match data {
                        Data::Text(text) => self.receive(&text),
                        Data::Binary(bytes) => {
                            self.receive(&String::from_utf8_lossy(&bytes));
                        }
                        // tungstenite replies at the next write.
                        Data::Ping(_) => {
                            unsent = true;
                            self.learn_clock();
                        }
                        Data::Close(frame) => {
                            _ = socket.poll_flush_unpin(context);
                            let frame = frame.map(|frame| (frame.code.into(), frame.reason));
                            return Poll::Ready(Exit::Lost(match frame {
                                Some((code, reason)) => ConnectionError::Closed {
                                    code,
                                    reason: reason.as_str().to_owned(),
                                },
                                None => lost(SocketError::ConnectionClosed),
                            }));
                        }
                        _ => {}
                    }
                    if unsent || self.session.wants_turn() {
                        break;
                    }
                }
            }
        })
        .await
    }

    fn receive(&mut self, text: &str) {
        let now = self.core.shared.clock.now_ms().ok();
        let now = now.and_then(|now| i64::try_from(now).ok());
        let received_ts_ms = now.map(|now| now.saturating_add(self.behind_ms));
        self.session.frame(text.into(), received_ts_ms);
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

    /// Writes outgoing commands as far as the socket accepts them.
    fn poll_write(
        &mut self,
        socket: &mut Socket,
        unsent: &mut bool,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), ConnectionError>> {
        while self.session.has_outgoing() {
            ready!(socket.poll_ready_unpin(context)).map_err(lost)?;
            if let Some(text) = self.session.next_outgoing() {
                socket.start_send_unpin(Data::text(text)).map_err(lost)?;
                *unsent = true;
            }
        }
        if *unsent {
            ready!(socket.poll_flush_unpin(context)).map_err(lost)?;
            *unsent = false;
        }
        Poll::Ready(Ok(()))
    }
}

fn lost(error: SocketError) -> ConnectionError {
    match error {
        SocketError::ConnectionClosed | SocketError::AlreadyClosed => ConnectionError::Closed {
            code: 1005,
            reason: String::new(),
        },
        SocketError::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
            ConnectionError::MessageTooLarge(max_size)
        }
        error => ConnectionError::broken(error),
    }
}

/// Sends a close frame and waits briefly for the reply.
async fn close_gracefully(mut socket: Socket) {
    let closing = async {
        socket.close(None).await?;
        while let Some(data) = socket.next().await {
            data?;
        }
        Ok::<(), SocketError>(())
    };
    _ = timeout(CLOSE_TIMEOUT, closing).await;
}

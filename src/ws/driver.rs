//! The one task of a connection: reads the socket, writes commands, notices silence, and connects again.

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
use tokio_tungstenite::tungstenite::{Error as SocketError, Message as Data};

use super::{
    Frame, StreamError, StreamEvent,
    handshake::{self, Socket},
    outlet::Outlet,
    routes::Routes,
    stream::Options,
    subscription::Command,
};
use crate::Client;

/// A pause before the first attempt is at most that long, and twice as long for each that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What lasted that long was no failure.
pub(super) const LASTING: Duration = Duration::from_secs(60);

/// How often a connection that is not being read shows that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// How many frames are read before anything else is looked at.
const FRAMES_AT_ONCE: usize = 64;

/// A random pause, so that many clients do not come back at once.
pub(super) fn pause(attempt: u32) -> Duration {
    let most = FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(LONGEST_PAUSE);
    Duration::from_millis(fastrand::u64(
        0..=u64::try_from(most.as_millis()).unwrap_or(u64::MAX),
    ))
}

/// The task of a stream.
pub(super) struct Driver {
    client: Client,
    options: Options,
    routes: Routes,
    inbox: mpsc::UnboundedReceiver<Command>,
    stopped: oneshot::Receiver<()>,
    /// How far our clock is behind the exchange's.
    behind_ms: i64,
}

/// Why a connection is no more.
enum Exit {
    Stopped,
    Lost(StreamError),
}

impl Driver {
    pub(super) fn new(
        client: Client,
        options: Options,
        outlet: Outlet,
        inbox: mpsc::UnboundedReceiver<Command>,
        stopped: oneshot::Receiver<()>,
    ) -> Self {
        Self {
            client,
            options,
            routes: Routes::new(outlet),
            inbox,
            stopped,
            behind_ms: 0,
        }
    }

    /// Keeps a connection until it is told to stop, or until another one would be of no use.
    pub(super) async fn run(mut self, first: Socket) {
        let (mut socket, mut attempt) = (first, 0);
        let error = 'over: loop {
            let began = Instant::now();
            self.learn_clock();
            self.routes.connected();
            let error = match self.serve(&mut socket).await {
                Exit::Stopped => return part(socket).await,
                Exit::Lost(error) => error,
            };
            drop(socket);
            tracing::debug!(%error, "the connection of a stream is lost");
            self.routes.disconnected();
            self.tell_disconnected(error.clone());
            if error.is_permanent() {
                break error;
            }
            if began.elapsed() > LASTING {
                attempt = 0;
            }
            socket = loop {
                let (client, patience) = (self.client.clone(), self.options.patience);
                let connecting = async move {
                    sleep(pause(attempt)).await;
                    handshake::connect(&client, patience).await
                };
                attempt += 1;
                match self.meanwhile(connecting).await {
                    None => return,
                    Some(Ok(socket)) => break socket,
                    Some(Err(error)) if error.is_permanent() => break 'over error,
                    Some(Err(error)) => self.tell_disconnected(error),
                }
            };
        };
        // Commands find nobody any more.
        drop(self.inbox);
        tokio::select! {
            () = self.routes.finish(error) => {}
            _ = &mut self.stopped => {}
        }
    }

    fn tell_disconnected(&mut self, error: StreamError) {
        let reason = Arc::new(error);
        self.routes.tell_all(&StreamEvent::Disconnected { reason });
    }

    fn learn_clock(&mut self) {
        self.behind_ms = self.client.transport.server_time.behind_ms().unwrap_or(0);
    }

    /// What there is to do whether connected or not; ready when it is told to stop.
    fn poll_house(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if Pin::new(&mut self.stopped).poll(context).is_ready() {
            return Poll::Ready(());
        }
        // No more handles, and no stream to be read: the stream tells, so this is not looked at.
        while let Poll::Ready(Some(command)) = self.inbox.poll_recv(context) {
            self.routes.command(command);
        }
        self.routes.poll_flush(context);
        Poll::Pending
    }

    /// Waits for something without a connection; none if it is told to stop.
    async fn meanwhile<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if self.poll_house(context).is_ready() {
                return Poll::Ready(None);
            }
            future.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// Keeps one connection.
    async fn serve(&mut self, socket: &mut Socket) -> Exit {
        let mut last = Instant::now();
        let mut unsent = false;
        let mut is_held_up = false;
        let mut timer = pin!(sleep_until(last + self.options.silence));
        poll_fn(|context| {
            loop {
                if self.poll_house(context).is_ready() {
                    return Poll::Ready(Exit::Stopped);
                }
                let now = Instant::now();
                if self.routes.is_full() != is_held_up {
                    is_held_up = !is_held_up;
                    // What waits in the socket did not come late.
                    last = now;
                    if is_held_up {
                        timer.as_mut().reset(now + SIGN_OF_LIFE);
                    }
                }
                if timer.as_mut().poll(context).is_ready() {
                    if is_held_up {
                        let sign = Data::Pong(Default::default());
                        if matches!(socket.poll_ready_unpin(context), Poll::Ready(Ok(()))) {
                            // A fault shows in the next attempt to flush.
                            _ = socket.start_send_unpin(sign);
                            unsent = true;
                        }
                    } else if now >= last + self.options.silence {
                        return Poll::Ready(Exit::Lost(StreamError::Silent(self.options.silence)));
                    }
                    self.routes.retry_due(now);
                    let next = match is_held_up {
                        true => now + SIGN_OF_LIFE,
                        false => last + self.options.silence,
                    };
                    timer.as_mut().reset(next);
                    self.wake_for_retry(timer.as_mut());
                    continue;
                }
                self.wake_for_retry(timer.as_mut());
                if let Poll::Ready(Err(error)) = self.poll_write(socket, &mut unsent, context) {
                    return Poll::Ready(Exit::Lost(error));
                }
                if is_held_up {
                    // The reader's next step wakes this.
                    return Poll::Pending;
                }
                for _ in 0..FRAMES_AT_ONCE {
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
                            // What has just come may be waiting for its reader.
                            self.routes.poll_flush(context);
                            return Poll::Pending;
                        }
                    };
                    last = now;
                    match data {
                        Data::Text(text) => self.take(Frame::read(&text)),
                        Data::Binary(bytes) => {
                            self.take(Frame::read(&String::from_utf8_lossy(&bytes)));
                        }
                        // Answered by the socket itself, when it is written to next.
                        Data::Ping(_) => {
                            unsent = true;
                            self.learn_clock();
                        }
                        Data::Close(frame) => {
                            _ = socket.poll_flush_unpin(context);
                            let frame = frame.map(|frame| (frame.code.into(), frame.reason));
                            return Poll::Ready(Exit::Lost(match frame {
                                Some((code, reason)) => StreamError::Closed {
                                    code,
                                    reason: reason.as_str().to_owned(),
                                },
                                None => lost(SocketError::ConnectionClosed),
                            }));
                        }
                        _ => {}
                    }
                    if unsent || self.routes.wants_more() {
                        break;
                    }
                }
            }
        })
        .await
    }

    fn take(&mut self, frame: Frame) {
        let now = self.client.transport.clock.now_ms().ok();
        let now = now.and_then(|now| i64::try_from(now).ok());
        let received_ts_ms = now.map(|now| now.saturating_add(self.behind_ms));
        self.routes.frame(frame, received_ts_ms);
    }

    /// Has the timer run out in time for what is to be tried again.
    fn wake_for_retry(&self, timer: Pin<&mut Sleep>) {
        if let Some(next) = self.routes.next_retry()
            && next < timer.deadline()
        {
            timer.reset(next);
        }
    }

    fn retries_before(&self, deadline: Instant) -> bool {
        self.routes.next_retry().is_some_and(|next| next < deadline)
    }

    /// Writes what there is to write, as far as the socket takes it.
    fn poll_write(
        &mut self,
        socket: &mut Socket,
        unsent: &mut bool,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), StreamError>> {
        while self.routes.has_outgoing() {
            ready!(socket.poll_ready_unpin(context)).map_err(lost)?;
            if let Some(text) = self.routes.next_outgoing() {
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

fn lost(error: SocketError) -> StreamError {
    match error {
        SocketError::ConnectionClosed | SocketError::AlreadyClosed => StreamError::Closed {
            code: 1005,
            reason: String::new(),
        },
        error => StreamError::broken(error),
    }
}

/// Says goodbye, and does not insist on an answer.
async fn part(mut socket: Socket) {
    let parting = async {
        socket.close(None).await?;
        while let Some(data) = socket.next().await {
            data?;
        }
        Ok::<(), SocketError>(())
    };
    _ = timeout(Duration::from_secs(1), parting).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_are_random() {
        for (attempt, most) in [(0, 500), (1, 1_000), (6, 32_000), (7, 60_000), (99, 60_000)] {
            let pauses: Vec<_> = (0..500).map(|_| pause(attempt).as_millis()).collect();
            assert!(pauses.iter().all(|pause| *pause <= most), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause > most / 2), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause < most / 2), "{attempt}");
        }
    }
}

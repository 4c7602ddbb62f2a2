//! `kalshi record`: records the WebSocket messages of markets.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use kalshi_sdk::ws::{BookStream, BookUpdate, Channel, Event, Message};
use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    commands::time_args,
    context::Context,
    failure::{Exit, Failure},
    output::Record as OutputRecord,
    recording::{ALIVE_INTERVAL, ConnectionEvent, Limits, Writer},
    signals::Signals,
};

/// Time between flushes. A killed recorder loses what it received since the last one; half a second leaves time for a late flush to
/// happen within a second.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);

/// Records the WebSocket messages of markets until ctrl-C, SIGTERM or SIGHUP.
///
/// Frames are kept as received, with the time of receipt and the events of the connection, in segments compressed with zstd. If the
/// recorder is killed, at most a second is lost.
#[derive(Args)]
pub(crate) struct Record {
    /// Tickers of the markets.
    #[arg(required = true, value_name = "TICKER")]
    tickers: Vec<String>,
    /// Directory of the segments. Earlier recordings in it are kept.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Channels to record in addition to the order books.
    #[arg(long = "channel", value_name = "NAME", default_value = "trade", value_parser = ["trade", "ticker", "market_lifecycle_v2"])]
    channels: Vec<String>,
    /// Stop after this time, such as 90s, 15m or 6h.
    #[arg(long = "for", value_name = "TIME", value_parser = time_args::duration)]
    duration: Option<Duration>,
    /// Start another segment after this many megabytes before compression. Each begins with a snapshot of the books.
    #[arg(long, value_name = "MB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    segment_size: u64,
    /// Start another segment after this time.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time_args::duration)]
    segment_time: Duration,
}

/// Fields of the report, in order.
const FIELDS: [&str; 5] = ["directory", "segments", "frames", "events", "bytes"];

impl Record {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.output.check_fields(FIELDS, [])?;
        if context.dry_run {
            context.output.note(&format!(
                "dry run: would record {} from {} in {}",
                self.tickers.join(", "),
                context.exchange(),
                self.output.display()
            ));
            return Ok(Exit::Success);
        }
        let mut signals = Signals::new()?;
        let client = context.client()?;
        let mut builder = client.websocket().markets(&self.tickers).keep_raw(true);
        let mut channels = vec![Channel::OrderbookDelta.as_str().to_owned()];
        for channel in &self.channels {
            builder = builder.channel(Channel::from(channel.as_str()));
            channels.push(channel.clone());
        }
        let mut books = tokio::select! {
            books = builder.books() => books?,
            exit = signals.next() => return Ok(exit),
        };
        let limits = Limits {
            bytes: self.segment_size * 1_000_000,
            age: self.segment_time.max(Duration::from_secs(1)),
        };
        let exchange = context.exchange();
        let mut writer = Writer::create(
            &self.output,
            exchange,
            self.tickers.clone(),
            channels,
            limits,
        )?;
        let end = self
            .duration
            .and_then(|duration| Instant::now().checked_add(duration));
        let progress = context.output.progress("frames");
        let mut flushes = tokio::time::interval(FLUSH_INTERVAL);
        flushes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                update = books.next() => match update {
                    Some(Ok(BookUpdate::Connection(event))) => {
                        if write(&mut writer, &books, &event)? {
                            progress.increment();
                        }
                    }
                    // Book events can be derived from the frames.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        writer.close()?;
                        return Err(error.into());
                    }
                    None => break,
                },
                _ = flushes.tick() => {
                    if writer.idle_time() > ALIVE_INTERVAL {
                        writer.event(&ConnectionEvent::Alive)?;
                    }
                    writer.flush()?;
                }
                _ = signals.next() => break,
                () = sleep_until(end), if end.is_some() => break,
            }
            if writer.rotate_if_full()? {
                request_snapshots(&books, self.tickers.clone());
            }
        }
        progress.finish();
        writer.event(&ConnectionEvent::Stopped)?;
        let summary = writer.close()?;
        books.shutdown().await;
        let [directory, segments, frames, events, bytes] = FIELDS;
        let record = OutputRecord::new("recording")
            .field(directory, self.output.display().to_string())
            .field(segments, summary.segments)
            .field(frames, i64::try_from(summary.frames)?)
            .field(events, i64::try_from(summary.events)?)
            .field(bytes, i64::try_from(summary.bytes)?);
        context.output.print([record])?;
        Ok(Exit::Success)
    }
}

/// Writes a frame or an event of the connection. Returns `true` for a frame.
fn write(writer: &mut Writer, books: &BookStream, event: &Event) -> Result<bool, Failure> {
    if let Event::Message(received) = event
        && let Some(raw) = &received.raw
    {
        let snapshot_of = match &received.frame.message {
            Message::OrderbookSnapshot(snapshot) => Some(&*snapshot.market_ticker),
            _ => None,
        };
        writer.frame(raw.received_ts_us(), raw.text(), snapshot_of)?;
        return Ok(true);
    }
    let channel = |id| {
        let mut subscriptions = books.connection().subscriptions().iter();
        let subscription = subscriptions.find(|subscription| subscription.id() == id)?;
        Some(subscription.channel().clone())
    };
    if let Some(event) = ConnectionEvent::from_event(event, channel) {
        writer.event(&event)?;
    }
    Ok(false)
}

/// Requests snapshots of the books, so that a new segment can be replayed without those before it.
fn request_snapshots(books: &BookStream, tickers: Vec<String>) {
    let connection = books.connection();
    let mut subscriptions = connection.subscriptions().iter();
    let Some(subscription) =
        subscriptions.find(|subscription| *subscription.channel() == Channel::OrderbookDelta)
    else {
        return;
    };
    let (handle, id) = (connection.handle(), subscription.id());
    tokio::spawn(async move {
        // If this fails, the segment is still complete, but its books need the segments before it.
        _ = handle.get_snapshots(id, tickers).await;
    });
}

async fn sleep_until(end: Option<Instant>) {
    if let Some(end) = end {
        tokio::time::sleep_until(end).await;
    }
}

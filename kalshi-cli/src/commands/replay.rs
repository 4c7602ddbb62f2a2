//! `kalshi replay`: replays a recording.

mod player;

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use clap::Args;
use kalshi_sdk::ws::BookEvent;
use tokio::time::Instant;

use self::player::Player;
use crate::{
    context::Context,
    failure::{Exit, Failure},
    market_data,
    output::{Format, Part, Record, sanitize},
    recording::{self, Damage, Entry, Line, Segment},
};

/// Number of lines between points at which ctrl-C is handled.
const LINES_PER_YIELD: u64 = 256;

/// Replays a recording: rebuilds the order books, and reports how long each was live.
#[derive(Args)]
pub(crate) struct Replay {
    /// Directory of the recording.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print the frames and the events of the connection instead of the report.
    #[arg(long)]
    frames: bool,
    /// Print each change of a book instead of the report.
    #[arg(long)]
    books: bool,
    /// Replay at the speed of the recording.
    #[arg(long)]
    realtime: bool,
    /// Include up to this many levels of each side of the final books in the report.
    #[arg(long, default_value_t = 0, value_name = "N")]
    depth: usize,
}

/// Fields of the lines and of the report, for `--fields`.
const LINE_FIELDS: [&str; 11] = [
    "time",
    "text",
    "type",
    "market_ticker",
    "state",
    "yes_bid",
    "yes_bid_count",
    "yes_ask",
    "yes_ask_count",
    "spread",
    "reason",
];

impl Replay {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let prints_lines = self.frames || self.books;
        if prints_lines {
            context.output.check_line_fields(&LINE_FIELDS)?;
        }
        let paths = recording::segments(&self.directory)?;
        let progress = match prints_lines {
            false => Some(context.output.progress("frames")),
            true => None,
        };
        let mut player = Player::default();
        let mut damages = Vec::new();
        let mut clock = RealtimeClock::default();
        for path in &paths {
            let mut report = |damage: Damage| {
                let name = path.file_name().unwrap_or_default().display();
                damages.push(format!("{name} {damage}"));
            };
            let segment = match Segment::open(path)? {
                Ok(segment) => segment,
                Err(damage) => {
                    player.mark_damaged();
                    report(damage);
                    continue;
                }
            };
            let lost_at = player.now();
            let (is_complete, lost) = player.begin_segment(segment.header(), segment.start_us());
            if !is_complete {
                report(Damage::Missing);
            }
            for event in lost.iter().filter(|_| self.books) {
                print_event(context, &player, time(lost_at), event)?;
            }
            let mut lines = 0;
            for line in segment {
                let line = match line {
                    Ok(line) => line,
                    Err(damage) => {
                        player.mark_damaged();
                        report(damage);
                        break;
                    }
                };
                if self.realtime {
                    clock.wait_for(line.time_us).await;
                }
                if self.frames {
                    print_line(context, &line)?;
                }
                for event in player.apply(&line) {
                    if self.books {
                        print_event(context, &player, time(line.time_us), &event)?;
                    }
                }
                if let Some(progress) = &progress {
                    progress.increment();
                }
                lines += 1;
                if lines % LINES_PER_YIELD == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
        drop(progress);
        for damage in &damages {
            context.output.note(&format!("warning: {damage}"));
        }
        if !prints_lines {
            context
                .output
                .print(self.report(&player, paths.len(), &damages))?;
        }
        Ok(Exit::Success)
    }

    fn report(&self, player: &Player, segments: usize, damages: &[String]) -> Vec<Part> {
        let damage = (!damages.is_empty()).then(|| damages.join("\n"));
        let record = Record::new("recording")
            .field("exchange", player.exchange())
            .field("from", player.first_us().map(time))
            .field("to", player.last_us().map(time))
            .field("segments", i64::try_from(segments).ok())
            .field("frames", i64::try_from(player.frames()).ok())
            .field("disconnects", i64::try_from(player.disconnects()).ok())
            .field("damage", damage);
        let mut parts = vec![player.table().into(), record.into()];
        if self.depth > 0 {
            let mut levels = market_data::levels_table();
            for (ticker, book) in player.last_books() {
                market_data::push_levels(&mut levels, ticker, book, self.depth);
            }
            parts.push(levels.into());
        }
        parts
    }
}

fn time(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or_default()
}

fn print_line(context: &Context, line: &Line) -> Result<(), Failure> {
    let (kind, text) = match &line.entry {
        Entry::Frame(text) => ("frame", text.clone()),
        Entry::Event(event) => ("event", serde_json::to_string(event)?),
        Entry::Header(header) => ("segment", serde_json::to_string(header)?),
    };
    let time = time(line.time_us);
    match context.output.format {
        Format::Text => context.output.line(&format!(
            "{} {kind:7} {}",
            time.format("%H:%M:%S%.6f"),
            sanitize(&text)
        )),
        _ => context.output.print_line(
            Record::new("line")
                .field("time", time)
                .field("type", kind)
                .field("text", text),
        ),
    }
}

fn print_event(
    context: &Context,
    player: &Player,
    time: DateTime<Utc>,
    event: &BookEvent,
) -> Result<(), Failure> {
    let ticker = event.market_ticker();
    let record = market_data::book_line(time, event, player.live(ticker));
    match record {
        Some(record) => context.output.print_line(record),
        None => Ok(()),
    }
}

/// Reproduces the pauses of the recording.
#[derive(Default)]
struct RealtimeClock {
    start: Option<(Instant, i64)>,
}

impl RealtimeClock {
    async fn wait_for(&mut self, time_us: i64) {
        let (started, first_us) = *self.start.get_or_insert((Instant::now(), time_us));
        let elapsed = time_us.saturating_sub(first_us).max(0).unsigned_abs();
        tokio::time::sleep_until(started + Duration::from_micros(elapsed)).await;
    }
}

//! `kalshi watch`: shows live order books, last trades and spreads.

mod draw;
mod full_screen;
mod screen;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};
use chrono::Utc;
use clap::Args;
use kalshi_sdk::{
    Client,
    ws::{BookStream, BookUpdate, Channel, Event, Message},
};
use tokio::time::MissedTickBehavior;

use self::{
    full_screen::{FullScreen, Input},
    screen::Screen,
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    market_data,
    output::{Format, Record},
    recording::ConnectionEvent,
    signals::Signals,
};

/// Time between screen updates.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Shows live order books, last trades and spreads, full screen. Press q to quit.
#[derive(Args)]
pub(crate) struct Watch {
    /// Tickers of the markets.
    #[arg(required = true, value_name = "TICKER")]
    tickers: Vec<String>,
    /// Exit after this many events. Requires --json.
    #[arg(long, value_name = "N", requires = "json")]
    events: Option<u64>,
    /// Treat the connection as lost after this many seconds without a frame. The exchange pings every 10 s.
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=3600))]
    idle_timeout: u64,
}

/// Fields of the lines, for `--fields`.
const LINE_FIELDS: [&str; 16] = [
    "time",
    "market_ticker",
    "state",
    "yes_bid",
    "yes_bid_count",
    "yes_ask",
    "yes_ask_count",
    "spread",
    "reason",
    "yes_price",
    "count",
    "taker_side",
    "traded_time",
    "trade_id",
    "type",
    "detail",
];

impl Watch {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut signals = Signals::new()?;
        let prints_lines = context.output.format == Format::Json;
        context.output.check_line_fields(&LINE_FIELDS)?;
        let has_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
        if !prints_lines && !has_terminal {
            return Err(Failure::usage(
                "watch draws on a terminal: use --json to print events as lines",
            ));
        }
        let client = context.client()?;
        let connect = async {
            let titles = match prints_lines {
                true => Vec::new(),
                false => titles(&client, &self.tickers).await?,
            };
            let books = client
                .websocket()
                .markets(&self.tickers)
                .channel(Channel::Trade)
                .idle_timeout(Duration::from_secs(self.idle_timeout))
                .books()
                .await?;
            Ok::<_, Failure>((titles, books))
        };
        let (titles, mut books) = tokio::select! {
            connected = connect => connected?,
            exit = signals.next() => return Ok(exit),
        };
        let result = match prints_lines {
            true => print_lines(context, &mut books, &mut signals, self.events).await,
            false => {
                let screen = Screen::new(context.exchange(), &self.tickers, titles);
                run_screen(&mut books, &mut signals, screen).await
            }
        };
        books.shutdown().await;
        result
    }
}

/// Returns the tickers with their YES titles.
async fn titles(client: &Client, tickers: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let response = client.get_markets().tickers(tickers).send().await?;
    let markets = response.into_inner().markets.into_iter();
    Ok(markets
        .map(|market| (market.ticker, market.yes_sub_title.unwrap_or_default()))
        .collect())
}

/// Prints events as lines.
async fn print_lines(
    context: &Context,
    books: &mut BookStream,
    signals: &mut Signals,
    events: Option<u64>,
) -> Result<Exit, Failure> {
    let mut printed = 0;
    while events.is_none_or(|events| printed < events) {
        let update = tokio::select! {
            update = books.next() => update,
            exit = signals.next() => return Ok(exit),
        };
        let Some(update) = update else { break };
        if let Some(line) = line(&update?, books)? {
            context.output.print_line(line)?;
            printed += 1;
        }
    }
    Ok(Exit::Success)
}

/// Returns the line of an update, or `None` for messages of other channels.
fn line(update: &BookUpdate, books: &BookStream) -> Result<Option<Record>, Failure> {
    let now = Utc::now();
    Ok(match update {
        BookUpdate::Book(event) => {
            market_data::book_line(now, event, books.live(event.market_ticker()))
        }
        BookUpdate::Connection(Event::Message(received)) => match &received.frame.message {
            Message::Trade(trade) => Some(market_data::trade_line(now, trade)),
            _ => None,
        },
        BookUpdate::Connection(event) => {
            ConnectionEvent::from_event(event, |_| None).map(|event| {
                Record::new("connection")
                    .field("time", now)
                    .field("type", event.name())
                    .field("detail", event.detail())
            })
        }
        _ => None,
    })
}

/// Draws the screen until a key or a signal ends it. The terminal is restored in every case.
async fn run_screen(
    books: &mut BookStream,
    signals: &mut Signals,
    mut screen: Screen,
) -> Result<Exit, Failure> {
    let has_colors = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let (mut full_screen, mut inputs) = FullScreen::open(has_colors)?;
    let mut redraws = tokio::time::interval(REDRAW_INTERVAL);
    redraws.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            changes = books.changed() => match changes {
                Some(changes) => screen.apply(changes?),
                None => return Err("the connection has ended".into()),
            },
            _ = redraws.tick() => {
                screen.refresh(books, Utc::now());
                full_screen.draw(|frame| draw::draw(frame, &screen))?;
            }
            input = inputs.recv() => match input {
                Some(Input::Quit) => return Ok(Exit::Success),
                Some(Input::Interrupt) => return Ok(Exit::Interrupted),
                Some(Input::Up) => screen.select_previous(),
                Some(Input::Down) => screen.select_next(),
                None => return Err("the keyboard cannot be read".into()),
            },
            exit = signals.next() => return Ok(exit),
        }
    }
}

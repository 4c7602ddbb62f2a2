//! Shows a live order book in the terminal: bids, asks, and whether the book is live or stale.
//!
//! By default it shows a market of a local exchange in this process, on a network that occasionally loses frames and connections. With
//! `KALSHI_DEMO_API_KEY_ID` and `KALSHI_DEMO_PRIVATE_KEY_PATH` set it shows a market of the demo exchange, and with `KALSHI_API_KEY_ID` and
//! `KALSHI_PRIVATE_KEY_PATH` one of the production exchange. It places no orders. If the output is not a terminal, it prints a line for
//! each event.
//!
//! `cargo run --example orderbook -- [MARKET] [--events N]`

#![allow(missing_docs, reason = "an example")]

use std::{
    collections::VecDeque,
    env,
    error::Error,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use kalshi_mock::MockExchange;
use kalshi_sdk::{
    Client, Dollars, OutcomeSide, PriceLevel,
    ws::{BookEvent, BookStream, BookUpdate, Event, OrderBook},
};
use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, KeyCode},
    layout::{Constraint, Layout},
    style::{Color, Stylize},
    text::Line,
    widgets::{Block, Paragraph, Row, Table},
};

const USAGE: &str = "orderbook [MARKET] [--events N]

Shows the order book of a market as it changes. MARKET is its ticker, optional on the local exchange.
In a terminal, press q to quit.

  --events N   exit after N events; defaults to 100 if the output is not a terminal";

/// Interval between redraws, and between changes of the local market.
const PACE: Duration = Duration::from_millis(100);

struct Options {
    market: Option<String>,
    events: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("error: {message}; see --help");
            return ExitCode::FAILURE;
        }
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
            if kind == Some(io::ErrorKind::BrokenPipe) {
                // The reader, such as `head`, has exited.
                return ExitCode::SUCCESS;
            }
            eprintln!("error: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprintln!("  caused by: {error}");
                source = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options {
        market: None,
        events: None,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--events" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                options.events = Some(number.ok_or("--events needs a number")?);
            }
            other if other.starts_with('-') => return Err(format!("unknown argument {other:?}")),
            market if options.market.is_none() => options.market = Some(market.to_owned()),
            other => return Err(format!("unexpected argument {other:?}: give one market")),
        }
    }
    Ok(Some(options))
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let market = || {
        options
            .market
            .clone()
            .ok_or("no market given: pass its ticker")
    };
    // Keeps the local exchange running until the end.
    let mut local = None;
    let (client, market, place) = if env::var_os("KALSHI_API_KEY_ID").is_some() {
        (Client::from_env()?, market()?, "the production exchange")
    } else if env::var_os("KALSHI_DEMO_API_KEY_ID").is_some() {
        (Client::demo_from_env()?, market()?, "the demo exchange")
    } else {
        let exchange = MockExchange::start().await?;
        let ticker = options.market.clone();
        let ticker = ticker.unwrap_or_else(|| "KXEXAMPLE-26-BOOK".to_owned());
        let client = exchange.client()?;
        tokio::spawn(simulate_market(
            exchange.market(&ticker),
            exchange.websockets(),
        ));
        local = Some(exchange);
        (client, ticker, "a local exchange in this process")
    };
    let books = client.websocket().market(&market).books().await?;
    let result = match io::stdout().is_terminal() {
        true => watch(books, &market, place, options.events).await,
        false => print(books, &market, place, options.events.unwrap_or(100)).await,
    };
    if let Some(exchange) = local {
        exchange.shutdown().await;
    }
    result
}

/// Simulates the other traders of the local exchange, and network faults.
async fn simulate_market(market: kalshi_mock::Market, websockets: kalshi_mock::WebSockets) {
    let mut random = fastrand::Rng::new();
    let cents = |cents: i64| Dollars::from_micros(cents * 10_000);
    let mut middle = 50;
    for step in 1_u64.. {
        middle = (middle + random.i64(-1..=1)).clamp(15, 85);
        for _ in 0..3 {
            market.bid(cents(middle - random.i64(1..12)), random.i32(1..80));
            market.ask(cents(middle + random.i64(1..12)), random.i32(1..80));
        }
        match step % 60 {
            20 => websockets.drop_frames(1),
            40 => websockets.reset(),
            59 => _ = market.clear(),
            _ => {}
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Describes an update in a line, or returns `None` if it is not worth showing.
fn describe(update: &BookUpdate, books: &BookStream) -> Option<String> {
    Some(match update {
        BookUpdate::Book(BookEvent::Stale { reason, .. }) => format!("STALE  {reason:?}"),
        BookUpdate::Book(BookEvent::Live { market_ticker }) => {
            format!("LIVE   {}", quote(books.live(market_ticker)?))
        }
        BookUpdate::Book(BookEvent::Changed { market_ticker, .. }) => {
            format!("       {}", quote(books.live(market_ticker)?))
        }
        BookUpdate::Connection(Event::Disconnected { reason }) => {
            format!("LOST   {reason}; reconnecting")
        }
        BookUpdate::Connection(Event::Gap { expected, got, .. }) => {
            format!("GAP    expected message {expected}, got {got}")
        }
        BookUpdate::Connection(Event::Connected) => "CONNECTED".to_owned(),
        BookUpdate::Connection(Event::Resubscribed { .. }) => "RESUBSCRIBED".to_owned(),
        BookUpdate::Connection(Event::Unsubscribed { error, .. }) => match error {
            Some(error) => format!("UNSUBSCRIBED {error}"),
            None => "UNSUBSCRIBED".to_owned(),
        },
        _ => return None,
    })
}

fn quote(book: &OrderBook) -> String {
    let level = |level: Option<PriceLevel>| match level {
        Some(PriceLevel { price, count, .. }) => format!("{count:>9} at {price}"),
        None => format!("{:>19}", "none"),
    };
    format!(
        "bid {}   ask {}",
        level(book.best_bid(OutcomeSide::Yes)),
        level(book.best_ask(OutcomeSide::Yes))
    )
}

/// Prints a line for each event.
async fn print(
    mut books: BookStream,
    market: &str,
    place: &str,
    events: u64,
) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{market} on {place}")?;
    let mut seen = 0;
    let mut last = String::new();
    while seen < events
        && let Some(update) = books.next().await
    {
        // Skips changes that leave the best prices as they were.
        if let Some(line) = describe(&update?, &books).filter(|line| *line != last) {
            writeln!(io::stdout(), "{line}")?;
            last = line;
            seen += 1;
        }
    }
    books.shutdown().await;
    Ok(())
}

/// Draws the book ten times a second until the user quits.
async fn watch(
    mut books: BookStream,
    market: &str,
    place: &str,
    events: Option<u64>,
) -> Result<(), Box<dyn Error>> {
    let mut terminal = ratatui::try_init()?;
    let result = draw_until_done(&mut terminal, &mut books, market, place, events).await;
    ratatui::try_restore()?;
    books.shutdown().await;
    result
}

async fn draw_until_done(
    terminal: &mut DefaultTerminal,
    books: &mut BookStream,
    market: &str,
    place: &str,
    events: Option<u64>,
) -> Result<(), Box<dyn Error>> {
    let mut log = VecDeque::new();
    let mut seen = 0;
    let mut frames = tokio::time::interval(PACE);
    while events.is_none_or(|events| seen < events) {
        tokio::select! {
            update = books.next() => {
                let Some(update) = update else { break };
                let update = update?;
                seen += 1;
                let is_notable = !matches!(update, BookUpdate::Book(BookEvent::Changed { .. }));
                if is_notable && let Some(line) = describe(&update, books) {
                    log.push_front(line);
                    log.truncate(8);
                }
            }
            _ = frames.tick() => {
                terminal.draw(|frame| draw(frame, books.live(market), &log, &format!(" {market} on {place} ")))?;
                while event::poll(Duration::ZERO)? {
                    if matches!(event::read()?, event::Event::Key(key) if matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)) {
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}

fn draw(frame: &mut Frame<'_>, book: Option<&OrderBook>, log: &VecDeque<String>, title: &str) {
    let [state, levels, below] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Min(4),
        Constraint::Length(10),
    ])
    .areas(frame.area());
    let line = match book {
        Some(book) => {
            let spread = book
                .spread()
                .map_or("none".to_owned(), |spread| spread.to_string());
            let mid = book
                .mid(OutcomeSide::Yes)
                .map_or("none".to_owned(), |mid| mid.to_string());
            Line::from(format!("LIVE   mid {mid}   spread {spread}")).fg(Color::Green)
        }
        None => Line::from("STALE  do not trade on this book").fg(Color::Red),
    };
    let block = |title: &str| Block::bordered().title(title.to_owned());
    frame.render_widget(Paragraph::new(line).block(block(title)), state);
    let [bids, asks] = Layout::horizontal([Constraint::Fill(1); 2]).areas(levels);
    for (area, title, color) in [
        (bids, " bids for YES ", Color::Green),
        (asks, " asks for YES ", Color::Red),
    ] {
        let levels: Vec<_> = match (book, color) {
            (None, _) => Vec::new(),
            (Some(book), Color::Green) => book.bids(OutcomeSide::Yes).collect(),
            (Some(book), _) => book.asks(OutcomeSide::Yes).collect(),
        };
        let rows = levels
            .iter()
            .map(|level| Row::new([level.price.to_string(), level.count.to_string()]));
        let table = Table::new(rows, [Constraint::Fill(1); 2])
            .block(block(title))
            .fg(color);
        frame.render_widget(table, area);
    }
    let log: Vec<_> = log.iter().map(|line| Line::from(line.as_str())).collect();
    frame.render_widget(
        Paragraph::new(log).block(block(" events (q quits) ")),
        below,
    );
}

//! A market maker for three markets of a local exchange that loses connections, frames and responses.
//!
//! It quotes both sides around the mid price of each book, skewed against its inventory. One connection delivers books, fills and
//! orders. If the connection is lost or fills may be missing, the maker triggers its order group, which cancels all quotes, and sends no
//! new ones. A `Backfill` reads the missed fills. An order whose outcome is unknown is looked up and never sent again.
//!
//! `--seed` determines the faults. At the end, the inventory, which is counted from fills, is compared with the positions on the
//! exchange. The exit code is 1 if they differ.
//!
//! `cargo run -p kalshi-mock --example market_maker -- [--steps N] [--seed N]`

#![allow(missing_docs, reason = "an example")]

#[path = "market_maker/account.rs"]
pub(crate) mod account;
#[path = "market_maker/display.rs"]
pub(crate) mod display;
#[path = "market_maker/group.rs"]
mod group;
#[path = "market_maker/maker.rs"]
mod maker;
#[path = "market_maker/quotes.rs"]
mod quotes;
#[path = "market_maker/report.rs"]
pub(crate) mod report;
#[path = "market_maker/simulation.rs"]
mod simulation;

use std::{
    env,
    io::{self, IsTerminal, Write},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use kalshi_mock::MockExchange;
use kalshi_sdk::{
    limits::Tier,
    ws::{Channel, ReconnectPolicy},
};

use display::{Lines, Output, Screen};
use maker::Maker;
use report::Report;
use simulation::Simulation;

/// The markets that are quoted.
const TICKERS: [&str; 3] = ["KXEXAMPLE-26-LOW", "KXEXAMPLE-26-MID", "KXEXAMPLE-26-HIGH"];

/// Interval of decisions. Each considers all changes since the last one.
const PACE: Duration = Duration::from_millis(150);

/// An error that the maker cannot handle.
type Error = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct Options {
    /// Number of decisions, or `None` to run until it is stopped.
    pub(crate) steps: Option<u32>,
    pub(crate) seed: u64,
    /// Interval of decisions.
    pub(crate) pace: Duration,
}

const HELP: &str = "market_maker [--steps N] [--seed N]

Quotes three markets on a local exchange that loses connections, frames and responses.
Ctrl-C, or q in a terminal, cancels the quotes and compares the inventory with the exchange's.

  --steps N  stop after N decisions [default: 60, or no limit in a terminal]
  --seed N   seed of the other traders and of the faults [default: 1]

Exit code: 0 success, 1 the inventory differs from the exchange's, or an error.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("error: {message}; see --help");
            return ExitCode::FAILURE;
        }
    };
    let output = match io::stdout().is_terminal() {
        true => Screen::new().map(|screen| Box::new(screen) as Box<dyn Output>),
        false => {
            options.steps = options.steps.or(Some(60));
            Ok(Box::new(Lines) as Box<dyn Output>)
        }
    };
    let result = match output {
        Ok(output) => run(&options, output, interrupted()).await,
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(report) => {
            // The reader may have closed the pipe.
            _ = writeln!(io::stdout(), "{report}");
            match report.agrees() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for ctrl-C.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler, the signal ends the process.
        std::future::pending::<()>().await;
    }
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options {
        steps: None,
        seed: 1,
        pace: PACE,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next();
            let value = value.ok_or(format!("{argument} needs a number"))?;
            value
                .parse::<u32>()
                .map_err(|_| format!("{argument} needs a number, not {value:?}"))
        };
        match argument.as_str() {
            "--steps" => options.steps = Some(number()?),
            "--seed" => options.seed = number()?.into(),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(Some(options))
}

/// Quotes until the steps are done, the user quits, or `stop` completes.
pub(crate) async fn run(
    options: &Options,
    mut output: Box<dyn Output>,
    stop: impl Future<Output = ()>,
) -> Result<Report, Error> {
    let exchange = MockExchange::builder()
        .tier(Tier::Premier)
        .seed(options.seed)
        .start()
        .await?;
    let mut simulation = Simulation::new(&exchange, options.seed);
    let client = exchange
        .client_builder()?
        .rate_limits(Tier::Premier)
        .timeout(Duration::from_secs(2))
        .build()?;

    // One connection for all channels, so books, fills and orders arrive in one queue.
    let mut books = client
        .websocket()
        .channel(Channel::OrderbookDelta)
        .channel(Channel::Fill)
        .channel(Channel::UserOrders)
        .markets(TICKERS)
        .reconnect(ReconnectPolicy::default().with_initial_backoff(Duration::from_millis(100)))
        .books()
        .await?;
    let subscriptions = books.connection().subscriptions();
    let mut maker = Maker::new(client, &TICKERS, subscriptions).await?;

    let mut stop = pin!(stop);
    let mut pace = tokio::time::interval(options.pace);
    let mut step = 0;
    let quoting = async {
        loop {
            tokio::select! {
                // Returns everything since the last call. A slow maker skips states of a book, but no fill.
                changes = books.changed() => match changes {
                    Some(changes) => maker.observe(changes?)?,
                    None => return Err("the connection has ended".into()),
                },
                Some(outcome) = maker.next_outcome() => maker.finish_request(outcome?)?,
                _ = pace.tick() => {
                    step += 1;
                    simulation.step(step);
                    maker.decide(&books)?;
                    let should_quit = output.render(&maker.view(step, &books))?;
                    if should_quit || options.steps.is_some_and(|steps| step >= steps) {
                        return Ok(());
                    }
                }
                () = &mut stop => return Ok(()),
            }
        }
    };
    let quoted: Result<(), Error> = quoting.await;
    // Restores the terminal before the report is printed.
    drop(output);
    if let Err(error) = quoted {
        // No quote may rest after the maker has stopped.
        maker.cancel_all().await?;
        return Err(error);
    }
    let report = maker.stop().await?;
    books.shutdown().await;
    Ok(report)
}

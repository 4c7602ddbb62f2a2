//! The program `kalshi-mock`: a local exchange for programs in any language.

#[path = "kalshi-mock/key_file.rs"]
mod key_file;

use std::{
    error::Error,
    fmt::Write as _,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use chrono::{DateTime, Utc};
use clap::{Parser, ValueEnum};
use kalshi_mock::{Activity, FaultRule, MockExchange, MockExchangeBuilder, ScheduledEvent};
use kalshi_sdk::{Dollars, PrivateKey, auth::KeyAlgorithm, limits::Tier};
use serde_json::json;

use key_file::KeyFile;

/// A local Kalshi exchange: checks signatures, keeps books and money, and injects faults.
///
/// Serves the Trade API, the margin API (perpetual futures) and the clearing API, and WebSocket connections to the first two.
///
/// Generates a key, writes it to a temporary file, and prints the URLs and the path of the key. Runs until ctrl-C.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Options {
    /// Port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Print only one line of JSON: `base_url`, `ws_url`, `margin_ws_url`, `key_id`, `private_key_path`, and for the clearing API
    /// `klear_url`, `klear_admin_user_id`, `klear_access_token`. With --tls also `certificate_authority_path`, with --control
    /// `control_url`.
    #[arg(long)]
    json: bool,
    /// Address to listen on. Anyone who can reach it can use the exchange.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST.into(), value_name = "ADDRESS")]
    bind: IpAddr,
    /// Serve https and wss, with a certificate for localhost from an authority that is generated at each start. The path of the
    /// authority's certificate is printed, as `certificate_authority_path` with --json.
    #[arg(long)]
    tls: bool,
    /// Algorithm of the generated key.
    #[arg(long, value_enum, default_value_t = KeyType::Ed25519)]
    key_type: KeyType,
    /// Use the private key in this PEM file instead of generating one. The file is not modified.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_type", "write_private_key"])]
    private_key: Option<PathBuf>,
    /// Write the generated key to this file, as PKCS#8 PEM, and keep the file at exit. Fails if the file exists
    /// [default: a temporary file, removed at exit].
    #[arg(long, value_name = "FILE")]
    write_private_key: Option<PathBuf>,
    /// Let --write-private-key replace an existing file.
    #[arg(long, requires = "write_private_key")]
    force: bool,
    /// Usage tier, which determines the rate limits.
    #[arg(long, value_enum, default_value_t = UsageTier::Basic)]
    tier: UsageTier,
    /// Balance of the account, in dollars.
    #[arg(long, default_value = "10000", value_name = "DOLLARS", value_parser = balance, allow_negative_numbers = true)]
    balance: Dollars,
    /// Balance of the margin account, in dollars.
    #[arg(long, default_value = "10000", value_name = "DOLLARS", value_parser = balance, allow_negative_numbers = true)]
    margin_balance: Dollars,
    /// Seed of ids, initial books and the Ed25519 key, which are the same at every start with this seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Simulate participants that quote, trade and cancel in the initial markets. Events settle half an hour after they close.
    ///
    /// The same --seed gives the same sequence of actions.
    #[arg(long, value_enum, value_name = "LEVEL")]
    activity: Option<ActivityLevel>,
    /// Pause, close or settlement to schedule after the start. Can be repeated.
    ///
    /// One of pause,in=SECONDS,for=SECONDS[,market=TICKER], close,in=SECONDS,market=TICKER, and
    /// settle,in=SECONDS,market=TICKER,result=RESULT, where RESULT is yes, no or the value of YES in dollars. A pause without a
    /// market stops all trading.
    #[arg(long, value_name = "EVENT")]
    schedule: Vec<ScheduledEvent>,
    /// Start without markets.
    #[arg(long)]
    without_markets: bool,
    /// Start with the clock stopped at a time, such as `2026-11-28T10:00:00Z`. The same time and --seed give the same tickers.
    #[arg(long, value_name = "TIME")]
    time: Option<DateTime<Utc>>,
    /// Seconds that the timestamps of signatures may be behind and ahead of the clock.
    #[arg(long, default_values_t = [15, 15], num_args = 2, value_names = ["BEHIND", "AHEAD"])]
    timestamp_window: Vec<u32>,
    /// Use YES prices for subscriptions without `use_yes_price`. The exchange has announced this as its future default.
    #[arg(long)]
    use_yes_price: bool,
    /// Fault to inject, such as `drop-after,on=CreateOrderV2,times=2`. Can be repeated.
    ///
    /// A fault is NAME[=VALUE][,on=OPERATION][,times=N][,probability=P][,seed=N]. Names: latency=MS, drop-before, drop-after,
    /// too-many-requests, server-error=STATUS, server-error-after=STATUS, html=STATUS, truncated-body, extra-response,
    /// error-envelope=FORM (nested, flat or message), unknown-enum-value, null-lists, extra-field, missing-field=NAME,
    /// clock-skew=MS, stale-reads=MS.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultRule>,
    /// Serve the control interface and a page under `/mock/` to programs on this machine.
    #[arg(long)]
    control: bool,
    /// Serve the control interface to clients that send `Authorization: Bearer TOKEN`, including those on other machines.
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    control_token: Option<String>,
    /// Send fields that the exchange kept after they were removed from the spec: `liquidity_dollars`, `fractional_trading_enabled`,
    /// `response_price_units`, `available_on_brokers`, `resting_orders_count`. Older clients require some of them.
    #[arg(long)]
    legacy_fields: bool,
    /// Write every request and its response to a file, one line of JSON each. Fails if the file is not empty.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum KeyType {
    Rsa,
    Ed25519,
}

#[derive(Clone, Copy, ValueEnum)]
enum ActivityLevel {
    /// One action a second.
    Calm,
    /// 30 actions a second.
    Busy,
    /// 500 actions a second.
    Storm,
}

#[derive(Clone, Copy, ValueEnum)]
enum UsageTier {
    Basic,
    Advanced,
    Expert,
    Premier,
    Paragon,
    Prime,
    Prestige,
    /// Disable rate limits.
    Unlimited,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut line = format!("error: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                // Writing to a string cannot fail.
                _ = write!(line, ": {error}");
                source = error.source();
            }
            // Standard error may be closed.
            _ = writeln!(io::stderr(), "{line}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut stop = Stop::new()?;
    if !options.bind.is_loopback() {
        let warning =
            "others can use this exchange: it listens on an address that other computers may reach";
        _ = writeln!(io::stderr(), "warning: {warning} ({})", options.bind);
    }
    let (json, force) = (options.json, options.force);
    let control = options.control || options.control_token.is_some();
    let (read_path, write_path) = (
        options.private_key.clone(),
        options.write_private_key.clone(),
    );
    let faults = options.fault.clone();
    let exchange = builder(options)?.start().await?;
    for fault in faults {
        exchange.fault(fault);
    }
    let key = exchange.user().private_key();
    // Removed when this function returns, unless the user chose the path.
    let file = match (read_path, write_path) {
        (Some(path), _) => KeyFile::existing(path),
        (None, Some(path)) => KeyFile::write(path, key, force)?,
        (None, None) => KeyFile::temporary(exchange.address().port(), key)?,
    };
    let authority = exchange
        .certificate_authority()
        .map(|pem| KeyFile::authority(exchange.address().port(), pem))
        .transpose()?;
    let authority = authority.as_ref().map(KeyFile::path);
    match json {
        true => announce_json(&exchange, file.path(), authority, control)?,
        false => announce(&exchange, file.path(), authority, control)?,
    }
    stop.requested().await;
    // A second ctrl-C does not wait for requests in flight.
    tokio::select! {
        () = exchange.shutdown() => {}
        () = stop.requested() => {}
    }
    Ok(())
}

/// Parses a control token. Only ASCII is accepted, because clients encode other characters in headers differently.
fn token(text: &str) -> Result<String, &'static str> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err("a token must consist of visible ASCII characters"),
    }
}

/// Parses a balance, which must be in whole cents and not negative.
fn balance(text: &str) -> Result<Dollars, String> {
    let balance: Dollars = text.parse().map_err(|error| format!("{error}"))?;
    match balance.micros() {
        micros if micros < 0 => Err("a balance must not be negative".to_owned()),
        micros if micros % 10_000 != 0 => Err("a balance must be in whole cents".to_owned()),
        _ => Ok(balance),
    }
}

fn builder(options: Options) -> Result<MockExchangeBuilder, String> {
    let algorithm = match options.key_type {
        KeyType::Rsa => KeyAlgorithm::Rsa,
        KeyType::Ed25519 => KeyAlgorithm::Ed25519,
    };
    let builder = MockExchange::builder()
        .address(SocketAddr::new(options.bind, options.port))
        .balance(options.balance)
        .margin_balance(options.margin_balance)
        .key_algorithm(algorithm);
    let builder = match (options.control_token, options.control) {
        (Some(token), _) => builder.control_token(token),
        (None, true) => builder.control(),
        // The program never reads the requests.
        (None, false) => builder.max_requests(0),
    };
    let builder = match options.tier {
        UsageTier::Basic => builder.tier(Tier::Basic),
        UsageTier::Advanced => builder.tier(Tier::Advanced),
        UsageTier::Expert => builder.tier(Tier::Expert),
        UsageTier::Premier => builder.tier(Tier::Premier),
        UsageTier::Paragon => builder.tier(Tier::Paragon),
        UsageTier::Prime => builder.tier(Tier::Prime),
        UsageTier::Prestige => builder.tier(Tier::Prestige),
        UsageTier::Unlimited => builder.without_limits(),
    };
    let builder = match options.activity {
        Some(ActivityLevel::Calm) => builder.activity(Activity::Calm),
        Some(ActivityLevel::Busy) => builder.activity(Activity::Busy),
        Some(ActivityLevel::Storm) => builder.activity(Activity::Storm),
        None => builder,
    };
    let builder = options
        .schedule
        .into_iter()
        .fold(builder, MockExchangeBuilder::schedule);
    let builder = match options.seed {
        Some(seed) => builder.seed(seed),
        None => builder,
    };
    let builder = match options.private_key {
        Some(path) => {
            let key = PrivateKey::from_file(&path).map_err(|error| {
                format!("cannot use the private key in {}: {error}", path.display())
            })?;
            builder.private_key(key)
        }
        None => builder,
    };
    let builder = match options.without_markets {
        true => builder.without_markets(),
        false => builder,
    };
    let builder = match options.time {
        Some(time) => builder.time(time),
        None => builder,
    };
    let builder = builder.default_use_yes_price(options.use_yes_price);
    let builder = match options.timestamp_window[..] {
        [behind, ahead] => {
            let window = [behind, ahead].map(|seconds| Duration::from_secs(seconds.into()));
            builder.timestamp_window(window[0], window[1])
        }
        _ => builder,
    };
    let builder = match options.tls {
        true => builder.tls(),
        false => builder,
    };
    let builder = match options.legacy_fields {
        true => builder.legacy_fields(),
        false => builder,
    };
    Ok(match options.record {
        Some(path) => builder.record(path),
        None => builder,
    })
}

fn announce_json(
    exchange: &MockExchange,
    key: &Path,
    authority: Option<&Path>,
    control: bool,
) -> io::Result<()> {
    let mut line = json!({
        "base_url": exchange.rest_url(),
        "ws_url": exchange.ws_url(),
        "margin_ws_url": exchange.margin_ws_url(),
        "klear_url": exchange.klear_url(),
        "klear_admin_user_id": exchange.klear_admin_user_id(),
        "klear_access_token": exchange.klear_access_token(),
        "key_id": exchange.credentials().key_id(),
        "private_key_path": key,
    });
    if let Some(authority) = authority {
        line["certificate_authority_path"] = json!(authority);
    }
    if control {
        line["control_url"] = exchange.control_url().into();
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn announce(
    exchange: &MockExchange,
    key: &Path,
    authority: Option<&Path>,
    control: bool,
) -> io::Result<()> {
    let credentials = exchange.credentials();
    let mut out = io::stdout().lock();
    let tickers = exchange.tickers();
    writeln!(out, "A local exchange is running.")?;
    writeln!(out, "  base URL     {}", exchange.rest_url())?;
    writeln!(out, "  WebSocket    {}", exchange.ws_url())?;
    writeln!(out, "  margin WS    {}", exchange.margin_ws_url())?;
    writeln!(out, "  key id       {}", credentials.key_id())?;
    writeln!(out, "  private key  {}", key.display())?;
    if let Some(authority) = authority {
        writeln!(out, "  authority    {}", authority.display())?;
    }
    writeln!(
        out,
        "  markets      {}",
        describe_tickers(&tickers, tickers.first())
    )?;
    let tickers = exchange.margin_tickers();
    writeln!(
        out,
        "  margin       {}",
        describe_tickers(&tickers, tickers.last())
    )?;
    writeln!(out, "  clearing     {}", exchange.klear_url())?;
    writeln!(
        out,
        "  clearing as  {}:{}",
        exchange.klear_admin_user_id(),
        exchange.klear_access_token()
    )?;
    if control {
        writeln!(out, "  control      {}/", exchange.control_url())?;
    }
    writeln!(out, "Stop it with ctrl-C.")?;
    out.flush()
}

/// Returns the number of markets, with an example.
fn describe_tickers(tickers: &[String], example: Option<&String>) -> String {
    let number = tickers.len();
    example.map_or_else(
        || number.to_string(),
        |ticker| format!("{number}, such as {ticker}"),
    )
}

/// Signals that stop the program. They are handled from creation on, so that ctrl-C never kills the program once it has printed
/// its URLs.
#[cfg(unix)]
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}

/// Signals that stop the program.
#[cfg(not(unix))]
struct Stop;

#[cfg(not(unix))]
impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn requested(&mut self) {
        // If ctrl-C cannot be handled, it ends the program anyway.
        _ = tokio::signal::ctrl_c().await;
    }
}

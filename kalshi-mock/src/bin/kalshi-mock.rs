//! The program `kalshi-mock`: a local exchange for programs in any language.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, ValueEnum};
use kalshi_mock::{FaultRule, MockExchange, MockExchangeBuilder};
use kalshi_sdk::{Dollars, PrivateKey, auth::KeyAlgorithm, limits::Tier};
use serde_json::json;

/// A local Kalshi exchange: checks signatures, keeps books and money, and injects faults.
///
/// Serves the Trade API, the margin API (perpetual futures) and the clearing API, and WebSocket connections to the first two.
///
/// Generates a key, writes it to a file, and prints the URLs and the path of the key. Runs until ctrl-C.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Options {
    /// Port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Print only one line of JSON: `base_url`, `ws_url`, `margin_ws_url`, `key_id`, `private_key_path`, and for the clearing API
    /// `klear_url`, `klear_admin_user_id`, `klear_access_token`.
    #[arg(long)]
    json: bool,
    /// Algorithm of the key.
    #[arg(long, value_enum, default_value_t = KeyType::Ed25519)]
    key_type: KeyType,
    /// Path of the private key, written as PKCS#8 PEM [default: a temporary file, removed at exit].
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// Usage tier, which determines the rate limits.
    #[arg(long, value_enum, default_value_t = UsageTier::Basic)]
    tier: UsageTier,
    /// Balance of the account, in dollars.
    #[arg(long, default_value = "10000", value_name = "DOLLARS")]
    balance: Dollars,
    /// Balance of the margin account, in dollars.
    #[arg(long, default_value = "10000", value_name = "DOLLARS")]
    margin_balance: Dollars,
    /// Seed of ids and initial books.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Fault to inject, such as `drop-after,on=CreateOrderV2,times=2`. Can be repeated.
    ///
    /// A fault is NAME[=VALUE][,on=OPERATION][,times=N][,probability=P][,seed=N]. Names: latency=MS, drop-before, drop-after,
    /// too-many-requests, server-error=STATUS, server-error-after=STATUS, html=STATUS, truncated-body, unknown-enum-value,
    /// null-lists, extra-member, missing-member=NAME, clock-skew=MS, stale-reads=MS.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultRule>,
    /// Serve the control interface under `/mock/`, to programs on this machine.
    #[arg(long)]
    control: bool,
    /// Serve the control interface to whoever sends `Authorization: Bearer TOKEN`.
    #[arg(long, value_name = "TOKEN", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    control_token: Option<String>,
    /// Write every request and its response to a file, one line of JSON each.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum KeyType {
    Rsa,
    Ed25519,
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
                // Writing to a string does not fail.
                _ = write!(line, ": {error}");
                source = error.source();
            }
            eprintln!("{line}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut stop = Stop::new()?;
    let json = options.json;
    let (given, faults) = (options.private_key.clone(), options.fault.clone());
    let exchange = builder(options).start().await?;
    for fault in faults {
        exchange.fault(fault);
    }
    let port = exchange.address().port();
    let path = match &given {
        Some(path) => path.clone(),
        None => env::temp_dir().join(format!("kalshi-mock-{port}.pem")),
    };
    write_key(&path, exchange.user().private_key()).map_err(|error| {
        format!(
            "cannot write the private key to {}: {error}",
            path.display()
        )
    })?;
    announce(&exchange, &path, json)?;
    stop.asked().await;
    // A second ctrl-C does not wait for requests in flight.
    tokio::select! {
        () = exchange.shut_down() => {}
        () = stop.asked() => {}
    }
    if given.is_none() {
        fs::remove_file(&path)?;
    }
    Ok(())
}

fn builder(options: Options) -> MockExchangeBuilder {
    let algorithm = match options.key_type {
        KeyType::Rsa => KeyAlgorithm::Rsa,
        KeyType::Ed25519 => KeyAlgorithm::Ed25519,
    };
    let builder = MockExchange::builder()
        .address(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)))
        .seed(options.seed)
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
    match options.record {
        Some(path) => builder.record(path),
        None => builder,
    }
}

/// Writes a key that only its owner can read. Replaces an existing file, and does not follow a symbolic link.
fn write_key(path: &Path, key: &PrivateKey) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|known| known.is_file() || known.is_symlink()) {
        fs::remove_file(path)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(key.to_pkcs8_pem().as_bytes())
}

fn announce(exchange: &MockExchange, key: &Path, as_json: bool) -> io::Result<()> {
    let credentials = exchange.credentials();
    let mut out = io::stdout().lock();
    if as_json {
        let line = json!({
            "base_url": exchange.rest_url(),
            "ws_url": exchange.ws_url(),
            "margin_ws_url": exchange.margin_ws_url(),
            "klear_url": exchange.klear_url(),
            "klear_admin_user_id": exchange.klear_admin_user_id(),
            "klear_access_token": exchange.klear_access_token(),
            "key_id": credentials.key_id(),
            "private_key_path": key,
        });
        writeln!(out, "{line}")?;
        return out.flush();
    }
    let tickers = exchange.tickers();
    writeln!(out, "A local exchange is running.")?;
    writeln!(out, "  base URL     {}", exchange.rest_url())?;
    writeln!(out, "  WebSocket    {}", exchange.ws_url())?;
    writeln!(out, "  margin WS    {}", exchange.margin_ws_url())?;
    writeln!(out, "  key id       {}", credentials.key_id())?;
    writeln!(out, "  private key  {}", key.display())?;
    writeln!(
        out,
        "  markets      {}, such as {}",
        tickers.len(),
        tickers.first().map_or("", String::as_str)
    )?;
    let tickers = exchange.margin_tickers();
    writeln!(
        out,
        "  margin       {}, such as {}",
        tickers.len(),
        tickers.first().map_or("", String::as_str)
    )?;
    writeln!(out, "  clearing     {}", exchange.klear_url())?;
    writeln!(
        out,
        "  clearing as  {}:{}",
        exchange.klear_admin_user_id(),
        exchange.klear_access_token()
    )?;
    writeln!(out, "Stop it with ctrl-C.")?;
    out.flush()
}

/// The signals that stop the program. Handled from creation on, so that ctrl-C never kills an exchange that was already announced.
#[cfg(unix)]
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The signals that stop the program.
#[cfg(not(unix))]
struct Stop;

#[cfg(not(unix))]
impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn asked(&mut self) {
        // If ctrl-C cannot be handled, it ends the program anyway.
        _ = tokio::signal::ctrl_c().await;
    }
}

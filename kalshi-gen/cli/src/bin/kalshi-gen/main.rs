//! The maintainer's tool: what changed in the exchange's spec, take it, prove it. Reads the command line.

mod commands;
mod files;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use kalshi_gen::Protocol;
use kalshi_gen_cli::Format;

use self::files::Failure;

/// Follows Kalshi's published API spec: what changed, take it, prove it.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 done, 1 breaking changes (diff) or something left to do (check), 2 bad input."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell what a program that uses the SDK would notice between two specs.
    #[command(
        after_help = "Example:\n  kalshi-gen diff openapi-3.33.0.yaml openapi-3.34.0.yaml\n  kalshi-gen diff openapi.yaml published.yaml --without-prose --format markdown > changes.md\n\nExit code 1 when something is breaking."
    )]
    Diff {
        /// The spec before: a file of YAML or JSON, or `-`.
        old: PathBuf,
        /// The spec after, or `-`.
        new: PathBuf,
        /// The form of the report.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Quote words that changed as they were and are.
        #[arg(long, conflicts_with = "without_prose")]
        quote: bool,
        /// Leave words out: for a published spec beside ours, whose words are its own.
        #[arg(long)]
        without_prose: bool,
    },
    /// Take the structure of a published spec; keep our words and `x-` fields.
    #[command(
        after_help = "Example:\n  curl --fail --silent --show-error --location https://docs.kalshi.com/openapi.yaml | kalshi-gen vendor -\n  kalshi-gen vendor published_asyncapi.yaml\n\nWrites the spec and its lock, each whole or not at all, and prints what changed."
    )]
    Vendor {
        /// The published spec: a file of YAML or JSON, or `-`.
        upstream: PathBuf,
        /// Where it was published, for the lock; as in the lock that is there unless given, or else the name of the file.
        #[arg(long)]
        source: Option<String>,
        /// The form of the report.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Print the report, write nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        vendored: Vendored,
    },
    /// Check that the vendored specs are ready to build on, and say what to do next.
    #[command(
        after_help = "Example:\n  kalshi-gen check\n  kalshi-gen check --spec asyncapi.yaml\n\nExit code 1 when something is left to do."
    )]
    Check {
        /// The snapshot of the public surface of `openapi.yaml`.
        #[arg(long, default_value = "tests/generated/surface.txt")]
        surface: PathBuf,
        #[command(flatten)]
        vendored: Vendored,
    },
    /// Print the Rust that a spec becomes, formatted.
    #[command(
        after_help = "Example:\n  kalshi-gen generate perps_openapi.yaml --out perps.rs\n  kalshi-gen generate asyncapi.yaml"
    )]
    Generate {
        /// A spec: a file of YAML or JSON, or `-`.
        spec: PathBuf,
        /// The file to write, whole or not at all, in place of standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Show one operation: path, parameters, fields of request and response, cost, access.
    #[command(
        after_help = "Example:\n  kalshi-gen show CreateOrderV2\n  kalshi-gen show get_markets"
    )]
    Show {
        /// The operation's id, in any case.
        operation_id: String,
        /// The spec: a file of YAML or JSON, or `-`.
        #[arg(long, alias = "contract", default_value = "openapi.yaml")]
        spec: PathBuf,
    },
    /// Print the sample responses that the tests use, as JSON.
    #[command(after_help = "Example:\n  kalshi-gen samples openapi.yaml GetMarkets")]
    Samples {
        /// A spec: a file of YAML or JSON, or `-`.
        spec: PathBuf,
        /// The operation's id, in any case.
        operation_id: String,
    },
}

/// The committed files.
#[derive(Debug, clap::Args)]
struct Vendored {
    /// The vendored spec; unless given, `openapi.yaml` or `asyncapi.yaml`, by what it is about.
    #[arg(long, alias = "contract")]
    spec: Option<PathBuf>,
    /// The lock.
    #[arg(long, default_value = "spec.lock")]
    lock: PathBuf,
}

/// The vendored spec of a kind.
fn vendored(protocol: Protocol) -> PathBuf {
    PathBuf::from(format!("{}.yaml", protocol.member()))
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Diff {
            old,
            new,
            format,
            quote,
            without_prose,
        } => commands::diff(&old, &new, format, quote, without_prose),
        Command::Vendor {
            upstream,
            source,
            format,
            dry_run,
            vendored,
        } => commands::vendor(&upstream, source, &vendored, format, dry_run),
        Command::Check { surface, vendored } => commands::check(&vendored, &surface),
        Command::Generate { spec, out } => commands::generate(&spec, out.as_deref()),
        Command::Show { operation_id, spec } => commands::show(&spec, &operation_id),
        Command::Samples { spec, operation_id } => commands::samples(&spec, &operation_id),
    };
    match done {
        Ok(code) => code,
        Err(Failure(message)) => {
            let red = anstyle::AnsiColor::Red.on_default().bold();
            _ = writeln!(anstream::stderr(), "{red}error{red:#}: {message}");
            ExitCode::from(2)
        }
    }
}

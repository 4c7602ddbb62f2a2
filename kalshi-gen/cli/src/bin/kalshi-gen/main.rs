//! Command line of the maintainers' program: diff, vendor and check the exchange's specs.

mod commands;
mod files;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use kalshi_gen::Protocol;
use kalshi_gen_cli::Format;

use self::files::Failure;

/// Tracks Kalshi's published API specs: diff, vendor, check.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 success, 1 breaking changes (diff) or a failed check (check), 2 invalid input."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the differences between two specs that a program using the SDK would notice.
    #[command(
        after_help = "Example:\n  kalshi-gen diff openapi-3.33.0.yaml openapi-3.34.0.yaml\n  kalshi-gen diff openapi.yaml published.yaml --without-prose --format markdown > changes.md\n\nExit code 1 if a change is breaking."
    )]
    Diff {
        /// The old spec: a YAML or JSON file, or `-`.
        old: PathBuf,
        /// The new spec, or `-`.
        new: PathBuf,
        /// Format of the report.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Quote changed descriptions, before and after.
        #[arg(long, conflicts_with = "without_prose")]
        quote: bool,
        /// Leave out changed descriptions, for comparing a published spec with ours.
        #[arg(long)]
        without_prose: bool,
    },
    /// Adopt the structure of a published spec; keep our descriptions and `x-` fields.
    #[command(
        after_help = "Example:\n  curl --fail --silent --show-error --location https://docs.kalshi.com/openapi.yaml | kalshi-gen vendor -\n  kalshi-gen vendor published_asyncapi.yaml\n\nWrites the spec and its lock, each atomically, and prints the changes."
    )]
    Vendor {
        /// The published spec: a YAML or JSON file, or `-`.
        upstream: PathBuf,
        /// Origin of the published spec, for the lock. Defaults to that in the existing lock, or else the file name.
        #[arg(long)]
        source: Option<String>,
        /// Format of the report.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Print the report without writing files.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        vendored: VendoredFiles,
    },
    /// Check that the vendored specs are ready for use, and print what to do next.
    #[command(
        after_help = "Example:\n  kalshi-gen check\n  kalshi-gen check --spec asyncapi.yaml\n\nExit code 1 if a check fails."
    )]
    Check {
        /// Snapshot of the public surface of `openapi.yaml`.
        #[arg(long, default_value = "tests/generated/surface.txt")]
        surface: PathBuf,
        #[command(flatten)]
        vendored: VendoredFiles,
    },
    /// Print the Rust code generated from a spec, formatted.
    #[command(
        after_help = "Example:\n  kalshi-gen generate perps_openapi.yaml --out perps.rs\n  kalshi-gen generate asyncapi.yaml"
    )]
    Generate {
        /// The spec: a YAML or JSON file, or `-`.
        spec: PathBuf,
        /// File to write atomically, instead of standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Show one operation: path, parameters, request and response fields, cost, access.
    #[command(
        after_help = "Example:\n  kalshi-gen show CreateOrderV2\n  kalshi-gen show get_markets"
    )]
    Show {
        /// Id of the operation, in any case.
        operation_id: String,
        /// The spec: a YAML or JSON file, or `-`.
        #[arg(long, alias = "contract", default_value = "openapi.yaml")]
        spec: PathBuf,
    },
    /// Print the sample responses that the tests use, as JSON.
    #[command(after_help = "Example:\n  kalshi-gen samples openapi.yaml GetMarkets")]
    Samples {
        /// The spec: a YAML or JSON file, or `-`.
        spec: PathBuf,
        /// Id of the operation, in any case.
        operation_id: String,
    },
}

/// The committed files that belong to a vendored spec.
#[derive(Debug, clap::Args)]
struct VendoredFiles {
    /// The vendored spec. Defaults to `openapi.yaml` or `asyncapi.yaml`, depending on the input.
    #[arg(long, alias = "contract")]
    spec: Option<PathBuf>,
    /// The lock file.
    #[arg(long, default_value = "spec.lock")]
    lock: PathBuf,
}

/// Returns the path of the vendored spec of a kind.
fn default_spec_path(protocol: Protocol) -> PathBuf {
    PathBuf::from(format!("{}.yaml", protocol.root_field()))
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
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
    match result {
        Ok(code) => code,
        Err(Failure(message)) => {
            let red = anstyle::AnsiColor::Red.on_default().bold();
            _ = writeln!(anstream::stderr(), "{red}error{red:#}: {message}");
            ExitCode::from(2)
        }
    }
}

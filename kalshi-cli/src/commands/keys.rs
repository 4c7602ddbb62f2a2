//! `kalshi keys`: generates, shows and checks keys.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use kalshi_sdk::PrivateKey;
use tokio::task::spawn_blocking;

use super::doctor::{self, Checks};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::Record,
};

#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generate a key pair. Writes the private key to a new file, and prints the public key.
    Generate(Generate),
    /// Show the public half of a key. Never prints the private key.
    Show {
        /// PEM file of the private key [default: that of the profile or the environment].
        file: Option<PathBuf>,
    },
    /// Check that a key is usable: permissions, format, signature, and that the exchange accepts it.
    Check {
        /// PEM file of the private key [default: that of the profile or the environment].
        file: Option<PathBuf>,
        /// Do not contact the exchange.
        #[arg(long)]
        offline: bool,
    },
}

#[derive(Args)]
struct Generate {
    /// File for the private key. It must not exist, and only you will be able to read it.
    file: PathBuf,
    /// Algorithm of the key. Ed25519 signs much faster than RSA.
    #[arg(long, default_value = "ed25519", value_parser = ["ed25519", "rsa"])]
    algorithm: String,
    /// Size of an RSA key in bits, 2048 to 4096.
    #[arg(long, default_value_t = 4096, value_name = "N")]
    bits: usize,
}

impl Keys {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.command {
            Command::Generate(generate) => generate.run(context).await,
            Command::Show { file } => show(context, file),
            Command::Check { file, offline } => check(context, file, offline).await,
        }
    }
}

/// Fields of a key, in order.
const FIELDS: [&str; 4] = ["file", "algorithm", "fingerprint", "public_key"];

impl Generate {
    async fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.output.check_fields(FIELDS, [])?;
        if context.dry_run {
            context
                .output
                .note(&format!("would write {}", self.file.display()));
            return Ok(Exit::Success);
        }
        let progress = context.output.progress("keys generated");
        let key = spawn_blocking(move || match self.algorithm.as_str() {
            "rsa" => PrivateKey::generate_rsa(self.bits),
            _ => PrivateKey::generate_ed25519(),
        })
        .await??;
        progress.finish();
        write_new(&self.file, key.to_pkcs8_pem().as_bytes()).map_err(|error| {
            Failure::usage(format!(
                "cannot create {}: {error}; an existing file is never overwritten",
                self.file.display()
            ))
        })?;
        context.output.print([record(&key, Some(&self.file))])?;
        context.output.note(
            "Register the public key on the exchange's site, or with `POST /api_keys`, which needs an existing key and a high tier. \
             Then set `key_id` and `private_key_path` in a profile to the new id and this file.",
        );
        Ok(Exit::Success)
    }
}

/// Writes a file that must not exist. On Unix it is created with mode 0600.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn show(context: &Context, file: Option<PathBuf>) -> Result<Exit, Failure> {
    let record = match &file {
        Some(path) => record(&read(context, path)?, Some(path)),
        None => match (context.key_path(), context.mock()) {
            (Some(path), _) => record(&read(context, &path)?, Some(&path)),
            (None, Some(mock)) => record(mock.user().private_key(), None),
            (None, None) => return Err(no_key_file(context)),
        },
    };
    context.output.print([record])?;
    Ok(Exit::Success)
}

fn read(context: &Context, path: &Path) -> Result<PrivateKey, Failure> {
    Ok(match context.passphrase() {
        Some(passphrase) => PrivateKey::from_file_with_passphrase(path, &passphrase)?,
        None => PrivateKey::from_file(path)?,
    })
}

fn no_key_file(context: &Context) -> Failure {
    Failure::usage(format!(
        "there is no key file: give its path, or set `private_key_path` in a profile or {}PRIVATE_KEY_PATH",
        context.variable_prefix()
    ))
}

fn record(key: &PrivateKey, file: Option<&Path>) -> Record {
    let public = key.public_key();
    let [path, algorithm, fingerprint, pem] = FIELDS;
    Record::new("key")
        .field(path, file.map(|path| path.display().to_string()))
        .field(algorithm, doctor::algorithm(key.algorithm()))
        .field(fingerprint, public.fingerprint())
        .field(pem, public.to_pem().trim_end())
}

async fn check(context: &Context, file: Option<PathBuf>, offline: bool) -> Result<Exit, Failure> {
    Checks::check_fields(context)?;
    let mut checks = Checks::default();
    let configured = context.key_path();
    let key = match file.as_ref().or(configured.as_ref()) {
        Some(path) => doctor::check_file(&mut checks, path, context.passphrase().as_deref()),
        None => match context.mock() {
            Some(mock) => {
                let key = mock.user().private_key().clone();
                doctor::check_key(&mut checks, &key).then_some(key)
            }
            None => return Err(no_key_file(context)),
        },
    };
    // A file on the command line replaces the configured key.
    let is_accepted = file.is_some()
        || key.is_none()
        || context.key_id().is_none()
        || doctor::check_credentials(&mut checks, context);
    if let (Some(key), false) = (key.filter(|_| is_accepted), offline) {
        match context.key_id() {
            Some(id) => doctor::check_with_exchange(&mut checks, context, &id, key).await?,
            None => checks.warning(
                "exchange",
                "not contacted, because no key id is configured",
                format!(
                    "set `key_id` in a profile or {}API_KEY_ID, or pass --offline",
                    context.variable_prefix()
                ),
            ),
        }
    }
    checks.print(context)
}

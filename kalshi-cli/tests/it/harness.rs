//! Runs the program against a local exchange of the test.

use std::{
    error::Error,
    fs,
    path::PathBuf,
    process::{Output, Stdio},
};

use kalshi_mock::{MockExchange, MockExchangeBuilder};
use kalshi_sdk::Operation;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) type TestResult = Result<(), Box<dyn Error>>;

/// A local exchange, and a config file whose default profile is that exchange.
pub(crate) struct Setup {
    pub(crate) exchange: MockExchange,
    pub(crate) directory: TempDir,
}

impl Setup {
    pub(crate) async fn new() -> Result<Self, Box<dyn Error>> {
        Self::with(MockExchange::builder().seed(7)).await
    }

    pub(crate) async fn with(builder: MockExchangeBuilder) -> Result<Self, Box<dyn Error>> {
        let exchange = builder.start().await?;
        let directory = tempfile::tempdir()?;
        let setup = Self {
            exchange,
            directory,
        };
        fs::write(
            setup.key_path(),
            setup
                .exchange
                .user()
                .private_key()
                .to_pkcs8_pem()
                .as_bytes(),
        )?;
        let config = format!(
            "default_profile = \"test\"\n\
             [profiles.test]\n\
             environment = \"custom\"\n\
             rest_url = \"{}\"\n\
             websocket_url = \"{}\"\n\
             margin_rest_url = \"{}\"\n\
             margin_websocket_url = \"{}\"\n\
             klear_url = \"{}\"\n\
             key_id = \"{}\"\n\
             private_key_path = \"{}\"\n",
            setup.exchange.rest_url(),
            setup.exchange.ws_url(),
            setup.exchange.rest_url(),
            setup.exchange.margin_ws_url(),
            setup.exchange.klear_url(),
            setup.exchange.user().credentials().key_id(),
            setup.key_path().display(),
        );
        fs::write(setup.config_path(), config)?;
        Ok(setup)
    }

    pub(crate) fn key_path(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.directory.path().join("config.toml")
    }

    /// Returns the program with these arguments, separated by spaces, isolated from the environment of the test run.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = program(arguments);
        command
            .env("KALSHI_CONFIG", self.config_path())
            .env(
                "KALSHI_KLEAR_DEMO_ADMIN_USER_ID",
                self.exchange.klear_admin_user_id(),
            )
            .env(
                "KALSHI_KLEAR_DEMO_ACCESS_TOKEN",
                self.exchange.klear_access_token(),
            );
        command
    }

    /// Runs the program without a terminal.
    pub(crate) async fn run(&self, arguments: &str) -> Result<Run, Box<dyn Error>> {
        Run::capture(self.command(arguments)).await
    }

    /// Runs the program with `--json` and returns what it prints. It must succeed.
    pub(crate) async fn json(&self, arguments: &str) -> Result<Value, Box<dyn Error>> {
        let run = self.run(&format!("{arguments} --json")).await?;
        if run.code != Some(0) {
            return Err(format!("exit code {:?}: {}", run.code, run.stderr).into());
        }
        run.document()
    }

    /// Returns how many requests of an operation the exchange received.
    pub(crate) fn count(&self, operation: &Operation) -> usize {
        self.exchange.requests_to(operation).len()
    }

    /// Compares like [`golden`], after replacing the address of the exchange and the directory of the test.
    pub(crate) fn golden(&self, name: &str, document: &Value) -> TestResult {
        let directory = self.directory.path().display().to_string();
        let text = document
            .to_string()
            .replace(&self.exchange.address().to_string(), "ADDRESS")
            .replace(&directory, "DIRECTORY");
        golden(name, &serde_json::from_str(&text)?)
    }
}

/// Compares a document with a file in tests/golden, which UPDATE=1 writes. Ids and times are replaced.
pub(crate) fn golden(name: &str, document: &Value) -> TestResult {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    let found = format!("{:#}\n", without_ids_and_times(document));
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().ok_or("a directory")?)?;
        fs::write(path, found)?;
        return Ok(());
    }
    assert_eq!(found, fs::read_to_string(path)?);
    Ok(())
}

fn without_ids_and_times(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_ids_and_times).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), without_ids_and_times(value)))
            .collect(),
        Value::String(text) if is_uuid(text) => "(id)".into(),
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => {
            "(time)".into()
        }
        other => other.clone(),
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
}

/// Returns the program with these arguments, separated by spaces, without the variables of the test run.
pub(crate) fn program(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kalshi"));
    command
        .args(arguments.split_whitespace())
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Exit code and output of a run of the program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Returns the JSON that was printed.
    pub(crate) fn document(&self) -> Result<Value, Box<dyn Error>> {
        serde_json::from_str(&self.stdout)
            .map_err(|error| format!("{error} in {:?}: {}", self.stdout, self.stderr).into())
    }

    pub(crate) async fn capture(mut command: Command) -> Result<Self, Box<dyn Error>> {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().await?;
        Ok(Self {
            code: status.code(),
            stdout: String::from_utf8(stdout)?,
            stderr: String::from_utf8(stderr)?,
        })
    }
}

/// Compares output with the golden file of this name. The environment variable `UPDATE=1` renews the file.
pub(crate) fn golden_text(name: &str, text: &str) -> TestResult {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text)?;
    }
    assert_eq!(text, fs::read_to_string(&path)?, "{}", path.display());
    Ok(())
}

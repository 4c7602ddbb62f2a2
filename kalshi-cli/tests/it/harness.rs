//! Runs the program against a local exchange of the test.

use std::{
    error::Error,
    fs,
    path::PathBuf,
    process::{Output, Stdio},
};

use kalshi_mock::{MockExchange, MockExchangeBuilder};
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
             key_id = \"{}\"\n\
             private_key_path = \"{}\"\n",
            setup.exchange.rest_url(),
            setup.exchange.ws_url(),
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

    /// Returns the program with these arguments, separated by spaces, and an environment without variables of the tester.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = program(arguments);
        command.env("KALSHI_CONFIG", self.config_path());
        command
    }

    /// Runs the program without a terminal.
    pub(crate) async fn run(&self, arguments: &str) -> Result<Run, Box<dyn Error>> {
        Run::of(self.command(arguments)).await
    }

    /// Runs the program with `--json` and returns what it prints. It must succeed.
    pub(crate) async fn json(&self, arguments: &str) -> Result<Value, Box<dyn Error>> {
        let run = self.run(&format!("{arguments} --json")).await?;
        if run.code != Some(0) {
            return Err(format!("exit code {:?}: {}", run.code, run.stderr).into());
        }
        Ok(serde_json::from_str(&run.stdout)?)
    }

    /// Compares JSON with the golden file of this name, apart from times of receipt. The environment variable `UPDATE=1` renews the
    /// file.
    pub(crate) fn golden(&self, name: &str, document: &Value) -> TestResult {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(format!("{name}.json"));
        let mut document = document.clone();
        let directory = self.directory.path().display().to_string();
        replace_volatile(&mut document, &directory);
        let text = format!("{document:#}\n");
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().ok_or("a directory")?)?;
            fs::write(&path, &text)?;
        }
        assert_eq!(text, fs::read_to_string(&path)?, "{}", path.display());
        Ok(())
    }
}

/// Replaces what differs from run to run.
fn replace_volatile(value: &mut Value, directory: &str) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if matches!(
                    name.as_str(),
                    "time" | "from" | "to" | "live_seconds" | "stale_seconds"
                ) && value.is_string()
                {
                    *value = Value::from(format!("<{name}>"));
                } else {
                    replace_volatile(value, directory);
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| replace_volatile(item, directory)),
        Value::String(text) => *text = text.replace(directory, "<directory>"),
        _ => {}
    }
}

/// Returns the program with these arguments, separated by spaces, and without variables of the tester.
pub(crate) fn program(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kalshi"));
    command
        .args(arguments.split_whitespace())
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What a run of the program printed.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) async fn of(mut command: Command) -> Result<Self, Box<dyn Error>> {
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

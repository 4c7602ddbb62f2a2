//! Context of a command: the selected exchange, its clients, and the output.

use std::{
    ffi::OsString,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

use kalshi_klear::BearerCredentials;
use kalshi_mock::{Activity, MockExchange};
use kalshi_sdk::{Client, Credentials, Environment, PrivateKey};

use crate::{
    failure::Failure,
    options::Global,
    output::Output,
    profile::{EnvironmentName, Profile, expand_home},
    shell,
};

/// The selected exchange, its clients, and the output.
pub(crate) struct Context {
    pub(crate) output: Output,
    profile: Profile,
    profile_name: Option<String>,
    /// The options that select the exchange, for commands that a message recommends.
    selection: String,
    /// Local exchange, with `--mock`.
    mock: Option<MockExchange>,
    /// `true` if the command line names the exchange or the profile.
    is_explicit: bool,
    yes: bool,
    pub(crate) dry_run: bool,
}

impl Context {
    pub(crate) async fn new(options: &Global) -> Result<Self, Failure> {
        let output = Output::new(options);
        let (profile_name, profile) = Profile::select(options)?;
        let selection = selection(options, profile_name.as_deref());
        let mock = match options.mock {
            true => Some(
                MockExchange::builder()
                    .activity(Activity::Calm)
                    .start()
                    .await?,
            ),
            false => None,
        };
        Ok(Self {
            output,
            profile,
            profile_name,
            selection,
            mock,
            is_explicit: options.production
                || options.demo
                || options.mock
                || options.profile.is_some(),
            yes: options.yes,
            dry_run: options.dry_run,
        })
    }

    /// Returns the name of the exchange for prompts and titles, such as `PRODUCTION (profile bot)`.
    pub(crate) fn exchange(&self) -> String {
        let exchange = match self.profile.environment {
            _ if self.mock.is_some() => "local exchange",
            EnvironmentName::Production => "PRODUCTION",
            EnvironmentName::Custom if self.profile.targets_production() => "PRODUCTION",
            EnvironmentName::Demo => "demo",
            EnvironmentName::Custom => "custom exchange",
        };
        match &self.profile_name {
            Some(name) => format!("{exchange} (profile {name})"),
            None => exchange.to_owned(),
        }
    }

    /// Returns the start of a command for a shell that runs this program on the same exchange.
    pub(crate) fn program(&self) -> String {
        format!("kalshi {}", self.selection)
    }

    /// Returns `true` if the command line names the exchange or the profile, `false` if it comes from a default or from KALSHI_PROFILE.
    #[cfg_attr(not(unix), allow(dead_code, reason = "guard needs Unix"))]
    pub(crate) fn is_explicit(&self) -> bool {
        self.is_explicit
    }

    /// Returns the local exchange of `--mock`.
    pub(crate) fn mock(&self) -> Option<&MockExchange> {
        self.mock.as_ref()
    }

    /// Returns a client with credentials.
    ///
    /// # Errors
    ///
    /// Returns an error if no key is configured. Its message lists the places where keys are read from.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        if let Some(mock) = &self.mock {
            return Ok(mock.client()?);
        }
        let credentials = self.credentials()?;
        Ok(Client::builder()
            .environment(self.environment()?)
            .credentials(credentials)
            .build()?)
    }

    /// Returns a client for public reads. If a key is configured, it signs, and the limits of the account apply.
    pub(crate) fn public_client(&self) -> Result<Client, Failure> {
        if self.has_key() {
            return self.client();
        }
        Ok(Client::builder().environment(self.environment()?).build()?)
    }

    /// Returns `true` if a key is configured, whether or not it is usable.
    pub(crate) fn has_key(&self) -> bool {
        self.key_id().is_some()
    }

    /// Returns the URLs of the exchange.
    pub(crate) fn environment(&self) -> Result<Environment, Failure> {
        if let Some(mock) = &self.mock {
            return Ok(mock.environment()?);
        }
        Ok(match self.profile.environment {
            EnvironmentName::Production => Environment::Production,
            EnvironmentName::Demo => Environment::Demo,
            EnvironmentName::Custom => {
                let rest = custom_url(&self.profile.rest_url, "rest_url")?;
                let websocket = custom_url(&self.profile.websocket_url, "websocket_url")?;
                Environment::custom_path(rest, websocket)?
            }
        })
    }

    /// Returns a client of the API of perpetual futures with credentials: the key of the profile, else that of the environment variables
    /// for this API, else that of the Trade API.
    pub(crate) fn perps_client(&self) -> Result<kalshi_perps::Client, Failure> {
        if let Some(mock) = &self.mock {
            return Ok(mock.perps_client()?);
        }
        let credentials = match self.profile.has_key() || !self.has_variable("PERPS", "API_KEY_ID")
        {
            true => self.credentials()?,
            false => Credentials::from_lookup(&self.api_variable_prefix("PERPS"), |name| {
                std::env::var_os(name)
            })?,
        };
        Ok(kalshi_perps::Client::builder()
            .environment(self.perps_environment()?)
            .credentials(credentials)
            .build()?)
    }

    /// Returns a client of the API of perpetual futures for public reads, which signs if a key is configured.
    pub(crate) fn public_perps_client(&self) -> Result<kalshi_perps::Client, Failure> {
        if self.has_key() || self.has_variable("PERPS", "API_KEY_ID") {
            return self.perps_client();
        }
        Ok(kalshi_perps::Client::builder()
            .environment(self.perps_environment()?)
            .build()?)
    }

    fn perps_environment(&self) -> Result<kalshi_perps::Environment, Failure> {
        use kalshi_perps::Environment;
        Ok(match self.profile.environment {
            EnvironmentName::Production => Environment::Production,
            EnvironmentName::Demo => Environment::Demo,
            EnvironmentName::Custom => {
                let Profile {
                    rest_url,
                    websocket_url,
                    margin_rest_url,
                    margin_websocket_url,
                    ..
                } = &self.profile;
                // On every known host, both REST APIs have the same base URL.
                let (rest, websocket) = (
                    custom_url(
                        if margin_rest_url.is_some() {
                            margin_rest_url
                        } else {
                            rest_url
                        },
                        "rest_url",
                    )?,
                    custom_url(
                        if margin_websocket_url.is_some() {
                            margin_websocket_url
                        } else {
                            websocket_url
                        },
                        "websocket_url",
                    )?,
                );
                Environment::custom_path(rest, websocket)?
            }
        })
    }

    /// Returns a client of the clearing API with the access token of the environment variables.
    pub(crate) fn klear_client(&self) -> Result<kalshi_klear::Client, Failure> {
        if let Some(mock) = &self.mock {
            return Ok(mock.klear_client()?);
        }
        let credentials =
            BearerCredentials::from_lookup(&self.api_variable_prefix("KLEAR"), |name| {
                std::env::var_os(name)
            })?;
        Ok(kalshi_klear::Client::builder()
            .environment(self.klear_environment()?)
            .credentials(credentials)
            .build()?)
    }

    /// Returns a client of the clearing API, with the access token if one is set.
    pub(crate) fn public_klear_client(&self) -> Result<kalshi_klear::Client, Failure> {
        if self.mock.is_some() || self.has_variable("KLEAR", "ACCESS_TOKEN") {
            return self.klear_client();
        }
        Ok(kalshi_klear::Client::builder()
            .environment(self.klear_environment()?)
            .build()?)
    }

    fn klear_environment(&self) -> Result<kalshi_klear::Environment, Failure> {
        use kalshi_klear::Environment;
        Ok(match self.profile.environment {
            EnvironmentName::Production => Environment::Production,
            EnvironmentName::Demo => Environment::Demo,
            EnvironmentName::Custom => {
                Environment::custom_path(custom_url(&self.profile.klear_url, "klear_url")?)?
            }
        })
    }

    /// Returns the prefix of the environment variables with the credentials of another API.
    fn api_variable_prefix(&self, api: &str) -> String {
        match self.profile.environment {
            EnvironmentName::Production => format!("KALSHI_{api}_"),
            EnvironmentName::Demo | EnvironmentName::Custom => format!("KALSHI_{api}_DEMO_"),
        }
    }

    /// Returns `true` if a variable with credentials of another API is set and not empty.
    fn has_variable(&self, api: &str, name: &str) -> bool {
        let value = std::env::var_os(format!("{}{name}", self.api_variable_prefix(api)));
        value.is_some_and(|value| !value.is_empty())
    }

    /// Returns the key of the profile, or else that of the environment variables.
    pub(crate) fn credentials(&self) -> Result<Credentials, Failure> {
        if let Some(mock) = &self.mock {
            return Ok(mock.credentials());
        }
        let prefix = self.variable_prefix();
        match (&self.profile.key_id, &self.profile.private_key_path) {
            (Some(id), Some(path)) => {
                let path = expand_home(path);
                let key = match self.passphrase() {
                    Some(passphrase) => PrivateKey::from_file_with_passphrase(path, &passphrase)?,
                    None => PrivateKey::from_file(path)?,
                };
                Ok(Credentials::new(id, key)?)
            }
            (None, None) => Ok(Credentials::from_lookup(prefix, |name| {
                std::env::var_os(name)
            })?),
            _ => Err(Failure::usage(
                "the profile needs both `key_id` and `private_key_path`, or neither",
            )),
        }
    }

    /// Returns the id of the API key, if one is configured.
    pub(crate) fn key_id(&self) -> Option<String> {
        match &self.mock {
            Some(mock) => Some(mock.credentials().key_id().to_owned()),
            None => self
                .profile
                .key_id
                .clone()
                .or_else(|| self.key_variable("API_KEY_ID")?.into_string().ok()),
        }
    }

    /// Returns the file of the private key, or `None` if the key is not in a file.
    pub(crate) fn key_path(&self) -> Option<PathBuf> {
        if self.mock.is_some() {
            return None;
        }
        let profile_path = self.profile.private_key_path.as_deref().map(expand_home);
        if self.profile.key_id.is_some() {
            return profile_path;
        }
        profile_path.or_else(|| self.key_variable("PRIVATE_KEY_PATH").map(PathBuf::from))
    }

    /// Returns the variable with the id or the path of the key, or `None` if it is unset or empty. Quotes are removed, as
    /// [`Credentials::from_env`] does, because some loaders of `.env` files keep them.
    fn key_variable(&self, name: &str) -> Option<OsString> {
        let value = std::env::var_os(format!("{}{name}", self.variable_prefix()));
        let value = value.filter(|value| !value.is_empty())?;
        Some(match value.to_str() {
            Some(text) => unquoted(text.trim()).into(),
            None => value,
        })
    }

    /// Returns the passphrase of the private key, if one is set.
    pub(crate) fn passphrase(&self) -> Option<String> {
        variable(&format!("{}PRIVATE_KEY_PASSPHRASE", self.variable_prefix()))
    }

    /// Returns the prefix of the environment variables with the key.
    pub(crate) fn variable_prefix(&self) -> &'static str {
        match self.profile.environment {
            EnvironmentName::Production => "KALSHI_",
            EnvironmentName::Demo | EnvironmentName::Custom => "KALSHI_DEMO_",
        }
    }

    /// Asks for confirmation of a write on the terminal. With `--yes`, prints the question, because it names the exchange, and returns
    /// `true` without waiting for an answer.
    ///
    /// # Errors
    ///
    /// Returns an error without `--yes` if standard input is not a terminal.
    pub(crate) fn confirm(&self, question: &str) -> Result<bool, Failure> {
        if self.yes {
            self.output.note(&format!("{question} Yes, by --yes."));
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "cannot ask for confirmation, because standard input is not a terminal; nothing was sent: pass --yes to skip the prompt",
            ));
        }
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

/// Returns the options that select the same exchange and key again, wherever the selection came from.
fn selection(options: &Global, profile_name: Option<&str>) -> String {
    let Some(name) = profile_name else {
        return match (options.mock, options.production) {
            (true, _) => "--mock",
            (_, true) => "--production",
            _ => "--demo",
        }
        .to_owned();
    };
    let mut selection = shell::option("--profile", name);
    if options.production {
        selection.insert_str(0, "--production ");
    }
    if let Some(path) = options.config() {
        let path = std::path::absolute(&path).unwrap_or(path);
        let config = shell::option("--config", &path.to_string_lossy());
        selection.push_str(&format!(" {config}"));
    }
    selection
}

/// Removes quotes around a value.
fn unquoted(text: &str) -> &str {
    let strip = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    strip('"').or_else(|| strip('\'')).unwrap_or(text)
}

/// Returns a URL of a profile whose environment is custom.
fn custom_url<'a>(url: &'a Option<String>, name: &str) -> Result<&'a str, Failure> {
    url.as_deref().ok_or_else(|| {
        Failure::usage(format!(
            "the profile needs `{name}`, because its environment is custom"
        ))
    })
}

/// Returns an environment variable, or `None` if it is unset or empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

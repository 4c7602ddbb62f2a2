//! Profiles: named exchanges and keys, from a config file.

use std::{collections::BTreeMap, env, fs, io, path::PathBuf};

use serde::Deserialize;

use crate::{failure::Failure, options::Global};

/// The config file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Profile that is used if the command line names none.
    default_profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// An exchange and a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) environment: EnvironmentName,
    /// Id of the API key. Without it, the key is read from the environment.
    pub(crate) key_id: Option<String>,
    /// PEM file of the private key. `~/` is the home directory.
    pub(crate) private_key_path: Option<PathBuf>,
    /// Base URL of the REST API, with `environment = "custom"`.
    pub(crate) rest_url: Option<String>,
    /// URL of the WebSocket, with `environment = "custom"`.
    pub(crate) websocket_url: Option<String>,
    /// Base URL of the REST API of perpetual futures, with `environment = "custom"`.
    pub(crate) margin_rest_url: Option<String>,
    /// URL of the WebSocket of perpetual futures, with `environment = "custom"`.
    pub(crate) margin_websocket_url: Option<String>,
    /// Base URL of the clearing API, with `environment = "custom"`.
    pub(crate) klear_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnvironmentName {
    Demo,
    Production,
    /// Other URLs.
    Custom,
}

impl Profile {
    /// A profile without a key of its own.
    fn of(environment: EnvironmentName) -> Self {
        Self {
            environment,
            key_id: None,
            private_key_path: None,
            rest_url: None,
            websocket_url: None,
            margin_rest_url: None,
            margin_websocket_url: None,
            klear_url: None,
        }
    }

    /// Returns `true` if the profile names a key, or a part of one.
    pub(crate) fn has_key(&self) -> bool {
        self.key_id.is_some() || self.private_key_path.is_some()
    }

    /// Returns the profile that the command line chooses, with its name if it comes from the config file.
    pub(crate) fn choose(options: &Global) -> Result<(Option<String>, Self), Failure> {
        if options.demo {
            return Ok((None, Self::of(EnvironmentName::Demo)));
        }
        let config = Config::read(options)?;
        let name = match (&options.profile, options.production) {
            (Some(name), _) => Some(name.clone()),
            (None, true) => None,
            (None, false) => config.default_profile,
        };
        let Some(name) = name else {
            let environment = match options.production {
                true => EnvironmentName::Production,
                false => EnvironmentName::Demo,
            };
            return Ok((None, Self::of(environment)));
        };
        let profile = config.profiles.get(&name).cloned().ok_or_else(|| {
            let known: Vec<_> = config.profiles.keys().map(String::as_str).collect();
            Failure::usage(format!(
                "there is no profile {name:?} in the config file; it has: {}",
                known.join(", ")
            ))
        })?;
        if options.production && profile.environment != EnvironmentName::Production {
            return Err(Failure::usage(format!(
                "--production contradicts the profile {name:?}, which is of another exchange: leave one of them out"
            )));
        }
        Ok((Some(name), profile))
    }
}

impl Config {
    /// Reads the config file. Its absence is an error only if the command line names it.
    fn read(options: &Global) -> Result<Self, Failure> {
        let Some(path) = options.config.clone().or_else(default_path) else {
            return Ok(Self::default());
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && options.config.is_none() => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(Failure::usage(format!(
                    "cannot read the config file {}: {error}",
                    path.display()
                )));
            }
        };
        toml::from_str(&text).map_err(|error| {
            Failure::usage(format!(
                "the config file {} is invalid: {error}",
                path.display()
            ))
        })
    }
}

/// Returns `kalshi/config.toml` in the directory for configuration.
fn default_path() -> Option<PathBuf> {
    let directory = |name: &str| {
        env::var_os(name)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    };
    let config = if cfg!(windows) {
        directory("APPDATA")
    } else {
        directory("XDG_CONFIG_HOME").or_else(|| Some(directory("HOME")?.join(".config")))
    };
    Some(config?.join("kalshi").join("config.toml"))
}

/// Replaces a leading `~/` by the home directory.
pub(crate) fn expand_home(path: &std::path::Path) -> PathBuf {
    match (path.strip_prefix("~"), env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.to_path_buf(),
    }
}

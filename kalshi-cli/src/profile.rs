//! Profiles: named exchanges and keys, from a config file.

use std::{
    collections::BTreeMap,
    env,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use kalshi_sdk::reqwest::Url;
use serde::Deserialize;

use crate::{failure::Failure, options::Global};

/// Size in bytes from which a config file is rejected.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// Contents of the config file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Profile that is used if none is named.
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
    /// PEM file of the private key. A leading `~/` stands for the home directory.
    pub(crate) private_key_path: Option<PathBuf>,
    /// Base URL of the REST API, with `environment = "custom"`.
    pub(crate) rest_url: Option<String>,
    /// URL of the WebSocket API, with `environment = "custom"`.
    pub(crate) websocket_url: Option<String>,
    /// Base URL of the REST API of perpetual futures, with `environment = "custom"`.
    pub(crate) margin_rest_url: Option<String>,
    /// URL of the WebSocket API of perpetual futures, with `environment = "custom"`.
    pub(crate) margin_websocket_url: Option<String>,
    /// Base URL of the clearing API, with `environment = "custom"`.
    pub(crate) klear_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnvironmentName {
    Demo,
    Production,
    /// URLs given in the profile.
    Custom,
}

impl Profile {
    /// Returns a profile without a key.
    fn without_key(environment: EnvironmentName) -> Self {
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

    /// Returns `true` if the profile has a key id or a key file.
    pub(crate) fn has_key(&self) -> bool {
        self.key_id.is_some() || self.private_key_path.is_some()
    }

    /// Returns the URLs of all APIs that the profile has.
    fn urls(&self) -> impl Iterator<Item = &str> {
        [
            &self.rest_url,
            &self.websocket_url,
            &self.margin_rest_url,
            &self.margin_websocket_url,
            &self.klear_url,
        ]
        .into_iter()
        .filter_map(|url| url.as_deref())
    }

    /// Returns `true` if a custom URL is that of the production exchange.
    pub(crate) fn targets_production(&self) -> bool {
        self.urls().any(is_production)
    }

    /// Returns the profile that the command line chooses, with its name if it comes from the config file.
    pub(crate) fn select(options: &Global) -> Result<(Option<String>, Self), Failure> {
        if options.demo || options.mock {
            return Ok((None, Self::without_key(EnvironmentName::Demo)));
        }
        let config = Config::read(options)?;
        let name = options.profile.clone();
        let name = name.or_else(|| {
            env::var_os("KALSHI_PROFILE")
                .filter(|it| !it.is_empty())
                .map(|it| it.to_string_lossy().into_owned())
        });
        let name = match (name, options.production) {
            (Some(name), _) => Some(name),
            (None, true) => None,
            (None, false) => config.default_profile,
        };
        let Some(name) = name else {
            let environment = match options.production {
                true => EnvironmentName::Production,
                false => EnvironmentName::Demo,
            };
            return Ok((None, Self::without_key(environment)));
        };
        let profile = config.profiles.get(&name).cloned().ok_or_else(|| {
            let known: Vec<_> = config.profiles.keys().map(String::as_str).collect();
            Failure::usage(format!(
                "there is no profile {name:?} in the config file; it has: {}",
                known.join(", ")
            ))
        })?;
        if profile.urls().next().is_some() && profile.environment != EnvironmentName::Custom {
            return Err(Failure::usage(format!(
                "the profile {name:?} has URLs that its environment does not use: write environment = \"custom\", or leave them out"
            )));
        }
        if options.production && profile.environment != EnvironmentName::Production {
            return Err(Failure::usage(format!(
                "--production contradicts the profile {name:?}, which is for another exchange: leave one of them out"
            )));
        }
        Ok((Some(name), profile))
    }
}

impl Config {
    /// Reads the config file. Its absence is an error only if the command line or KALSHI_CONFIG names it.
    fn read(options: &Global) -> Result<Self, Failure> {
        let named = options.config();
        let is_named = named.is_some();
        let Some(path) = named.or_else(default_path) else {
            return Ok(Self::default());
        };
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => {
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
            // The error itself shows the line, which may contain a private key by mistake.
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or_default();
            Failure::usage(format!(
                "the config file {} is invalid in line {}: {}",
                path.display(),
                before.matches('\n').count() + 1,
                describe_toml(error.message())
            ))
        })
    }
}

/// Reads a config file.
///
/// # Errors
///
/// Returns an error if the file cannot be read or is too large.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_CONFIG_BYTES)
        .read_to_string(&mut text)?;
    match text.len() as u64 == MAX_CONFIG_BYTES {
        true => Err(io::Error::other("it is larger than 1 MiB")),
        false => Ok(text),
    }
}

/// Returns the kind of an error in the config file, and what was expected instead. The message itself contains the value or the name
/// that was found, which may be a private key by mistake.
fn describe_toml(message: &str) -> String {
    const MISSING: &str = "missing field";
    const KINDS: [&str; 5] = [
        "invalid type",
        "invalid value",
        "unknown field",
        "unknown variant",
        "duplicate key",
    ];
    if message.starts_with(MISSING) {
        return message.to_owned();
    }
    let kind = KINDS.iter().find(|kind| message.starts_with(**kind));
    match (kind, message.rsplit_once(", expected ")) {
        (Some(kind), Some((_, expected))) => format!("{kind}, expected {expected}"),
        (Some(kind), None) => (*kind).to_owned(),
        (None, _) => "invalid syntax".to_owned(),
    }
}

/// Returns `true` for a URL of the production exchange, whose hosts are all in one domain. The demo exchange has another domain.
fn is_production(url: &str) -> bool {
    const DOMAIN: &str = "kalshi.com";
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let subdomain = host.trim_end_matches('.').strip_suffix(DOMAIN);
    subdomain.is_some_and(|subdomain| subdomain.is_empty() || subdomain.ends_with('.'))
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

/// Replaces a leading `~/` with the home directory.
pub(crate) fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use kalshi_sdk::Environment;

    use super::*;

    #[test]
    fn custom_profiles_do_not_hide_production() {
        let local = || Some("http://127.0.0.1:8080/trade-api/v2".to_owned());
        let profile = Profile {
            rest_url: local(),
            websocket_url: local(),
            margin_rest_url: local(),
            margin_websocket_url: local(),
            klear_url: local(),
            ..Profile::without_key(EnvironmentName::Custom)
        };
        assert!(!profile.targets_production());
        let url_fields: [fn(&mut Profile) -> &mut Option<String>; 5] = [
            |profile| &mut profile.rest_url,
            |profile| &mut profile.websocket_url,
            |profile| &mut profile.margin_rest_url,
            |profile| &mut profile.margin_websocket_url,
            |profile| &mut profile.klear_url,
        ];
        for field in url_fields {
            let mut profile = profile.clone();
            *field(&mut profile) = Some(Environment::Production.rest_url().to_owned());
            assert!(profile.targets_production(), "{profile:?}");
        }
    }

    #[test]
    fn urls_of_production_are_recognised() {
        for environment in [Environment::Production, Environment::ProductionShared] {
            let rest = environment.rest_url();
            assert!(is_production(rest));
            assert!(is_production(environment.websocket_url()));
            let other = rest.to_uppercase().replace("/TRADE-API", ".:443/TRADE-API");
            assert!(is_production(&other), "{other}");
        }
        for url in [
            "wss://external-api-margin-ws.kalshi.com/trade-api/ws/v2/margin",
            "https://api.klear.kalshi.com/klear-api/v1",
            "https://kalshi.com/trade-api/v2",
        ] {
            assert!(is_production(url), "{url}");
        }
        for environment in [Environment::Demo, Environment::DemoShared] {
            assert!(!is_production(environment.rest_url()));
            assert!(!is_production(environment.websocket_url()));
        }
        for url in [
            "https://notkalshi.com/kalshi.com",
            "http://[::1]:80",
            "kalshi.com",
        ] {
            assert!(!is_production(url), "{url}");
        }
    }
}

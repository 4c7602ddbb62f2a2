//! `spec.lock`: which published contract the vendored one was taken from.

use indexmap::IndexMap;
use serde_json::Value;

use crate::{
    Error, contract, facts,
    yaml::{self, Tree},
};

/// What `spec.lock` says. The version tells little, as the exchange has changed contracts under the same one; the hash tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lock {
    /// Where the published contract came from: a URL, or the name of a file.
    pub source: String,
    /// Its `info.version`.
    pub version: String,
    /// The day it was taken, as `YYYY-MM-DD`.
    pub date: String,
    /// The SHA-256 of its bytes, as 64 hexadecimal digits.
    pub sha256: String,
    /// The SHA-256 of its structure: of what is left without words and `x-` members.
    pub structure: String,
}

const HEADER: &str =
    "# Which published contract openapi.yaml was taken from. Written by `kalshi-gen vendor`.\n";

impl Lock {
    /// The lock of a contract that was published as `upstream` and taken from `source` on the day `date`.
    ///
    /// # Errors
    ///
    /// For a text that is no contract.
    pub fn new(upstream: &str, source: &str, date: &str) -> Result<Self, Error> {
        let document = contract::parse(upstream)?;
        Ok(Self {
            source: source.to_owned(),
            version: document["info"]["version"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            date: date.to_owned(),
            sha256: facts::sha256(upstream.as_bytes()),
            structure: structure(&document),
        })
    }

    /// Reads the text of `spec.lock`.
    ///
    /// # Errors
    ///
    /// For a text that is no lock.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let lock = yaml::parse(text)?;
        let member = |key: &str| {
            let text = lock.get(key).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| {
                Error::document(format!(
                    "no lock of a contract: the text `{key}` is missing; run `kalshi-gen vendor`"
                ))
            })
        };
        Ok(Self {
            source: member("source")?,
            version: member("version")?,
            date: member("date")?,
            sha256: member("sha256")?,
            structure: member("structure")?,
        })
    }

    /// Whether `contract` has the structure that was taken.
    ///
    /// # Errors
    ///
    /// For a text that is no contract.
    pub fn matches(&self, contract: &str) -> Result<bool, Error> {
        Ok(structure(&contract::parse(contract)?) == self.structure)
    }

    /// Whether the same bytes were taken, from wherever and whenever.
    #[must_use]
    pub fn is_of_same(&self, other: &Self) -> bool {
        (&self.sha256, &self.structure) == (&other.sha256, &other.structure)
    }
}

/// The text of `spec.lock`.
impl std::fmt::Display for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            source,
            version,
            date,
            sha256,
            structure,
        } = self;
        let members = [
            ("source", source),
            ("version", version),
            ("date", date),
            ("sha256", sha256),
            ("structure", structure),
        ];
        let members = members.map(|(key, text)| (key.to_owned(), Tree::Leaf(text.as_str().into())));
        write!(
            f,
            "{HEADER}{}",
            yaml::write(&Tree::Mapping(IndexMap::from(members)))
        )
    }
}

fn structure(document: &Value) -> String {
    facts::sha256(facts::facts(document).to_string().as_bytes())
}

//! `spec.lock`: which published specs the vendored ones were taken from.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use kalshi_gen::{
    Error, Protocol,
    internals::{
        error, names, stages,
        yaml::{self, Tree},
    },
};

use crate::{facts, write};

/// What `spec.lock` says: a lock for each spec, under the root field that tells its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks(BTreeMap<Protocol, Lock>);

/// Which published spec one was taken from. The version tells little, as the exchange has changed specs under the same
/// one; the hash tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lock {
    /// Where the published spec came from: a URL, or the name of a file.
    pub source: String,
    /// Its `info.version`.
    pub version: String,
    /// The day it was taken, as `YYYY-MM-DD`.
    pub date: String,
    /// The SHA-256 of its bytes, as 64 hexadecimal digits.
    pub sha256: String,
    /// The SHA-256 of its structure: of what is left without words and `x-` fields.
    pub structure: String,
}

const HEADER: &str = "# Which published specs openapi.yaml and asyncapi.yaml were taken from. Written by `kalshi-gen vendor`.\n";

impl Locks {
    /// Reads the text of `spec.lock`.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a lock.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document = yaml::parse(text)?;
        let mut locks = BTreeMap::new();
        for protocol in [Protocol::Rest, Protocol::Streams] {
            if let Some(lock) = document.get(protocol.member()) {
                locks.insert(protocol, Lock::read(lock)?);
            }
        }
        if locks.is_empty() {
            return Err(error::document(
                "no lock of a spec: there is neither `openapi` nor `asyncapi`; run `kalshi-gen vendor`",
            ));
        }
        Ok(Self(locks))
    }

    /// The lock of the spec of a kind.
    #[must_use]
    pub fn get(&self, protocol: Protocol) -> Option<&Lock> {
        self.0.get(&protocol)
    }

    /// Puts the lock of a spec in the place of the one of its kind.
    pub fn insert(&mut self, protocol: Protocol, lock: Lock) {
        self.0.insert(protocol, lock);
    }
}

impl Lock {
    /// The lock of a spec that was published as `upstream` and taken from `source` on the day `date`.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a spec.
    pub fn new(upstream: &str, source: &str, date: &str) -> Result<Self, Error> {
        let document = stages::checked(yaml::parse(upstream)?)?;
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

    fn read(lock: &Value) -> Result<Self, Error> {
        let member = |key: &str| {
            let text = lock.get(key).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| {
                error::document(format!(
                    "no lock of a spec: the text `{key}` is missing; run `kalshi-gen vendor`"
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

    /// Whether `spec` has the structure that was taken.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a spec.
    pub fn matches(&self, spec: &str) -> Result<bool, Error> {
        let document = stages::checked(yaml::parse(spec)?)?;
        Ok(structure(&document) == self.structure)
    }

    /// Whether the same bytes were taken, from wherever and whenever.
    #[must_use]
    pub fn is_of_same(&self, other: &Self) -> bool {
        (&self.sha256, &self.structure) == (&other.sha256, &other.structure)
    }
}

/// The text of `spec.lock`.
impl std::fmt::Display for Locks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let locks = self.0.iter().map(|(protocol, lock)| {
            let members = [
                ("source", &lock.source),
                ("version", &lock.version),
                ("date", &lock.date),
                ("sha256", &lock.sha256),
                ("structure", &lock.structure),
            ];
            let members = members.map(|(key, text)| {
                let text = names::visible(text, false);
                (key.to_owned(), Tree::Leaf(text.into()))
            });
            (
                protocol.member().to_owned(),
                Tree::Mapping(IndexMap::from(members)),
            )
        });
        write!(
            f,
            "{HEADER}{}",
            write::write(&Tree::Mapping(locks.collect()))
        )
    }
}

fn structure(document: &Value) -> String {
    facts::sha256(facts::facts(document).to_string().as_bytes())
}

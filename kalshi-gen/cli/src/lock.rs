//! `spec.lock`: the published specs that the vendored ones are based on.

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

use crate::{structure, write};

/// The content of `spec.lock`: one lock per spec, under the root field of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks(BTreeMap<Protocol, Lock>);

/// The published spec that a vendored one is based on. It is identified by its hash, because the exchange has changed
/// specs without changing the version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lock {
    /// The origin of the published spec: a URL or a file name.
    pub source: String,
    /// The `info.version` of the published spec.
    pub version: String,
    /// The day of vendoring, as `YYYY-MM-DD`.
    pub date: String,
    /// The SHA-256 of the published file, as 64 hexadecimal digits.
    pub sha256: String,
    /// The SHA-256 of the spec's structure, which excludes descriptions and `x-` fields.
    pub structure: String,
}

const HEADER: &str = "# The published specs that openapi.yaml and asyncapi.yaml are based on. Written by `kalshi-gen vendor`.\n";

impl Locks {
    /// Parses the content of `spec.lock`.
    ///
    /// # Errors
    ///
    /// Returns an error if `text` is not a valid lock file.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document = yaml::parse(text)?;
        let mut locks = BTreeMap::new();
        for protocol in [Protocol::Rest, Protocol::Streams] {
            if let Some(lock) = document.get(protocol.root_field()) {
                locks.insert(protocol, Lock::from_value(lock)?);
            }
        }
        if locks.is_empty() {
            return Err(error::document(
                "not a lock file: it has neither `openapi` nor `asyncapi`; run `kalshi-gen vendor`",
            ));
        }
        Ok(Self(locks))
    }

    /// Returns the lock of a kind of spec, or `None` if it is not locked.
    #[must_use]
    pub fn get(&self, protocol: Protocol) -> Option<&Lock> {
        self.0.get(&protocol)
    }

    /// Sets the lock of a kind of spec.
    pub fn insert(&mut self, protocol: Protocol, lock: Lock) {
        self.0.insert(protocol, lock);
    }
}

impl Lock {
    /// Creates the lock of the spec `upstream`, vendored from `source` on the day `date`.
    ///
    /// # Errors
    ///
    /// Returns an error if `upstream` is not a valid spec.
    pub fn new(upstream: &str, source: &str, date: &str) -> Result<Self, Error> {
        let document = stages::checked(yaml::parse(upstream)?)?;
        Ok(Self {
            source: source.to_owned(),
            version: document["info"]["version"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            date: date.to_owned(),
            sha256: structure::sha256(upstream.as_bytes()),
            structure: structure_hash(&document),
        })
    }

    fn from_value(lock: &Value) -> Result<Self, Error> {
        let field = |key: &str| {
            let text = lock.get(key).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| {
                error::document(format!(
                    "not a lock file: the string `{key}` is missing; run `kalshi-gen vendor`"
                ))
            })
        };
        Ok(Self {
            source: field("source")?,
            version: field("version")?,
            date: field("date")?,
            sha256: field("sha256")?,
            structure: field("structure")?,
        })
    }

    /// Returns `true` if `spec` has the locked structure.
    ///
    /// # Errors
    ///
    /// Returns an error if `spec` is not a valid spec.
    pub fn matches(&self, spec: &str) -> Result<bool, Error> {
        let document = stages::checked(yaml::parse(spec)?)?;
        Ok(structure_hash(&document) == self.structure)
    }

    /// Returns `true` if both locks are of the same published bytes, regardless of origin and date.
    #[must_use]
    pub fn has_same_content(&self, other: &Self) -> bool {
        (&self.sha256, &self.structure) == (&other.sha256, &other.structure)
    }
}

/// Formats the content of `spec.lock`.
impl std::fmt::Display for Locks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let locks = self.0.iter().map(|(protocol, lock)| {
            let fields = [
                ("source", &lock.source),
                ("version", &lock.version),
                ("date", &lock.date),
                ("sha256", &lock.sha256),
                ("structure", &lock.structure),
            ];
            let fields = fields.map(|(key, text)| {
                let text = names::visible(text, false);
                (key.to_owned(), Tree::Leaf(text.into()))
            });
            (
                protocol.root_field().to_owned(),
                Tree::Mapping(IndexMap::from(fields)),
            )
        });
        write!(
            f,
            "{HEADER}{}",
            write::write(&Tree::Mapping(locks.collect()))
        )
    }
}

fn structure_hash(document: &Value) -> String {
    structure::sha256(structure::canonical(document).to_string().as_bytes())
}

//! Comparison of two specs: the differences that a program using the SDK would notice.

mod change;
mod content;
mod document;
mod members;
mod operations;
mod owner;
mod parameters;
mod renames;
mod report;
mod schemas;
mod side;
mod streams;
mod types;
mod values;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

pub(crate) use self::renames::Renames;
pub(crate) use self::report::{code, escaped};
use self::side::Side;
pub use self::{
    change::{Change, Class, Kind, Subject},
    report::Format,
};
use kalshi_gen::{
    Error,
    internals::{
        error::{self, JsonPath},
        protocol, stages, yaml,
    },
};

use crate::facts;

/// The differences between two specs, most severe first.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// The `info.version` of the old spec.
    pub from: String,
    /// The `info.version` of the new spec.
    pub to: String,
    /// All differences, breaking ones first, then ordered by location.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Compares two specs, each an OpenAPI 3.0 or AsyncAPI 3 document in YAML or JSON.
    ///
    /// # Errors
    ///
    /// Returns an error if one of the two is not a valid spec, or if one is OpenAPI and the other AsyncAPI.
    pub fn new(old: &str, new: &str) -> Result<Self, SpecsError> {
        let old = read(old).map_err(SpecsError::Old)?;
        let new = read(new).map_err(SpecsError::New)?;
        of_one_kind(&old, &new)?;
        Ok(compare(&old, &new).0)
    }

    /// Returns the number of changes of a class.
    #[must_use]
    pub fn count(&self, class: Class) -> usize {
        self.changes
            .iter()
            .filter(|change| change.class == class)
            .count()
    }

    /// Returns `true` if a program may no longer compile, or its requests may be rejected.
    #[must_use]
    pub fn is_breaking(&self) -> bool {
        self.count(Class::Breaking) > 0
    }

    /// Returns a one-line summary with the kind of release the changes require: `12 additive, 1 breaking: next
    /// release is a major`.
    #[must_use]
    pub fn verdict(&self) -> String {
        let counts: Vec<_> = [
            Class::Prose,
            Class::Additive,
            Class::Behaviour,
            Class::Breaking,
        ]
        .into_iter()
        .filter_map(|class| match self.count(class) {
            0 => None,
            count => Some(format!("{count} {class}")),
        })
        .collect();
        if counts.is_empty() {
            return "no differences: no release needed".to_owned();
        }
        let release = if self.is_breaking() {
            "a major"
        } else if self
            .changes
            .iter()
            .any(|change| change.class != Class::Prose)
        {
            "a minor"
        } else {
            "a patch"
        };
        format!("{}: next release is {release}", counts.join(", "))
    }
}

/// An error in one of the two specs.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpecsError {
    /// The old spec is invalid.
    Old(Error),
    /// The new spec is invalid, or is of another kind than the old one.
    New(Error),
}

impl fmt::Display for SpecsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Old(error) => write!(f, "the old spec: {error}"),
            Self::New(error) => write!(f, "the new spec: {error}"),
        }
    }
}

impl std::error::Error for SpecsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Old(error) | Self::New(error) => Some(error),
        }
    }
}

fn read(text: &str) -> Result<Value, Error> {
    stages::checked(yaml::parse(text)?)
}

/// Rejects the comparison of an OpenAPI spec with an AsyncAPI spec.
pub(crate) fn of_one_kind(old: &Value, new: &Value) -> Result<(), SpecsError> {
    let (old, new) = (protocol::of(old), protocol::of(new));
    if old == new {
        return Ok(());
    }
    Err(SpecsError::New(error::document(format!(
        "the specs are of different kinds: this one has `{}`, the other `{}`",
        new.member(),
        old.member()
    ))))
}

/// Compares two checked documents. Also returns the detected renames.
pub(crate) fn compare(old: &Value, new: &Value) -> (Diff, Renames) {
    let (before, after) = (Side::new(old), Side::new(new));
    let renames = Renames::find(&before, &after);
    let mut comparison = Comparison {
        old: &before,
        new: &after,
        renames,
        changes: Vec::new(),
        shared: Default::default(),
    };
    comparison.operations();
    comparison.streams();
    comparison.schemas();
    comparison.document();
    comparison.types(old, new);
    comparison.envelopes();
    comparison.rest();
    let Comparison {
        renames,
        mut changes,
        ..
    } = comparison;
    changes.sort_by(|a, b| {
        (a.class, &a.place, a.subject, a.kind).cmp(&(b.class, &b.place, b.subject, b.kind))
    });
    changes.dedup();
    let version = |document: &Value| {
        document["info"]["version"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (
        Diff {
            from: version(old),
            to: version(new),
            changes,
        },
        renames,
    )
}

/// Returns the first location where two trees differ.
fn difference(old: &Value, new: &Value, place: &JsonPath) -> Option<JsonPath> {
    match (old, new) {
        (Value::Object(was), Value::Object(is)) => {
            let gone = was.keys().find(|key| !is.contains_key(*key));
            let come = || is.keys().find(|key| !was.contains_key(*key));
            match gone.or_else(come) {
                Some(key) => Some(place.join(key)),
                None => was
                    .iter()
                    .find_map(|(key, was)| difference(was, is.get(key)?, &place.join(key))),
            }
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            let mut pairs = was.iter().zip(is).enumerate();
            pairs.find_map(|(index, (was, is))| difference(was, is, &place.item(index)))
        }
        (old, new) => (old != new).then(|| place.clone()),
    }
}

/// The state of a comparison.
struct Comparison<'a> {
    old: &'a Side,
    new: &'a Side,
    renames: Renames,
    changes: Vec<Change>,
    /// Shared components that have already been compared.
    shared: std::collections::BTreeSet<String>,
}

/// The message for a difference that is reported by its location only.
const UNNAMED: &str = "changed, without effect on types or requests";

/// A location in both specs.
#[derive(Clone)]
struct At {
    /// The location in terms of the spec, such as `Market.status`.
    name: String,
    old: JsonPath,
    new: JsonPath,
}

impl At {
    fn join(&self, name: String, key: &str) -> Self {
        Self {
            name,
            old: self.old.join(key),
            new: self.new.join(key),
        }
    }
}

impl Comparison<'_> {
    fn push(
        &mut self,
        class: Class,
        kind: Kind,
        subject: Subject,
        at: &At,
        text: impl Into<String>,
    ) -> &mut Change {
        let path = if kind == Kind::Removed {
            &at.old
        } else {
            &at.new
        };
        self.changes.push(Change {
            class,
            kind,
            subject,
            place: at.name.clone(),
            path: path.to_string(),
            before: None,
            after: None,
            text: text.into(),
        });
        let last = self.changes.len() - 1;
        &mut self.changes[last]
    }

    /// Reports a difference in structure that affects no type, if nothing else was reported.
    fn rest(&mut self) {
        let facts = |side: &Side| {
            let mut facts = facts::facts(&side.document);
            facts["info"]["version"] = Value::Null;
            facts
        };
        let noticed = self
            .changes
            .iter()
            .any(|change| change.class != Class::Prose);
        if let (false, Some(place)) = (
            noticed,
            difference(&facts(self.old), &facts(self.new), &JsonPath::new(&[])),
        ) {
            let at = At {
                name: place.to_string(),
                old: place.clone(),
                new: place,
            };
            self.push(
                Class::Additive,
                Kind::Changed,
                Subject::Document,
                &at,
                UNNAMED,
            );
        }
    }

    /// Reports a change from one short string to another.
    fn changed(
        &mut self,
        class: Class,
        subject: Subject,
        at: &At,
        what: &str,
        before: &str,
        after: &str,
    ) {
        let text = format!("{what} was {before}, is {after}");
        let change = self.push(class, Kind::Changed, subject, at, text);
        change.before = Some(before.to_owned());
        change.after = Some(after.to_owned());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    use crate::facts::{Keys, facts};

    /// Collects the JSON pointers of all structural fields below a node.
    fn pointers(node: &Value, keys: Keys, at: &str, found: &mut Vec<String>) {
        let children: Vec<(String, &Value, Keys)> = match node {
            Value::Object(members) => members
                .iter()
                .filter(|(key, _)| keys.is_fact(key))
                .map(|(key, value)| {
                    (
                        key.replace('~', "~0").replace('/', "~1"),
                        value,
                        keys.below(key, value.is_object()),
                    )
                })
                .collect(),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, value)| (index.to_string(), value, keys))
                .collect(),
            _ => return,
        };
        for (key, value, keys) in children {
            let at = format!("{at}/{key}");
            pointers(value, keys, &at, found);
            found.push(at);
        }
    }

    /// Returns the document without the node at a pointer.
    fn without(document: &Value, pointer: &str) -> Value {
        let mut changed = document.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match changed.pointer_mut(parent).unwrap() {
            Value::Object(members) => {
                _ = members.remove(&key.replace("~1", "/").replace("~0", "~"))
            }
            Value::Array(items) => _ = items.remove(key.parse().unwrap()),
            _ => {}
        }
        changed
    }

    fn altered(document: &Value, pointer: &str) -> Value {
        let mut changed = document.clone();
        let node = changed.pointer_mut(pointer).unwrap();
        *node = match &*node {
            Value::Bool(value) => Value::Bool(!value),
            Value::Number(number) => (number.as_f64().unwrap() + 1.0).into(),
            Value::String(text) => format!("{text}x").into(),
            other => other.clone(),
        };
        changed
    }

    /// Asserts that every structural change that leaves a valid spec is reported, and not as prose. Returns how many
    /// changes were tried, how many left a valid spec, and how many were reported by their location only.
    fn assert_changes_are_reported(text: &str, silent: &[&str]) -> (usize, usize, usize) {
        let spec = read(text).unwrap();
        let mut found = Vec::new();
        pointers(&spec, Keys::Keywords, "", &mut found);
        let (mut tried, mut valid, mut unnamed) = (0, 0, 0);
        for pointer in &found {
            let silent = silent.iter().any(|silent| pointer.starts_with(silent));
            for changed in [without(&spec, pointer), altered(&spec, pointer)] {
                tried += 1;
                let Ok(changed) = stages::checked(changed) else {
                    continue;
                };
                if silent || facts(&changed) == facts(&spec) {
                    continue;
                }
                valid += 1;
                for (old, new) in [(&spec, &changed), (&changed, &spec)] {
                    let (diff, _) = compare(old, new);
                    let noticed = diff
                        .changes
                        .iter()
                        .any(|change| change.class != Class::Prose);
                    assert!(noticed, "{pointer}: {:?}", diff.changes);
                    let by_place = |change: &Change| change.text.starts_with(UNNAMED);
                    unnamed += usize::from(diff.changes.iter().any(by_place));
                }
            }
        }
        (tried, valid, unnamed)
    }

    #[test]
    fn every_structural_change_is_reported() {
        let text = include_str!("../../tests/specs/exchange.yaml");
        // The version heads the report, and unused components affect nobody.
        let silent = ["/info/version", "/openapi", "/tags"];
        let (tried, valid, _) = assert_changes_are_reported(text, &silent);
        assert!(tried > 450 && valid > 200, "{tried} {valid}");
    }

    #[test]
    fn every_structural_change_of_an_asyncapi_spec_is_reported() {
        let text = include_str!("../../tests/specs/streams.yaml");
        let silent = ["/info/version", "/asyncapi"];
        let (tried, valid, unnamed) = assert_changes_are_reported(text, &silent);
        assert!(tried > 400 && valid > 150, "{tried} {valid}");
        assert_eq!(unnamed, 0);
    }

    /// Descriptions and `x-` fields are reported as prose.
    #[test]
    fn descriptions_are_reported_as_prose() {
        for text in [
            include_str!("../../tests/specs/exchange.yaml"),
            include_str!("../../tests/specs/streams.yaml"),
        ] {
            let spec = read(text).unwrap();
            let mut stripped = facts(&spec);
            // A spec must have a title.
            stripped["info"]["title"] = "T".into();
            let (diff, _) = compare(&spec, &stages::checked(stripped).unwrap());
            // Costs are structural even if they are in `x-` fields or descriptions.
            let others: Vec<_> = diff
                .changes
                .iter()
                .filter(|change| change.class != Class::Prose && change.subject != Subject::Cost)
                .collect();
            assert!(others.is_empty(), "{others:?}");
            assert!(diff.count(Class::Prose) > 20);
        }
    }
}

//! Comparison of two specs: the differences that a program using the SDK would notice.

mod bodies;
mod change;
mod document;
mod operations;
mod optional;
mod owner;
mod parameters;
mod renames;
mod report;
mod schema_content;
mod schemas;
mod spec_index;
mod streams;
mod types;
mod values;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

pub(crate) use self::renames::Renames;
pub(crate) use self::report::{escape_markdown, inline_code};
use self::spec_index::SpecIndex;
pub use self::{
    change::{Change, Class, Kind, Subject},
    report::Format,
};
use kalshi_gen::{
    Error, FixupMode, Options,
    internals::{
        error::{self, JsonPath},
        protocol, stages, yaml,
    },
};

use crate::structure;

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
        let (old_text, new_text) = (old, new);
        let old = parse(old).map_err(SpecsError::Old)?;
        let new = parse(new).map_err(SpecsError::New)?;
        check_same_protocol(&old, &new)?;
        let mut diff = compare(&old, &new).0;
        diff.add_failure(old_text, new_text);
        Ok(diff)
    }

    /// Adds a breaking change if no code can be generated from the new spec, unless the old one has the same error.
    pub(crate) fn add_failure(&mut self, old: &str, new: &str) {
        let options = Options::new().fixups(FixupMode::Lenient);
        let failure = |spec: &str| kalshi_gen::generate(spec, &options).err();
        let Some(error) = failure(new) else { return };
        let text = error.to_string();
        if failure(old).is_some_and(|error| error.to_string() == text) {
            return;
        }
        let change = Change {
            class: Class::Breaking,
            kind: Kind::Changed,
            subject: Subject::Document,
            location: "the document".to_owned(),
            path: error.json_path().unwrap_or("$").to_owned(),
            before: None,
            after: None,
            text: format!("does not generate: {text}"),
        };
        self.changes.insert(0, change);
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

fn parse(text: &str) -> Result<Value, Error> {
    stages::checked(yaml::parse(text)?)
}

/// Rejects the comparison of an OpenAPI spec with an AsyncAPI spec.
pub(crate) fn check_same_protocol(old: &Value, new: &Value) -> Result<(), SpecsError> {
    let (old, new) = (protocol::detect(old), protocol::detect(new));
    if old == new {
        return Ok(());
    }
    Err(SpecsError::New(error::document(format!(
        "the specs are of different kinds: this one has `{}`, the other `{}`",
        new.root_field(),
        old.root_field()
    ))))
}

/// Compares two checked documents. Also returns the detected renames.
pub(crate) fn compare(old: &Value, new: &Value) -> (Diff, Renames) {
    let (before, after) = (SpecIndex::new(old), SpecIndex::new(new));
    let renames = Renames::find(&before, &after);
    let mut comparison = Comparison {
        old: &before,
        new: &after,
        renames,
        changes: Vec::new(),
        compared_components: Default::default(),
    };
    comparison.operations();
    comparison.streams();
    comparison.schemas();
    comparison.document();
    comparison.envelopes();
    comparison.types(old, new);
    comparison.unclassified_difference();
    let Comparison {
        renames,
        mut changes,
        ..
    } = comparison;
    changes.sort_by(|a, b| {
        (a.class, &a.location, a.subject, a.kind).cmp(&(b.class, &b.location, b.subject, b.kind))
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
fn difference(old: &Value, new: &Value, path: &JsonPath) -> Option<JsonPath> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let removed = old.keys().find(|key| !new.contains_key(*key));
            let added = || new.keys().find(|key| !old.contains_key(*key));
            match removed.or_else(added) {
                Some(key) => Some(path.join(key)),
                None => old
                    .iter()
                    .find_map(|(key, old)| difference(old, new.get(key)?, &path.join(key))),
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let mut pairs = old.iter().zip(new).enumerate();
            pairs.find_map(|(index, (old, new))| difference(old, new, &path.item(index)))
        }
        (old, new) => (old != new).then(|| path.clone()),
    }
}

/// The state of a comparison.
struct Comparison<'a> {
    old: &'a SpecIndex,
    new: &'a SpecIndex,
    renames: Renames,
    changes: Vec<Change>,
    /// Shared components that have already been compared.
    compared_components: std::collections::BTreeSet<String>,
}

/// The message for a difference that is reported by its location only.
const UNCLASSIFIED: &str = "changed, without effect on types or requests";

/// A location in both specs.
#[derive(Clone)]
struct Location {
    /// The location in terms of the spec, such as `Market.status`.
    name: String,
    old: JsonPath,
    new: JsonPath,
}

impl Location {
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
        at: &Location,
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
            location: at.name.clone(),
            path: path.to_string(),
            before: None,
            after: None,
            text: text.into(),
        });
        let last = self.changes.len() - 1;
        &mut self.changes[last]
    }

    /// Reports a difference in structure that affects no type, if nothing else was reported.
    fn unclassified_difference(&mut self) {
        let without_version = |spec: &SpecIndex| {
            let mut structure = structure::canonical(&spec.document);
            structure["info"]["version"] = Value::Null;
            structure
        };
        let is_reported = self
            .changes
            .iter()
            .any(|change| change.class != Class::Prose);
        if let (false, Some(path)) = (
            is_reported,
            difference(
                &without_version(self.old),
                &without_version(self.new),
                &JsonPath::new(&[]),
            ),
        ) {
            let at = Location {
                name: path.to_string(),
                old: path.clone(),
                new: path,
            };
            self.push(
                Class::Additive,
                Kind::Changed,
                Subject::Document,
                &at,
                UNCLASSIFIED,
            );
        }
    }

    /// Reports a change from one short string to another.
    fn changed(
        &mut self,
        class: Class,
        subject: Subject,
        at: &Location,
        attribute: &str,
        before: &str,
        after: &str,
    ) {
        let text = format!("{attribute} was {before}, is {after}");
        let change = self.push(class, Kind::Changed, subject, at, text);
        change.before = Some(before.to_owned());
        change.after = Some(after.to_owned());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    use crate::structure::{Keys, canonical};

    /// Collects the JSON pointers of all structural fields below a node.
    fn pointers(node: &Value, keys: Keys, at: &str, found: &mut Vec<String>) {
        let fields: Vec<(String, &Value, Keys)> = match node {
            Value::Object(node) => node
                .iter()
                .filter(|(key, _)| keys.is_structural(key))
                .map(|(key, value)| {
                    (
                        key.replace('~', "~0").replace('/', "~1"),
                        value,
                        keys.nested(key, value.is_object()),
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
        for (key, value, keys) in fields {
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
            Value::Object(fields) => _ = fields.remove(&key.replace("~1", "/").replace("~0", "~")),
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
        let spec = parse(text).unwrap();
        let mut found = Vec::new();
        pointers(&spec, Keys::Keywords, "", &mut found);
        let (mut tried, mut valid, mut unclassified) = (0, 0, 0);
        for pointer in &found {
            let silent = silent.iter().any(|silent| pointer.starts_with(silent));
            for changed in [without(&spec, pointer), altered(&spec, pointer)] {
                tried += 1;
                let Ok(changed) = stages::checked(changed) else {
                    continue;
                };
                if silent || canonical(&changed) == canonical(&spec) {
                    continue;
                }
                valid += 1;
                for (old, new) in [(&spec, &changed), (&changed, &spec)] {
                    let (diff, _) = compare(old, new);
                    let is_reported = diff
                        .changes
                        .iter()
                        .any(|change| change.class != Class::Prose);
                    assert!(is_reported, "{pointer}: {:?}", diff.changes);
                    let is_unclassified = |change: &Change| change.text.starts_with(UNCLASSIFIED);
                    unclassified += usize::from(diff.changes.iter().any(is_unclassified));
                }
            }
        }
        (tried, valid, unclassified)
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
        let (tried, valid, unclassified) = assert_changes_are_reported(text, &silent);
        assert!(tried > 400 && valid > 150, "{tried} {valid}");
        assert_eq!(unclassified, 0);
    }

    /// Descriptions and `x-` fields are reported as prose.
    #[test]
    fn descriptions_are_reported_as_prose() {
        for text in [
            include_str!("../../tests/specs/exchange.yaml"),
            include_str!("../../tests/specs/streams.yaml"),
        ] {
            let spec = parse(text).unwrap();
            let mut stripped = canonical(&spec);
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

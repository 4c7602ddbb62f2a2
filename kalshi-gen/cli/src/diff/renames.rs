//! Detection of unambiguous renames: operations, schemas, fields, parameters and values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::spec_index::{MESSAGES, SpecIndex, entries};
use kalshi_gen::internals::{
    error::JsonPath,
    spec::{self, reference, schema_name},
};

use crate::structure;

/// The elements that have a new name in the new spec.
#[derive(Debug, Default)]
pub(crate) struct Renames {
    /// Old to new ids of operations, matched by method and path or by the messages they carry.
    operations: BTreeMap<String, String>,
    /// Old to new names of schemas.
    schemas: BTreeMap<String, String>,
    /// Old to new names of WebSocket messages.
    messages: BTreeMap<String, String>,
    /// Old names of fields and parameters, by their location in the new spec.
    fields: BTreeMap<String, String>,
}

impl Renames {
    pub(super) fn find(old: &SpecIndex, new: &SpecIndex) -> Self {
        let (before, after) = (old.operations(), new.operations());
        let by_route: BTreeMap<_, _> = after
            .iter()
            .map(|(id, (path, method, _))| ((*path, *method), *id))
            .collect();
        let rest_operations = before
            .iter()
            .filter(|(id, _)| !after.contains_key(*id))
            .filter_map(|(id, (path, method, _))| {
                let new_id = by_route
                    .get(&(*path, *method))
                    .filter(|id| !before.contains_key(*id))?;
                Some(((*id).to_owned(), (*new_id).to_owned()))
            });
        let stream_operations = same_content(old, new, "/operations", |_| None);
        let schemas = schemas(old, new);
        Self {
            operations: rest_operations.chain(stream_operations).collect(),
            messages: same_content(old, new, MESSAGES, |name| schemas.get(name).cloned()),
            schemas,
            fields: BTreeMap::new(),
        }
    }

    pub(super) fn operation(&self, old: &str) -> Option<&str> {
        self.operations.get(old).map(String::as_str)
    }

    pub(super) fn schema(&self, old: &str) -> Option<&str> {
        self.schemas.get(old).map(String::as_str)
    }

    pub(super) fn is_renamed(&self, new: &str) -> bool {
        self.old_schema(new).is_some()
    }

    /// Returns the old name of the schema `new`.
    pub(crate) fn old_schema(&self, new: &str) -> Option<&str> {
        self.schemas
            .iter()
            .find(|(_, name)| *name == new)
            .map(|(old, _)| old.as_str())
    }

    pub(super) fn message(&self, old: &str) -> Option<&str> {
        self.messages.get(old).map(String::as_str)
    }

    /// Returns the old name of the message `new`.
    pub(crate) fn old_message(&self, new: &str) -> Option<&str> {
        self.messages
            .iter()
            .find(|(_, name)| *name == new)
            .map(|(old, _)| old.as_str())
    }

    /// Returns the old id of the operation `new`.
    pub(crate) fn old_operation(&self, new: &str) -> Option<&str> {
        self.operations
            .iter()
            .find(|(_, id)| *id == new)
            .map(|(old, _)| old.as_str())
    }

    /// Returns the old name of the field at a JSON path of the new spec.
    pub(crate) fn old_field(&self, path: &str) -> Option<&str> {
        self.fields.get(path).map(String::as_str)
    }

    pub(super) fn record_field(&mut self, path: &JsonPath, old_name: &str) {
        self.fields.insert(path.to_string(), old_name.to_owned());
    }
}

/// Returns pairs of a removed and an added name that match each other and nothing else.
pub(super) fn pairs<'a>(
    removed: &[&'a str],
    added: &[&'a str],
    is_match: impl Fn(&str, &str) -> bool,
) -> Vec<(&'a str, &'a str)> {
    if removed.len().saturating_mul(added.len()) > MAX_PAIRS {
        return Vec::new();
    }
    removed
        .iter()
        .filter_map(|old| {
            let mut candidates = added.iter().filter(|new| is_match(old, new));
            let (new, None) = (candidates.next()?, candidates.next()) else {
                return None;
            };
            let is_unique = removed.iter().filter(|other| is_match(other, new)).count() == 1;
            is_unique.then_some((*old, *new))
        })
        .collect()
}

/// Returns `true` if two names are spellings of the same name: `canceled` and `cancelled`, `RFQ` and `Rfq`, `id` and
/// `ids`, or with and without a unit. Other similar names may be opposites: `maker_side` and `taker_side`.
pub(super) fn resemble(old: &str, new: &str) -> bool {
    let plain = |name: &str| {
        let name = kalshi_gen::internals::names::snake(name);
        let name = ["_dollars", "_fp", "_ts", "_ms"]
            .iter()
            .find_map(|unit| name.strip_suffix(unit))
            .unwrap_or(&name);
        name.replace('_', "")
    };
    let (old, new) = (plain(old), plain(new));
    let (short, long) = if old.len() <= new.len() {
        (&old, &new)
    } else {
        (&new, &old)
    };
    // One extra letter. A digit may be a version number, and a letter at the start may negate the name.
    let has_extra_letter = || {
        let at = short
            .bytes()
            .zip(long.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let letter = long.as_bytes().get(at).is_some_and(u8::is_ascii_alphabetic);
        at > 0 && letter && long.get(at + 1..) == short.get(at..)
    };
    old == new
        || (short.len() >= 5
            && long.len() == short.len() + 1
            && long.is_ascii()
            && short.is_ascii()
            && has_extra_letter())
}

/// The maximum number of pairs that are compared. With more, `pairs` returns none.
const MAX_PAIRS: usize = 10_000;

/// Finds schemas that have a new name, but a similar structure and the same references to them.
fn schemas(old: &SpecIndex, new: &SpecIndex) -> BTreeMap<String, String> {
    let removed: Vec<_> = old
        .schemas()
        .filter(|(name, _)| new.schema(name).is_none())
        .collect();
    let added: Vec<_> = new
        .schemas()
        .filter(|(name, _)| old.schema(name).is_none())
        .collect();
    if removed.is_empty() || added.is_empty() {
        return BTreeMap::new();
    }
    let (old_references, new_references) = (references(&old.document), references(&new.document));
    let mut locations: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for (location, target) in &old_references {
        locations.entry(target).or_default().push(location);
    }
    // New schemas by trait, so that only schemas with a common trait are compared.
    let added: Vec<_> = added
        .into_iter()
        .map(|(name, schema)| (name, traits(schema)))
        .collect();
    let mut by_trait: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, (_, traits)) in added.iter().enumerate() {
        traits
            .iter()
            .for_each(|key| by_trait.entry(key).or_default().push(index));
    }
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, schema) in &removed {
        let traits = traits(schema);
        // All remaining references to the old schema refer to the new one.
        let takes_over_references = |candidate: &str| {
            let mut new_targets = locations
                .get(name)
                .into_iter()
                .flatten()
                .filter_map(|location| new_references.get(*location))
                .peekable();
            new_targets.peek().is_some() && new_targets.all(|target| target == candidate)
        };
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        // A trait of more than 64 schemas is not distinctive.
        let distinctive = traits
            .iter()
            .filter_map(|key| by_trait.get(key.as_str()))
            .filter(|indices| indices.len() <= 64);
        distinctive
            .flatten()
            .for_each(|index| *shared.entry(*index).or_default() += 1);
        let mut candidates = shared
            .into_keys()
            .filter_map(|index| added.get(index))
            .filter(|(candidate, other)| {
                let shared = traits.intersection(other).count();
                let all = traits.union(other).count();
                let same = shared == all;
                // Similar: four of five traits and a similar name, or half of them if the references moved too.
                (same
                    && (shared > 2
                        || takes_over_references(candidate)
                        || resemble(name, candidate)))
                    || (shared > 2 && shared * 5 >= all * 4 && resemble(name, candidate))
                    || (shared * 2 >= all && takes_over_references(candidate))
            });
        if let (Some((candidate, _)), None) = (candidates.next(), candidates.next()) {
            found.insert((*name).to_owned(), (*candidate).to_owned());
        }
    }
    // A new schema must match exactly one old schema.
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for new_name in found.values() {
        *counts.entry(new_name.clone()).or_default() += 1;
    }
    found.retain(|_, new_name| counts.get(new_name) == Some(&1));
    found
}

/// Returns pairs of messages or operations, old and new, that have a new name but the same content.
fn same_content(
    old: &SpecIndex,
    new: &SpecIndex,
    pointer: &str,
    schema: impl Fn(&str) -> Option<String>,
) -> BTreeMap<String, String> {
    let (before, after) = (entries(old, pointer), entries(new, pointer));
    let has_same_content = |old: &str, new: &str| {
        let (Some(old), Some(new)) = (before.get(old), after.get(new)) else {
            return false;
        };
        let mut old = (*old).clone();
        let target = spec::reference(&old["payload"]).and_then(schema_name);
        if let Some(new_name) = target.and_then(&schema) {
            old["payload"]["$ref"] = format!("#/components/schemas/{new_name}").into();
        }
        structure::canonical(&old) == structure::canonical(new)
    };
    let removed: Vec<&str> = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .copied()
        .collect();
    let added: Vec<&str> = after
        .keys()
        .filter(|name| !before.contains_key(*name))
        .copied()
        .collect();
    let pairs = pairs(&removed, &added, has_same_content).into_iter();
    pairs
        .map(|(old, new)| (old.to_owned(), new.to_owned()))
        .collect()
}

/// Returns the traits that identify a schema: its fields with their types, its values, or its type.
fn traits(schema: &Value) -> BTreeSet<String> {
    let kind = |node: &Value| {
        let inner = node
            .get("items")
            .map(|items| reference(items).unwrap_or(items["type"].as_str().unwrap_or_default()));
        let own = reference(node).unwrap_or(node["type"].as_str().unwrap_or_default());
        format!("{own} {}", inner.unwrap_or_default())
    };
    let fields = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let fields = fields.map(|(name, node)| format!("{name}: {}", kind(node)));
    let values = schema
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(ToString::to_string);
    let mut traits: BTreeSet<String> = fields.chain(values).collect();
    if traits.is_empty() {
        traits.insert(kind(schema));
    }
    traits
}

/// Returns the name of the schema that each location refers to.
fn references(document: &Value) -> BTreeMap<String, String> {
    fn walk(node: &Value, path: &JsonPath, found: &mut BTreeMap<String, String>) {
        match node {
            Value::Object(fields) => {
                let target = fields
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(spec::schema_name);
                if let Some(target) = target {
                    found.insert(path.to_string(), target.to_owned());
                }
                fields
                    .iter()
                    .for_each(|(key, value)| walk(value, &path.join(key), found));
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, item)| walk(item, &path.item(index), found));
            }
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    walk(document, &JsonPath::new(&[]), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::{pairs, resemble};

    #[test]
    fn spellings_of_a_name_resemble_each_other() {
        for (old, new, expected) in [
            ("canceled", "cancelled", true),
            ("yes_price", "yes_price_dollars", true),
            ("GetRFQQuote", "GetRfqQuote", true),
            ("client_order_id", "client_order_ids", true),
            ("created_ts", "created", true),
            ("Market", "MarketDetails", false),
            ("price", "count", false),
            ("min_ts", "max_ts", false),
            ("yes_bid", "no_bid", false),
            ("yes_bid_price", "no_bid_price", false),
            ("maker_side", "taker_side", false),
            ("order_id", "client_order_id", false),
            ("active", "inactive", false),
            ("typical", "atypical", false),
            ("tier_1", "tier_2", false),
            ("tier_1", "tier_11", false),
            ("last_update_time", "first_update_time", false),
        ] {
            assert_eq!(resemble(old, new), expected, "{old} {new}");
            assert_eq!(resemble(new, old), expected, "{new} {old}");
        }
    }

    #[test]
    fn ambiguous_pairs_are_not_renames() {
        assert_eq!(
            pairs(&["colour"], &["color", "size"], resemble),
            [("colour", "color")]
        );
        assert_eq!(pairs(&["colour"], &["color"], |_, _| false), []);
        assert_eq!(pairs(&["colour"], &["color", "colours"], resemble), []);
        assert_eq!(pairs(&["colour", "colors"], &["color"], resemble), []);
    }
}

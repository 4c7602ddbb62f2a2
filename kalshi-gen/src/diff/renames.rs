//! What is the same under another name, where the evidence is clear: operations, schemas, members, parameters, values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::side::Side;
use crate::{
    contract::{self, reference},
    error::Place,
};

/// What the new contract calls otherwise.
#[derive(Debug, Default)]
pub(crate) struct Renames {
    /// New ids of operations by their old ones: what is called at the same method and path.
    operations: BTreeMap<String, String>,
    /// New names of schemas by their old ones.
    schemas: BTreeMap<String, String>,
    /// Old names of members and parameters, by where they stand now.
    members: BTreeMap<String, String>,
}

impl Renames {
    pub(super) fn find(old: &Side, new: &Side) -> Self {
        let (before, after) = (old.operations(), new.operations());
        let at: BTreeMap<_, _> = after
            .iter()
            .map(|(id, (path, method, _))| ((*path, *method), *id))
            .collect();
        let operations = before
            .iter()
            .filter(|(id, _)| !after.contains_key(*id))
            .filter_map(|(id, (path, method, _))| {
                let now = at
                    .get(&(*path, *method))
                    .filter(|now| !before.contains_key(*now))?;
                Some(((*id).to_owned(), (*now).to_owned()))
            })
            .collect();
        Self {
            operations,
            schemas: schemas(old, new),
            members: BTreeMap::new(),
        }
    }

    pub(super) fn operation(&self, old: &str) -> Option<&str> {
        self.operations.get(old).map(String::as_str)
    }

    pub(super) fn schema(&self, old: &str) -> Option<&str> {
        self.schemas.get(old).map(String::as_str)
    }

    pub(super) fn is_new_name(&self, new: &str) -> bool {
        self.old_schema(new).is_some()
    }

    /// What the schema `new` was called.
    pub(crate) fn old_schema(&self, new: &str) -> Option<&str> {
        self.schemas
            .iter()
            .find(|(_, name)| *name == new)
            .map(|(old, _)| old.as_str())
    }

    /// What the operation `new` was called.
    pub(crate) fn old_operation(&self, new: &str) -> Option<&str> {
        self.operations
            .iter()
            .find(|(_, id)| *id == new)
            .map(|(old, _)| old.as_str())
    }

    /// What the member at a JSON path of the new contract was called.
    pub(crate) fn old_member(&self, path: &str) -> Option<&str> {
        self.members.get(path).map(String::as_str)
    }

    pub(super) fn note_member(&mut self, now: &Place, before: &str) {
        self.members.insert(now.to_string(), before.to_owned());
    }
}

/// Pairs of one removed and one added name, old and new, of which each fits the other alone.
pub(super) fn pairs<'a>(
    removed: &[&'a str],
    added: &[&'a str],
    fits: impl Fn(&str, &str) -> bool,
) -> Vec<(&'a str, &'a str)> {
    removed
        .iter()
        .filter_map(|old| {
            let mut candidates = added.iter().filter(|new| fits(old, new));
            let (new, None) = (candidates.next()?, candidates.next()) else {
                return None;
            };
            let only = removed.iter().filter(|other| fits(other, new)).count() == 1;
            only.then_some((*old, *new))
        })
        .collect()
}

/// Whether two names are spellings of one: `canceled` and `cancelled`, `yes_price` and `yes_price_dollars`.
pub(super) fn resemble(old: &str, new: &str) -> bool {
    let words = |name: &str| -> BTreeSet<String> {
        crate::names::snake(name)
            .split('_')
            .map(str::to_owned)
            .collect()
    };
    let (a, b) = (words(old), words(new));
    let (short, long) = if a.len() <= b.len() {
        (&a, &b)
    } else {
        (&b, &a)
    };
    let contained = short.is_subset(long)
        && long.len() - short.len() <= 1
        && (short.len() > 1 || long.len() == 1);
    contained || strsim::normalized_damerau_levenshtein(old, new) >= 0.75
}

/// Schemas of another name that are made alike, and that stand where the old ones stood.
fn schemas(old: &Side, new: &Side) -> BTreeMap<String, String> {
    let gone: Vec<_> = old
        .schemas()
        .filter(|(name, _)| new.schema(name).is_none())
        .collect();
    let come: Vec<_> = new
        .schemas()
        .filter(|(name, _)| old.schema(name).is_none())
        .collect();
    if gone.is_empty() || come.is_empty() {
        return BTreeMap::new();
    }
    let (used_before, used_after) = (uses(&old.document), uses(&new.document));
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, schema) in &gone {
        let traits = traits(schema);
        // Every place that is still there and referred to the old one refers to the new one.
        let places: Vec<_> = used_before
            .iter()
            .filter(|(_, target)| *target == name)
            .map(|(place, _)| place)
            .collect();
        let stand_in = |candidate: &str| {
            let mut now = places
                .iter()
                .filter_map(|place| used_after.get(*place))
                .peekable();
            now.peek().is_some() && now.all(|target| target == candidate)
        };
        let mut candidates = come.iter().filter(|(candidate, schema)| {
            let other = self::traits(schema);
            let shared = traits.intersection(&other).count();
            let all = traits.union(&other).count();
            let same = shared == all;
            // Alike: four of five traits are shared, or half of them when it stands where the old one stood.
            (same && (shared > 2 || stand_in(candidate) || resemble(name, candidate)))
                || (shared > 2 && shared * 5 >= all * 4 && resemble(name, candidate))
                || (shared > 0 && shared * 2 >= all && stand_in(candidate))
        });
        if let (Some((candidate, _)), None) = (candidates.next(), candidates.next()) {
            found.insert((*name).to_owned(), (*candidate).to_owned());
        }
    }
    // One new schema is the successor of one old one, or of none for sure.
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for now in found.values() {
        *counts.entry(now.clone()).or_default() += 1;
    }
    found.retain(|_, now| counts.get(now) == Some(&1));
    found
}

/// What makes a schema the one it is: its members with their types, its values, or its type.
fn traits(schema: &Value) -> BTreeSet<String> {
    let kind = |node: &Value| {
        let inner = node
            .get("items")
            .map(|items| reference(items).unwrap_or(items["type"].as_str().unwrap_or_default()));
        let own = reference(node).unwrap_or(node["type"].as_str().unwrap_or_default());
        format!("{own} {}", inner.unwrap_or_default())
    };
    let members = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let members = members.map(|(name, node)| format!("{name}: {}", kind(node)));
    let values = schema
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(ToString::to_string);
    let mut traits: BTreeSet<String> = members.chain(values).collect();
    if traits.is_empty() {
        traits.insert(kind(schema));
    }
    traits
}

/// The name of the schema that each place refers to.
fn uses(document: &Value) -> BTreeMap<String, String> {
    fn walk(node: &Value, place: &Place, found: &mut BTreeMap<String, String>) {
        match node {
            Value::Object(members) => {
                let target = members
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(contract::schema_name);
                if let Some(target) = target {
                    found.insert(place.to_string(), target.to_owned());
                }
                members
                    .iter()
                    .for_each(|(key, value)| walk(value, &place.join(key), found));
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, item)| walk(item, &place.item(index), found));
            }
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    walk(document, &Place::of(&[]), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::{pairs, resemble};

    #[test]
    fn names_resemble_their_other_spellings() {
        for (old, new, alike) in [
            ("canceled", "cancelled", true),
            ("yes_price", "yes_price_dollars", true),
            ("GetRFQQuote", "GetRfqQuote", true),
            ("Market", "MarketDetails", false),
            ("price", "count", false),
            ("min_ts", "max_ts", false),
            ("yes_bid", "no_bid", false),
        ] {
            assert_eq!(resemble(old, new), alike, "{old} {new}");
        }
    }

    #[test]
    fn a_pair_is_clear_or_none() {
        assert_eq!(
            pairs(&["colour"], &["color", "size"], resemble),
            [("colour", "color")]
        );
        assert_eq!(pairs(&["colour"], &["color"], |_, _| false), []);
        assert_eq!(pairs(&["colour"], &["color", "colours"], resemble), []);
        assert_eq!(pairs(&["colour", "colors"], &["color"], resemble), []);
    }
}

//! What is the same under another name, where the evidence is clear: operations, schemas, fields, parameters, values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::side::{MESSAGES, Side, named};
use kalshi_gen::internals::{
    error::JsonPath,
    spec::{self, reference, schema_name},
};

use crate::facts;

/// What the new spec calls otherwise.
#[derive(Debug, Default)]
pub(crate) struct Renames {
    /// New ids of operations by their old ones: what is called at the same method and path, or carries the same messages.
    operations: BTreeMap<String, String>,
    /// New names of schemas by their old ones.
    schemas: BTreeMap<String, String>,
    /// New names of the messages of streams by their old ones.
    messages: BTreeMap<String, String>,
    /// Old names of fields and parameters, by where they stand now.
    members: BTreeMap<String, String>,
}

impl Renames {
    pub(super) fn find(old: &Side, new: &Side) -> Self {
        let (before, after) = (old.operations(), new.operations());
        let at: BTreeMap<_, _> = after
            .iter()
            .map(|(id, (path, method, _))| ((*path, *method), *id))
            .collect();
        let calls = before
            .iter()
            .filter(|(id, _)| !after.contains_key(*id))
            .filter_map(|(id, (path, method, _))| {
                let now = at
                    .get(&(*path, *method))
                    .filter(|now| !before.contains_key(*now))?;
                Some(((*id).to_owned(), (*now).to_owned()))
            });
        let of_streams = alike(old, new, "/operations", |_| None);
        let schemas = schemas(old, new);
        Self {
            operations: calls.chain(of_streams).collect(),
            messages: alike(old, new, MESSAGES, |name| schemas.get(name).cloned()),
            schemas,
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

    pub(super) fn message(&self, old: &str) -> Option<&str> {
        self.messages.get(old).map(String::as_str)
    }

    /// What the message `new` was called.
    pub(crate) fn old_message(&self, new: &str) -> Option<&str> {
        self.messages
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

    /// What the field at a JSON path of the new spec was called.
    pub(crate) fn old_member(&self, path: &str) -> Option<&str> {
        self.members.get(path).map(String::as_str)
    }

    pub(super) fn note_member(&mut self, now: &JsonPath, before: &str) {
        self.members.insert(now.to_string(), before.to_owned());
    }
}

/// Pairs of one removed and one added name, old and new, of which each fits the other alone.
pub(super) fn pairs<'a>(
    removed: &[&'a str],
    added: &[&'a str],
    fits: impl Fn(&str, &str) -> bool,
) -> Vec<(&'a str, &'a str)> {
    if removed.len().saturating_mul(added.len()) > MAX_PAIRS {
        return Vec::new();
    }
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

/// Whether two names are spellings of one: `canceled` and `cancelled`, `RFQ` and `Rfq`, `id` and `ids`, a name with its unit and
/// without. Names that merely look alike may mean opposites: `maker_side` and `taker_side`.
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
    // One letter more, but neither a digit nor at the start, where it may negate.
    let one_more = || {
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
            && one_more())
}

/// More pairs of names than this are not looked through: so many changes are no renaming.
const MAX_PAIRS: usize = 10_000;

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
    let mut places: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for (place, target) in &used_before {
        places.entry(target).or_default().push(place);
    }
    // New schemas by what they are made of, so that only those are compared that share something.
    let come: Vec<_> = come
        .into_iter()
        .map(|(name, schema)| (name, traits(schema)))
        .collect();
    let mut by_trait: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, (_, traits)) in come.iter().enumerate() {
        traits
            .iter()
            .for_each(|one| by_trait.entry(one).or_default().push(index));
    }
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, schema) in &gone {
        let traits = traits(schema);
        // Every place that is still there and referred to the old one refers to the new one.
        let stand_in = |candidate: &str| {
            let mut now = places
                .get(name)
                .into_iter()
                .flatten()
                .filter_map(|place| used_after.get(*place))
                .peekable();
            now.peek().is_some() && now.all(|target| target == candidate)
        };
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        // What half the schemas have says nothing of one.
        let telling = traits
            .iter()
            .filter_map(|one| by_trait.get(one.as_str()))
            .filter(|with| with.len() <= 64);
        telling
            .flatten()
            .for_each(|index| *shared.entry(*index).or_default() += 1);
        let mut candidates = shared
            .into_keys()
            .filter_map(|index| come.get(index))
            .filter(|(candidate, other)| {
                let shared = traits.intersection(other).count();
                let all = traits.union(other).count();
                let same = shared == all;
                // Alike: four of five traits are shared, or half of them when it stands where the old one stood.
                (same && (shared > 2 || stand_in(candidate) || resemble(name, candidate)))
                    || (shared > 2 && shared * 5 >= all * 4 && resemble(name, candidate))
                    || (shared * 2 >= all && stand_in(candidate))
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

/// Messages and operations of another name that are made alike: old and new.
fn alike(
    old: &Side,
    new: &Side,
    pointer: &str,
    schema: impl Fn(&str) -> Option<String>,
) -> BTreeMap<String, String> {
    let (before, after) = (named(old, pointer), named(new, pointer));
    let same = |was: &str, is: &str| {
        let (Some(was), Some(is)) = (before.get(was), after.get(is)) else {
            return false;
        };
        let mut was = (*was).clone();
        let target = spec::reference(&was["payload"]).and_then(schema_name);
        if let Some(now) = target.and_then(&schema) {
            was["payload"]["$ref"] = format!("#/components/schemas/{now}").into();
        }
        facts::facts(&was) == facts::facts(is)
    };
    let gone: Vec<&str> = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .copied()
        .collect();
    let come: Vec<&str> = after
        .keys()
        .filter(|name| !before.contains_key(*name))
        .copied()
        .collect();
    let pairs = pairs(&gone, &come, same).into_iter();
    pairs
        .map(|(was, is)| (was.to_owned(), is.to_owned()))
        .collect()
}

/// What makes a schema the one it is: its fields with their types, its values, or its type.
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
    fn walk(node: &Value, place: &JsonPath, found: &mut BTreeMap<String, String>) {
        match node {
            Value::Object(members) => {
                let target = members
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(spec::schema_name);
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
    walk(document, &JsonPath::new(&[]), &mut found);
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
            assert_eq!(resemble(old, new), alike, "{old} {new}");
            assert_eq!(resemble(new, old), alike, "{new} {old}");
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

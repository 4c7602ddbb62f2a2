//! Merges the structure of a published spec with our descriptions and `x-` fields.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::Value;

use kalshi_gen::internals::{error::JsonPath, spec::METHODS, yaml::Tree};

use crate::{
    diff::Renames,
    structure::{self, Keys},
};

/// Returns the operations of a document by id.
pub(super) fn operations(document: Option<&Tree>) -> BTreeMap<String, Tree> {
    let paths = document
        .and_then(|document| document.get("paths"))
        .and_then(Tree::as_mapping)
        .into_iter()
        .flatten();
    paths
        .filter_map(|(_, item)| item.as_mapping())
        .flatten()
        .filter(|(method, _)| METHODS.contains(&method.as_str()))
        .filter_map(|(_, operation)| {
            Some((
                operation.get("operationId")?.as_str()?.to_owned(),
                operation.clone(),
            ))
        })
        .collect()
}

/// A merge of a published spec into ours.
pub(super) struct Merge {
    /// Our operations by id.
    pub(super) operations: BTreeMap<String, Tree>,
    pub(super) renames: Renames,
}

impl Merge {
    /// Merges the structure of `new` with the descriptions and `x-` fields of `old`. `keys` is the meaning of the keys
    /// at this level, and `key` the one that leads here.
    pub(super) fn merge(
        &self,
        old: Option<&Tree>,
        new: &Tree,
        keys: Keys,
        key: &str,
        path: &JsonPath,
    ) -> Tree {
        match new {
            Tree::Leaf(_) => new.clone(),
            _ if keys == Keys::Data && !structure::is_set(key) => match old {
                // The same value in a different order is unchanged.
                Some(old) if Value::from(old.clone()) == Value::from(new.clone()) => old.clone(),
                _ => new.clone(),
            },
            Tree::List(items) => Tree::List(self.list(
                old.and_then(Tree::as_list).unwrap_or_default(),
                items,
                keys,
                key,
                path,
            )),
            Tree::Mapping(fields) => {
                let empty = IndexMap::new();
                let ours = old.and_then(Tree::as_mapping).unwrap_or(&empty);
                let published: Vec<&str> = fields
                    .keys()
                    .map(String::as_str)
                    .filter(|key| keys.is_structural(key))
                    .collect();
                let merged = in_order(ours.keys().map(String::as_str), &published, |key| {
                    published.contains(&key) || !keys.is_structural(key)
                });
                let merged = merged.into_iter().filter_map(|key| {
                    let path = path.join(key);
                    let value = match fields.get(key).filter(|_| keys.is_structural(key)) {
                        Some(new) => {
                            let old = self.counterpart(ours, key, new, keys, &path);
                            let nested = keys.nested(key, matches!(new, Tree::Mapping(_)));
                            self.merge(old, new, nested, key, &path)
                        }
                        None => ours.get(key)?.clone(),
                    };
                    Some((key.to_owned(), value))
                });
                Tree::Mapping(merged.collect())
            }
        }
    }

    /// Returns our value for the field `key`, even if it was renamed or moved.
    fn counterpart<'a>(
        &'a self,
        ours: &'a IndexMap<String, Tree>,
        key: &str,
        new: &Tree,
        keys: Keys,
        path: &JsonPath,
    ) -> Option<&'a Tree> {
        // An operation is identified by its id, whatever its path.
        if keys == Keys::Keywords
            && METHODS.contains(&key)
            && let Some(id) = new.get("operationId").and_then(Tree::as_str)
        {
            return self
                .operations
                .get(id)
                .or_else(|| self.operations.get(self.renames.old_operation(id)?));
        }
        let renamed = || {
            let text = path.to_string();
            let field = self.renames.old_field(&text);
            let is_below = |path: &str| text.starts_with(path);
            let renames = &self.renames;
            field
                .or_else(|| {
                    let old = renames.old_schema(key);
                    old.filter(|_| is_below("$.components.schemas."))
                })
                .or_else(|| {
                    let old = renames.old_message(key);
                    old.filter(|_| is_below("$.components.messages."))
                })
                .or_else(|| {
                    let old = renames.old_operation(key);
                    old.filter(|_| is_below("$.operations."))
                })
        };
        ours.get(key)
            .or_else(|| ours.get(renamed().filter(|_| keys == Keys::Names)?))
    }

    fn list(
        &self,
        ours: &[Tree],
        new: &[Tree],
        keys: Keys,
        key: &str,
        path: &JsonPath,
    ) -> Vec<Tree> {
        if structure::is_set(key) && new.iter().all(|item| matches!(item, Tree::Leaf(_))) {
            let text = |item: &Tree| Value::from(item.clone()).to_string();
            let (ours, published): (Vec<_>, Vec<_>) = (
                ours.iter().map(text).collect(),
                new.iter().map(text).collect(),
            );
            let names: Vec<&str> = published.iter().map(String::as_str).collect();
            let order = in_order(ours.iter().map(String::as_str), &names, |item| {
                names.contains(&item)
            });
            return order
                .into_iter()
                .filter_map(|item| {
                    new.get(names.iter().position(|name| *name == item)?)
                        .cloned()
                })
                .collect();
        }
        let published: Vec<String> = new
            .iter()
            .enumerate()
            .map(|(index, item)| identity(item, index))
            .collect();
        let names: Vec<&str> = published.iter().map(String::as_str).collect();
        let known: Vec<String> = ours
            .iter()
            .enumerate()
            .map(|(index, item)| identity(item, index))
            .collect();
        // A list that is not a set keeps the exchange's order.
        names
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let path = path.item(index);
                let old = known
                    .iter()
                    .position(|name| name == item)
                    .and_then(|index| ours.get(index));
                let renamed = || {
                    let name = self.renames.old_field(&path.to_string())?;
                    ours.iter()
                        .find(|item| item.get("name").and_then(Tree::as_str) == Some(name))
                };
                Some(self.merge(old.or_else(renamed), new.get(index)?, keys, "", &path))
            })
            .collect()
    }
}

/// Returns the key by which an item of a list is identified.
fn identity(item: &Tree, index: usize) -> String {
    let text = |key: &str| item.get(key).and_then(Tree::as_str);
    match (text("$ref"), text("name"), text("url")) {
        (Some(reference), _, _) => reference.to_owned(),
        (None, Some(name), _) => format!("{} {name}", text("in").unwrap_or_default()),
        (None, None, Some(url)) => url.to_owned(),
        (None, None, None) => format!("#{index}"),
    }
}

/// Returns the kept names of `ours` in their order, with each new name inserted after its predecessor in `new`.
pub(super) fn in_order<'a>(
    ours: impl Iterator<Item = &'a str>,
    new: &[&'a str],
    is_kept: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let mut order: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    order.extend(ours.filter(|name| is_kept(name) && seen.insert(*name)));
    let mut previous: Option<&str> = None;
    for name in new {
        if seen.insert(*name) {
            let at = previous
                .and_then(|previous| order.iter().position(|other| *other == previous))
                .map_or(0, |at| at + 1);
            order.insert(at, name);
        }
        previous = Some(name);
    }
    order
}

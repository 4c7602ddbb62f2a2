//! Additions to a vendored spec besides its structure: the list of tags, costs as data, and
//! descriptions of common responses.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::merge::{Merge, in_order, operations};
use kalshi_gen::internals::{spec, yaml::Tree};

use crate::cost::{self, Cost};

/// Adds the tags that operations use or the exchange lists, with our descriptions.
pub(super) fn list_tags(tree: &mut Tree, old: Option<&Tree>, new: &Tree) {
    fn listed(document: &Tree) -> impl Iterator<Item = (&str, &Tree)> {
        let list = document
            .get("tags")
            .and_then(Tree::as_list)
            .into_iter()
            .flatten();
        list.filter_map(|tag| Some((tag.get("name")?.as_str()?, tag)))
    }
    let operations = operations(Some(tree));
    let used = operations
        .values()
        .filter_map(|operation| operation.get("tags")?.as_list())
        .flatten()
        .filter_map(Tree::as_str);
    let names: Vec<&str> = listed(new).map(|(name, _)| name).chain(used).collect();
    let ours: Vec<_> = old.into_iter().flat_map(listed).collect();
    let order = in_order(ours.iter().map(|(name, _)| *name), &names, |name| {
        names.contains(&name)
    });
    let tags: Vec<Tree> = order
        .into_iter()
        .map(|name| match ours.iter().find(|(other, _)| *other == name) {
            Some((_, tag)) => (*tag).clone(),
            None => Tree::Mapping(IndexMap::from([(
                "name".to_owned(),
                Tree::Leaf(name.into()),
            )])),
        })
        .collect();
    if let Tree::Mapping(root) = tree {
        if tags.is_empty() {
            root.shift_remove("tags");
        } else {
            root.insert("tags".to_owned(), Tree::List(tags));
        }
    }
}

/// Adds the cost of new operations, as stated in the exchange's description or else the default. Notes any
/// difference from our costs.
pub(super) fn add_costs(tree: &mut Tree, new: &Value, merge: &Merge, notes: &mut Vec<String>) {
    let Some(Tree::Mapping(paths)) = tree.get_mut("paths") else {
        return;
    };
    for (path, method, published) in spec::operations(new) {
        let Some(Tree::Mapping(operation)) =
            paths.get_mut(path).and_then(|item| item.get_mut(method))
        else {
            continue;
        };
        let id = spec::str_field(published, "operationId").unwrap_or_default();
        let fields: serde_json::Map<String, Value> = operation
            .iter()
            .filter(|(key, _)| key.starts_with("x-"))
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect();
        let ours = Cost::from_operation(method, &fields);
        let known = merge.operations.contains_key(id) || merge.renames.old_operation(id).is_some();
        if let (true, Some((tokens, per_item))) = (known, cost::stated_cost(published)) {
            if (tokens, per_item) != (ours.tokens, ours.per_item) {
                let stated = Cost {
                    tokens,
                    per_item,
                    ..ours.clone()
                };
                notes.push(format!(
                    "{id}: the exchange's description states a cost of {stated}, ours is {ours}"
                ));
            }
        } else if !known {
            let cost = Cost::from_operation(method, published);
            operation.insert("x-token-cost".to_owned(), Tree::Leaf(cost.tokens.into()));
            if cost.per_item {
                operation.insert(
                    "x-token-cost-per-item".to_owned(),
                    Tree::Leaf(cost.tokens.into()),
                );
            }
            operation.insert(
                "x-rate-bucket".to_owned(),
                Tree::Leaf(cost.bucket.clone().into()),
            );
            let source = if cost::stated_cost(published).is_some() {
                "as its description states"
            } else {
                "the default, since its description states none"
            };
            notes.push(format!("{id} is new: {cost}, {source}"));
        }
    }
}

/// Adds descriptions of new responses: the most common one that we use for the same status.
pub(super) fn describe_responses(tree: &mut Tree, old: &Tree) {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for operation in operations(Some(old)).values() {
        for (status, response) in operation
            .get("responses")
            .and_then(Tree::as_mapping)
            .into_iter()
            .flatten()
        {
            if let Some(description) = response.get("description").and_then(Tree::as_str) {
                *counts
                    .entry((status.clone(), description.to_owned()))
                    .or_default() += 1;
            }
        }
    }
    let Some(Tree::Mapping(paths)) = tree.get_mut("paths") else {
        return;
    };
    let items = paths
        .values_mut()
        .filter_map(Tree::as_mapping_mut)
        .flat_map(|item| item.values_mut());
    for responses in items
        .filter_map(|operation| operation.get_mut("responses"))
        .filter_map(Tree::as_mapping_mut)
    {
        for (status, response) in responses.iter_mut() {
            let most_common = counts
                .iter()
                .filter(|((other, _), _)| other == status)
                .max_by_key(|(_, count)| **count);
            if let (Some(((_, description), 2..)), Tree::Mapping(response)) =
                (most_common, response)
                && !response.contains_key("description")
                && !response.contains_key("$ref")
            {
                response.shift_insert(
                    0,
                    "description".to_owned(),
                    Tree::Leaf(description.clone().into()),
                );
            }
        }
    }
}

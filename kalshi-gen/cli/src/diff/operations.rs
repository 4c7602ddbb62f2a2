//! Differences of operations: ids, methods, paths, access and cost.

use serde_json::{Map, Value};

use super::{
    At, Class, Comparison, Kind, Subject,
    values::{format_value, set},
};
use kalshi_gen::internals::error::JsonPath;

use crate::cost::Cost;

/// An operation and its location: path, method, operation.
pub(super) type Found<'a> = (&'a str, &'a str, &'a Map<String, Value>);

impl Comparison<'_> {
    pub(super) fn operations(&mut self) {
        let (old, new) = (self.old, self.new);
        let (before, after) = (old.operations(), new.operations());
        let place = |(path, method, _): &Found<'_>| JsonPath::new(&["paths", path, method]);
        let route =
            |(path, method, _): &Found<'_>| format!("{} {path}", method.to_ascii_uppercase());
        for (id, was) in &before {
            let new_id = self.renames.operation(id).unwrap_or(id).to_owned();
            let Some(is) = after.get(new_id.as_str()) else {
                let at = At {
                    name: (*id).to_owned(),
                    old: place(was),
                    new: place(was),
                };
                self.push(
                    Class::Breaking,
                    Kind::Removed,
                    Subject::Operation,
                    &at,
                    format!("operation removed: {}", route(was)),
                );
                continue;
            };
            let at = At {
                name: new_id.clone(),
                old: place(was),
                new: place(is),
            };
            if *id != new_id {
                let change = self.push(
                    Class::Breaking,
                    Kind::Renamed,
                    Subject::Operation,
                    &at,
                    format!("renamed from `{id}`"),
                );
                change.before = Some((*id).to_owned());
                change.after = Some(new_id.clone());
            }
            if (was.0, was.1) != (is.0, is.1) {
                self.changed(
                    Class::Behaviour,
                    Subject::Path,
                    &at,
                    "the route",
                    &route(was),
                    &route(is),
                );
            }
            self.operation(id, was, is, &at);
        }
        for (id, is) in &after {
            if !before.contains_key(id) && self.renames.old_operation(id).is_none() {
                let at = At {
                    name: (*id).to_owned(),
                    old: place(is),
                    new: place(is),
                };
                let text = format!(
                    "operation added: {}, {}, {}",
                    route(is),
                    access_word(&access(&new.document, is.2)),
                    Cost::of(is.1, is.2)
                );
                self.push(Class::Additive, Kind::Added, Subject::Operation, &at, text)
                    .after = Some(route(is));
            }
        }
    }

    fn operation(&mut self, id: &str, was: &Found<'_>, is: &Found<'_>, at: &At) {
        let (old, new) = (Value::Object(was.2.clone()), Value::Object(is.2.clone()));
        let (before, after) = (
            access(&self.old.document, was.2),
            access(&self.new.document, is.2),
        );
        if before.is_empty() != after.is_empty() {
            self.changed(
                Class::Behaviour,
                Subject::Auth,
                at,
                "access",
                access_word(&before),
                access_word(&after),
            );
        } else if before != after {
            self.changed(
                Class::Behaviour,
                Subject::Auth,
                at,
                "access",
                &before.join(" or "),
                &after.join(" or "),
            );
        }
        let (before, mut after) = (Cost::of(was.1, was.2), Cost::of(is.1, is.2));
        // Published specs do not state the bucket; only ours does.
        if ![was, is]
            .iter()
            .all(|(_, _, node)| node.contains_key("x-rate-bucket"))
        {
            after.bucket.clone_from(&before.bucket);
        }
        if before != after {
            self.changed(
                Class::Behaviour,
                Subject::Cost,
                at,
                "the cost",
                &before.to_string(),
                &after.to_string(),
            );
        }
        if set(&old, "tags") != set(&new, "tags") {
            self.changed(
                Class::Behaviour,
                Subject::Document,
                at,
                "`tags`",
                &format_value(old.get("tags")),
                &format_value(new.get("tags")),
            );
        }
        self.deprecated(&old, &new, at);
        self.words(&old, &new, at);
        self.parameters(id, was, is, at);
        self.body(&old, &new, at);
        self.answers(was, is, at);
    }
}

/// Returns the alternative security requirements of an operation, each with its schemes and scopes. Empty
/// for a public operation.
fn access(document: &Value, operation: &Map<String, Value>) -> Vec<String> {
    let list = operation
        .get("security")
        .or(document.get("security"))
        .and_then(Value::as_array);
    let way = |way: &Map<String, Value>| {
        let schemes = way.iter().map(
            |(name, scopes)| match scopes.as_array().map(Vec::as_slice) {
                None | Some([]) => name.clone(),
                Some(scopes) => format!(
                    "{name} with {}",
                    scopes
                        .iter()
                        .filter_map(Value::as_str)
                        .collect::<Vec<_>>()
                        .join(" and ")
                ),
            },
        );
        schemes.collect::<Vec<_>>().join(" + ")
    };
    let mut ways: Vec<String> = list
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .map(way)
        .collect();
    ways.sort();
    // An empty requirement makes the operation public.
    if ways.first().is_some_and(String::is_empty) {
        Vec::new()
    } else {
        ways
    }
}

/// Returns `public` or `signed`.
fn access_word(ways: &[String]) -> &'static str {
    if ways.is_empty() { "public" } else { "signed" }
}

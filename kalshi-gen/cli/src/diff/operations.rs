//! Differences of operations: ids, methods, paths, access and cost.

use serde_json::{Map, Value};

use super::{
    Class, Comparison, Kind, Location, Subject,
    values::{format_value, set},
};
use kalshi_gen::internals::error::JsonPath;

use crate::cost::Cost;

/// An operation and its location: path, method, operation.
pub(super) type LocatedOperation<'a> = (&'a str, &'a str, &'a Map<String, Value>);

impl Comparison<'_> {
    pub(super) fn operations(&mut self) {
        let (old, new) = (self.old, self.new);
        let (before, after) = (old.operations(), new.operations());
        let json_path =
            |(path, method, _): &LocatedOperation<'_>| JsonPath::new(&["paths", path, method]);
        let route = |(path, method, _): &LocatedOperation<'_>| {
            format!("{} {path}", method.to_ascii_uppercase())
        };
        for (id, old_operation) in &before {
            let new_id = self.renames.operation(id).unwrap_or(id).to_owned();
            let Some(new_operation) = after.get(new_id.as_str()) else {
                let at = Location {
                    name: (*id).to_owned(),
                    old: json_path(old_operation),
                    new: json_path(old_operation),
                };
                self.push(
                    Class::Breaking,
                    Kind::Removed,
                    Subject::Operation,
                    &at,
                    format!("operation removed: {}", route(old_operation)),
                );
                continue;
            };
            let at = Location {
                name: new_id.clone(),
                old: json_path(old_operation),
                new: json_path(new_operation),
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
            if (old_operation.0, old_operation.1) != (new_operation.0, new_operation.1) {
                self.changed(
                    Class::Behaviour,
                    Subject::Path,
                    &at,
                    "the route",
                    &route(old_operation),
                    &route(new_operation),
                );
            }
            self.operation(id, old_operation, new_operation, &at);
        }
        for (id, operation) in &after {
            if !before.contains_key(id) && self.renames.old_operation(id).is_none() {
                let at = Location {
                    name: (*id).to_owned(),
                    old: json_path(operation),
                    new: json_path(operation),
                };
                let text = format!(
                    "operation added: {}, {}, {}",
                    route(operation),
                    access_label(&access(&new.document, operation.2)),
                    Cost::from_operation(operation.1, operation.2)
                );
                self.push(Class::Additive, Kind::Added, Subject::Operation, &at, text)
                    .after = Some(route(operation));
            }
        }
    }

    fn operation(
        &mut self,
        id: &str,
        old_operation: &LocatedOperation<'_>,
        new_operation: &LocatedOperation<'_>,
        at: &Location,
    ) {
        let (old, new) = (
            Value::Object(old_operation.2.clone()),
            Value::Object(new_operation.2.clone()),
        );
        let (before, after) = (
            access(&self.old.document, old_operation.2),
            access(&self.new.document, new_operation.2),
        );
        if before.is_empty() != after.is_empty() {
            self.changed(
                Class::Behaviour,
                Subject::Auth,
                at,
                "access",
                access_label(&before),
                access_label(&after),
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
        let (before, mut after) = (
            Cost::from_operation(old_operation.1, old_operation.2),
            Cost::from_operation(new_operation.1, new_operation.2),
        );
        // Published specs do not state the bucket; only ours does.
        if ![old_operation, new_operation]
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
        self.descriptions(&old, &new, at);
        self.parameters(id, old_operation, new_operation, at);
        self.body(&old, &new, at);
        self.responses(old_operation, new_operation, at);
    }
}

/// Returns the alternative security requirements of an operation, each with its schemes and scopes. Empty
/// for a public operation.
fn access(document: &Value, operation: &Map<String, Value>) -> Vec<String> {
    let list = operation
        .get("security")
        .or(document.get("security"))
        .and_then(Value::as_array);
    let requirement = |requirement: &Map<String, Value>| {
        let schemes =
            requirement.iter().map(
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
    let mut requirements: Vec<String> = list
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .map(requirement)
        .collect();
    requirements.sort();
    // An empty requirement makes the operation public.
    if requirements.first().is_some_and(String::is_empty) {
        Vec::new()
    } else {
        requirements
    }
}

/// Returns `public` or `signed`.
fn access_label(requirements: &[String]) -> &'static str {
    if requirements.is_empty() {
        "public"
    } else {
        "signed"
    }
}

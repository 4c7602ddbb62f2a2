//! Differences in request bodies and responses.

use serde_json::{Map, Value};

use super::{
    Class, Comparison, Kind, Location, Subject, operations::LocatedOperation, owner::Owner,
};
use kalshi_gen::internals::{error::JsonPath, paths, spec};

use crate::structure;

impl Comparison<'_> {
    pub(super) fn body(&mut self, old: &Value, new: &Value, at: &Location) {
        let (old_spec, new_spec) = (self.old, self.new);
        let at = at.join(format!("{}, body", at.name), "requestBody");
        let bodies = (
            old.get("requestBody").map(|body| old_spec.resolve(body)),
            new.get("requestBody").map(|body| new_spec.resolve(body)),
        );
        // The client sends an object without fields by default.
        let has_content = |document: &Value, body: &Value| {
            spec::json_schema(body).is_some_and(|schema| !paths::is_empty_object(document, schema))
        };
        let before_has_content = bodies
            .0
            .is_some_and(|body| has_content(&old_spec.document, body));
        let after_has_content = bodies
            .1
            .is_some_and(|body| has_content(&new_spec.document, body));
        match (before_has_content, after_has_content) {
            (true, false) => {
                _ = self.push(
                    Class::Breaking,
                    Kind::Removed,
                    Subject::Body,
                    &at,
                    "removed",
                )
            }
            (false, true) => {
                _ = self.push(
                    Class::Breaking,
                    Kind::Added,
                    Subject::Body,
                    &at,
                    "the request now has a body",
                )
            }
            (false, false) if bodies.0.is_some() != bodies.1.is_some() => {
                let (before, after) = if bodies.1.is_some() {
                    ("none", "empty")
                } else {
                    ("empty", "none")
                };
                self.changed(
                    Class::Behaviour,
                    Subject::Body,
                    &at,
                    "the body",
                    before,
                    after,
                );
            }
            _ => {}
        }
        let (Some(old), Some(new)) = bodies else {
            return;
        };
        let is_required = |body: &Value| body.get("required") == Some(&Value::Bool(true));
        if is_required(old) != is_required(new) {
            let word = |required| if required { "required" } else { "optional" };
            // The client always sends a body.
            self.changed(
                Class::Behaviour,
                Subject::Required,
                &at,
                "the body",
                word(is_required(old)),
                word(is_required(new)),
            );
        }
        self.descriptions(old, new, &at);
        if before_has_content && after_has_content {
            self.content(old, new, &at, true);
        }
    }

    pub(super) fn responses(
        &mut self,
        old_operation: &LocatedOperation<'_>,
        new_operation: &LocatedOperation<'_>,
        at: &Location,
    ) {
        let (old_spec, new_spec) = (self.old, self.new);
        let success = |document: &Value, (_, _, node): &LocatedOperation<'_>| {
            paths::success(document, node, &at.new).ok()
        };
        let (before, after) = (
            success(&old_spec.document, old_operation),
            success(&new_spec.document, new_operation),
        );
        // The success response of each spec is compared above, regardless of its status.
        let success_statuses: Vec<String> = [&before, &after]
            .into_iter()
            .flatten()
            .map(|(status, _)| status.clone())
            .collect();
        if before.is_some() != after.is_some() {
            let text = if after.is_some() {
                "success response added"
            } else {
                "success response removed"
            };
            self.push(Class::Breaking, Kind::Changed, Subject::Response, at, text);
        }
        if let (Some((old_status, old)), Some((new_status, new))) = (before, after) {
            let mut at = at.join(format!("{}, response", at.name), "responses");
            (at.old, at.new) = (at.old.join(&old_status), at.new.join(&new_status));
            if old_status != new_status {
                let attribute = "the success status";
                self.changed(
                    Class::Behaviour,
                    Subject::Response,
                    &at,
                    attribute,
                    &old_status,
                    &new_status,
                );
            }
            let has_body = |response: &Value| spec::json_schema(response).is_some();
            let change = match (has_body(&old), has_body(&new)) {
                (true, false) => Some((Kind::Removed, "body removed")),
                (false, true) => Some((Kind::Added, "body added")),
                _ => None,
            };
            match change {
                Some((kind, text)) => {
                    _ = self.push(Class::Breaking, kind, Subject::Response, &at, text)
                }
                None => self.content(&old, &new, &at, false),
            }
        }
        let empty = Map::new();
        let responses_of =
            |node: &Map<String, Value>| node.get("responses").and_then(Value::as_object).cloned();
        let (before, after) = (
            responses_of(old_operation.2).unwrap_or_else(|| empty.clone()),
            responses_of(new_operation.2).unwrap_or(empty),
        );
        for (status, old) in &before {
            let mut at = at.join(format!("{}, response {status}", at.name), "responses");
            (at.old, at.new) = (at.old.join(status), at.new.join(status));
            let Some(new) = after.get(status) else {
                if !success_statuses.contains(status) {
                    self.push(
                        Class::Behaviour,
                        Kind::Removed,
                        Subject::Response,
                        &at,
                        "no longer listed",
                    );
                }
                continue;
            };
            // Shared responses are reported once.
            match (component(old), component(new)) {
                (Some(old_name), Some(new_name)) if old_name == new_name => {
                    let path = JsonPath::new(&["components", "responses", new_name]);
                    at = Location {
                        name: format!("response {new_name}"),
                        old: path.clone(),
                        new: path,
                    };
                    if !self.compared_components.insert(at.name.clone()) {
                        continue;
                    }
                }
                _ => {}
            }
            let (old, new) = (old_spec.resolve(old), new_spec.resolve(new));
            self.descriptions(old, new, &at);
            // The SDK decodes all error responses as one type, regardless of their schemas.
            let structure = |node: &Value| spec::json_schema(node).map(structure::canonical);
            if !success_statuses.contains(status) && structure(old) != structure(new) {
                self.push(
                    Class::Behaviour,
                    Kind::Changed,
                    Subject::Response,
                    &at,
                    "the body changed",
                );
            }
        }
        for status in after
            .keys()
            .filter(|status| !before.contains_key(*status) && !success_statuses.contains(*status))
        {
            let mut at = at.join(format!("{}, response {status}", at.name), "responses");
            at.new = at.new.join(status);
            self.push(
                Class::Additive,
                Kind::Added,
                Subject::Response,
                &at,
                "now listed",
            );
        }
    }

    /// Compares the JSON content of a body or a response that both specs have.
    fn content(&mut self, old: &Value, new: &Value, at: &Location, sent: bool) {
        let (Some(old), Some(new)) = (spec::json_schema(old), spec::json_schema(new)) else {
            return;
        };
        let mut location = at.join(at.name.clone(), "content");
        (location.old, location.new) = (
            location.old.join("application/json").join("schema"),
            location.new.join("application/json").join("schema"),
        );
        let id = at.name.split(',').next().unwrap_or_default().to_owned();
        let owner = Owner {
            old: id.clone(),
            new: id,
            sent,
            received: !sent,
        };
        self.schema(
            old,
            new,
            &location,
            if sent { "request" } else { "response" },
            &owner,
        );
        self.nullable(Class::Behaviour, old, new, &location);
    }
}

/// Returns the name of the shared response that a reference points to.
fn component(response: &Value) -> Option<&str> {
    response
        .get("$ref")?
        .as_str()?
        .strip_prefix("#/components/responses/")
}

//! Differences in request bodies and responses.

use serde_json::{Map, Value};

use super::{At, Class, Comparison, Kind, Subject, operations::Found, owner::Owner};
use kalshi_gen::internals::{error::JsonPath, paths, spec};

use crate::facts;

impl Comparison<'_> {
    pub(super) fn body(&mut self, old: &Value, new: &Value, at: &At) {
        let (old_side, new_side) = (self.old, self.new);
        let at = at.join(format!("{}, body", at.name), "requestBody");
        let bodies = (
            old.get("requestBody").map(|body| old_side.behind(body)),
            new.get("requestBody").map(|body| new_side.behind(body)),
        );
        // The client sends an object without fields by default.
        let carries = |document: &Value, body: &Value| {
            spec::json_schema(body).is_some_and(|schema| !paths::is_empty_object(document, schema))
        };
        let carried = bodies
            .0
            .is_some_and(|body| carries(&old_side.document, body));
        let carry = bodies
            .1
            .is_some_and(|body| carries(&new_side.document, body));
        match (carried, carry) {
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
        self.words(old, new, &at);
        if carried && carry {
            self.content(old, new, &at, true);
        }
    }

    pub(super) fn answers(&mut self, was: &Found<'_>, is: &Found<'_>, at: &At) {
        let (old_side, new_side) = (self.old, self.new);
        let success = |document: &Value, (_, _, node): &Found<'_>| {
            paths::success(document, node, &at.new).ok()
        };
        let (before, after) = (
            success(&old_side.document, was),
            success(&new_side.document, is),
        );
        // The success response of each spec is compared above, regardless of its status.
        let chosen: Vec<String> = [&before, &after]
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
            self.push(Class::Breaking, Kind::Changed, Subject::Answer, at, text);
        }
        if let (Some((old_status, old)), Some((new_status, new))) = (before, after) {
            let mut at = at.join(format!("{}, response", at.name), "responses");
            (at.old, at.new) = (at.old.join(&old_status), at.new.join(&new_status));
            if old_status != new_status {
                let what = "the success status";
                self.changed(
                    Class::Behaviour,
                    Subject::Answer,
                    &at,
                    what,
                    &old_status,
                    &new_status,
                );
            }
            let has_body = |answer: &Value| spec::json_schema(answer).is_some();
            let change = match (has_body(&old), has_body(&new)) {
                (true, false) => Some((Kind::Removed, "body removed")),
                (false, true) => Some((Kind::Added, "body added")),
                _ => None,
            };
            match change {
                Some((kind, text)) => {
                    _ = self.push(Class::Breaking, kind, Subject::Answer, &at, text)
                }
                None => self.content(&old, &new, &at, false),
            }
        }
        let empty = Map::new();
        let of =
            |node: &Map<String, Value>| node.get("responses").and_then(Value::as_object).cloned();
        let (before, after) = (
            of(was.2).unwrap_or_else(|| empty.clone()),
            of(is.2).unwrap_or(empty),
        );
        for (status, old) in &before {
            let mut at = at.join(format!("{}, response {status}", at.name), "responses");
            (at.old, at.new) = (at.old.join(status), at.new.join(status));
            let Some(new) = after.get(status) else {
                if !chosen.contains(status) {
                    self.push(
                        Class::Behaviour,
                        Kind::Removed,
                        Subject::Answer,
                        &at,
                        "no longer listed",
                    );
                }
                continue;
            };
            // Shared responses are reported once.
            match (component(old), component(new)) {
                (Some(was), Some(is)) if was == is => {
                    let place = JsonPath::new(&["components", "responses", is]);
                    at = At {
                        name: format!("response {is}"),
                        old: place.clone(),
                        new: place,
                    };
                    if !self.shared.insert(at.name.clone()) {
                        continue;
                    }
                }
                _ => {}
            }
            let (old, new) = (old_side.behind(old), new_side.behind(new));
            self.words(old, new, &at);
            // The SDK decodes all error responses as one type, regardless of their schemas.
            let facts = |node: &Value| spec::json_schema(node).map(facts::facts);
            if !chosen.contains(status) && facts(old) != facts(new) {
                self.push(
                    Class::Behaviour,
                    Kind::Changed,
                    Subject::Answer,
                    &at,
                    "the body changed",
                );
            }
        }
        for status in after
            .keys()
            .filter(|status| !before.contains_key(*status) && !chosen.contains(*status))
        {
            let mut at = at.join(format!("{}, response {status}", at.name), "responses");
            at.new = at.new.join(status);
            self.push(
                Class::Additive,
                Kind::Added,
                Subject::Answer,
                &at,
                "now listed",
            );
        }
    }

    /// Compares the JSON content of a body or a response that both specs have.
    fn content(&mut self, old: &Value, new: &Value, at: &At, sent: bool) {
        let (Some(old), Some(new)) = (spec::json_schema(old), spec::json_schema(new)) else {
            return;
        };
        let mut place = at.join(at.name.clone(), "content");
        (place.old, place.new) = (
            place.old.join("application/json").join("schema"),
            place.new.join("application/json").join("schema"),
        );
        let id = at.name.split(',').next().unwrap_or_default().to_owned();
        let owner = Owner {
            old: id.clone(),
            new: id,
            sent,
            received: !sent,
        };
        self.node(
            old,
            new,
            &place,
            if sent { "request" } else { "response" },
            &owner,
        );
        self.nullable(Class::Behaviour, old, new, &place);
    }
}

/// Returns the name of the shared response that a reference points to.
fn component(answer: &Value) -> Option<&str> {
    answer
        .get("$ref")?
        .as_str()?
        .strip_prefix("#/components/responses/")
}

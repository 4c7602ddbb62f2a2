//! Differences of operations: methods and paths, parameters, bodies, answers, access and cost; and of the document.

use serde_json::{Map, Value};

use super::{
    At, Class, Comparison, Kind, Subject,
    members::{set, worded},
    renames,
};
use crate::{contract, cost::Cost, error::Place, facts, paths};

/// Whose member something is: what its type would be called, and which way it goes.
pub(super) struct Owner {
    pub(super) old: String,
    pub(super) new: String,
    pub(super) sent: bool,
    pub(super) received: bool,
}

impl Owner {
    /// A named schema, with its names in both contracts.
    pub(super) fn schema(comparison: &Comparison<'_>, old: &str, new: &str) -> Self {
        Self {
            old: old.to_owned(),
            new: new.to_owned(),
            sent: comparison.old.is_sent(old) || comparison.new.is_sent(new),
            received: comparison.old.is_received(old) || comparison.new.is_received(new),
        }
    }
}

/// An operation with its place: path, method, the operation.
type Found<'a> = (&'a str, &'a str, &'a Map<String, Value>);

impl Comparison<'_> {
    pub(super) fn operations(&mut self) {
        let (old, new) = (self.old, self.new);
        let (before, after) = (old.operations(), new.operations());
        let place = |(path, method, _): &Found<'_>| Place::of(&["paths", path, method]);
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
                    format!("was called `{id}`"),
                );
                change.before = Some((*id).to_owned());
                change.after = Some(new_id.clone());
            }
            if (was.0, was.1) != (is.0, is.1) {
                self.changed(
                    Class::Behaviour,
                    Subject::Path,
                    &at,
                    "the call",
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
                "the call",
                access_word(&before),
                access_word(&after),
            );
        } else if before != after {
            self.changed(
                Class::Behaviour,
                Subject::Auth,
                at,
                "the call",
                &before.join(" or "),
                &after.join(" or "),
            );
        }
        let (before, after) = (Cost::of(was.1, was.2), Cost::of(is.1, is.2));
        if before != after {
            self.changed(
                Class::Behaviour,
                Subject::Cost,
                at,
                "a call",
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
                &worded(old.get("tags")),
                &worded(new.get("tags")),
            );
        }
        if old.get("deprecated") != new.get("deprecated") {
            self.changed(
                Class::Behaviour,
                Subject::Deprecated,
                at,
                "`deprecated`",
                &worded(old.get("deprecated")),
                &worded(new.get("deprecated")),
            );
        }
        self.words(&old, &new, at);
        self.parameters(id, was, is, at);
        self.body(&old, &new, at);
        self.answers(was, is, at);
    }

    fn parameters(&mut self, id: &str, was: &Found<'_>, is: &Found<'_>, at: &At) {
        let (old_side, new_side) = (self.old, self.new);
        let (before, after) = (
            parameters(&old_side.document, was),
            parameters(&new_side.document, is),
        );
        let names = |list: &[Parameter<'_>]| {
            list.iter()
                .map(|parameter| parameter.name.to_owned())
                .collect::<Vec<_>>()
        };
        let (old_names, new_names) = (names(&before), names(&after));
        let removed: Vec<_> = old_names
            .iter()
            .filter(|name| !new_names.contains(name))
            .map(String::as_str)
            .collect();
        let added: Vec<_> = new_names
            .iter()
            .filter(|name| !old_names.contains(name))
            .map(String::as_str)
            .collect();
        let of = |list: &[Parameter<'_>], name: &str| {
            list.iter()
                .find(|parameter| parameter.name == name)
                .map(|parameter| parameter.node.clone())
        };
        // Parameters of the path go by their place in it; the others by what they are.
        let position = |path: &str, name: &str| {
            path.split('/')
                .position(|part| part == format!("{{{name}}}"))
        };
        let renamed = renames::pairs(&removed, &added, |was_name, is_name| {
            let facts = |node: Option<Value>| {
                node.map(|mut node| {
                    node["name"] = Value::Null;
                    facts::facts(&node)
                })
            };
            let places = (position(was.0, was_name), position(is.0, is_name));
            let alike = match places {
                (Some(was), Some(is)) => was == is,
                (None, None) => renames::resemble(was_name, is_name),
                _ => false,
            };
            alike && facts(of(&before, was_name)) == facts(of(&after, is_name))
        });
        for parameter in &after {
            let name = parameter.name;
            let was_called = renamed
                .iter()
                .find(|(_, now)| *now == name)
                .map(|(was, _)| *was);
            let old = before
                .iter()
                .find(|other| other.name == was_called.unwrap_or(name));
            let at = At {
                name: format!("{}, parameter {name}", at.name),
                old: old.map_or_else(|| at.old.clone(), |old| old.place.clone()),
                new: parameter.place.clone(),
            };
            let Some(old) = old else {
                let required = parameter.node.get("required") == Some(&Value::Bool(true));
                let (class, how) = if required {
                    (Class::Breaking, ", required")
                } else {
                    (Class::Additive, "")
                };
                let shape = new_side.shape(
                    parameter.node.get("schema").unwrap_or(&Value::Null),
                    name,
                    &parameter.place.join("schema"),
                );
                let change = self.push(
                    class,
                    Kind::Added,
                    Subject::Parameter,
                    &at,
                    format!("added{how}: {shape}"),
                );
                change.after = Some(shape.to_string());
                continue;
            };
            if let Some(was_called) = was_called {
                self.renames.note_member(&at.new, was_called);
                let change = self.push(
                    Class::Breaking,
                    Kind::Renamed,
                    Subject::Parameter,
                    &at,
                    format!("was called `{was_called}`"),
                );
                change.before = Some(was_called.to_owned());
                change.after = Some(name.to_owned());
            }
            // What many operations share is told once.
            match (old.component, parameter.component) {
                (Some(was), Some(is)) if was == is => {
                    if self.shared.insert(is.to_owned()) {
                        let at = At {
                            name: format!("parameter {is}"),
                            ..at
                        };
                        self.parameter(old.node, parameter.node, &at, &component_owner(was, is));
                    }
                }
                (was, is) => {
                    let owner = Owner {
                        old: was.unwrap_or(id).to_owned(),
                        new: is.unwrap_or(id).to_owned(),
                        sent: true,
                        received: false,
                    };
                    self.parameter(old.node, parameter.node, &at, &owner);
                }
            }
        }
        for name in removed
            .iter()
            .filter(|name| !renamed.iter().any(|(was, _)| was == *name))
        {
            let place = before
                .iter()
                .find(|parameter| parameter.name == *name)
                .map_or_else(|| at.old.clone(), |parameter| parameter.place.clone());
            let at = At {
                name: format!("{}, parameter {name}", at.name),
                old: place.clone(),
                new: place,
            };
            self.push(
                Class::Breaking,
                Kind::Removed,
                Subject::Parameter,
                &at,
                "removed",
            );
        }
    }

    fn parameter(&mut self, old: &Value, new: &Value, at: &At, owner: &Owner) {
        let is_required = |node: &Value| node.get("required") == Some(&Value::Bool(true));
        match (is_required(old), is_required(new)) {
            (false, true) => self.changed(
                Class::Breaking,
                Subject::Required,
                at,
                "it",
                "optional",
                "required",
            ),
            (true, false) => self.changed(
                Class::Additive,
                Subject::Required,
                at,
                "it",
                "required",
                "optional",
            ),
            _ => {}
        }
        for key in ["in", "style", "explode", "allowReserved", "allowEmptyValue"] {
            if old.get(key) != new.get(key) {
                self.changed(
                    Class::Behaviour,
                    Subject::Keyword,
                    at,
                    &format!("`{key}`"),
                    &worded(old.get(key)),
                    &worded(new.get(key)),
                );
            }
        }
        if old.get("deprecated") != new.get("deprecated") {
            self.changed(
                Class::Behaviour,
                Subject::Deprecated,
                at,
                "`deprecated`",
                &worded(old.get("deprecated")),
                &worded(new.get("deprecated")),
            );
        }
        let name = new.get("name").and_then(Value::as_str).unwrap_or_default();
        if let (Some(old), Some(new)) = (old.get("schema"), new.get("schema")) {
            let at = at.join(at.name.clone(), "schema");
            self.node(old, new, &at, name, owner);
            self.nullable(Class::Behaviour, old, new, &at);
        }
        self.words(old, new, at);
    }

    fn body(&mut self, old: &Value, new: &Value, at: &At) {
        let (old_side, new_side) = (self.old, self.new);
        let at = at.join(format!("{}, body", at.name), "requestBody");
        let bodies = (
            old.get("requestBody").map(|body| old_side.behind(body)),
            new.get("requestBody").map(|body| new_side.behind(body)),
        );
        // An object without members is what the client sends by itself.
        let carries = |document: &Value, body: &Value| {
            contract::json_schema(body)
                .is_some_and(|schema| !paths::is_empty_object(document, schema))
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
                    "a call takes a body now",
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
            // The client sends a body in any case.
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

    fn answers(&mut self, was: &Found<'_>, is: &Found<'_>, at: &At) {
        let (old_side, new_side) = (self.old, self.new);
        let success = |document: &Value, (_, _, node): &Found<'_>| {
            paths::success(document, node, &at.new).ok()
        };
        let (before, after) = (
            success(&old_side.document, was),
            success(&new_side.document, is),
        );
        // The one answer of success of each contract is compared above all others, whatever its status.
        let chosen: Vec<String> = [&before, &after]
            .into_iter()
            .flatten()
            .map(|(status, _)| status.clone())
            .collect();
        if before.is_some() != after.is_some() {
            let text = if after.is_some() {
                "a success is listed now"
            } else {
                "no success is listed any more"
            };
            self.push(Class::Breaking, Kind::Changed, Subject::Answer, at, text);
        }
        if let (Some((old_status, old)), Some((new_status, new))) = (before, after) {
            let mut at = at.join(format!("{}, answer", at.name), "responses");
            (at.old, at.new) = (at.old.join(&old_status), at.new.join(&new_status));
            if old_status != new_status {
                let what = "the status of success";
                self.changed(
                    Class::Behaviour,
                    Subject::Answer,
                    &at,
                    what,
                    &old_status,
                    &new_status,
                );
            }
            let has_body = |answer: &Value| contract::json_schema(answer).is_some();
            let change = match (has_body(&old), has_body(&new)) {
                (true, false) => Some((Kind::Removed, "no body any more")),
                (false, true) => Some((Kind::Added, "has a body now")),
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
            let mut at = at.join(format!("{}, answer {status}", at.name), "responses");
            (at.old, at.new) = (at.old.join(status), at.new.join(status));
            let Some(new) = after.get(status) else {
                if !chosen.contains(status) {
                    self.push(
                        Class::Behaviour,
                        Kind::Removed,
                        Subject::Answer,
                        &at,
                        "not listed any more",
                    );
                }
                continue;
            };
            let (old, new) = (old_side.behind(old), new_side.behind(new));
            self.words(old, new, &at);
            // Whatever the contract says of refusals, the SDK reads them as one error.
            let facts = |node: &Value| contract::json_schema(node).map(facts::facts);
            if !chosen.contains(status) && facts(old) != facts(new) {
                self.push(
                    Class::Behaviour,
                    Kind::Changed,
                    Subject::Answer,
                    &at,
                    "the body is another",
                );
            }
        }
        for status in after
            .keys()
            .filter(|status| !before.contains_key(*status) && !chosen.contains(*status))
        {
            let mut at = at.join(format!("{}, answer {status}", at.name), "responses");
            at.new = at.new.join(status);
            self.push(
                Class::Additive,
                Kind::Added,
                Subject::Answer,
                &at,
                "listed now",
            );
        }
    }

    /// The JSON of a body or an answer that both contracts have.
    fn content(&mut self, old: &Value, new: &Value, at: &At, sent: bool) {
        let (Some(old), Some(new)) = (contract::json_schema(old), contract::json_schema(new))
        else {
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

    /// Servers, schemes of security, tags and words of the document as a whole.
    pub(super) fn document(&mut self) {
        let (old, new) = (&self.old.document, &self.new.document);
        let root = Place::of(&[]);
        let at = |name: &str, key: &str| At {
            name: name.to_owned(),
            old: root.join(key),
            new: root.join(key),
        };
        let addresses = |document: &Value| {
            let list = document
                .get("servers")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            list.iter()
                .filter_map(|server| Some(server.get("url")?.as_str()?.to_owned()))
                .collect::<Vec<_>>()
        };
        let (before, after) = (addresses(old), addresses(new));
        for url in before.iter().filter(|url| !after.contains(url)) {
            self.push(
                Class::Behaviour,
                Kind::Removed,
                Subject::Document,
                &at("servers", "servers"),
                format!("{url} is gone"),
            );
        }
        for url in after.iter().filter(|url| !before.contains(url)) {
            self.push(
                Class::Additive,
                Kind::Added,
                Subject::Document,
                &at("servers", "servers"),
                format!("{url} is new"),
            );
        }
        let schemes = |document: &Value| {
            document
                .pointer("/components/securitySchemes")
                .map(facts::facts)
        };
        if schemes(old) != schemes(new) {
            self.push(
                Class::Behaviour,
                Kind::Changed,
                Subject::Auth,
                &at("security schemes", "components"),
                "they are others",
            );
        }
        if old.get("tags") != new.get("tags") {
            self.push(
                Class::Prose,
                Kind::Changed,
                Subject::Document,
                &at("tags", "tags"),
                "the list of tags is another",
            );
        }
        if let (Some(old), Some(new)) = (old.get("info"), new.get("info")) {
            self.words(old, new, &at("info", "info"));
        }
        let words = |document: &Value| {
            let list = document
                .get("servers")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            list.iter()
                .map(|server| {
                    (
                        server.get("url").cloned(),
                        server.get("description").cloned(),
                    )
                })
                .collect::<Vec<_>>()
        };
        if before == after && words(old) != words(new) {
            self.push(
                Class::Prose,
                Kind::Changed,
                Subject::Words,
                &at("servers", "servers"),
                "other words: description",
            );
        }
    }
}

fn component_owner(old: &str, new: &str) -> Owner {
    Owner {
        old: old.to_owned(),
        new: new.to_owned(),
        sent: true,
        received: false,
    }
}

/// A parameter, behind its reference.
struct Parameter<'a> {
    name: &'a str,
    node: &'a Value,
    place: Place,
    component: Option<&'a str>,
}

/// The parameters of an operation and of its path; its own replace those of the path.
fn parameters<'a>(document: &'a Value, (path, method, node): &Found<'a>) -> Vec<Parameter<'a>> {
    let shared = (
        document
            .get("paths")
            .and_then(|paths| paths.get(path)?.get("parameters")),
        Place::of(&["paths", path, "parameters"]),
    );
    let own = (
        node.get("parameters"),
        Place::of(&["paths", path, method, "parameters"]),
    );
    let mut found: Vec<Parameter<'a>> = Vec::new();
    for (list, place) in [shared, own] {
        for (index, parameter) in list
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            let reference = parameter.get("$ref").and_then(Value::as_str);
            let target = reference
                .and_then(|reference| contract::resolve(document, reference))
                .unwrap_or(parameter);
            let Some(name) = target.get("name").and_then(Value::as_str) else {
                continue;
            };
            let component = reference.and_then(|reference| reference.rsplit('/').next());
            let place = component.map_or_else(
                || place.item(index),
                |name| Place::of(&["components", "parameters", name]),
            );
            found.retain(|other| (other.name, other.node.get("in")) != (name, target.get("in")));
            found.push(Parameter {
                name,
                node: target,
                place,
                component,
            });
        }
    }
    found
}

/// The ways to be let in to an operation: the schemes of each and their scopes; none for a public one.
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
    // An empty way among them lets everybody in.
    if ways.first().is_some_and(String::is_empty) {
        Vec::new()
    } else {
        ways
    }
}

/// Whether an operation is public or signed, in a word.
fn access_word(ways: &[String]) -> &'static str {
    if ways.is_empty() { "public" } else { "signed" }
}

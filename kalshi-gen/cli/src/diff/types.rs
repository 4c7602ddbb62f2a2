//! Type changes that a comparison of schemas misses: names of inline types depend on the rest of the spec, and a cursor
//! is always a required string.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{At, Change, Class, Comparison, Kind, Subject};
use kalshi_gen::{
    FixupMode, Protocol,
    internals::{
        error::JsonPath,
        normalize::Normalized,
        protocol,
        scalars::SCALARS,
        spec::{self, schema_name, text},
        stages,
    },
};

impl Comparison<'_> {
    /// Compares the types generated from both specs. Does nothing if one of them does not generate.
    pub(super) fn types(&mut self, old: &Value, new: &Value) {
        let of_streams = protocol::of(old) == Protocol::Streams;
        let normalize = |document: &Value| stages::normalized(document.clone(), FixupMode::Lenient);
        let (Ok(before), Ok(after)) = (normalize(old), normalize(new)) else {
            return;
        };
        if of_streams {
            self.message_types(&before, &after);
        } else {
            self.member_types(&before, &after);
            self.parameter_types(&before, &after);
        }
    }

    /// Compares message types. They are named after messages rather than schemas, so a change is only reported if
    /// nothing else is breaking.
    fn message_types(&mut self, before: &Normalized, after: &Normalized) {
        let is_breaking = |change: &Change| change.class == Class::Breaking;
        if self.changes.iter().any(is_breaking) {
            return;
        }
        let named = spec::schemas(&before.tree).into_iter().flatten();
        let place = JsonPath::new(&["components", "messages"]);
        let at = |name: String| At {
            name,
            old: place.clone(),
            new: place.clone(),
        };
        for name in named.map(|(name, _)| name) {
            if spec::schemas(&after.tree).is_none_or(|all| !all.contains_key(name)) {
                let (class, kind) = (Class::Breaking, Kind::Removed);
                let text = "the type is no longer generated";
                self.push(class, kind, Subject::Type, &at(name.clone()), text);
            }
            let is = members(&after.tree, name);
            for (member, was) in members(&before.tree, name) {
                let is = is.get(&member).map(types);
                let (was, Some(is)) = (types(&was), is) else {
                    continue;
                };
                if was != is {
                    self.type_changed(&at(format!("{name}.{member}")), &was, &is);
                }
            }
        }
    }

    fn member_types(&mut self, before: &Normalized, after: &Normalized) {
        let root = JsonPath::new(&["components", "schemas"]);
        let names: Vec<String> = self
            .old
            .schemas()
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in names {
            let now = self.renames.schema(&name).unwrap_or(&name).to_owned();
            let (was, is) = (members(&before.tree, &name), members(&after.tree, &now));
            for (member, was) in &was {
                let Some(is) = is.get(member) else { continue };
                let place = |name: &str| root.join(name).join("properties").join(member);
                let at = At {
                    name: format!("{now}.{member}"),
                    old: place(&name),
                    new: place(&now),
                };
                let (was_types, is_types) = (self.renamed(types(was)), types(is));
                if was_types != is_types {
                    self.type_changed(&at, &was_types, &is_types);
                }
                let key = |name: &str| (name.to_owned(), member.clone());
                let cursors = (
                    before.cursors.contains(&key(&name)),
                    after.cursors.contains(&key(&now)),
                );
                if cursors.0 || cursors.1 {
                    self.cursor(&at, cursors == (true, true));
                }
            }
        }
    }

    fn parameter_types(&mut self, before: &Normalized, after: &Normalized) {
        let mut found = Vec::new();
        for (path, method, was) in spec::operations(&before.tree) {
            let Some(id) = text(was, "operationId") else {
                continue;
            };
            let now = self.renames.operation(id).unwrap_or(id);
            let Some((new_path, new_method, is)) = spec::operations(&after.tree)
                .find(|(_, _, node)| text(node, "operationId") == Some(now))
            else {
                continue;
            };
            let (was, is) = (parameters(was), parameters(is));
            for (name, was) in was {
                let Some(is) = is.get(name) else { continue };
                let place = |path: &str, method: &str| {
                    JsonPath::new(&["paths", path, method, "parameters", name])
                };
                let at = At {
                    name: format!("{now}, parameter {name}"),
                    old: place(path, method),
                    new: place(new_path, new_method),
                };
                found.push((at, self.renamed(types(was)), types(is)));
            }
        }
        for (at, was, is) in found {
            if was != is {
                self.type_changed(&at, &was, &is);
            }
        }
    }

    /// Adjusts the changes of cursors. A cursor is always a required string, and a field that became one was not.
    fn cursor(&mut self, at: &At, was_before: bool) {
        let presence = |subject: Subject| [Subject::Required, Subject::Nullable].contains(&subject);
        let reported = self
            .changes
            .iter_mut()
            .find(|change| change.place == at.name && presence(change.subject));
        match (reported, was_before) {
            (Some(change), true) => {
                change.class = Class::Additive;
                change.text = format!(
                    "was {}, is {}; a cursor is always a required string",
                    word(change.before.as_ref()),
                    word(change.after.as_ref())
                );
            }
            (None, false) => self.changed(
                Class::Breaking,
                Subject::Type,
                at,
                "the type",
                "an ordinary field",
                "a cursor, or vice versa",
            ),
            _ => {}
        }
    }

    fn type_changed(&mut self, at: &At, was: &[String], is: &[String]) {
        let reported = self
            .changes
            .iter()
            .any(|change| change.class == Class::Breaking && change.place.starts_with(&at.name));
        let list = |types: &[String]| match types {
            [] => "no named type".to_owned(),
            types => types
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        if !reported {
            self.changed(
                Class::Breaking,
                Subject::Type,
                at,
                "the type",
                &list(was),
                &list(is),
            );
        }
    }

    /// Maps type names of the old spec to those of the new one.
    fn renamed(&self, types: Vec<String>) -> Vec<String> {
        types
            .into_iter()
            .map(|name| self.renames.schema(&name).unwrap_or(&name).to_owned())
            .collect()
    }
}

fn word(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

/// Returns the fields of a named schema.
fn members(tree: &Value, name: &str) -> BTreeMap<String, Value> {
    let members = spec::schemas(tree).and_then(|all| all.get(name)?.get("properties")?.as_object());
    members
        .into_iter()
        .flatten()
        .map(|(name, node)| (name.clone(), node.clone()))
        .collect()
}

/// Returns the schemas of an operation's parameters.
fn parameters(operation: &Map<String, Value>) -> BTreeMap<&str, &Value> {
    let list = operation
        .get("parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.filter_map(|parameter| Some((parameter.get("name")?.as_str()?, parameter.get("schema")?)))
        .collect()
}

/// Returns the named types that a schema consists of, in order.
fn types(schema: &Value) -> Vec<String> {
    fn walk(node: &Value, found: &mut Vec<String>) {
        match node {
            Value::Object(members) => {
                let name = members
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(schema_name);
                found.extend(
                    name.filter(|name| SCALARS.iter().all(|(scalar, _)| scalar != name))
                        .map(str::to_owned),
                );
                members.values().for_each(|value| walk(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(schema, &mut found);
    found
}

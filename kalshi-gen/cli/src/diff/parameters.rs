//! Differences of an operation's parameters.

use serde_json::Value;

use super::{
    At, Class, Comparison, Kind, Subject, operations::Found, owner::Owner, renames,
    values::format_value,
};
use kalshi_gen::internals::{error::JsonPath, spec};

use crate::facts;

impl Comparison<'_> {
    pub(super) fn parameters(&mut self, id: &str, was: &Found<'_>, is: &Found<'_>, at: &At) {
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
        // Path parameters are matched by position, the others by name and location.
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
                    format!("renamed from `{was_called}`"),
                );
                change.before = Some(was_called.to_owned());
                change.after = Some(name.to_owned());
            }
            // Shared parameters are reported once.
            match (old.component, parameter.component) {
                (Some(was), Some(is)) if was == is => {
                    if self.shared.insert(is.to_owned()) {
                        let at = At {
                            name: format!("parameter {is}"),
                            ..at
                        };
                        self.parameter(
                            old.node,
                            parameter.node,
                            &at,
                            &Owner {
                                old: was.to_owned(),
                                new: is.to_owned(),
                                sent: true,
                                received: false,
                            },
                        );
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
                    &format_value(old.get(key)),
                    &format_value(new.get(key)),
                );
            }
        }
        self.deprecated(old, new, at);
        let name = new.get("name").and_then(Value::as_str).unwrap_or_default();
        if let (Some(old), Some(new)) = (old.get("schema"), new.get("schema")) {
            let at = at.join(at.name.clone(), "schema");
            self.node(old, new, &at, name, owner);
            self.nullable(Class::Behaviour, old, new, &at);
        }
        self.words(old, new, at);
    }
}

/// A parameter after resolving its reference.
struct Parameter<'a> {
    name: &'a str,
    node: &'a Value,
    place: JsonPath,
    component: Option<&'a str>,
}

/// Returns the parameters of an operation and of its path. Those of the operation override those of the path.
fn parameters<'a>(document: &'a Value, (path, method, node): &Found<'a>) -> Vec<Parameter<'a>> {
    let shared = (
        document
            .get("paths")
            .and_then(|paths| paths.get(path)?.get("parameters")),
        JsonPath::new(&["paths", path, "parameters"]),
    );
    let own = (
        node.get("parameters"),
        JsonPath::new(&["paths", path, method, "parameters"]),
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
                .and_then(|reference| spec::resolve(document, reference))
                .unwrap_or(parameter);
            let Some(name) = target.get("name").and_then(Value::as_str) else {
                continue;
            };
            let component = reference.and_then(|reference| reference.rsplit('/').next());
            let place = component.map_or_else(
                || place.item(index),
                |name| JsonPath::new(&["components", "parameters", name]),
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

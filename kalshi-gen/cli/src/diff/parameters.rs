//! Differences of an operation's parameters.

use serde_json::Value;

use super::{
    Class, Comparison, Kind, Location, Subject, operations::LocatedOperation, owner::Owner,
    renames, values::format_value,
};
use kalshi_gen::internals::{error::JsonPath, spec};

use crate::structure;

impl Comparison<'_> {
    pub(super) fn parameters(
        &mut self,
        id: &str,
        old_operation: &LocatedOperation<'_>,
        new_operation: &LocatedOperation<'_>,
        at: &Location,
    ) {
        let (old_spec, new_spec) = (self.old, self.new);
        let (before, after) = (
            parameters(&old_spec.document, old_operation),
            parameters(&new_spec.document, new_operation),
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
        let find = |list: &[Parameter<'_>], name: &str| {
            list.iter()
                .find(|parameter| parameter.name == name)
                .map(|parameter| parameter.node.clone())
        };
        // Path parameters are matched by position, the others by name and location.
        let position = |path: &str, name: &str| {
            path.split('/')
                .position(|part| part == format!("{{{name}}}"))
        };
        let renamed = renames::pairs(&removed, &added, |old_name, new_name| {
            let structure = |node: Option<Value>| {
                node.map(|mut node| {
                    node["name"] = Value::Null;
                    structure::canonical(&node)
                })
            };
            let positions = (
                position(old_operation.0, old_name),
                position(new_operation.0, new_name),
            );
            let is_match = match positions {
                (Some(old), Some(new)) => old == new,
                (None, None) => renames::resemble(old_name, new_name),
                _ => false,
            };
            is_match && structure(find(&before, old_name)) == structure(find(&after, new_name))
        });
        for parameter in &after {
            let name = parameter.name;
            let old_name = renamed
                .iter()
                .find(|(_, new_name)| *new_name == name)
                .map(|(old_name, _)| *old_name);
            let old = before
                .iter()
                .find(|other| other.name == old_name.unwrap_or(name));
            let at = Location {
                name: format!("{}, parameter {name}", at.name),
                old: old.map_or_else(|| at.old.clone(), |old| old.path.clone()),
                new: parameter.path.clone(),
            };
            let Some(old) = old else {
                let required = parameter.node.get("required") == Some(&Value::Bool(true));
                let (class, requirement) = if required {
                    (Class::Breaking, ", required")
                } else {
                    (Class::Additive, "")
                };
                let shape = new_spec.shape(
                    parameter.node.get("schema").unwrap_or(&Value::Null),
                    name,
                    &parameter.path.join("schema"),
                );
                let change = self.push(
                    class,
                    Kind::Added,
                    Subject::Parameter,
                    &at,
                    format!("added{requirement}: {shape}"),
                );
                change.after = Some(shape.to_string());
                continue;
            };
            if let Some(old_name) = old_name {
                self.renames.record_field(&at.new, old_name);
                let change = self.push(
                    Class::Breaking,
                    Kind::Renamed,
                    Subject::Parameter,
                    &at,
                    format!("renamed from `{old_name}`"),
                );
                change.before = Some(old_name.to_owned());
                change.after = Some(name.to_owned());
            }
            // Shared parameters are reported once.
            match (old.component, parameter.component) {
                (Some(old_name), Some(new_name)) if old_name == new_name => {
                    if self.compared_components.insert(new_name.to_owned()) {
                        let at = Location {
                            name: format!("parameter {new_name}"),
                            ..at
                        };
                        self.parameter(
                            old.node,
                            parameter.node,
                            &at,
                            &Owner {
                                old: old_name.to_owned(),
                                new: new_name.to_owned(),
                                sent: true,
                                received: false,
                            },
                        );
                    }
                }
                (old_name, new_name) => {
                    let owner = Owner {
                        old: old_name.unwrap_or(id).to_owned(),
                        new: new_name.unwrap_or(id).to_owned(),
                        sent: true,
                        received: false,
                    };
                    self.parameter(old.node, parameter.node, &at, &owner);
                }
            }
        }
        for name in removed
            .iter()
            .filter(|name| !renamed.iter().any(|(old_name, _)| old_name == *name))
        {
            let path = before
                .iter()
                .find(|parameter| parameter.name == *name)
                .map_or_else(|| at.old.clone(), |parameter| parameter.path.clone());
            let at = Location {
                name: format!("{}, parameter {name}", at.name),
                old: path.clone(),
                new: path,
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

    fn parameter(&mut self, old: &Value, new: &Value, at: &Location, owner: &Owner) {
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
            self.schema(old, new, &at, name, owner);
            self.nullable(Class::Behaviour, old, new, &at);
        }
        self.descriptions(old, new, at);
    }
}

/// A parameter after resolving its reference.
struct Parameter<'a> {
    name: &'a str,
    node: &'a Value,
    path: JsonPath,
    component: Option<&'a str>,
}

/// Returns the parameters of an operation and of its path. Those of the operation override those of the path.
fn parameters<'a>(
    document: &'a Value,
    (path, method, node): &LocatedOperation<'a>,
) -> Vec<Parameter<'a>> {
    let compared_components = (
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
    for (list, path) in [compared_components, own] {
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
            let path = component.map_or_else(
                || path.item(index),
                |name| JsonPath::new(&["components", "parameters", name]),
            );
            found.retain(|other| (other.name, other.node.get("in")) != (name, target.get("in")));
            found.push(Parameter {
                name,
                node: target,
                path,
                component,
            });
        }
    }
    found
}

//! Type changes that a comparison of schemas misses: names of inline types depend on the rest of the spec, a cursor is
//! always a required string, and Unix times are known by their descriptions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    Change, Class, Comparison, Kind, Location, Subject,
    operations::LocatedOperation,
    optional::{fields, items_suffix},
};
use kalshi_gen::{
    FixupMode, Protocol,
    internals::{
        asyncapi,
        error::JsonPath,
        names,
        normalize::Normalized,
        operations::{self, Operation},
        protocol,
        scalars::SCALARS,
        spec::{self, schema_name, str_field},
        stages,
        unix_time::UnixTime,
    },
};

impl Comparison<'_> {
    /// Compares the types generated from both specs. Does nothing if one of them does not generate, which
    /// [`Diff::add_failure`](super::Diff::add_failure) reports.
    pub(super) fn types(&mut self, old: &Value, new: &Value) {
        let is_asyncapi = protocol::detect(old) == Protocol::Streams;
        let normalize = |document: &Value| stages::normalized(document.clone(), FixupMode::Lenient);
        let (Ok(before), Ok(after)) = (normalize(old), normalize(new)) else {
            return;
        };
        if is_asyncapi {
            self.message_types(&before, &after);
            self.message_boxes(old, new);
        } else {
            self.field_types(&before, &after);
            self.parameter_types(&before, &after);
            self.pagination(&before, &after);
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
        let received = [received(before), received(after)];
        let json_path = JsonPath::new(&["components", "messages"]);
        let at = |name: String| Location {
            name,
            old: json_path.clone(),
            new: json_path.clone(),
        };
        for name in named.map(|(name, _)| name) {
            if spec::schemas(&after.tree).is_none_or(|all| !all.contains_key(name)) {
                let (class, kind) = (Class::Breaking, Kind::Removed);
                let text = "the type is no longer generated";
                self.push(class, kind, Subject::Type, &at(name.clone()), text);
            }
            let is_received = received.iter().any(|names| names.contains(name));
            let new_fields = fields(&after.tree, name);
            for (field, old) in fields(&before.tree, name) {
                let Some(new) = new_fields.get(&field) else {
                    continue;
                };
                let at = at(format!("{name}.{field}"));
                let (old_types, new_types) = (types(&old.schema), types(&new.schema));
                if old_types != new_types {
                    self.type_changed(&at, &old_types, &new_types);
                }
                let units = (
                    field_unit(&field, &old.schema),
                    field_unit(&field, &new.schema),
                );
                self.unit(&at, units, before.sent.contains(name));
                self.option(&at, &old, new, is_received);
                self.nullable_items(&at, &old.schema, &new.schema);
            }
        }
    }

    /// Compares which messages are boxed in the enum of all messages, which is part of its type.
    fn message_boxes(&mut self, old: &Value, new: &Value) {
        let boxes = |document: &Value| asyncapi::boxed_messages(document.clone());
        let (Ok(before), Ok(after)) = (boxes(old), boxes(new)) else {
            return;
        };
        let label = |is_boxed| if is_boxed { "boxed" } else { "not boxed" };
        for (name, was_boxed) in before {
            let Some(is_boxed) = after.get(&name).filter(|is_boxed| **is_boxed != was_boxed) else {
                continue;
            };
            let json_path = JsonPath::new(&["components", "messages"]);
            let at = Location {
                name: format!("Message::{name}"),
                old: json_path.clone(),
                new: json_path,
            };
            let (class, attribute) = (Class::Breaking, "the body");
            let (before, after) = (label(was_boxed), label(*is_boxed));
            self.changed(class, Subject::Type, &at, attribute, before, after);
        }
    }

    /// Compares the fields of all types: those of named schemas, and those of inline schemas where they are used.
    fn field_types(&mut self, before: &Normalized, after: &Normalized) {
        let received = [received(before), received(after)];
        let root = JsonPath::new(&["components", "schemas"]);
        let named = self.old.schemas().map(|(name, _)| {
            let new_name = self.renames.schema(name).unwrap_or(name);
            let at = Location {
                name: new_name.to_owned(),
                old: root.join(name),
                new: root.join(new_name),
            };
            (name.to_owned(), new_name.to_owned(), at)
        });
        let mut pending: Vec<(String, String, Location)> = named.collect();
        for (at, old, new) in self.bodies(before, after) {
            self.named_types(&at, old, new, &mut pending);
        }
        let mut seen = BTreeSet::new();
        while let Some((name, new_name, at)) = pending.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let is_received = received[0].contains(&name) || received[1].contains(&new_name);
            let new_fields = fields(&after.tree, &new_name);
            for (field, old) in &fields(&before.tree, &name) {
                let Some(new) = new_fields.get(field) else {
                    continue;
                };
                let at = Location {
                    name: format!("{}.{field}", at.name),
                    old: at.old.join("properties").join(field),
                    new: at.new.join("properties").join(field),
                };
                self.named_types(&at, &old.schema, &new.schema, &mut pending);
                let units = (
                    field_unit(field, &old.schema),
                    field_unit(field, &new.schema),
                );
                self.unit(&at, units, before.sent.contains(&name));
                let key = |name: &str| (name.to_owned(), field.clone());
                let cursors = (
                    before.cursors.contains(&key(&name)),
                    after.cursors.contains(&key(&new_name)),
                );
                if cursors == (true, true) || cursors.0 != cursors.1 && !old.is_same(new) {
                    self.cursor(&at, cursors == (true, true));
                } else {
                    self.option(&at, old, new, is_received);
                }
            }
        }
    }

    /// Compares the named types that a field, a body or a response consists of, and adds those of inline schemas to
    /// `pending`.
    fn named_types(
        &mut self,
        at: &Location,
        old: &Value,
        new: &Value,
        pending: &mut Vec<(String, String, Location)>,
    ) {
        let (old_types, new_types) = (types(old), types(new));
        let renamed = self.renamed(old_types.clone());
        if renamed != new_types {
            self.type_changed(at, &renamed, &new_types);
        }
        self.nullable_items(at, old, new);
        if old_types.len() != new_types.len() {
            return;
        }
        for (old_type, new_type) in old_types.into_iter().zip(new_types) {
            if self.old.schema(&old_type).is_none() {
                let at = Location {
                    name: format!("{}{}", at.name, items_suffix(old)),
                    ..at.clone()
                };
                pending.push((old_type, new_type, at));
            }
        }
    }

    /// Returns the operations that both specs have, with their new ids.
    fn operation_pairs<'a>(
        &self,
        before: &'a Normalized,
        after: &'a Normalized,
    ) -> Vec<(String, LocatedOperation<'a>, LocatedOperation<'a>)> {
        let id = |node: &'a Map<String, Value>| str_field(node, "operationId");
        let new_operations: BTreeMap<_, _> = spec::operations(&after.tree)
            .filter_map(|operation| Some((id(operation.2)?, operation)))
            .collect();
        let pair = |old: LocatedOperation<'a>| {
            let old_id = id(old.2)?;
            let new_id = self.renames.operation(old_id).unwrap_or(old_id);
            Some((new_id.to_owned(), old, *new_operations.get(new_id)?))
        };
        spec::operations(&before.tree).filter_map(pair).collect()
    }

    /// Returns the schemas of the bodies and responses that both specs have.
    fn bodies<'a>(
        &self,
        before: &'a Normalized,
        after: &'a Normalized,
    ) -> Vec<(Location, &'a Value, &'a Value)> {
        let mut found = Vec::new();
        for (id, old, new) in self.operation_pairs(before, after) {
            let body = |node: &'a Map<String, Value>| spec::json_schema(node.get("requestBody")?);
            for (key, name, old_schema, new_schema) in [
                ("requestBody", "body", body(old.2), body(new.2)),
                (
                    "responses",
                    "response",
                    operations::success_schema(old.2),
                    operations::success_schema(new.2),
                ),
            ] {
                let json_path = |(path, method, _): LocatedOperation<'_>| {
                    JsonPath::new(&["paths", path, method, key])
                };
                if let (Some(old_schema), Some(new_schema)) = (old_schema, new_schema) {
                    let at = Location {
                        name: format!("{id}, {name}"),
                        old: json_path(old),
                        new: json_path(new),
                    };
                    found.push((at, old_schema, new_schema));
                }
            }
        }
        found
    }

    fn parameter_types(&mut self, before: &Normalized, after: &Normalized) {
        for (id, old_operation, new_operation) in self.operation_pairs(before, after) {
            let new_parameters = parameters(new_operation.2);
            for (name, old_parameter) in parameters(old_operation.2) {
                let Some(new_parameter) = new_parameters.get(name) else {
                    continue;
                };
                let json_path = |(path, method, _): LocatedOperation<'_>| {
                    JsonPath::new(&["paths", path, method, "parameters", name])
                };
                let at = Location {
                    name: format!("{id}, parameter {name}"),
                    old: json_path(old_operation),
                    new: json_path(new_operation),
                };
                let unit = |parameter: &Map<String, Value>| {
                    let schema = parameter.get("schema")?.as_object()?;
                    let description = str_field(parameter, "description").unwrap_or_default();
                    UnixTime::from_schema(name, schema, description)
                };
                let types = |parameter: &Map<String, Value>| {
                    parameter.get("schema").map(types).unwrap_or_default()
                };
                let old_types = self.renamed(types(old_parameter));
                let new_types = types(new_parameter);
                if old_types != new_types {
                    self.type_changed(&at, &old_types, &new_types);
                }
                self.unit(&at, (unit(old_parameter), unit(new_parameter)), true);
            }
        }
    }

    /// Reports a change of a Unix time's unit. A setter takes times of the unit, so that it also matters if only one of
    /// the specs has a unit.
    fn unit(
        &mut self,
        at: &Location,
        (before, after): (Option<UnixTime>, Option<UnixTime>),
        has_setter: bool,
    ) {
        if before == after || !(has_setter || before.is_some() && after.is_some()) {
            return;
        }
        let label = |unit| match unit {
            Some(UnixTime::Seconds) => "Unix seconds",
            Some(UnixTime::Millis) => "Unix milliseconds",
            None => "not a Unix time",
        };
        let (class, attribute) = (Class::Breaking, "the unit");
        self.changed(
            class,
            Subject::Type,
            at,
            attribute,
            label(before),
            label(after),
        );
    }

    /// Reports operations whose request builders lose methods that return pages or items.
    fn pagination(&mut self, before: &Normalized, after: &Normalized) {
        let (Ok(before), Ok(after)) = (
            operations::list(&before.tree),
            operations::list(&after.tree),
        ) else {
            return;
        };
        for old in &before {
            let new_id = self
                .renames
                .operation(&old.id)
                .unwrap_or(&old.id)
                .to_owned();
            let Some(new) = after.iter().find(|new| new.id == new_id) else {
                continue;
            };
            let (old_methods, new_methods) = (page_methods(old), page_methods(new));
            if old_methods.is_subset(&new_methods) {
                continue;
            }
            let json_path = |operation: &Operation| {
                JsonPath::new(&[
                    "paths",
                    &operation.path,
                    &operation.method.to_ascii_lowercase(),
                ])
            };
            let at = Location {
                name: new_id,
                old: json_path(old),
                new: json_path(new),
            };
            let label = |methods: &BTreeSet<String>| match methods.is_empty() {
                true => "none".to_owned(),
                false => Vec::from_iter(methods.iter().map(|name| format!("`{name}`"))).join(", "),
            };
            let (old_methods, new_methods) = (label(&old_methods), label(&new_methods));
            let (class, attribute) = (Class::Breaking, "the methods for pages");
            self.changed(
                class,
                Subject::Response,
                &at,
                attribute,
                &old_methods,
                &new_methods,
            );
        }
    }

    /// Adjusts the changes of a field that is a cursor in one of the specs, or in both if `in_both` is set. A cursor is always a
    /// required string: a change of its presence has no effect, and a field that becomes or stops being a cursor changes its type.
    fn cursor(&mut self, at: &Location, in_both: bool) {
        let is_presence =
            |subject: Subject| [Subject::Required, Subject::Nullable].contains(&subject);
        let reported = self
            .changes
            .iter_mut()
            .find(|change| change.location == at.name && is_presence(change.subject));
        match (reported, in_both) {
            (Some(change), true) => {
                change.class = Class::Additive;
                change.text = format!(
                    "was {}, is {}; a cursor is always a required string",
                    or_empty(change.before.as_ref()),
                    or_empty(change.after.as_ref())
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

    fn type_changed(&mut self, at: &Location, old_types: &[String], new_types: &[String]) {
        let list = |types: &[String]| match types {
            [] => "no named type".to_owned(),
            types => types
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        if !self.is_breaking_at(&at.name) {
            self.changed(
                Class::Breaking,
                Subject::Type,
                at,
                "the type",
                &list(old_types),
                &list(new_types),
            );
        }
    }

    /// Returns `true` if a breaking change of the element `name`, or of one inside it, is reported.
    pub(super) fn is_breaking_at(&self, name: &str) -> bool {
        self.changes.iter().any(|change| {
            let rest = change.location.strip_prefix(name);
            let is_inside = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[', '{']);
            change.class == Class::Breaking && rest.is_some_and(is_inside)
        })
    }

    /// Maps type names of the old spec to those of the new one.
    fn renamed(&self, types: Vec<String>) -> Vec<String> {
        types
            .into_iter()
            .map(|name| self.renames.schema(&name).unwrap_or(&name).to_owned())
            .collect()
    }
}

fn or_empty(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

/// Returns the names of the types that responses contain.
fn received(normalized: &Normalized) -> BTreeSet<String> {
    spec::reachable(&normalized.tree, |operation| operation.get("responses"))
}

/// Returns the unit of a field that is a Unix time.
fn field_unit(name: &str, schema: &Value) -> Option<UnixTime> {
    let description = schema["description"].as_str().unwrap_or_default();
    UnixTime::from_schema(name, schema.as_object()?, description)
}

/// Returns the methods of an operation's request builder that return pages or items.
fn page_methods(operation: &Operation) -> BTreeSet<String> {
    let Some(paging) = &operation.paging else {
        return BTreeSet::new();
    };
    let items = match paging.items_field {
        Some(_) => vec!["by_item".to_owned(), "collect_all".to_owned()],
        None => {
            let name = |list: &String| format!("by_{}", names::singular(&names::snake(list)));
            paging.lists.iter().map(name).collect()
        }
    };
    items.into_iter().chain(["by_page".to_owned()]).collect()
}

/// Returns the parameters of an operation by name.
fn parameters(operation: &Map<String, Value>) -> BTreeMap<&str, &Map<String, Value>> {
    let list = operation
        .get("parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.filter_map(|parameter| Some((parameter.get("name")?.as_str()?, parameter.as_object()?)))
        .collect()
}

/// Returns the named types that a schema consists of, in order.
fn types(schema: &Value) -> Vec<String> {
    fn walk(node: &Value, found: &mut Vec<String>) {
        match node {
            Value::Object(fields) => {
                let name = fields
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(schema_name);
                found.extend(
                    name.filter(|name| SCALARS.iter().all(|(scalar, _)| scalar != name))
                        .map(str::to_owned),
                );
                fields.values().for_each(|value| walk(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(schema, &mut found);
    found
}

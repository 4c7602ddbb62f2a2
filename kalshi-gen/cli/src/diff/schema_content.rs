//! Differences inside schemas: types, fields, values, constraints and descriptions.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    Class, Comparison, Kind, Location, Subject,
    owner::Owner,
    renames,
    spec_index::Shape,
    values::{format_value, set, variants},
};
use kalshi_gen::internals::{names, spec::reference};

use crate::structure;

/// Keywords with a comparison of their own.
const COMPARED_SEPARATELY: [&str; 14] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "deprecated",
    "enum",
    "format",
    "items",
    "nullable",
    "oneOf",
    "properties",
    "required",
    "type",
];

impl Comparison<'_> {
    /// Compares the schemas at a location of both specs. `name` is the name of the field or parameter.
    pub(super) fn schema(
        &mut self,
        old: &Value,
        new: &Value,
        at: &Location,
        name: &str,
        owner: &Owner,
    ) {
        let (before, after) = (
            self.old.shape(old, name, &at.old),
            self.new.shape(new, name, &at.new),
        );
        if !self.is_same_type(&before, &after, name, owner) {
            let (before, after) = (before.to_string(), after.to_string());
            self.changed(
                Class::Breaking,
                Subject::Type,
                at,
                "the type",
                &before,
                &after,
            );
        } else if reference(old).is_none() || reference(new).is_none() {
            // A schema that is named in only one of the specs has no counterpart to be compared with, so
            // it is compared here.
            let (old, new) = (self.old.target(old), self.new.target(new));
            let shape = if matches!(before, Shape::Named(_)) {
                &after
            } else {
                &before
            };
            self.nested(old, new, at, name, owner, shape);
        }
        self.keywords(old, new, at);
        self.descriptions(old, new, at);
    }

    /// Returns `true` if both generate the same type, regardless of its name in the spec.
    fn is_same_type(&self, old: &Shape, new: &Shape, name: &str, owner: &Owner) -> bool {
        match (old, new) {
            (Shape::Named(old), Shape::Named(new)) => {
                self.renames.schema(old).unwrap_or(old) == new
            }
            (Shape::List(old), Shape::List(new)) | (Shape::Map(old), Shape::Map(new)) => {
                self.is_same_type(old, new, name, owner)
            }
            (Shape::OneOf(old), Shape::OneOf(new)) => {
                old.len() == new.len()
                    && old
                        .iter()
                        .zip(new)
                        .all(|(old, new)| self.is_same_type(old, new, name, owner))
            }
            // An inline type that became a named schema keeps its generated name, and vice versa.
            (Shape::Object | Shape::Enum, Shape::Named(named)) => {
                is_inline_type_name(named, &owner.old, name)
            }
            (Shape::Named(named), Shape::Object | Shape::Enum) => {
                is_inline_type_name(named, &owner.new, name)
            }
            (old, new) => old == new,
        }
    }

    fn nested(
        &mut self,
        old: &Value,
        new: &Value,
        at: &Location,
        name: &str,
        owner: &Owner,
        shape: &Shape,
    ) {
        match shape {
            Shape::Object => self.fields(old, new, at, owner),
            Shape::Enum => self.values(old, new, at),
            Shape::List(_) | Shape::Map(_) => {
                let (key, suffix) = if matches!(shape, Shape::List(_)) {
                    ("items", "[]")
                } else {
                    ("additionalProperties", "{}")
                };
                if let (Some(old), Some(new)) = (
                    old.get(key).filter(|node| node.is_object()),
                    new.get(key).filter(|node| node.is_object()),
                ) {
                    let at = at.join(format!("{}{suffix}", at.name), key);
                    self.schema(old, new, &at, name, owner);
                    self.nullable(Class::Breaking, old, new, &at);
                }
            }
            _ => {
                let composition = |node: &Value| {
                    let parts = ["allOf", "anyOf", "items", "oneOf", "properties", "required"];
                    parts.map(|key| node.get(key).map(structure::canonical))
                };
                if composition(old) != composition(new) {
                    let (class, text) = match shape {
                        Shape::OneOf(_) => (Class::Breaking, "one of its alternatives changed"),
                        _ => (
                            Class::Behaviour,
                            "declared differently; the type in the SDK is the same",
                        ),
                    };
                    self.push(class, Kind::Changed, Subject::Schema, at, text);
                }
            }
        }
    }

    /// Compares the fields of an object.
    fn fields(&mut self, old: &Value, new: &Value, at: &Location, owner: &Owner) {
        let empty = Map::new();
        let properties = |node: &Value| node.get("properties").and_then(Value::as_object).cloned();
        let (before, after) = (
            properties(old).unwrap_or_else(|| empty.clone()),
            properties(new).unwrap_or(empty),
        );
        let removed: Vec<_> = before
            .keys()
            .filter(|name| !after.contains_key(*name))
            .map(String::as_str)
            .collect();
        let added: Vec<_> = after
            .keys()
            .filter(|name| !before.contains_key(*name))
            .map(String::as_str)
            .collect();
        let location = |name: &str| {
            let mut location = at.join(format!("{}.{name}", at.name), "properties");
            (location.old, location.new) = (location.old.join(name), location.new.join(name));
            location
        };
        let is_required = |node: &Value, name: &str| set(node, "required").contains(name);
        let renamed = renames::pairs(&removed, &added, |old_name, new_name| {
            renames::resemble(old_name, new_name)
                && structure::canonical(&before[old_name]) == structure::canonical(&after[new_name])
                && is_required(old, old_name) == is_required(new, new_name)
        });
        for (old_name, new_name) in &renamed {
            let mut location = location(new_name);
            location.old = at.old.join("properties").join(old_name);
            self.renames.record_field(&location.new, old_name);
            let change = self.push(
                Class::Breaking,
                Kind::Renamed,
                Subject::Field,
                &location,
                format!("renamed from `{old_name}`"),
            );
            change.before = Some((*old_name).to_owned());
            change.after = Some((*new_name).to_owned());
            self.descriptions(&before[*old_name], &after[*new_name], &location);
        }
        for name in removed
            .iter()
            .filter(|name| !renamed.iter().any(|(old_name, _)| old_name == *name))
        {
            self.push(
                Class::Breaking,
                Kind::Removed,
                Subject::Field,
                &location(name),
                "removed",
            );
        }
        for name in added
            .iter()
            .filter(|name| !renamed.iter().any(|(_, new_name)| new_name == *name))
        {
            let shape = self.new.shape(&after[*name], name, &location(name).new);
            let (class, requirement) = match (is_required(new, name), owner.sent, owner.received) {
                (true, true, _) => (Class::Breaking, ", required in requests"),
                (true, false, _) => (Class::Behaviour, ", required"),
                (false, _, _) => (Class::Additive, ""),
            };
            let change = self.push(
                class,
                Kind::Added,
                Subject::Field,
                &location(name),
                format!("added{requirement}: {shape}"),
            );
            change.after = Some(shape.to_string());
        }
        for (name, old_field) in &before {
            let Some(new_field) = after.get(name) else {
                continue;
            };
            let location = location(name);
            self.schema(old_field, new_field, &location, name, owner);
            self.presence(
                (old_field, is_required(old, name)),
                (new_field, is_required(new, name)),
                &location,
                name,
                owner,
            );
        }
    }

    /// Compares whether a field is required, and whether it is nullable.
    fn presence(
        &mut self,
        (old, was_required): (&Value, bool),
        (new, is_required): (&Value, bool),
        at: &Location,
        name: &str,
        owner: &Owner,
    ) {
        let nullable = |node: &Value| {
            let has_null = node
                .get("enum")
                .and_then(Value::as_array)
                .is_some_and(|values| values.contains(&Value::Null));
            has_null || node.get("nullable") == Some(&Value::Bool(true))
        };
        let (was_nullable, is_nullable) = (nullable(old), nullable(new));
        if (was_required, was_nullable) == (is_required, is_nullable) {
            return;
        }
        let state = |required: bool, nullable: bool| match (required, nullable) {
            (true, false) => "required",
            (true, true) => "required or null",
            (false, false) => "optional",
            (false, true) => "optional or null",
        };
        let was_optional = !was_required || was_nullable;
        let is_optional = !is_required || is_nullable;
        // A list or a map is never optional for a reader: null, absent and empty are equivalent.
        let collection = matches!(
            self.new.shape(new, name, &at.new),
            Shape::List(_) | Shape::Map(_)
        );
        let (class, note) = match (was_optional, is_optional) {
            (true, false) if owner.sent => (Class::Breaking, "; requests must include it"),
            (false, true) if !owner.received => (Class::Additive, "; requests may omit it"),
            (before, after) if before != after && !collection && owner.received => (
                Class::Breaking,
                if after {
                    "; its type is now an `Option`"
                } else {
                    "; its type is no longer an `Option`"
                },
            ),
            (true, false) => (Class::Behaviour, ""),
            (false, true) => (Class::Additive, ""),
            // Optional in both: decoding does not change.
            _ => (
                if is_required && !was_required {
                    Class::Behaviour
                } else {
                    Class::Additive
                },
                "",
            ),
        };
        let subject = if was_required == is_required {
            Subject::Nullable
        } else {
            Subject::Required
        };
        let (before, after) = (
            state(was_required, was_nullable),
            state(is_required, is_nullable),
        );
        let change = self.push(
            class,
            Kind::Changed,
            subject,
            at,
            format!("was {before}, is {after}{note}"),
        );
        change.before = Some(before.to_owned());
        change.after = Some(after.to_owned());
    }

    /// Compares the values of an enum.
    fn values(&mut self, old: &Value, new: &Value, at: &Location) {
        let (before, after) = (set(old, "enum"), set(new, "enum"));
        let removed: Vec<_> = before.difference(&after).copied().collect();
        let added: Vec<_> = after.difference(&before).copied().collect();
        let renamed = renames::pairs(&removed, &added, renames::resemble);
        for (old_value, new_value) in &renamed {
            let change = self.push(
                Class::Breaking,
                Kind::Renamed,
                Subject::Value,
                at,
                format!("the value `{old_value}` is renamed to `{new_value}`"),
            );
            change.before = Some((*old_value).to_owned());
            change.after = Some((*new_value).to_owned());
        }
        for value in removed
            .iter()
            .filter(|value| !renamed.iter().any(|(old_value, _)| old_value == *value))
        {
            let change = self.push(
                Class::Breaking,
                Kind::Removed,
                Subject::Value,
                at,
                format!("the value `{value}` is removed"),
            );
            change.before = Some((*value).to_owned());
        }
        for value in added
            .iter()
            .filter(|value| !renamed.iter().any(|(_, new_value)| new_value == *value))
        {
            let change = self.push(
                Class::Additive,
                Kind::Added,
                Subject::Value,
                at,
                format!("the value `{value}` is added"),
            );
            change.after = Some((*value).to_owned());
        }
        let (before, after) = (variants(old), variants(new));
        for (value, variant) in before {
            let Some(new_variant) = after.get(&value).filter(|new| **new != variant) else {
                continue;
            };
            self.changed(
                Class::Breaking,
                Subject::Value,
                at,
                &format!("the variant of `{value}`"),
                &format!("`{variant}`"),
                &format!("`{new_variant}`"),
            );
        }
    }

    /// Compares keywords that do not affect the type: formats, defaults, constraints and the like.
    pub(super) fn keywords(&mut self, old: &Value, new: &Value, at: &Location) {
        let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
            return;
        };
        let keys: BTreeSet<&str> = before
            .keys()
            .chain(after.keys())
            .map(String::as_str)
            .collect();
        for key in keys {
            let (old_value, new_value) = (before.get(key), after.get(key));
            // `false` is equivalent to absence.
            let absent = Value::Bool(false);
            if old_value == new_value
                || (key == "deprecated"
                    && old_value.unwrap_or(&absent) == new_value.unwrap_or(&absent))
            {
                continue;
            }
            let same_type = ["format", "type"].contains(&key) && self.has_same_shape(old, new, at);
            let subject = match key {
                "default" => Subject::Default,
                "deprecated" => Subject::Deprecated,
                // A format that determines the type is reported as a change of the type.
                "format" if same_type => Subject::Format,
                "type" if same_type => Subject::Keyword,
                // Enums of numbers are plain numbers in Rust.
                "enum" if non_string_values(old_value) != non_string_values(new_value) => {
                    Subject::Keyword
                }
                // For objects with fields, which ignore other fields. For a map, the change of the type is reported.
                "additionalProperties"
                    if before.contains_key("properties") && after.contains_key("properties") =>
                {
                    Subject::Keyword
                }
                key if COMPARED_SEPARATELY.contains(&key)
                    || !structure::Keys::Keywords.is_structural(key) =>
                {
                    continue;
                }
                _ => Subject::Keyword,
            };
            self.changed(
                Class::Behaviour,
                subject,
                at,
                &format!("`{key}`"),
                &format_value(old_value),
                &format_value(new_value),
            );
        }
    }

    /// Compares the deprecation of an operation or a parameter.
    pub(super) fn deprecated(&mut self, old: &Value, new: &Value, at: &Location) {
        let (old_value, new_value) = (old.get("deprecated"), new.get("deprecated"));
        if (old_value == Some(&Value::Bool(true))) != (new_value == Some(&Value::Bool(true))) {
            self.changed(
                Class::Behaviour,
                Subject::Deprecated,
                at,
                "`deprecated`",
                &format_value(old_value),
                &format_value(new_value),
            );
        }
    }

    /// Compares the nullability of something other than a field.
    pub(super) fn nullable(&mut self, class: Class, old: &Value, new: &Value, at: &Location) {
        let (old_value, new_value) = (old.get("nullable"), new.get("nullable"));
        if (old_value == Some(&Value::Bool(true))) != (new_value == Some(&Value::Bool(true))) {
            self.changed(
                class,
                Subject::Nullable,
                at,
                "`nullable`",
                &format_value(old_value),
                &format_value(new_value),
            );
        }
    }

    fn has_same_shape(&self, old: &Value, new: &Value, at: &Location) -> bool {
        self.old.shape(old, "", &at.old) == self.new.shape(new, "", &at.new)
    }

    /// Compares descriptions, summaries and titles, each separately.
    pub(super) fn descriptions(&mut self, old: &Value, new: &Value, at: &Location) {
        for key in structure::DESCRIPTIVE_FIELDS
            .into_iter()
            .filter(|key| old.get(key) != new.get(key))
        {
            let text = |node: &Value| node.get(key).and_then(Value::as_str).map(str::to_owned);
            let change = self.push(
                Class::Prose,
                Kind::Changed,
                Subject::Description,
                at,
                format!("changed wording: {key}"),
            );
            (change.before, change.after) = (text(old), text(new));
        }
    }
}

/// Returns `true` if an inline type of a field of `owner` is named `named`.
fn is_inline_type_name(named: &str, owner: &str, field: &str) -> bool {
    let named = names::pascal(named);
    let is_unambiguous = names::is_compound(field) && names::pascal(field) == named;
    is_unambiguous || names::inline_type(owner, field) == named
}

/// Returns the enum values that are not strings.
fn non_string_values(list: Option<&Value>) -> BTreeSet<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter(|value| !value.is_string() && !value.is_null())
        .map(ToString::to_string)
        .collect()
}

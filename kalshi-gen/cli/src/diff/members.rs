//! Differences inside schemas: types, fields, values, constraints and descriptions.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    At, Class, Comparison, Kind, Subject,
    owner::Owner,
    renames,
    side::Shape,
    values::{format_value, set},
};
use kalshi_gen::internals::{names, spec::reference};

use crate::facts;

/// Keywords with a comparison of their own.
const OWN_WAY: [&str; 14] = [
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
    pub(super) fn node(&mut self, old: &Value, new: &Value, at: &At, name: &str, owner: &Owner) {
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
            self.inside(old, new, at, name, owner, shape);
        }
        self.keywords(old, new, at);
        self.words(old, new, at);
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
                is_name_of(named, &owner.old, name)
            }
            (Shape::Named(named), Shape::Object | Shape::Enum) => {
                is_name_of(named, &owner.new, name)
            }
            (old, new) => old == new,
        }
    }

    fn inside(
        &mut self,
        old: &Value,
        new: &Value,
        at: &At,
        name: &str,
        owner: &Owner,
        shape: &Shape,
    ) {
        match shape {
            Shape::Object => self.members(old, new, at, owner),
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
                    self.node(old, new, &at, name, owner);
                    self.nullable(Class::Breaking, old, new, &at);
                }
            }
            _ => {
                let made_of = |node: &Value| {
                    let parts = ["allOf", "anyOf", "items", "oneOf", "properties", "required"];
                    parts.map(|key| node.get(key).map(facts::facts))
                };
                if made_of(old) != made_of(new) {
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
    fn members(&mut self, old: &Value, new: &Value, at: &At, owner: &Owner) {
        let empty = Map::new();
        let of = |node: &Value| node.get("properties").and_then(Value::as_object).cloned();
        let (before, after) = (
            of(old).unwrap_or_else(|| empty.clone()),
            of(new).unwrap_or(empty),
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
        let place = |name: &str| {
            let mut place = at.join(format!("{}.{name}", at.name), "properties");
            (place.old, place.new) = (place.old.join(name), place.new.join(name));
            place
        };
        let is_required = |node: &Value, name: &str| set(node, "required").contains(name);
        let renamed = renames::pairs(&removed, &added, |was, is| {
            renames::resemble(was, is)
                && facts::facts(&before[was]) == facts::facts(&after[is])
                && is_required(old, was) == is_required(new, is)
        });
        for (was, is) in &renamed {
            let mut place = place(is);
            place.old = at.old.join("properties").join(was);
            self.renames.note_member(&place.new, was);
            let change = self.push(
                Class::Breaking,
                Kind::Renamed,
                Subject::Member,
                &place,
                format!("renamed from `{was}`"),
            );
            change.before = Some((*was).to_owned());
            change.after = Some((*is).to_owned());
            self.words(&before[*was], &after[*is], &place);
        }
        for name in removed
            .iter()
            .filter(|name| !renamed.iter().any(|(was, _)| was == *name))
        {
            self.push(
                Class::Breaking,
                Kind::Removed,
                Subject::Member,
                &place(name),
                "removed",
            );
        }
        for name in added
            .iter()
            .filter(|name| !renamed.iter().any(|(_, is)| is == *name))
        {
            let shape = self.new.shape(&after[*name], name, &place(name).new);
            let (class, how) = match (is_required(new, name), owner.sent, owner.received) {
                (true, true, _) => (Class::Breaking, ", required in requests"),
                (true, false, _) => (Class::Behaviour, ", required"),
                (false, _, _) => (Class::Additive, ""),
            };
            let change = self.push(
                class,
                Kind::Added,
                Subject::Member,
                &place(name),
                format!("added{how}: {shape}"),
            );
            change.after = Some(shape.to_string());
        }
        for (name, was) in &before {
            let Some(is) = after.get(name) else { continue };
            let place = place(name);
            self.node(was, is, &place, name, owner);
            self.presence(
                (was, is_required(old, name)),
                (is, is_required(new, name)),
                &place,
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
        at: &At,
        name: &str,
        owner: &Owner,
    ) {
        let nullable = |node: &Value| {
            let null_among = node
                .get("enum")
                .and_then(Value::as_array)
                .is_some_and(|values| values.contains(&Value::Null));
            null_among || node.get("nullable") == Some(&Value::Bool(true))
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
            (was, is) if was != is && !collection && owner.received => (
                Class::Breaking,
                if is {
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
    fn values(&mut self, old: &Value, new: &Value, at: &At) {
        let (before, after) = (set(old, "enum"), set(new, "enum"));
        let removed: Vec<_> = before.difference(&after).copied().collect();
        let added: Vec<_> = after.difference(&before).copied().collect();
        let renamed = renames::pairs(&removed, &added, renames::resemble);
        for (was, is) in &renamed {
            let change = self.push(
                Class::Breaking,
                Kind::Renamed,
                Subject::Value,
                at,
                format!("the value `{was}` is renamed to `{is}`"),
            );
            change.before = Some((*was).to_owned());
            change.after = Some((*is).to_owned());
        }
        for value in removed
            .iter()
            .filter(|value| !renamed.iter().any(|(was, _)| was == *value))
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
            .filter(|value| !renamed.iter().any(|(_, is)| is == *value))
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
    }

    /// Compares keywords that do not affect the type: formats, defaults, constraints and the like.
    pub(super) fn keywords(&mut self, old: &Value, new: &Value, at: &At) {
        let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
            return;
        };
        let keys: BTreeSet<&str> = before
            .keys()
            .chain(after.keys())
            .map(String::as_str)
            .collect();
        for key in keys {
            let (was, is) = (before.get(key), after.get(key));
            // `false` is equivalent to absence.
            let no = Value::Bool(false);
            if was == is || (key == "deprecated" && was.unwrap_or(&no) == is.unwrap_or(&no)) {
                continue;
            }
            let same_type = ["format", "type"].contains(&key) && self.same_type_here(old, new, at);
            let subject = match key {
                "default" => Subject::Default,
                "deprecated" => Subject::Deprecated,
                // A format that determines the type is reported as a change of the type.
                "format" if same_type => Subject::Format,
                "type" if same_type => Subject::Keyword,
                // Enums of numbers are plain numbers in Rust.
                "enum" if others(was) != others(is) => Subject::Keyword,
                // For objects with fields, which ignore other fields. For a map, the change of the type is reported.
                "additionalProperties"
                    if before.contains_key("properties") && after.contains_key("properties") =>
                {
                    Subject::Keyword
                }
                key if OWN_WAY.contains(&key) || !facts::Keys::Keywords.is_fact(key) => continue,
                _ => Subject::Keyword,
            };
            self.changed(
                Class::Behaviour,
                subject,
                at,
                &format!("`{key}`"),
                &format_value(was),
                &format_value(is),
            );
        }
    }

    /// Compares the deprecation of an operation or a parameter.
    pub(super) fn deprecated(&mut self, old: &Value, new: &Value, at: &At) {
        let (was, is) = (old.get("deprecated"), new.get("deprecated"));
        if (was == Some(&Value::Bool(true))) != (is == Some(&Value::Bool(true))) {
            self.changed(
                Class::Behaviour,
                Subject::Deprecated,
                at,
                "`deprecated`",
                &format_value(was),
                &format_value(is),
            );
        }
    }

    /// Compares the nullability of something other than a field.
    pub(super) fn nullable(&mut self, class: Class, old: &Value, new: &Value, at: &At) {
        let (was, is) = (old.get("nullable"), new.get("nullable"));
        if (was == Some(&Value::Bool(true))) != (is == Some(&Value::Bool(true))) {
            self.changed(
                class,
                Subject::Nullable,
                at,
                "`nullable`",
                &format_value(was),
                &format_value(is),
            );
        }
    }

    fn same_type_here(&self, old: &Value, new: &Value, at: &At) -> bool {
        self.old.shape(old, "", &at.old) == self.new.shape(new, "", &at.new)
    }

    /// Compares descriptions, summaries and titles, each separately.
    pub(super) fn words(&mut self, old: &Value, new: &Value, at: &At) {
        for key in facts::WORDS
            .into_iter()
            .filter(|key| old.get(key) != new.get(key))
        {
            let word = |node: &Value| node.get(key).and_then(Value::as_str).map(str::to_owned);
            let change = self.push(
                Class::Prose,
                Kind::Changed,
                Subject::Words,
                at,
                format!("changed wording: {key}"),
            );
            (change.before, change.after) = (word(old), word(new));
        }
    }
}

/// Returns `true` if an inline type of a field of `owner` is named `named`.
fn is_name_of(named: &str, owner: &str, member: &str) -> bool {
    let named = names::pascal(named);
    let alone = names::is_compound(member) && names::pascal(member) == named;
    alone || names::member_type(owner, member) == named
}

/// Returns the enum values that are not strings.
fn others(list: Option<&Value>) -> BTreeSet<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter(|value| !value.is_string() && !value.is_null())
        .map(ToString::to_string)
        .collect()
}

//! Changes of optional fields and nullable items that a comparison of schemas misses: both depend on the schemas that a field
//! refers to, and on whether requests contain them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Class, Comparison, Kind, Location, Subject, values::set};
use kalshi_gen::internals::spec;

/// A field of a generated type.
pub(super) struct Field {
    pub(super) schema: Value,
    /// `true` if its Rust type is an `Option`.
    is_optional: bool,
}

impl Field {
    /// Returns `true` if both have the same Rust type, apart from the names of types.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let without_description = |field: &Self| {
            let mut schema = field.schema.clone();
            schema["description"] = Value::Null;
            schema
        };
        self.is_optional == other.is_optional
            && without_description(self) == without_description(other)
    }
}

impl Comparison<'_> {
    /// Compares whether a field is an `Option`.
    pub(super) fn option(&mut self, at: &Location, old: &Field, new: &Field, is_received: bool) {
        let note = match (old.is_optional, new.is_optional) {
            (true, false) if is_received => "its type is no longer an `Option`",
            (true, false) => "requests must include it",
            (false, true) if is_received => "its type is now an `Option`",
            _ => return,
        };
        let is_presence =
            |subject: Subject| [Subject::Required, Subject::Nullable].contains(&subject);
        let mut reported = self.changes.iter_mut().filter(|change| {
            change.location == at.name
                && (change.class == Class::Breaking || is_presence(change.subject))
        });
        match reported.next() {
            Some(change) if change.class == Class::Breaking => {}
            Some(change) => {
                change.class = Class::Breaking;
                change.text.push_str(&format!("; {note}"));
            }
            None => _ = self.push(Class::Breaking, Kind::Changed, Subject::Nullable, at, note),
        }
    }

    /// Compares whether the items of a list, or the values of a map, are `Option`s.
    pub(super) fn nullable_items(&mut self, at: &Location, old: &Value, new: &Value) {
        let mut pairs = nullability(old).into_iter().zip(nullability(new));
        let Some((_, is_nullable)) = pairs.find(|(old, new)| old != new) else {
            return;
        };
        if !self.is_breaking_at(&at.name) {
            let text = match is_nullable {
                true => "its items are now `Option`s",
                false => "its items are no longer `Option`s",
            };
            self.push(Class::Breaking, Kind::Changed, Subject::Nullable, at, text);
        }
    }
}

/// Returns the fields of a type of a normalised spec.
pub(super) fn fields(tree: &Value, name: &str) -> BTreeMap<String, Field> {
    let Some(schema) = spec::schemas(tree).and_then(|all| all.get(name)) else {
        return BTreeMap::new();
    };
    let required = set(schema, "required");
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields
        .map(|(name, node)| {
            let field = Field {
                schema: node.clone(),
                is_optional: !required.contains(name.as_str()),
            };
            (name.clone(), field)
        })
        .collect()
}

/// Returns the schema of the items of a list or of the values of a map.
fn items(schema: &Value) -> Option<(&'static str, &Value)> {
    [("items", "[]"), ("additionalProperties", "{}")]
        .into_iter()
        .find_map(|(key, suffix)| Some((suffix, schema.get(key).filter(|node| node.is_object())?)))
}

/// Returns the suffix that locations of the innermost items have: `[]` for a list, `{}` for a map.
pub(super) fn items_suffix(schema: &Value) -> String {
    match items(schema) {
        Some((suffix, inner)) => suffix.to_owned() + &items_suffix(inner),
        None => String::new(),
    }
}

/// Returns for each level of lists and maps whether its items accept null.
fn nullability(schema: &Value) -> Vec<bool> {
    let (mut found, mut schema) = (Vec::new(), schema);
    while let Some((_, inner)) = items(schema) {
        found.push(inner["nullable"] == true);
        schema = inner;
    }
    found
}

//! Names for inline schemas: each enum, object and union inside another schema or a parameter becomes a named
//! component.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    docs,
    error::{Error, JsonPath},
    names, spec,
};

/// Moves every enum, object and union inside another schema or a parameter to a component with a stable name.
pub(crate) fn name(tree: &mut Value) -> Result<(), Error> {
    let mut found = InlineTypes::collect(tree);
    found.choose_names(tree)?;
    found.replace(tree);
    // A moved object may contain others.
    if found.moved_objects {
        name(tree)
    } else {
        Ok(())
    }
}

/// The inline enums, objects and unions of a tree, with their locations and new names.
#[derive(Default)]
struct InlineTypes {
    /// The schema of each inline type, by owner and field.
    schemas: BTreeMap<(String, String), Value>,
    names: BTreeMap<(String, String), String>,
    moved_objects: bool,
}

impl InlineTypes {
    fn collect(tree: &mut Value) -> Self {
        let mut found = Self::default();
        found.visit(tree, &mut |schemas, owner, field, node| {
            schemas.insert(
                (owner.to_owned(), field.to_owned()),
                Value::Object(node.clone()),
            );
        });
        found
    }

    /// Calls `visitor` with the owner and field of every inline enum, object and union.
    fn visit(
        &mut self,
        tree: &mut Value,
        visitor: &mut impl FnMut(
            &mut BTreeMap<(String, String), Value>,
            &str,
            &str,
            &mut Map<String, Value>,
        ),
    ) {
        fn inner(
            schemas: &mut BTreeMap<(String, String), Value>,
            owner: &str,
            field: &str,
            schema: &mut Value,
            visitor: &mut impl FnMut(
                &mut BTreeMap<(String, String), Value>,
                &str,
                &str,
                &mut Map<String, Value>,
            ),
        ) {
            let Value::Object(node) = schema else { return };
            for key in ["items", "additionalProperties"] {
                if let Some(next) = node.get_mut(key) {
                    inner(schemas, owner, field, next, visitor);
                }
            }
            let [is_union, has_items, has_values] =
                ["oneOf", "items", "additionalProperties"].map(|key| node.contains_key(key));
            if node.contains_key("enum")
                || node.contains_key("properties")
                || (is_union && !has_items && !has_values)
            {
                visitor(schemas, owner, field, node);
            }
        }
        if let Some(Value::Object(schemas)) = tree.pointer_mut("/components/schemas") {
            for (owner, schema) in schemas {
                for key in ["items", "additionalProperties"] {
                    if let Some(next) = schema.get_mut(key) {
                        inner(&mut self.schemas, owner, "item", next, visitor);
                    }
                }
                for (field, schema) in schema
                    .get_mut("properties")
                    .and_then(Value::as_object_mut)
                    .into_iter()
                    .flatten()
                {
                    inner(&mut self.schemas, owner, field, schema, visitor);
                }
            }
        }
        for item in tree["paths"]
            .as_object_mut()
            .into_iter()
            .flat_map(|paths| paths.values_mut())
        {
            for operation in item
                .as_object_mut()
                .into_iter()
                .flat_map(|item| item.values_mut())
            {
                let id = operation["operationId"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
                    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                    let owner = parameter["x-component"]
                        .as_str()
                        .map_or_else(|| id.clone(), |name| format!("#{name}"));
                    let description = parameter.get("description").cloned();
                    if let Some(schema) = parameter.get_mut("schema") {
                        if let (Some(Value::Object(node)), Some(text)) =
                            (innermost(schema), description)
                        {
                            node.entry("description").or_insert(text);
                        }
                        inner(&mut self.schemas, &owner, &name, schema, visitor);
                    }
                }
                for (pointer, name) in
                    [("/requestBody/content/application~1json/schema", "request")]
                {
                    if let Some(schema) = operation.pointer_mut(pointer) {
                        inner(&mut self.schemas, &id, name, schema, visitor);
                    }
                }
                for response in operation["responses"]
                    .as_object_mut()
                    .into_iter()
                    .flat_map(|all| all.values_mut())
                {
                    if let Some(schema) = response.pointer_mut("/content/application~1json/schema")
                    {
                        inner(&mut self.schemas, &id, "response", schema, visitor);
                    }
                }
            }
        }
    }

    fn choose_names(&mut self, tree: &Value) -> Result<(), Error> {
        let schemas = spec::schemas(tree).cloned().unwrap_or_default();
        let named_enums: Vec<(&String, BTreeSet<String>)> = schemas
            .iter()
            .filter(|(_, schema)| schema.get("enum").is_some())
            .map(|(name, schema)| (name, values(schema)))
            .collect();
        // A compound field name with the same values everywhere names its type without the owner: `TimeInForce`.
        let mut by_field: BTreeMap<&str, Vec<BTreeSet<String>>> = BTreeMap::new();
        for ((_, field), schema) in &self.schemas {
            if schema.get("enum").is_some() && names::is_compound(field) {
                by_field.entry(field).or_default().push(values(schema));
            }
        }
        let qualified_names: BTreeSet<String> = self
            .schemas
            .keys()
            .map(|(owner, field)| names::inline_type(owner.trim_start_matches('#'), field))
            .chain(schemas.keys().map(|name| names::pascal(name)))
            .collect();
        // Names that differ in the spec may be the same in Rust.
        let by_rust_name: BTreeMap<String, (&String, &Value)> = schemas
            .iter()
            .map(|(name, schema)| (names::pascal(name), (name, schema)))
            .collect();
        let mut assigned: BTreeMap<String, Value> = BTreeMap::new();
        for ((owner, field), schema) in &self.schemas {
            // Equal values alone do not make a `result` a side: the names must also agree.
            let matching = named_enums.iter().filter(|(name, set)| {
                schema.get("enum").is_some()
                    && *set == values(schema)
                    && names::last_word(name) == names::last_word(field)
            });
            let mut matching = matching.map(|(name, _)| (*name).clone());
            let name = match (matching.next(), matching.next()) {
                (Some(name), None) => name,
                _ => {
                    let field_type_name = names::pascal(field);
                    let is_unambiguous = by_field.get(field.as_str()).is_some_and(|sets| {
                        sets.iter().all(|set| Some(set) == sets.first())
                            && !qualified_names.contains(&field_type_name)
                    });
                    match owner.strip_prefix('#') {
                        _ if is_unambiguous => field_type_name,
                        Some(component) => component.to_owned(),
                        None => names::inline_type(owner, field),
                    }
                }
            };
            let clashes = |name: &str| {
                let rust_name = names::pascal(name);
                by_rust_name.get(&rust_name).is_some_and(|(_, other)| {
                    values(other) != values(schema) || other.get("enum").is_none()
                }) || assigned
                    .get(&rust_name)
                    .is_some_and(|other| type_key(other) != type_key(schema))
            };
            // An object or a union takes another name. That of an enum may be one that hand-written code replaces.
            let others = [format!("{name}Item"), format!("{name}2")];
            let other = others.into_iter().find(|other| {
                schema.get("enum").is_none()
                    && clashes(&name)
                    && !clashes(other)
                    && !qualified_names.contains(&names::pascal(other))
            });
            let name = other.unwrap_or(name);
            if clashes(&name) {
                let path = JsonPath::new(&[
                    "components",
                    "schemas",
                    owner.trim_start_matches('#'),
                    "properties",
                    field,
                ]);
                return Err(Error::at(
                    &path,
                    format!(
                        "the type defined here would be named `{name}`, which another type already uses"
                    ),
                ));
            }
            let rust_name = names::pascal(&name);
            let named = by_rust_name.get(&rust_name);
            let name = named.map_or(name, |(name, _)| (*name).clone());
            assigned.insert(rust_name, schema.clone());
            self.names.insert((owner.clone(), field.clone()), name);
        }
        Ok(())
    }

    fn replace(&mut self, tree: &mut Value) {
        let names = std::mem::take(&mut self.names);
        let mut components = Map::new();
        let mut moved_objects = false;
        self.visit(tree, &mut |_, owner, field, node| {
            let Some(name) = names.get(&(owner.to_owned(), field.to_owned())) else {
                return;
            };
            let mut schema = std::mem::take(node);
            let field_keywords = ["nullable", "deprecated"].map(|key| (key, schema.remove(key)));
            moved_objects |= schema.contains_key("properties");
            match schema.get("description") {
                Some(text) => _ = node.insert("description".into(), text.clone()),
                // An enum without a description is documented by its values.
                None if schema.contains_key("properties") => {
                    schema.insert("description".into(), describe(owner, field).into());
                }
                None => {}
            }
            for (key, value) in field_keywords {
                node.extend(value.map(|value| (key.to_owned(), value)));
            }
            node.insert(
                "allOf".into(),
                json!([{ "$ref": format!("#/components/schemas/{name}") }]),
            );
            components
                .entry(name.clone())
                .or_insert(Value::Object(schema));
        });
        if let Some(Value::Object(schemas)) = tree.pointer_mut("/components/schemas") {
            for (name, schema) in components {
                schemas.entry(name).or_insert(schema);
            }
        }
        self.moved_objects = moved_objects;
    }
}

/// Returns a description for an inline object without one. The object may be the field or an item of it.
fn describe(owner: &str, field: &str) -> String {
    let owner = docs::inline_code(owner.trim_start_matches('#'));
    match field {
        "request" | "response" | "item" => format!("Part of {owner}."),
        field => format!("Part of {owner}: {}.", docs::inline_code(field)),
    }
}

/// Returns the schema of a list's innermost items, or the schema itself if it is not a list.
fn innermost(schema: &mut Value) -> Option<&mut Value> {
    if schema.get("items").is_some() {
        schema.get_mut("items")
    } else {
        Some(schema)
    }
}

/// Returns the values of an enum.
fn values(schema: &Value) -> BTreeSet<String> {
    let list = schema
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns the parts of a schema that determine its Rust type.
fn type_key(schema: &Value) -> (BTreeSet<String>, [Option<&Value>; 2]) {
    let parts = ["properties", "oneOf"].map(|key| schema.get(key));
    (values(schema), parts)
}

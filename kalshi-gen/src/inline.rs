//! Names for inline schemas: each enum, object and union inside another schema or a parameter becomes a named
//! component.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    docs,
    error::{Error, JsonPath},
    names,
    options::EnumType,
    spec::{self, str_field},
};

/// Moves every enum, object and union inside another schema or a parameter to a component with a stable name. Hand-written
/// types replace the enums `replaced`, whose names must not go to others.
pub(crate) fn name(tree: &mut Value, replaced: &[EnumType]) -> Result<(), Error> {
    let mut schemas = BTreeMap::new();
    visit(tree, &mut |origin, node| {
        schemas.insert(origin.clone(), Value::Object(node.clone()));
    });
    let names = choose_names(tree, &schemas, replaced)?;
    // A moved object may contain others.
    if replace(tree, &names) {
        name(tree, replaced)
    } else {
        Ok(())
    }
}

/// The element that contains an inline type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    /// The name of a schema or a component, or the id of an operation.
    owner: String,
    /// The name of the field or the parameter, `item`, `request` or `response`.
    field: String,
    place: Place,
}

/// The kind of element that contains an inline type. A schema and an operation may have the same name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A field of a named schema, or the items of a named list or map.
    Schema,
    /// The request body or the response of an operation.
    Body,
    /// A parameter of an operation.
    Parameter,
    /// A parameter that operations share.
    SharedParameter,
}

impl Origin {
    fn new(owner: &str, field: &str, place: Place) -> Self {
        Self {
            owner: owner.to_owned(),
            field: field.to_owned(),
            place,
        }
    }

    /// Returns the type name that includes the owner.
    fn qualified_name(&self) -> String {
        match self.place {
            Place::SharedParameter => self.owner.clone(),
            _ => names::inline_type(&self.owner, &self.field),
        }
    }

    fn json_path(&self, tree: &Value) -> JsonPath {
        let schema = JsonPath::new(&["components", "schemas", &self.owner]);
        match self.place {
            Place::Schema if self.field == "item" => schema,
            Place::Schema => schema.join("properties").join(&self.field),
            Place::SharedParameter => JsonPath::new(&["components", "parameters", &self.owner]),
            Place::Parameter | Place::Body => {
                let mut operations = spec::operations(tree);
                let id = Some(self.owner.as_str());
                match operations.find(|(_, _, node)| str_field(node, "operationId") == id) {
                    Some((path, method, _)) => JsonPath::new(&["paths", path, method]),
                    None => JsonPath::new(&["paths"]),
                }
            }
        }
    }
}

/// The JSON pointer from a body or a response to its schema.
const CONTENT: &str = "/content/application~1json/schema";

/// Calls `visitor` for every inline enum, object and union.
fn visit(tree: &mut Value, visitor: &mut impl FnMut(&Origin, &mut Map<String, Value>)) {
    fn inner(
        origin: &Origin,
        schema: &mut Value,
        visitor: &mut impl FnMut(&Origin, &mut Map<String, Value>),
    ) {
        let Value::Object(node) = schema else { return };
        for key in ["items", "additionalProperties"] {
            if let Some(next) = node.get_mut(key) {
                inner(origin, next, visitor);
            }
        }
        let [is_union, has_items, has_values] =
            ["oneOf", "items", "additionalProperties"].map(|key| node.contains_key(key));
        if node.contains_key("enum")
            || node.contains_key("properties")
            || (is_union && !has_items && !has_values)
        {
            visitor(origin, node);
        }
    }
    if let Some(Value::Object(schemas)) = tree.pointer_mut("/components/schemas") {
        for (owner, schema) in schemas {
            for key in ["items", "additionalProperties"] {
                if let Some(next) = schema.get_mut(key) {
                    inner(&Origin::new(owner, "item", Place::Schema), next, visitor);
                }
            }
            let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
            for (field, schema) in fields.into_iter().flatten() {
                inner(&Origin::new(owner, field, Place::Schema), schema, visitor);
            }
        }
    }
    let items = tree["paths"].as_object_mut().into_iter();
    let items = items.flat_map(|paths| paths.values_mut());
    for operation in items
        .filter_map(Value::as_object_mut)
        .flat_map(|item| item.values_mut())
    {
        let id = operation["operationId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            let origin = match parameter["x-component"].as_str() {
                Some(component) => Origin::new(component, name, Place::SharedParameter),
                None => Origin::new(&id, name, Place::Parameter),
            };
            let description = parameter.get("description").cloned();
            if let Some(schema) = parameter.get_mut("schema") {
                if let (Some(Value::Object(node)), Some(text)) = (innermost(schema), description) {
                    node.entry("description").or_insert(text);
                }
                inner(&origin, schema, visitor);
            }
        }
        let body = operation.get_mut("requestBody");
        if let Some(schema) = body.and_then(|body| body.pointer_mut(CONTENT)) {
            inner(&Origin::new(&id, "request", Place::Body), schema, visitor);
        }
        let responses = operation["responses"].as_object_mut().into_iter();
        for response in responses.flat_map(|all| all.values_mut()) {
            if let Some(schema) = response.pointer_mut(CONTENT) {
                inner(&Origin::new(&id, "response", Place::Body), schema, visitor);
            }
        }
    }
}

fn choose_names(
    tree: &Value,
    inline: &BTreeMap<Origin, Value>,
    replaced: &[EnumType],
) -> Result<BTreeMap<Origin, String>, Error> {
    let schemas = spec::schemas(tree).cloned().unwrap_or_default();
    let named_enums: Vec<(&String, BTreeSet<String>)> = schemas
        .iter()
        .filter(|(_, schema)| schema.get("enum").is_some())
        .map(|(name, schema)| (name, values(schema)))
        .collect();
    // A compound field name with the same values everywhere names its type without the owner: `TimeInForce`.
    let mut by_field: BTreeMap<&str, Vec<BTreeSet<String>>> = BTreeMap::new();
    for (Origin { field, .. }, schema) in inline {
        if schema.get("enum").is_some() && names::is_compound(field) {
            by_field.entry(field).or_default().push(values(schema));
        }
    }
    let qualified_names: BTreeSet<String> = inline
        .keys()
        .map(|origin| names::inline_type(&origin.owner, &origin.field))
        .chain(schemas.keys().map(|name| names::pascal(name)))
        .collect();
    // Names that differ in the spec may be the same in Rust.
    let by_rust_name: BTreeMap<String, (&String, &Value)> = schemas
        .iter()
        .map(|(name, schema)| (names::pascal(name), (name, schema)))
        .collect();
    let mut assigned: BTreeMap<String, Value> = BTreeMap::new();
    let mut chosen = BTreeMap::new();
    for (origin, schema) in inline {
        let field = &origin.field;
        let is_enum = schema.get("enum").is_some();
        // Equal values alone do not make a `result` a side: the names must also agree.
        let matching = named_enums.iter().filter(|(name, set)| {
            is_enum && *set == values(schema) && names::last_word(name) == names::last_word(field)
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
                if is_unambiguous {
                    field_type_name
                } else {
                    origin.qualified_name()
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
        // An enum that a hand-written type replaces keeps its name.
        let is_replaced = is_enum && replaced.iter().any(|one| one.name == names::pascal(&name));
        let suffix = if is_enum { "Value" } else { "Item" };
        let others = [format!("{name}{suffix}"), format!("{name}2")];
        let other = others.into_iter().find(|other| {
            !is_replaced
                && clashes(&name)
                && !clashes(other)
                && !qualified_names.contains(&names::pascal(other))
        });
        let name = other.unwrap_or(name);
        if clashes(&name) {
            return Err(Error::at(
                &origin.json_path(tree),
                format!(
                    "the inline type of `{field}` would be named `{name}`, which another type already uses"
                ),
            ));
        }
        let rust_name = names::pascal(&name);
        let named = by_rust_name.get(&rust_name);
        let name = named.map_or(name, |(name, _)| (*name).clone());
        assigned.insert(rust_name, schema.clone());
        chosen.insert(origin.clone(), name);
    }
    Ok(chosen)
}

/// Replaces the inline types by references to components. Returns `true` if objects were moved.
fn replace(tree: &mut Value, names: &BTreeMap<Origin, String>) -> bool {
    let mut components = Map::new();
    let mut moved_objects = false;
    visit(tree, &mut |origin, node| {
        let Some(name) = names.get(origin) else {
            return;
        };
        let mut schema = std::mem::take(node);
        let field_keywords = ["nullable", "deprecated"].map(|key| (key, schema.remove(key)));
        moved_objects |= schema.contains_key("properties");
        match schema.get("description") {
            Some(text) => _ = node.insert("description".into(), text.clone()),
            // An enum without a description is documented by its values.
            None if schema.contains_key("properties") => {
                schema.insert("description".into(), describe(origin).into());
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
    moved_objects
}

/// Returns a description for an inline object without one. The object may be the field or an item of it.
fn describe(origin: &Origin) -> String {
    let owner = docs::inline_code(&origin.owner);
    match origin.field.as_str() {
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

//! First stage: converts the published spec into one that progenitor accepts and that gives idiomatic Rust.
//!
//! It works on the JSON tree, where each rule takes a few lines, and produces an `openapiv3` document.

use std::collections::{BTreeMap, BTreeSet};

use openapiv3::OpenAPI;
use serde_json::{Map, Value, json};

use crate::{
    compose,
    error::{Error, JsonPath},
    inline, names, nullable, operations,
    options::EnumType,
    paths, reserved,
    scalars::{DECIMAL, SCALARS, SUBACCOUNT, scalar},
    spec::{self, schema_name},
    visit::for_each_schema,
};

/// A spec in the form that the later stages use.
pub struct Normalized {
    /// The spec as a tree. Each operation has one JSON body, one success and one error response, and
    /// every schema is named.
    pub tree: Value,
    /// The schemas that requests contain.
    pub sent: BTreeSet<String>,
    /// The response fields that hold the cursor of the next page, as pairs of schema and field.
    pub cursors: BTreeSet<(String, String)>,
}

impl Normalized {
    /// Parses the tree as an `openapiv3` document.
    pub(crate) fn openapi(&self) -> Result<OpenAPI, Error> {
        let mut tree = self.tree.clone();
        // Variants are generated later from the spec's own values, so typify need not find names for them.
        if let Some(Value::Object(schemas)) = tree.pointer_mut("/components/schemas") {
            for schema in schemas
                .values_mut()
                .filter(|schema| schema.get("enum").is_some())
            {
                schema["enum"] = json!(["one", "other"]);
            }
        }
        join_plurals(&mut tree);
        serde_json::from_value(tree)
            .map_err(|error| Error::document(format!("not an OpenAPI 3.0 document: {error}")))
    }

    /// Returns an error if the spec lacks the enum that a hand-written type replaces, or has other values for it.
    pub(crate) fn check_enum(&self, expected: &EnumType) -> Result<(), Error> {
        let EnumType { name, values, .. } = expected;
        let mut schemas = spec::schemas(&self.tree).into_iter().flatten();
        let found = schemas.find(|(schema, _)| names::pascal(schema) == *name);
        let found = found.and_then(|(_, schema)| schema.get("enum"));
        match found {
            Some(found) if *found == json!(values) => Ok(()),
            Some(found) => Err(Error::document(format!(
                "enum `{name}` has the values {found}, but the hand-written type has {}",
                json!(values)
            ))),
            None => Err(Error::document(format!(
                "enum `{name}` is not in the spec, but a hand-written type replaces it"
            ))),
        }
    }
}

/// Renames operations and schemas so that progenitor and typify derive the Rust names of [`names`].
fn join_plurals(node: &mut Value) {
    if let Some(Value::Object(schemas)) = node.pointer_mut("/components/schemas") {
        *schemas = std::mem::take(schemas)
            .into_iter()
            .map(|(name, schema)| (names::join_plurals(&name), schema))
            .collect();
    }
    fn rename(node: &mut Value) {
        match node {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match value {
                        Value::String(text) if key == "operationId" || key == "$ref" => {
                            *text = names::join_plurals(text);
                        }
                        value => rename(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(rename),
            _ => {}
        }
    }
    rename(node);
}

/// Normalises a checked document to which the fixups have been applied. Hand-written types replace the enums `replaced`.
pub(crate) fn normalize(document: Value, replaced: &[EnumType]) -> Result<Normalized, Error> {
    let document = sorted(document);
    let mut tree = json!({
        "openapi": document["openapi"],
        "info": { "title": document["info"]["title"], "version": document["info"]["version"] },
        "paths": paths::normalize(&document)?,
        "components": { "schemas": document.pointer("/components/schemas").cloned().unwrap_or_else(|| json!({})) },
    });
    if let Some(text) = document.pointer("/info/description") {
        tree["info"]["description"] = text.clone();
    }
    compose::simplify(&mut tree);
    nullable::propagate(&mut tree);
    compose::merge_all_of(&mut tree, 0)?;
    compose::inline_collections(&mut tree);
    scalars(&mut tree);
    for_each_schema(&mut tree, &mut reduce);
    nullable::clear_parameters(&mut tree);
    inline::name(&mut tree, replaced)?;

    let sent = spec::reachable(&tree, |operation| operation.get("requestBody"));
    let received = spec::reachable(&tree, |operation| operation.get("responses"));
    let parameters = spec::reachable(&tree, |operation| operation.get("parameters"));
    if let Some(Value::Object(schemas)) = tree.pointer_mut("/components/schemas") {
        schemas.retain(|name, _| {
            let kept = [&sent, &received, &parameters]
                .iter()
                .any(|set| set.contains(name));
            kept || SCALARS.iter().any(|(scalar, _)| scalar == name)
        });
        for (name, schema) in schemas {
            set_optional_fields(schema, received.contains(name) && !sent.contains(name));
        }
    }
    check_names(&tree)?;
    let cursors = cursors(&mut tree)?;
    let tree = sorted(tree);
    Ok(Normalized {
        tree,
        sent,
        cursors,
    })
}

/// Rejects types, including those of inline schemas, that have the same name in Rust or a name that is reserved
/// in the generated code.
fn check_names(tree: &Value) -> Result<(), Error> {
    let mut rust_names = BTreeMap::new();
    for (name, _) in spec::schemas(tree).into_iter().flatten() {
        let path = JsonPath::new(&["components", "schemas", name]);
        let rust_name = names::pascal(name);
        let is_scalar = SCALARS.iter().any(|(scalar, _)| scalar == name);
        if !is_scalar && reserved::is_type(&rust_name) {
            return Err(Error::at(
                &path,
                format!("the name `{rust_name}` is reserved in the generated code"),
            ));
        }
        if let Some(other) = rust_names.insert(rust_name, name) {
            return Err(Error::at(
                &path,
                format!("has the same name in Rust as `{other}`"),
            ));
        }
    }
    Ok(())
}

/// Finds the cursors of paginated responses and makes them required strings, which are empty on the last page.
fn cursors(tree: &mut Value) -> Result<BTreeSet<(String, String)>, Error> {
    let mut found = BTreeSet::new();
    for operation in operations::list(tree)? {
        if let (Some(paging), Some(response)) = (operation.paging, operation.response) {
            found.insert((response, paging.cursor_field));
        }
    }
    for (name, field) in &found {
        let schema = &mut tree["components"]["schemas"][name];
        let description = schema["properties"][field]
            .get("description")
            .cloned()
            .unwrap_or_default();
        schema["properties"][field] =
            json!({ "type": "string", "description": description.as_str().unwrap_or_default() });
        if schema.get("required").is_none() {
            schema["required"] = json!([]);
        }
        if let Some(Value::Array(required)) = schema.get_mut("required")
            && !required.iter().any(|other| other == field)
        {
            required.push(json!(field));
        }
    }
    Ok(found)
}

/// Sorts every mapping by key, even if another crate enables insertion order in `serde_json`.
fn sorted(node: Value) -> Value {
    match node {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().collect();
            Value::Object(
                fields
                    .into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        leaf => leaf,
    }
}

/// Reduces a schema to what determines its Rust type. Bounds and defaults remain in the documentation only.
fn reduce(_: &str, node: &mut Map<String, Value>) {
    node.retain(|key, _| {
        const KEPT: [&str; 14] = [
            "$ref",
            "type",
            "format",
            "properties",
            "required",
            "items",
            "additionalProperties",
            "allOf",
            "oneOf",
            "anyOf",
            "enum",
            "nullable",
            "description",
            "deprecated",
        ];
        KEPT.contains(&key.as_str())
    });
    // The first alternative that matches is used, even if another would match too.
    if let Some(alternatives) = node.remove("anyOf") {
        node.entry("oneOf").or_insert(alternatives);
    }
    let mut kind = node
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let format = node
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let known = match kind.as_str() {
        "string" => ["date-time", "date"].contains(&format),
        "integer" => ["int32", "int64", "uint32", "uint64"].contains(&format),
        "number" => ["float", "double"].contains(&format),
        _ => false,
    };
    if !known {
        node.remove("format");
    }
    if kind == "integer" && !node.contains_key("format") {
        node.insert("format".into(), json!("int64"));
    }
    if let Some(Value::Array(values)) = node.get("enum") {
        let (has_strings, has_null) = (
            values.iter().any(Value::is_string),
            values.contains(&Value::Null),
        );
        if has_null {
            node.insert("nullable".into(), Value::Bool(true));
        }
        if kind.is_empty() && has_strings {
            "string".clone_into(&mut kind);
            node.insert("type".into(), json!("string"));
        }
    }
    // Only strings become enums, and only if all values are strings.
    let is_string_enum = node
        .get("enum")
        .and_then(Value::as_array)
        .is_none_or(|list| {
            kind == "string"
                && list
                    .iter()
                    .all(|value| value.is_string() || value.is_null())
        });
    if !is_string_enum {
        node.remove("enum");
    }
    if let Some(Value::Array(values)) = node.get_mut("enum") {
        values.retain(Value::is_string);
        let mut seen = BTreeSet::new();
        values.retain(|value| seen.insert(value.to_string()));
        if values.is_empty() {
            node.remove("enum");
        }
    }
    if kind == "object"
        && node
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|fields| !fields.is_empty())
    {
        node.remove("additionalProperties");
    }
    if node.get("deprecated") == Some(&Value::Bool(true)) {
        let text = node
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !text.to_ascii_lowercase().contains("deprecated") {
            let text = format!("Deprecated. {text}");
            node.insert("description".into(), json!(text.trim()));
        }
    }
    // OpenAPI 3.0 ignores keys beside a `$ref`, so a reference with a description of its own becomes an `allOf` of one.
    if node.contains_key("$ref") && node.len() > 1 {
        let reference = node.remove("$ref");
        node.remove("type");
        node.remove("format");
        node.insert("allOf".into(), json!([{ "$ref": reference }]));
    }
}

/// Replaces numbers, and strings that hold money, an id or a secret, with scalar types: fields named `*_dollars`, `*_fp` and
/// `private_key`, UUIDs, schemas that a fixup marked with `x-kalshi-type`, and references to them.
fn scalars(tree: &mut Value) {
    let reference = |kind: &str| json!([{ "$ref": format!("#/components/schemas/{kind}") }]);
    let marked: BTreeMap<String, String> = spec::schemas(tree)
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| {
            let mark = schema.get("x-kalshi-type")?.as_str()?;
            Some((format!("#/components/schemas/{name}"), mark.to_owned()))
        })
        .collect();
    let schemas = tree["components"]["schemas"].clone();
    for_each_schema(tree, &mut |name, node| {
        let target = node
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| marked.get(reference));
        let referenced = node
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(schema_name)
            .and_then(|name| schemas.get(name));
        let candidates = [Some(&*node), referenced.and_then(Value::as_object)];
        // The mark of a field takes precedence over that of the schema it refers to.
        let own = node.get("x-kalshi-type").and_then(Value::as_str);
        let kind = match own.or(target.map(String::as_str)) {
            Some(kind) => kind.to_owned(),
            None => match candidates
                .into_iter()
                .flatten()
                .find_map(|candidate| scalar(name, candidate))
            {
                Some(kind) => kind.to_owned(),
                None => return,
            },
        };
        node.retain(|key, _| ["description", "nullable", "deprecated"].contains(&key.as_str()));
        node.insert("allOf".into(), reference(&kind));
    });
    for (kind, _) in SCALARS {
        let base = match kind {
            SUBACCOUNT => "integer",
            DECIMAL => "number",
            _ => "string",
        };
        tree["components"]["schemas"][kind] = json!({ "type": base });
    }
}

/// Determines which fields are optional. In responses, lists and maps are never optional (null or absent is empty), and
/// nullable fields may be absent. In requests, an optional field that is not set is not sent.
fn set_optional_fields(schema: &mut Value, is_response: bool) {
    let Value::Object(node) = schema else { return };
    node.remove("nullable");
    let mut required: Vec<Value> = node
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for (name, field) in node
        .get_mut("properties")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        let Value::Object(field) = field else {
            continue;
        };
        let nullable = field.remove("nullable") == Some(Value::Bool(true));
        let kind = field.get("type").and_then(Value::as_str);
        let collection =
            kind == Some("array") || (kind == Some("object") && !field.contains_key("properties"));
        required.retain(|other| other.as_str() != Some(name) || !nullable);
        if is_response && collection && !required.iter().any(|other| other.as_str() == Some(name)) {
            required.push(json!(name));
        }
    }
    if node.contains_key("properties") {
        node.insert("required".into(), Value::Array(required));
    }
}

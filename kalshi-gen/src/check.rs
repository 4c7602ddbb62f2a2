//! The checks of a contract: what is no contract, and what the later stages cannot express, is refused with its place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::{
    contract::{METHODS, dereference, follow, resolve, schema_name, schemas, text},
    error::{Error, Place},
    names,
    normalize::SCALARS,
};

/// Operations that would have the name of a method or a type the generated code uses.
const RESERVED_OPERATIONS: [&str; 13] = [
    "all",
    "base_url",
    "builder",
    "call",
    "call_list",
    "call_without_answer",
    "clone",
    "environment",
    "error",
    "from_env",
    "http",
    "result",
    "response_value",
];

/// Parameters that would have the name of a method of their call's builder.
const RESERVED_PARAMETERS: [&str; 5] = ["body", "body_map", "into_request", "new", "send"];

/// Checks that a document is an OpenAPI 3.0 contract this generator can express.
pub(crate) fn check(document: &Value) -> Result<(), Error> {
    let Some(root) = document.as_object() else {
        return Err(Error::document(
            "not a contract: the document is no mapping (an error page or a truncated file?)",
        ));
    };
    if root.contains_key("swagger") {
        return Err(Error::document(
            "Swagger 2 is not supported; convert the contract to OpenAPI 3.0",
        ));
    }
    match root.get("openapi").and_then(Value::as_str) {
        Some(version) if version.starts_with("3.0.") => {}
        Some(version) => {
            return Err(Error::at(
                &Place::of(&["openapi"]),
                format!("OpenAPI {version} is not supported; kalshi-gen reads 3.0.x"),
            ));
        }
        None => {
            return Err(Error::document(
                "not a contract: there is no text member `openapi`",
            ));
        }
    }
    for key in ["title", "version"] {
        if document
            .pointer(&format!("/info/{key}"))
            .and_then(Value::as_str)
            .is_none()
        {
            return Err(Error::at(
                &Place::of(&["info", key]),
                "this text is missing",
            ));
        }
    }
    check_schemas(document)?;
    check_operations(document)
}

fn check_schemas(document: &Value) -> Result<(), Error> {
    let components = Place::of(&["components", "schemas"]);
    let Some(value) = document.pointer("/components/schemas") else {
        return Ok(());
    };
    let schemas = object(value, &components)?;
    let mut rust_names = BTreeMap::new();
    for (name, schema) in schemas {
        let place = components.join(name);
        identifier(name, &place)?;
        let taken = ["Default", "Self"].contains(&names::pascal(name).as_str());
        if taken || SCALARS.iter().any(|(scalar, _)| scalar == name) {
            return Err(Error::at(
                &place,
                "is the name of something else in the generated code",
            ));
        }
        if let Some(other) = rust_names.insert(names::pascal(name), name) {
            return Err(Error::at(
                &place,
                format!("has the same name in Rust as `{other}`"),
            ));
        }
        check_schema(document, schema, &place)?;
        check_alias(document, name, &place)?;
    }
    Ok(())
}

/// A schema that is, through `$ref` and `allOf` alone, itself.
fn check_alias(document: &Value, name: &str, place: &Place) -> Result<(), Error> {
    fn parts(schema: &Value) -> Vec<&str> {
        let one = schema.get("$ref").and_then(Value::as_str);
        let many = schema.get("allOf").and_then(Value::as_array);
        let many = many
            .into_iter()
            .flatten()
            .filter_map(|part| part.get("$ref")?.as_str());
        one.into_iter()
            .chain(many)
            .filter_map(schema_name)
            .collect()
    }
    let (mut seen, mut open) = (BTreeSet::new(), vec![name]);
    while let Some(next) = open.pop() {
        for part in schemas(document)
            .and_then(|all| all.get(next))
            .map(parts)
            .unwrap_or_default()
        {
            if part == name {
                return Err(Error::at(place, "is defined by itself"));
            }
            if seen.insert(part) {
                open.push(part);
            }
        }
    }
    Ok(())
}

fn check_schema(document: &Value, schema: &Value, place: &Place) -> Result<(), Error> {
    const TYPES: [&str; 6] = ["object", "array", "string", "integer", "number", "boolean"];
    const KNOWN: [&str; 36] = [
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
        "title",
        "default",
        "example",
        "examples",
        "deprecated",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "readOnly",
        "writeOnly",
        "externalDocs",
        "xml",
        "discriminator",
    ];
    let node = object(schema, place)?;
    for key in node.keys() {
        if !KNOWN.contains(&key.as_str()) && !key.starts_with("x-") {
            return Err(Error::at(
                &place.join(key),
                "this keyword cannot be expressed in Rust",
            ));
        }
    }
    of_kind(
        node,
        place,
        &["description", "format"],
        "a text",
        Value::is_string,
    )?;
    of_kind(
        node,
        place,
        &["nullable", "deprecated"],
        "true or false",
        Value::is_boolean,
    )?;
    if let Some(kind) = node.get("type") {
        let known = kind.as_str().is_some_and(|kind| TYPES.contains(&kind));
        if !known {
            return Err(Error::at(
                &place.join("type"),
                format!("no type of OpenAPI 3.0: {kind}"),
            ));
        }
    }
    if node.get("type").and_then(Value::as_str) == Some("array") && !node.contains_key("items") {
        return Err(Error::at(place, "an array must say what its `items` are"));
    }
    if let Some(reference) = node.get("$ref") {
        let target = reference
            .as_str()
            .filter(|text| schema_name(text).is_some());
        match target.map(|text| resolve(document, text)) {
            Some(Some(_)) => {}
            Some(None) => {
                return Err(Error::at(
                    place,
                    format!("points at {reference}, which is not there"),
                ));
            }
            None => {
                return Err(Error::at(
                    place,
                    format!("{reference} is no reference to a schema of this document"),
                ));
            }
        }
    }
    if let Some(values) = node.get("enum") {
        let place = place.join("enum");
        values
            .as_array()
            .ok_or_else(|| Error::at(&place, "not a list"))?;
    }
    let required = match node.get("required") {
        Some(value) => {
            let place = place.join("required");
            let list = value
                .as_array()
                .ok_or_else(|| Error::at(&place, "not a list"))?;
            list.iter()
                .map(|name| {
                    name.as_str()
                        .ok_or_else(|| Error::at(&place, format!("{name} is no text")))
                })
                .collect::<Result<Vec<_>, _>>()?
        }
        None => Vec::new(),
    };
    if let Some(members) = node.get("properties") {
        let place = place.join("properties");
        let members = object(members, &place)?;
        let mut rust_names = BTreeMap::new();
        for (name, member) in members {
            let place = place.join(name);
            let rust_name = names::snake(name);
            if !rust_name.contains(|c: char| c.is_ascii_alphanumeric()) || !rust_name.is_ascii() {
                return Err(Error::at(
                    &place,
                    format!("{name:?} cannot be the name of a member in Rust"),
                ));
            }
            if let Some(other) = rust_names.insert(rust_name, name) {
                return Err(Error::at(
                    &place,
                    format!("has the same name in Rust as `{other}`"),
                ));
            }
            check_schema(document, member, &place)?;
        }
        if let Some(name) = required.iter().find(|name| !members.contains_key(**name)) {
            // An allOf may bring the member from another of its parts.
            if !node.contains_key("allOf") {
                return Err(Error::at(
                    &place,
                    format!("`{name}` is required and not among the members"),
                ));
            }
        }
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        if let Some(parts) = node.get(key) {
            let place = place.join(key);
            let parts = parts
                .as_array()
                .ok_or_else(|| Error::at(&place, "not a list"))?;
            if parts.is_empty() {
                return Err(Error::at(&place, "an empty list"));
            }
            for (index, part) in parts.iter().enumerate() {
                check_schema(document, part, &place.item(index))?;
            }
        }
    }
    if let Some(items) = node.get("items") {
        check_schema(document, items, &place.join("items"))?;
    }
    match node.get("additionalProperties") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(values) => check_schema(document, values, &place.join("additionalProperties")),
    }
}

fn check_operations(document: &Value) -> Result<(), Error> {
    let root = Place::of(&["paths"]);
    let paths = document
        .get("paths")
        .ok_or_else(|| Error::at(&root, "there are no paths"))?;
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for (path, item) in object(paths, &root)? {
        let place = root.join(path);
        if !path.starts_with('/') {
            return Err(Error::at(&place, "a path starts with `/`"));
        }
        let item = object(item, &place)?;
        let shared = parameters(document, item, &place)?;
        for (method, operation) in item {
            let place = place.join(method);
            match method.as_str() {
                "parameters" | "summary" | "description" | "servers" => continue,
                method if METHODS.contains(&method) || method.starts_with("x-") => {}
                _ => return Err(Error::at(&place, "no HTTP method this generator knows")),
            }
            if method.starts_with("x-") {
                continue;
            }
            let operation = object(operation, &place)?;
            of_kind(
                operation,
                &place,
                &["summary", "description"],
                "a text",
                Value::is_string,
            )?;
            of_kind(
                operation,
                &place,
                &["deprecated"],
                "true or false",
                Value::is_boolean,
            )?;
            let texts = |list: &Value| {
                list.as_array()
                    .is_some_and(|list| list.iter().all(Value::is_string))
            };
            of_kind(operation, &place, &["tags"], "a list of texts", texts)?;
            of_kind(
                operation,
                &place,
                &["security"],
                "a list of requirements",
                is_security,
            )?;
            let id = text(operation, "operationId")
                .ok_or_else(|| Error::at(&place, "there is no operationId"))?;
            identifier(id, &place.join("operationId"))?;
            if RESERVED_OPERATIONS.contains(&names::snake(id).as_str()) {
                return Err(Error::at(
                    &place.join("operationId"),
                    format!("`{id}` is the name of something else in the generated code"),
                ));
            }
            if let Some(other) = ids.insert(names::snake(id), place.to_string()) {
                return Err(Error::at(
                    &place.join("operationId"),
                    format!("`{id}` is already the operation at {other}"),
                ));
            }
            let mut all = shared.clone();
            all.extend(parameters(document, operation, &place)?);
            check_path_template(path, &all, &place)?;
            check_body(document, operation, &place)?;
            check_answers(document, operation, &place)?;
        }
    }
    Ok(())
}

/// The parameters an operation or a path lists, by place and name.
fn parameters(
    document: &Value,
    node: &Map<String, Value>,
    place: &Place,
) -> Result<BTreeMap<(String, String), Value>, Error> {
    let mut found = BTreeMap::new();
    let place = place.join("parameters");
    let list = match node.get("parameters") {
        None => return Ok(found),
        Some(list) => list
            .as_array()
            .ok_or_else(|| Error::at(&place, "not a list"))?,
    };
    for (index, parameter) in list.iter().enumerate() {
        let place = place.item(index);
        let parameter = dereference(document, parameter, &place)?;
        let node = object(parameter, &place)?;
        let (Some(name), Some(kind)) = (text(node, "name"), text(node, "in")) else {
            return Err(Error::at(&place, "a parameter needs `name` and `in`"));
        };
        identifier(name, &place.join("name"))?;
        of_kind(node, &place, &["description"], "a text", Value::is_string)?;
        of_kind(
            node,
            &place,
            &["required", "explode"],
            "true or false",
            Value::is_boolean,
        )?;
        let style = text(node, "style");
        let supported = match kind {
            "path" => matches!(style, None | Some("simple")),
            "query" => matches!(style, None | Some("form")),
            "header" => matches!(style, None | Some("simple")),
            _ => false,
        };
        if !supported {
            return Err(Error::at(
                &place,
                format!(
                    "a {kind} parameter of style {} is not supported",
                    style.unwrap_or("default")
                ),
            ));
        }
        if kind == "path" && node.get("required") != Some(&Value::Bool(true)) {
            return Err(Error::at(&place, "a path parameter must be required"));
        }
        let schema = node
            .get("schema")
            .ok_or_else(|| Error::at(&place, "a parameter needs a `schema`"))?;
        check_schema(document, schema, &place.join("schema"))?;
        let fits =
            is_scalar(document, schema) || (kind == "query" && is_scalar_list(document, schema));
        if !fits {
            return Err(Error::at(
                &place.join("schema"),
                "a parameter must be a text, a number, a boolean or, in a query, a list of these",
            ));
        }
        found.insert((kind.to_owned(), name.to_owned()), parameter.clone());
    }
    Ok(found)
}

fn is_scalar(document: &Value, schema: &Value) -> bool {
    let schema = follow(document, schema);
    matches!(
        schema.get("type").and_then(Value::as_str),
        Some("string" | "integer" | "number" | "boolean")
    )
}

fn is_scalar_list(document: &Value, schema: &Value) -> bool {
    let schema = follow(document, schema);
    schema.get("type").and_then(Value::as_str) == Some("array")
        && schema
            .get("items")
            .is_some_and(|items| is_scalar(document, items))
}

fn check_path_template(
    path: &str,
    parameters: &BTreeMap<(String, String), Value>,
    place: &Place,
) -> Result<(), Error> {
    let mut in_template = BTreeSet::new();
    let mut rest = path;
    while let Some((_, tail)) = rest.split_once('{') {
        let Some((name, tail)) = tail.split_once('}') else {
            return Err(Error::at(place, "the path has a `{` without its `}`"));
        };
        if !in_template.insert(name) {
            return Err(Error::at(place, format!("the path names `{name}` twice")));
        }
        rest = tail;
    }
    let declared: BTreeSet<&str> = parameters
        .keys()
        .filter(|(kind, _)| kind == "path")
        .map(|(_, name)| name.as_str())
        .collect();
    if let Some(name) = in_template.symmetric_difference(&declared).next() {
        return Err(Error::at(
            place,
            format!("`{name}` must stand both in the path and among its parameters"),
        ));
    }
    let mut rust_names = BTreeMap::new();
    for (_, name) in parameters.keys() {
        if RESERVED_PARAMETERS.contains(&names::snake(name).as_str()) {
            return Err(Error::at(
                place,
                format!(
                    "the parameter `{name}` has the name of something else in the generated code"
                ),
            ));
        }
        if let Some(other) = rust_names.insert(names::snake(name), name) {
            return Err(Error::at(
                place,
                format!("the parameters `{name}` and `{other}` have the same name in Rust"),
            ));
        }
    }
    Ok(())
}

fn check_body(
    document: &Value,
    operation: &Map<String, Value>,
    place: &Place,
) -> Result<(), Error> {
    let Some(body) = operation.get("requestBody") else {
        return Ok(());
    };
    let place = place.join("requestBody");
    check_content(document, dereference(document, body, &place)?, &place)
}

fn check_answers(
    document: &Value,
    operation: &Map<String, Value>,
    place: &Place,
) -> Result<(), Error> {
    let place = place.join("responses");
    let answers = operation
        .get("responses")
        .ok_or_else(|| Error::at(&place, "an operation needs `responses`"))?;
    for (status, answer) in object(answers, &place)? {
        let place = place.join(status);
        let known = status == "default"
            || matches!(status.as_bytes(), [b'1'..=b'5', b'X', b'X'])
            || (status.len() == 3
                && status
                    .parse::<u16>()
                    .is_ok_and(|code| (100..600).contains(&code)));
        if !known {
            return Err(Error::at(&place, "no HTTP status"));
        }
        check_content(document, dereference(document, answer, &place)?, &place)?;
    }
    Ok(())
}

/// The content of a body or an answer: JSON with a schema, or something that is not looked into.
fn check_content(document: &Value, node: &Value, place: &Place) -> Result<(), Error> {
    let Some(content) = object(node, place)?.get("content") else {
        return Ok(());
    };
    let place = place.join("content");
    for (media_type, content) in object(content, &place)? {
        let place = place.join(media_type);
        if media_type.split(';').next() != Some("application/json") {
            return Err(Error::at(&place, "only application/json is supported"));
        }
        let schema = object(content, &place)?
            .get("schema")
            .ok_or_else(|| Error::at(&place, "there is no `schema`"))?;
        check_schema(document, schema, &place.join("schema"))?;
    }
    Ok(())
}

/// Refuses members that are there and are not of their kind.
fn of_kind(
    node: &Map<String, Value>,
    place: &Place,
    keys: &[&str],
    kind: &str,
    is: impl Fn(&Value) -> bool,
) -> Result<(), Error> {
    match keys
        .iter()
        .find(|key| node.get(**key).is_some_and(|value| !is(value)))
    {
        Some(key) => Err(Error::at(&place.join(key), format!("must be {kind}"))),
        None => Ok(()),
    }
}

/// A list of mappings of scheme to scopes.
fn is_security(node: &Value) -> bool {
    let requirement = |one: &Value| {
        one.as_object()
            .is_some_and(|schemes| schemes.values().all(Value::is_array))
    };
    node.as_array()
        .is_some_and(|list| list.iter().all(requirement))
}

fn object<'a>(node: &'a Value, place: &Place) -> Result<&'a Map<String, Value>, Error> {
    node.as_object()
        .ok_or_else(|| Error::at(place, "not a mapping"))
}

/// Names that become Rust identifiers: a letter or underscore first, then letters, digits and `_ - .`.
fn identifier(name: &str, place: &Place) -> Result<(), Error> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    if first && chars.all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) && name.len() <= 128 {
        Ok(())
    } else {
        Err(Error::at(
            place,
            format!("{name:?} cannot be the name of something in Rust"),
        ))
    }
}

//! Validation of operations: ids, parameters, paths, bodies and responses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    keywords::may_be_operation,
    require::{check_identifier, is_security, object, require_kind},
    schemas::check_schema,
};
use crate::{
    error::{Error, JsonPath},
    names,
    operations::PLURAL,
    reserved,
    spec::{METHODS, dereference, follow, str_field},
};

/// Checks all operations of the document.
pub(super) fn check(document: &Value) -> Result<(), Error> {
    let root = JsonPath::new(&["paths"]);
    let paths = document
        .get("paths")
        .ok_or_else(|| Error::at(&root, "the spec has no paths"))?;
    if let Some(root) = document.as_object() {
        let location = JsonPath::new(&[]);
        require_kind(
            root,
            &location,
            &["security"],
            "a list of security requirements",
            is_security,
        )?;
    }
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let paths = object(paths, &root)?.iter();
    for (path, item) in paths.filter(|(path, _)| !path.starts_with("x-")) {
        let location = root.join(path);
        if !path.starts_with('/') {
            return Err(Error::at(&location, "a path must start with `/`"));
        }
        let item = object(item, &location)?;
        let shared = parameters(document, item, &location)?;
        for (method, operation) in item {
            let location = location.join(method);
            match method.as_str() {
                "parameters" | "summary" | "description" | "servers" => continue,
                method if METHODS.contains(&method) => {}
                method if method.starts_with("x-") => continue,
                method if may_be_operation(method, operation) => {
                    return Err(Error::at(&location, "unsupported HTTP method"));
                }
                _ => continue,
            }
            let operation = object(operation, &location)?;
            require_kind(
                operation,
                &location,
                &["summary", "description"],
                "a string",
                Value::is_string,
            )?;
            require_kind(
                operation,
                &location,
                &["deprecated"],
                "true or false",
                Value::is_boolean,
            )?;
            let is_string_list = |list: &Value| {
                list.as_array()
                    .is_some_and(|list| list.iter().all(Value::is_string))
            };
            require_kind(
                operation,
                &location,
                &["tags"],
                "a list of strings",
                is_string_list,
            )?;
            require_kind(
                operation,
                &location,
                &["security"],
                "a list of security requirements",
                is_security,
            )?;
            let id = str_field(operation, "operationId")
                .ok_or_else(|| Error::at(&location, "`operationId` is missing"))?;
            check_identifier(id, &location.join("operationId"))?;
            let builder = names::builder(id);
            if reserved::is_operation(&names::snake(id)) || reserved::is_builder(&builder) {
                return Err(Error::at(
                    &location.join("operationId"),
                    format!("the name `{id}` is reserved in the generated code"),
                ));
            }
            if let Some(other) = ids.insert(builder, location.to_string()) {
                return Err(Error::at(
                    &location.join("operationId"),
                    format!("the operationId `{id}` is already used by {other}"),
                ));
            }
            let mut all = shared.clone();
            all.extend(parameters(document, operation, &location)?);
            check_path_template(path, &all, &location)?;
            check_body(document, operation, &location)?;
            check_responses(document, operation, &location)?;
        }
    }
    Ok(())
}

/// Returns the parameters that an operation or a path lists, by location and name.
fn parameters(
    document: &Value,
    node: &Map<String, Value>,
    location: &JsonPath,
) -> Result<BTreeMap<(String, String), Value>, Error> {
    let mut found = BTreeMap::new();
    let location = location.join("parameters");
    let list = match node.get("parameters") {
        None => return Ok(found),
        Some(list) => list
            .as_array()
            .ok_or_else(|| Error::at(&location, "not a list"))?,
    };
    for (index, parameter) in list.iter().enumerate() {
        let location = location.item(index);
        let parameter = dereference(document, parameter, &location)?;
        let node = object(parameter, &location)?;
        let (Some(name), Some(kind)) = (str_field(node, "name"), str_field(node, "in")) else {
            return Err(Error::at(
                &location,
                "a parameter must have `name` and `in`",
            ));
        };
        check_identifier(name, &location.join("name"))?;
        if node.contains_key(PLURAL) {
            return Err(Error::at(
                &location.join(PLURAL),
                "this field is reserved for the generator",
            ));
        }
        require_kind(
            node,
            &location,
            &["description"],
            "a string",
            Value::is_string,
        )?;
        require_kind(
            node,
            &location,
            &["required", "explode"],
            "true or false",
            Value::is_boolean,
        )?;
        require_kind(node, &location, &["style"], "a string", Value::is_string)?;
        if let Some(examples) = node.get("examples") {
            let location = location.join("examples");
            for (name, example) in object(examples, &location)? {
                object(example, &location.join(name))?;
            }
        }
        let style = str_field(node, "style");
        let supported = match kind {
            "path" => matches!(style, None | Some("simple")),
            "query" => matches!(style, None | Some("form")),
            "header" => matches!(style, None | Some("simple")),
            _ => false,
        };
        if !supported {
            return Err(Error::at(
                &location,
                format!(
                    "a {kind} parameter of style {} is not supported",
                    style.unwrap_or("default")
                ),
            ));
        }
        if kind == "path" && node.get("required") != Some(&Value::Bool(true)) {
            return Err(Error::at(&location, "a path parameter must be required"));
        }
        let schema = node
            .get("schema")
            .ok_or_else(|| Error::at(&location, "a parameter must have a `schema`"))?;
        check_schema(document, schema, &location.join("schema"))?;
        let is_supported =
            is_scalar(document, schema) || (kind == "query" && is_scalar_list(document, schema));
        if !is_supported {
            return Err(Error::at(
                &location.join("schema"),
                "a parameter must be a string, a number, a boolean or, in a query, a list of these",
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
    location: &JsonPath,
) -> Result<(), Error> {
    let mut in_template = BTreeSet::new();
    let mut rest = path;
    let unmatched_brace = || Error::at(location, "the path has an unmatched `}`");
    while let Some((head, tail)) = rest.split_once('{') {
        let Some((name, tail)) = tail.split_once('}') else {
            return Err(Error::at(location, "the path has an unmatched `{`"));
        };
        if head.contains('}') {
            return Err(unmatched_brace());
        }
        if !in_template.insert(name) {
            return Err(Error::at(
                location,
                format!("the path names `{name}` twice"),
            ));
        }
        rest = tail;
    }
    if rest.contains('}') {
        return Err(unmatched_brace());
    }
    let declared: BTreeSet<&str> = parameters
        .keys()
        .filter(|(kind, _)| kind == "path")
        .map(|(_, name)| name.as_str())
        .collect();
    if let Some(name) = in_template.symmetric_difference(&declared).next() {
        return Err(Error::at(
            location,
            format!("`{name}` must be both in the path and in its parameters"),
        ));
    }
    let mut rust_names = BTreeMap::new();
    for (_, name) in parameters.keys() {
        if reserved::BUILDER_METHODS.contains(&names::field(name).as_str()) {
            return Err(Error::at(
                location,
                format!("the parameter name `{name}` is reserved in the generated code"),
            ));
        }
        if let Some(other) = rust_names.insert(names::field(name), name) {
            return Err(Error::at(
                location,
                format!("the parameters `{name}` and `{other}` have the same name in Rust"),
            ));
        }
    }
    Ok(())
}

fn check_body(
    document: &Value,
    operation: &Map<String, Value>,
    location: &JsonPath,
) -> Result<(), Error> {
    let Some(body) = operation.get("requestBody") else {
        return Ok(());
    };
    let location = location.join("requestBody");
    let body = dereference(document, body, &location)?;
    check_content(document, body, &location, true)
}

fn check_responses(
    document: &Value,
    operation: &Map<String, Value>,
    location: &JsonPath,
) -> Result<(), Error> {
    let location = location.join("responses");
    let responses = operation
        .get("responses")
        .ok_or_else(|| Error::at(&location, "an operation must have `responses`"))?;
    let responses = object(responses, &location)?.iter();
    for (status, response) in responses.filter(|(status, _)| !status.starts_with("x-")) {
        let location = location.join(status);
        let known = status == "default"
            || matches!(status.as_bytes(), [b'1'..=b'5', b'X', b'X'])
            || (status.len() == 3
                && status
                    .parse::<u16>()
                    .is_ok_and(|code| (100..600).contains(&code)));
        if !known {
            return Err(Error::at(&location, "not an HTTP status"));
        }
        let response = dereference(document, response, &location)?;
        // Clients decode a rejection of any media type.
        check_content(document, response, &location, status.starts_with('2'))?;
    }
    Ok(())
}

/// Checks the content of a body or a response, which must be JSON with a schema. Other media types are ignored if
/// `only_json` is not set.
fn check_content(
    document: &Value,
    node: &Value,
    location: &JsonPath,
    only_json: bool,
) -> Result<(), Error> {
    let Some(content) = object(node, location)?.get("content") else {
        return Ok(());
    };
    let location = location.join("content");
    for (media_type, content) in object(content, &location)? {
        let location = location.join(media_type);
        if media_type.split(';').next() != Some("application/json") {
            if !only_json {
                continue;
            }
            return Err(Error::at(&location, "only application/json is supported"));
        }
        let schema = object(content, &location)?
            .get("schema")
            .ok_or_else(|| Error::at(&location, "`schema` is missing"))?;
        check_schema(document, schema, &location.join("schema"))?;
    }
    Ok(())
}

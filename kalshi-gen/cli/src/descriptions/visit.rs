//! Visits the elements that OpenAPI and AsyncAPI share: fields, parameters, content and schemas.

use indexmap::IndexMap;

use kalshi_gen::internals::{error::JsonPath, yaml::Tree};

pub(super) type Mapping = IndexMap<String, Tree>;

/// The position of an inserted description among its siblings.
#[derive(Clone, Copy)]
pub(super) enum Position {
    First,
    Last,
    After(&'static str),
}

pub(super) fn entries(node: Option<&mut Tree>) -> impl Iterator<Item = (&String, &mut Tree)> {
    let entries = match node {
        Some(Tree::Mapping(entries)) => Some(entries),
        _ => None,
    };
    entries.into_iter().flatten()
}

pub(super) fn items(node: Option<&mut Tree>) -> impl Iterator<Item = &mut Tree> {
    let items = match node {
        Some(Tree::List(items)) => Some(items),
        _ => None,
    };
    items.into_iter().flatten()
}

/// Visits a described element unless it is only a reference.
pub(super) fn visit_described(
    node: &mut Tree,
    position: Position,
    location: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    if let Tree::Mapping(node) = node {
        let is_reference = node.contains_key("$ref")
            || matches!(node.get("allOf"), Some(Tree::List(parts)) if parts.len() == 1);
        if !is_reference {
            visit(node, "description", position, location);
        }
    }
}

pub(super) fn visit_parameters(
    node: &mut Mapping,
    location: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    for (index, parameter) in items(node.get_mut("parameters")).enumerate() {
        visit_described(
            parameter,
            Position::Last,
            &location.join("parameters").item(index),
            visit,
        );
    }
}

pub(super) fn visit_response(
    node: &mut Tree,
    location: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    visit_described(node, Position::First, location, visit);
    if let Tree::Mapping(node) = node {
        visit_content(node, location, visit);
    }
}

pub(super) fn visit_content(
    node: &mut Mapping,
    location: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    for (media_type, content) in entries(node.get_mut("content")) {
        if let Tree::Mapping(content) = content
            && let Some(schema) = content.get_mut("schema")
        {
            visit_schema(
                schema,
                &location.join("content").join(media_type).join("schema"),
                visit,
            );
        }
    }
}

/// Visits the fields of a schema and everything nested in them.
pub(super) fn visit_schema(
    schema: &mut Tree,
    location: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    let Tree::Mapping(node) = schema else { return };
    for (name, field) in entries(node.get_mut("properties")) {
        let location = location.join("properties").join(name);
        visit_described(field, Position::Last, &location, visit);
        visit_schema(field, &location, visit);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = node.get_mut(key) {
            visit_schema(inner, &location.join(key), visit);
        }
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        for (index, part) in items(node.get_mut(key)).enumerate() {
            visit_schema(part, &location.join(key).item(index), visit);
        }
    }
}

//! Visits the elements that OpenAPI and AsyncAPI share: fields, parameters, content and schemas.

use indexmap::IndexMap;

use kalshi_gen::internals::{error::JsonPath, yaml::Tree};

pub(super) type Mapping = IndexMap<String, Tree>;

/// The position of an inserted description among its siblings.
#[derive(Clone, Copy)]
pub(super) enum Position {
    First,
    Last,
    Behind(&'static str),
}

pub(super) fn members(node: Option<&mut Tree>) -> impl Iterator<Item = (&String, &mut Tree)> {
    let members = match node {
        Some(Tree::Mapping(members)) => Some(members),
        _ => None,
    };
    members.into_iter().flatten()
}

pub(super) fn items(node: Option<&mut Tree>) -> impl Iterator<Item = &mut Tree> {
    let items = match node {
        Some(Tree::List(items)) => Some(items),
        _ => None,
    };
    items.into_iter().flatten()
}

/// Visits a described element unless it is only a reference.
pub(super) fn described(
    node: &mut Tree,
    position: Position,
    place: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    if let Tree::Mapping(node) = node {
        let points = node.contains_key("$ref")
            || matches!(node.get("allOf"), Some(Tree::List(parts)) if parts.len() == 1);
        if !points {
            visit(node, "description", position, place);
        }
    }
}

pub(super) fn parameters(
    node: &mut Mapping,
    place: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    for (index, parameter) in items(node.get_mut("parameters")).enumerate() {
        described(
            parameter,
            Position::Last,
            &place.join("parameters").item(index),
            visit,
        );
    }
}

pub(super) fn response(
    node: &mut Tree,
    place: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    described(node, Position::First, place, visit);
    if let Tree::Mapping(node) = node {
        content(node, place, visit);
    }
}

pub(super) fn content(
    node: &mut Mapping,
    place: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    for (media_type, content) in members(node.get_mut("content")) {
        if let Tree::Mapping(content) = content
            && let Some(schema) = content.get_mut("schema")
        {
            inside(
                schema,
                &place.join("content").join(media_type).join("schema"),
                visit,
            );
        }
    }
}

/// Visits the fields of a schema and everything nested in them.
pub(super) fn inside(
    schema: &mut Tree,
    place: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    let Tree::Mapping(node) = schema else { return };
    for (name, member) in members(node.get_mut("properties")) {
        let place = place.join("properties").join(name);
        described(member, Position::Last, &place, visit);
        inside(member, &place, visit);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = node.get_mut(key) {
            inside(inner, &place.join(key), visit);
        }
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        for (index, part) in items(node.get_mut(key)).enumerate() {
            inside(part, &place.join(key).item(index), visit);
        }
    }
}

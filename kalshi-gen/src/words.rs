//! The places of a contract that need words, and which of them have none yet.

mod streams;

use indexmap::IndexMap;
use serde_json::Value;

use crate::{contract::METHODS, error::Place, yaml::Tree};

/// What stands where words are to be written.
pub(crate) const NEEDED: &str = "WORDS NEEDED";

type Mapping = IndexMap<String, Tree>;

/// Where among its siblings a word is put.
#[derive(Clone, Copy)]
enum Position {
    First,
    Last,
    Behind(&'static str),
}

/// Puts the mark into every place that needs words and has none; answers with those that carry it.
pub(crate) fn mark(contract: &mut Tree) -> Vec<String> {
    let mut marked = Vec::new();
    each(contract, &mut |node, key, position, place| {
        let written = matches!(node.get(key), Some(Tree::Leaf(Value::String(text))) if !text.trim().is_empty());
        if !written {
            node.shift_remove(key);
            let at = match position {
                Position::First => 0,
                Position::Last => node
                    .keys()
                    .position(|key| key.starts_with("x-"))
                    .unwrap_or(node.len()),
                Position::Behind(before) => node.get_index_of(before).map_or(0, |at| at + 1),
            };
            node.shift_insert(
                at,
                key.to_owned(),
                Tree::Leaf(Value::String(NEEDED.to_owned())),
            );
        }
        if matches!(node.get(key), Some(Tree::Leaf(Value::String(text))) if text.contains(NEEDED)) {
            marked.push(place.join(key).to_string());
        }
    });
    marked
}

/// Calls `visit` for every place that needs words: its mapping, the key of the words, where they go, the place.
fn each(contract: &mut Tree, visit: &mut impl FnMut(&mut Mapping, &str, Position, &Place)) {
    let Tree::Mapping(root) = contract else {
        return;
    };
    let place = Place::of(&[]);
    if let Some(Tree::Mapping(info)) = root.get_mut("info") {
        visit(info, "title", Position::First, &place.join("info"));
        visit(info, "description", Position::Last, &place.join("info"));
    }
    if root.contains_key("asyncapi") {
        streams::each(root, visit);
    }
    // Those of streams are mappings.
    for list in ["servers", "tags"] {
        for (index, item) in items(root.get_mut(list)).enumerate() {
            if let Tree::Mapping(item) = item {
                visit(
                    item,
                    "description",
                    Position::Last,
                    &place.join(list).item(index),
                );
            }
        }
    }
    for (path, item) in members(root.get_mut("paths")) {
        let Tree::Mapping(item) = item else { continue };
        let place = place.join("paths").join(path);
        parameters(item, &place, visit);
        for (method, operation) in item
            .iter_mut()
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
        {
            let Tree::Mapping(operation) = operation else {
                continue;
            };
            let place = place.join(method);
            visit(
                operation,
                "summary",
                Position::Behind("operationId"),
                &place,
            );
            visit(
                operation,
                "description",
                Position::Behind("summary"),
                &place,
            );
            parameters(operation, &place, visit);
            if let Some(Tree::Mapping(body)) = operation.get_mut("requestBody") {
                content(body, &place.join("requestBody"), visit);
            }
            for (status, answer) in members(operation.get_mut("responses")) {
                response(answer, &place.join("responses").join(status), visit);
            }
        }
    }
    let Some(Tree::Mapping(components)) = root.get_mut("components") else {
        return;
    };
    let place = place.join("components");
    for (name, schema) in members(components.get_mut("schemas")) {
        let place = place.join("schemas").join(name);
        if let Tree::Mapping(node) = schema {
            visit(node, "description", Position::First, &place);
        }
        inside(schema, &place, visit);
    }
    for (name, parameter) in members(components.get_mut("parameters")) {
        described(
            parameter,
            Position::Last,
            &place.join("parameters").join(name),
            visit,
        );
    }
    for (name, answer) in members(components.get_mut("responses")) {
        response(answer, &place.join("responses").join(name), visit);
    }
    for (name, body) in members(components.get_mut("requestBodies")) {
        if let Tree::Mapping(body) = body {
            content(body, &place.join("requestBodies").join(name), visit);
        }
    }
    for (name, scheme) in members(components.get_mut("securitySchemes")) {
        described(
            scheme,
            Position::Last,
            &place.join("securitySchemes").join(name),
            visit,
        );
    }
}

fn members(node: Option<&mut Tree>) -> impl Iterator<Item = (&String, &mut Tree)> {
    let members = match node {
        Some(Tree::Mapping(members)) => Some(members),
        _ => None,
    };
    members.into_iter().flatten()
}

fn items(node: Option<&mut Tree>) -> impl Iterator<Item = &mut Tree> {
    let items = match node {
        Some(Tree::List(items)) => Some(items),
        _ => None,
    };
    items.into_iter().flatten()
}

/// What stands here, unless it only points elsewhere.
fn described(
    node: &mut Tree,
    position: Position,
    place: &Place,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &Place),
) {
    if let Tree::Mapping(node) = node {
        let points = node.contains_key("$ref")
            || matches!(node.get("allOf"), Some(Tree::List(parts)) if parts.len() == 1);
        if !points {
            visit(node, "description", position, place);
        }
    }
}

fn parameters(
    node: &mut Mapping,
    place: &Place,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &Place),
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

fn response(
    node: &mut Tree,
    place: &Place,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &Place),
) {
    described(node, Position::First, place, visit);
    if let Tree::Mapping(node) = node {
        content(node, place, visit);
    }
}

fn content(
    node: &mut Mapping,
    place: &Place,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &Place),
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

/// The members of a schema, and those of what they hold.
fn inside(
    schema: &mut Tree,
    place: &Place,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &Place),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::yaml;

    #[test]
    fn every_place_without_words_is_marked_once() {
        let mut contract =
            yaml::parse_in_order(include_str!("../tests/contracts/bare.yaml")).unwrap();
        let marked = mark(&mut contract);
        let expected = [
            "$.info.description",
            "$.servers[0].description",
            "$.tags[0].description",
            r#"$.paths["/things/{id}"].parameters[0].description"#,
            r#"$.paths["/things/{id}"].post.summary"#,
            r#"$.paths["/things/{id}"].post.description"#,
            r#"$.paths["/things/{id}"].post.parameters[0].description"#,
            r#"$.paths["/things/{id}"].post.requestBody.content["application/json"].schema.properties.a.description"#,
            r#"$.paths["/things/{id}"].post.responses.200.description"#,
            "$.components.schemas.Thing.description",
            "$.components.schemas.Thing.properties.description.description",
            "$.components.schemas.Thing.properties.list.description",
            "$.components.schemas.Thing.properties.list.items.properties.deep.description",
            "$.components.parameters.Limit.description",
            "$.components.responses.Bad.description",
            "$.components.securitySchemes.key.description",
        ];
        assert_eq!(marked, expected);
        assert_eq!(mark(&mut contract), expected);
    }

    #[test]
    fn the_vendored_contracts_need_no_words() {
        for text in [
            include_str!("../../openapi.yaml"),
            include_str!("../../asyncapi.yaml"),
        ] {
            let mut contract = yaml::parse_in_order(text).unwrap();
            let before = contract.clone();
            assert_eq!(mark(&mut contract), Vec::<String>::new());
            assert_eq!(contract, before);
        }
    }
}

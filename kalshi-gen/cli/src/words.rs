//! The elements of a spec that require a description, and those that lack one.

mod streams;
mod visit;

use serde_json::Value;

use self::visit::{
    Mapping, Position, content, described, inside, items, members, parameters, response,
};
use kalshi_gen::internals::{error::JsonPath, spec::METHODS, yaml::Tree};

/// The placeholder for a missing description.
pub(crate) const NEEDED: &str = "DESCRIPTION NEEDED";

/// Inserts the placeholder wherever a description is missing. Returns the JSON paths of all placeholders.
pub(crate) fn mark(spec: &mut Tree) -> Vec<String> {
    let mut marked = Vec::new();
    each(spec, &mut |node, key, position, place| {
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

/// Calls `visit` for every element that requires a description, with its mapping, the key, the position
/// and the JSON path.
fn each(spec: &mut Tree, visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath)) {
    let Tree::Mapping(root) = spec else {
        return;
    };
    let place = JsonPath::new(&[]);
    if let Some(Tree::Mapping(info)) = root.get_mut("info") {
        visit(info, "title", Position::First, &place.join("info"));
        visit(info, "description", Position::Last, &place.join("info"));
    }
    if root.contains_key("asyncapi") {
        streams::each(root, visit);
    }
    // In an AsyncAPI spec these are mappings.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use kalshi_gen::internals::yaml;

    #[test]
    fn every_missing_description_is_marked_once() {
        let mut spec = yaml::parse_in_order(include_str!("../../tests/specs/bare.yaml")).unwrap();
        let marked = mark(&mut spec);
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
        assert_eq!(mark(&mut spec), expected);
    }

    #[test]
    fn vendored_specs_lack_no_description() {
        for text in [
            include_str!("../../../openapi.yaml"),
            include_str!("../../../asyncapi.yaml"),
        ] {
            let mut spec = yaml::parse_in_order(text).unwrap();
            let before = spec.clone();
            assert_eq!(mark(&mut spec), Vec::<String>::new());
            assert_eq!(spec, before);
        }
    }
}

//! The elements of a spec that require a description, and those that lack one.

mod streams;
mod visit;

use serde_json::Value;

use self::visit::{
    Mapping, Position, entries, items, visit_content, visit_described, visit_parameters,
    visit_response, visit_schema,
};
use kalshi_gen::internals::{error::JsonPath, spec::METHODS, yaml::Tree};

/// The placeholder for a missing description.
pub(crate) const PLACEHOLDER: &str = "DESCRIPTION NEEDED";

/// Inserts the placeholder wherever a description is missing. Returns the JSON paths of all placeholders.
pub(crate) fn mark_missing(spec: &mut Tree) -> Vec<String> {
    let mut marked = Vec::new();
    for_each_described(spec, &mut |node, key, position, location| {
        let written = matches!(node.get(key), Some(Tree::Leaf(Value::String(text))) if !text.trim().is_empty());
        if !written {
            node.shift_remove(key);
            let at = match position {
                Position::First => 0,
                Position::Last => node
                    .keys()
                    .position(|key| key.starts_with("x-"))
                    .unwrap_or(node.len()),
                Position::After(before) => node.get_index_of(before).map_or(0, |at| at + 1),
            };
            node.shift_insert(
                at,
                key.to_owned(),
                Tree::Leaf(Value::String(PLACEHOLDER.to_owned())),
            );
        }
        if matches!(node.get(key), Some(Tree::Leaf(Value::String(text))) if text.contains(PLACEHOLDER))
        {
            marked.push(location.join(key).to_string());
        }
    });
    marked
}

/// Calls `visit` for every element that requires a description, with its mapping, the key, the position
/// and the JSON path.
fn for_each_described(
    spec: &mut Tree,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    let Tree::Mapping(root) = spec else {
        return;
    };
    let location = JsonPath::new(&[]);
    if let Some(Tree::Mapping(info)) = root.get_mut("info") {
        visit(info, "title", Position::First, &location.join("info"));
        visit(info, "description", Position::Last, &location.join("info"));
    }
    if root.contains_key("asyncapi") {
        streams::for_each_described(root, visit);
    }
    // In an AsyncAPI spec these are mappings.
    for list in ["servers", "tags"] {
        for (index, item) in items(root.get_mut(list)).enumerate() {
            if let Tree::Mapping(item) = item {
                visit(
                    item,
                    "description",
                    Position::Last,
                    &location.join(list).item(index),
                );
            }
        }
    }
    for (path, item) in entries(root.get_mut("paths")) {
        let Tree::Mapping(item) = item else { continue };
        let location = location.join("paths").join(path);
        visit_parameters(item, &location, visit);
        for (method, operation) in item
            .iter_mut()
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
        {
            let Tree::Mapping(operation) = operation else {
                continue;
            };
            let location = location.join(method);
            visit(
                operation,
                "summary",
                Position::After("operationId"),
                &location,
            );
            visit(
                operation,
                "description",
                Position::After("summary"),
                &location,
            );
            visit_parameters(operation, &location, visit);
            if let Some(Tree::Mapping(body)) = operation.get_mut("requestBody") {
                visit_content(body, &location.join("requestBody"), visit);
            }
            for (status, response) in entries(operation.get_mut("responses")) {
                visit_response(response, &location.join("responses").join(status), visit);
            }
        }
    }
    let Some(Tree::Mapping(components)) = root.get_mut("components") else {
        return;
    };
    let location = location.join("components");
    for (name, schema) in entries(components.get_mut("schemas")) {
        let location = location.join("schemas").join(name);
        if let Tree::Mapping(node) = schema {
            visit(node, "description", Position::First, &location);
        }
        visit_schema(schema, &location, visit);
    }
    for (name, parameter) in entries(components.get_mut("parameters")) {
        visit_described(
            parameter,
            Position::Last,
            &location.join("parameters").join(name),
            visit,
        );
    }
    for (name, response) in entries(components.get_mut("responses")) {
        visit_response(response, &location.join("responses").join(name), visit);
    }
    for (name, body) in entries(components.get_mut("requestBodies")) {
        if let Tree::Mapping(body) = body {
            visit_content(body, &location.join("requestBodies").join(name), visit);
        }
    }
    for (name, scheme) in entries(components.get_mut("securitySchemes")) {
        visit_described(
            scheme,
            Position::Last,
            &location.join("securitySchemes").join(name),
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
        let marked = mark_missing(&mut spec);
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
        assert_eq!(mark_missing(&mut spec), expected);
    }

    #[test]
    fn vendored_specs_lack_no_description() {
        for text in [
            include_str!("../../../openapi.yaml"),
            include_str!("../../../asyncapi.yaml"),
        ] {
            let mut spec = yaml::parse_in_order(text).unwrap();
            let before = spec.clone();
            assert_eq!(mark_missing(&mut spec), Vec::<String>::new());
            assert_eq!(spec, before);
        }
    }
}

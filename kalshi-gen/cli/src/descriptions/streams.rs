//! The elements of an AsyncAPI spec that require a description.

use super::visit::{Mapping, Position, entries, items, visit_described, visit_schema};
use kalshi_gen::internals::{error::JsonPath, yaml::Tree};

/// Calls `visit` for every element of an AsyncAPI spec that requires a description.
pub(super) fn for_each_described(
    root: &mut Mapping,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    let location = JsonPath::new(&[]);
    if let Some(Tree::Mapping(info)) = root.get_mut("info") {
        let location = location.join("info");
        for (index, tag) in items(info.get_mut("tags")).enumerate() {
            let location = location.join("tags").item(index);
            visit_described(tag, Position::Last, &location, visit);
        }
    }
    for (name, server) in extensible(root.get_mut("servers")) {
        let location = location.join("servers").join(name);
        visit_described(server, Position::After("protocol"), &location, visit);
    }
    for (name, channel) in extensible(root.get_mut("channels")) {
        let location = location.join("channels").join(name);
        visit_described(channel, Position::After("address"), &location, visit);
        if let Tree::Mapping(channel) = channel {
            messages(channel, &location, visit);
            for (name, parameter) in entries(channel.get_mut("parameters")) {
                let location = location.join("parameters").join(name);
                visit_described(parameter, Position::First, &location, visit);
            }
        }
    }
    for (name, operation) in extensible(root.get_mut("operations")) {
        if let Tree::Mapping(operation) = operation {
            let location = location.join("operations").join(name);
            visit(operation, "summary", Position::After("action"), &location);
        }
    }
    if let Some(Tree::Mapping(components)) = root.get_mut("components") {
        messages(components, &location.join("components"), visit);
    }
}

/// Returns the entries of a mapping without its extensions.
fn extensible(node: Option<&mut Tree>) -> impl Iterator<Item = (&String, &mut Tree)> {
    entries(node).filter(|(name, _)| !name.starts_with("x-"))
}

/// Visits the messages of a channel or of the document, except references.
fn messages(
    node: &mut Mapping,
    location: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    for (name, message) in entries(node.get_mut("messages")) {
        let Tree::Mapping(message) = message else {
            continue;
        };
        if message.contains_key("$ref") {
            continue;
        }
        let location = location.join("messages").join(name);
        visit(message, "summary", Position::After("name"), &location);
        if let Some(payload) = message.get_mut("payload") {
            visit_schema(payload, &location.join("payload"), visit);
        }
    }
}

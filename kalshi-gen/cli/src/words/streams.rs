//! The elements of an AsyncAPI spec that require a description.

use super::visit::{Mapping, Position, described, inside, items, members};
use kalshi_gen::internals::{error::JsonPath, yaml::Tree};

/// Calls `visit` for every element of an AsyncAPI spec that requires a description.
pub(super) fn each(
    root: &mut Mapping,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    let place = JsonPath::new(&[]);
    if let Some(Tree::Mapping(info)) = root.get_mut("info") {
        let place = place.join("info");
        for (index, tag) in items(info.get_mut("tags")).enumerate() {
            let place = place.join("tags").item(index);
            described(tag, Position::Last, &place, visit);
        }
    }
    for (name, server) in members(root.get_mut("servers")) {
        let place = place.join("servers").join(name);
        described(server, Position::Behind("protocol"), &place, visit);
    }
    for (name, channel) in members(root.get_mut("channels")) {
        let place = place.join("channels").join(name);
        described(channel, Position::Behind("address"), &place, visit);
        if let Tree::Mapping(channel) = channel {
            messages(channel, &place, visit);
            for (name, parameter) in members(channel.get_mut("parameters")) {
                let place = place.join("parameters").join(name);
                described(parameter, Position::First, &place, visit);
            }
        }
    }
    for (name, operation) in members(root.get_mut("operations")) {
        if let Tree::Mapping(operation) = operation {
            let place = place.join("operations").join(name);
            visit(operation, "summary", Position::Behind("action"), &place);
        }
    }
    if let Some(Tree::Mapping(components)) = root.get_mut("components") {
        messages(components, &place.join("components"), visit);
    }
}

/// Visits the messages of a channel or of the document, except references.
fn messages(
    node: &mut Mapping,
    place: &JsonPath,
    visit: &mut impl FnMut(&mut Mapping, &str, Position, &JsonPath),
) {
    for (name, message) in members(node.get_mut("messages")) {
        let Tree::Mapping(message) = message else {
            continue;
        };
        if message.contains_key("$ref") {
            continue;
        }
        let place = place.join("messages").join(name);
        visit(message, "summary", Position::Behind("name"), &place);
        if let Some(payload) = message.get_mut("payload") {
            inside(payload, &place.join("payload"), visit);
        }
    }
}

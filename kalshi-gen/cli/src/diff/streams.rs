//! Differences of AsyncAPI specs: servers, channels, operations and messages. Their schemas are compared
//! like those of OpenAPI.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Class, Comparison, Kind, Location, Subject,
    owner::Owner,
    spec_index::{Entries, MESSAGES, SpecIndex, entries},
    values::format_value,
};
use kalshi_gen::internals::{
    error::JsonPath,
    spec::{self, schema_name},
};

use crate::structure;

impl Comparison<'_> {
    /// Compares the parts that only AsyncAPI specs have. Does nothing for OpenAPI specs.
    pub(super) fn streams(&mut self) {
        let (old, new) = (&self.old.document, &self.new.document);
        if old.get("asyncapi").is_none() {
            return;
        }
        let root = Location {
            name: "the document".to_owned(),
            old: JsonPath::new(&[]),
            new: JsonPath::new(&[]),
        };
        let compared_separately = [
            "asyncapi",
            "channels",
            "components",
            "info",
            "operations",
            "servers",
        ];
        self.other_fields(old, new, &root, &compared_separately);
        let (before, after) = (&old["info"], &new["info"]);
        let info = root.join("info".to_owned(), "info");
        self.other_fields(before, after, &info, &["tags", "version"]);
        if before.get("tags") != after.get("tags") {
            let text = "the list of tags changed";
            self.push(Class::Prose, Kind::Changed, Subject::Document, &info, text);
        }
        self.servers();
        self.channels();
        self.stream_operations();
        self.messages();
    }

    /// Lowers the class of changes to payload fields other than the type and the body. They have no type, and frames
    /// decode the same with and without them.
    pub(super) fn envelopes(&mut self) {
        let (old, new) = (self.old, self.new);
        if old.document.get("asyncapi").is_none() {
            return;
        }
        let payloads: BTreeSet<String> = [old, new]
            .iter()
            .flat_map(|spec_index| spec_index.payloads())
            .map(|name| {
                let fields = JsonPath::new(&["components", "schemas", name, "properties"]);
                format!("{fields}.")
            })
            .collect();
        for change in self
            .changes
            .iter_mut()
            .filter(|change| change.class == Class::Breaking)
        {
            let path = change.path.as_str();
            let field = if path.starts_with("$.components.schemas") {
                payloads
                    .iter()
                    .find_map(|payload| path.strip_prefix(payload))
            } else {
                path.split_once(".payload.properties.")
                    .map(|(_, field)| field)
            };
            let is_body = |field: &str| {
                ["msg", "params", "type"].contains(&field) || field.contains(['.', '['])
            };
            if field.is_some_and(|field| !is_body(field)) {
                change.class = Class::Behaviour;
            }
        }
    }

    fn servers(&mut self) {
        let (old, new) = (entries(self.old, "/servers"), entries(self.new, "/servers"));
        let at = |name: &str| same_location(format!("server {name}"), &["servers", name]);
        for (name, old_server) in &old {
            match new.get(name) {
                Some(new_server) => {
                    self.other_fields(old_server, new_server, &at(name), &[]);
                    self.descriptions(old_server, new_server, &at(name));
                }
                None => {
                    let (class, kind) = (Class::Behaviour, Kind::Removed);
                    self.push(class, kind, Subject::Document, &at(name), "removed");
                }
            }
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            let (class, kind) = (Class::Additive, Kind::Added);
            self.push(class, kind, Subject::Document, &at(name), "added");
        }
    }

    fn channels(&mut self) {
        let (old, new) = (
            entries(self.old, "/channels"),
            entries(self.new, "/channels"),
        );
        let at = |name: &str| same_location(format!("channel {name}"), &["channels", name]);
        for (name, old_channel) in &old {
            let Some(new_channel) = new.get(name) else {
                let (class, kind) = (Class::Breaking, Kind::Removed);
                self.push(class, kind, Subject::Channel, &at(name), "channel removed");
                continue;
            };
            let at = at(name);
            let (before, after) = (address(old_channel), address(new_channel));
            if before != after {
                // Programs refer to a channel by its address.
                let class = Class::Breaking;
                self.changed(class, Subject::Channel, &at, "the address", &before, &after);
            }
            self.carried_messages(
                &channel_messages(old_channel),
                &channel_messages(new_channel),
                &at,
            );
            for (name, node) in entries_in(old_channel, "messages") {
                let Some(new_node) = entries_in(new_channel, "messages").get(name).copied() else {
                    continue;
                };
                // Referenced messages are compared where they are defined.
                if node.get("$ref").is_none() && new_node.get("$ref").is_none() {
                    let at = at.join(format!("message {name}"), "messages");
                    self.message(name, node, new_node, &at);
                }
            }
            self.other_fields(old_channel, new_channel, &at, &["address", "messages"]);
            self.descriptions(old_channel, new_channel, &at);
        }
        for (name, new_channel) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            let text = format!("channel added: {}", address(new_channel));
            let (class, kind) = (Class::Additive, Kind::Added);
            self.push(class, kind, Subject::Channel, &at(name), text);
        }
    }

    fn stream_operations(&mut self) {
        let (old, new) = (
            entries(self.old, "/operations"),
            entries(self.new, "/operations"),
        );
        let at = |old: &str, new: &str| Location {
            name: format!("operation {new}"),
            old: JsonPath::new(&["operations", old]),
            new: JsonPath::new(&["operations", new]),
        };
        for (name, old_operation) in &old {
            let new_name = self.renames.operation(name).unwrap_or(name).to_owned();
            let at = at(name, &new_name);
            let Some(new_operation) = new.get(new_name.as_str()) else {
                // No type is named after an operation. The effects on its messages are reported with the messages.
                let (class, kind) = (Class::Behaviour, Kind::Removed);
                self.push(class, kind, Subject::Operation, &at, "operation removed");
                continue;
            };
            if *name != new_name {
                let text = format!("renamed from `{name}`; no type is named after it");
                let (class, kind) = (Class::Additive, Kind::Renamed);
                self.push(class, kind, Subject::Operation, &at, text);
            }
            let direction = |node: &Value| match node["action"].as_str() {
                Some("send") => "sent by the exchange",
                _ => "sent by the client",
            };
            if direction(old_operation) != direction(new_operation) {
                let (before, after) = (direction(old_operation), direction(new_operation));
                let (class, attribute) = (Class::Breaking, "the direction");
                self.changed(class, Subject::Operation, &at, attribute, before, after);
            }
            let channel = |node: &Value| {
                let reference = node["channel"]["$ref"].as_str().unwrap_or_default();
                format!("`{}`", reference.trim_start_matches("#/channels/"))
            };
            if channel(old_operation) != channel(new_operation) {
                let (before, after) = (channel(old_operation), channel(new_operation));
                let (class, attribute) = (Class::Behaviour, "the channel");
                self.changed(class, Subject::Channel, &at, attribute, &before, &after);
            }
            self.carried_messages(
                &operation_messages(old_operation),
                &operation_messages(new_operation),
                &at,
            );
            self.other_fields(
                old_operation,
                new_operation,
                &at,
                &["action", "channel", "messages"],
            );
            self.descriptions(old_operation, new_operation, &at);
        }
        for name in new
            .keys()
            .filter(|name| !old.contains_key(*name) && self.renames.old_operation(name).is_none())
            .collect::<Vec<_>>()
        {
            let (class, kind) = (Class::Additive, Kind::Added);
            let text = "operation added";
            self.push(class, kind, Subject::Operation, &at(name, name), text);
        }
    }

    /// Compares the messages that a channel or an operation carries.
    fn carried_messages(&mut self, old: &Entries<'_>, new: &Entries<'_>, at: &Location) {
        let messages = (entries(self.old, MESSAGES), entries(self.new, MESSAGES));
        let contains = |name: &str, entries: &Entries<'_>| entries.contains_key(name);
        for (name, old_message) in old {
            let new_name = self.renames.message(name).unwrap_or(name).to_owned();
            let Some(new_message) = new.get(new_name.as_str()) else {
                // A removed message is reported separately.
                if !contains(name, &messages.0) || contains(&new_name, &messages.1) {
                    let text = format!("no longer includes the message {name}");
                    let (class, kind) = (Class::Behaviour, Kind::Removed);
                    self.push(class, kind, Subject::Message, at, text);
                }
                continue;
            };
            // An operation refers to the messages of its channel, where a change is reported.
            let reference = |node: &Value| {
                spec::reference(node).is_some_and(|text| !text.starts_with("#/channels/"))
            };
            let is_changed = new_name == *name
                && structure::canonical(old_message) != structure::canonical(new_message);
            if is_changed && (reference(old_message) || reference(new_message)) {
                let text = format!("the message {name} changed");
                let (class, kind) = (Class::Behaviour, Kind::Changed);
                self.push(class, kind, Subject::Message, at, text);
            }
        }
        for name in new.keys() {
            let before = self.renames.old_message(name).unwrap_or(name);
            let is_new = contains(name, &messages.1) && !contains(before, &messages.0);
            if !contains(before, old) && !is_new {
                let text = format!("now includes the message {name}");
                let (class, kind) = (Class::Additive, Kind::Added);
                self.push(class, kind, Subject::Message, at, text);
            }
        }
    }

    fn messages(&mut self) {
        let (old, new) = (entries(self.old, MESSAGES), entries(self.new, MESSAGES));
        let at = |old: &str, new: &str| Location {
            name: format!("message {new}"),
            old: JsonPath::new(&["components", "messages", old]),
            new: JsonPath::new(&["components", "messages", new]),
        };
        let (carried_before, carried_after) =
            (carried_messages(self.old), carried_messages(self.new));
        for (name, old_message) in &old {
            let new_name = self.renames.message(name).unwrap_or(name).to_owned();
            let at = at(name, &new_name);
            let was_used = carried_before.contains(*name);
            let Some(new_message) = new.get(new_name.as_str()) else {
                let (class, text) = if was_used {
                    (Class::Breaking, "message removed")
                } else {
                    (Class::Additive, "message removed; no operation used it")
                };
                self.push(class, Kind::Removed, Subject::Message, &at, text);
                continue;
            };
            if *name != new_name {
                let text = format!("renamed from `{name}`");
                let (class, kind) = (Class::Breaking, Kind::Renamed);
                let change = self.push(class, kind, Subject::Message, &at, text);
                (change.before, change.after) = (Some((*name).to_owned()), Some(new_name.clone()));
            }
            match (was_used, carried_after.contains(new_name.as_str())) {
                (true, false) => {
                    let text = "message removed: no longer used by an operation";
                    let (class, kind) = (Class::Breaking, Kind::Removed);
                    self.push(class, kind, Subject::Message, &at, text);
                }
                (false, true) => {
                    let text = "message added: now used by an operation";
                    let (class, kind) = (Class::Additive, Kind::Added);
                    self.push(class, kind, Subject::Message, &at, text);
                }
                _ => {}
            }
            self.message(&new_name, old_message, new_message, &at);
        }
        for name in new.keys() {
            if old.contains_key(name) || self.renames.old_message(name).is_some() {
                continue;
            }
            let text = match carried_after.contains(*name) {
                true => format!("message added: {}", channels_of(self.new, name)),
                false => "message added; no operation uses it".to_owned(),
            };
            let (class, kind) = (Class::Additive, Kind::Added);
            self.push(class, kind, Subject::Message, &at(name, name), text);
        }
    }

    /// Compares a message that both specs have.
    fn message(&mut self, name: &str, old_message: &Value, new_message: &Value, at: &Location) {
        self.other_fields(old_message, new_message, at, &["payload", "$ref"]);
        self.descriptions(old_message, new_message, at);
        let (Some(old), Some(new)) = (old_message.get("payload"), new_message.get("payload"))
        else {
            return;
        };
        let target = |node: &Value| {
            let target = spec::reference(node).and_then(schema_name);
            target.map(str::to_owned)
        };
        let (before, after) = (target(old), target(new));
        if let (Some(before), Some(after)) = (&before, &after) {
            if self.renames.schema(before).unwrap_or(before) == after {
                return;
            }
            let (before, after) = (format!("`{before}`"), format!("`{after}`"));
            let (class, attribute) = (Class::Additive, "the payload");
            self.changed(class, Subject::Schema, at, attribute, &before, &after);
        }
        let specs = (self.old, self.new);
        let owner = Owner {
            old: name.to_owned(),
            new: name.to_owned(),
            sent: specs.0.is_sent_message(name) || specs.1.is_sent_message(name),
            received: specs.0.is_received_message(name) || specs.1.is_received_message(name),
        };
        let at = at.join(name.to_owned(), "payload");
        let (old, new) = (specs.0.target(old), specs.1.target(new));
        self.schema(old, new, &at, "", &owner);
    }

    /// Reports differences in fields that do not affect the generated code, each separately.
    fn other_fields(
        &mut self,
        old: &Value,
        new: &Value,
        at: &Location,
        compared_separately: &[&str],
    ) {
        let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
            return;
        };
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let is_structural = structure::Keys::Keywords.is_structural(key)
                && !compared_separately.contains(&key.as_str());
            // The key determines the meaning of the value, so it is included.
            let structure = |node: Option<&Value>| {
                node.map(|value| {
                    structure::canonical(&serde_json::json!({ "node": { key: value } }))
                })
            };
            let (old_value, new_value) = (before.get(key), after.get(key));
            if !is_structural || structure(old_value) == structure(new_value) {
                continue;
            }
            let attribute = format!("`{key}`");
            let (before, after) = (format_value(old_value), format_value(new_value));
            let class = Class::Behaviour;
            self.changed(class, Subject::Keyword, at, &attribute, &before, &after);
        }
    }
}

/// Returns the same location in both specs.
fn same_location(name: String, keys: &[&str]) -> Location {
    Location {
        name,
        old: JsonPath::new(keys),
        new: JsonPath::new(keys),
    }
}

fn entries_in<'a>(node: &'a Value, key: &str) -> Entries<'a> {
    let entries = node.get(key).and_then(Value::as_object).into_iter();
    let entries = entries.flatten();
    entries.map(|(name, node)| (name.as_str(), node)).collect()
}

fn channel_messages(channel: &Value) -> Entries<'_> {
    entries_in(channel, "messages")
}

/// Returns the messages of an operation by name.
fn operation_messages(operation: &Value) -> Entries<'_> {
    let messages = operation["messages"].as_array().into_iter().flatten();
    messages
        .filter_map(|message| Some((spec::reference(message)?.rsplit('/').next()?, message)))
        .collect()
}

/// Returns the names of the messages that an operation carries, as in the document's list of messages.
fn carried_messages(spec_index: &SpecIndex) -> BTreeSet<&str> {
    let operations = entries(spec_index, "/operations").into_values();
    let messages = operations.flat_map(|operation| operation_messages(operation).into_values());
    messages
        .filter_map(|message| {
            // Resolved through the channel, which may use another name for the message.
            let reference = spec::reference(spec_index.resolve(message));
            reference?.strip_prefix("#/components/messages/")
        })
        .collect()
}

/// Returns the channels that carry a message.
fn channels_of(spec_index: &SpecIndex, message: &str) -> String {
    let channels = entries(spec_index, "/channels").into_iter();
    let channels = channels.filter(|(_, node)| channel_messages(node).contains_key(message));
    let names: Vec<_> = channels.map(|(name, _)| format!("`{name}`")).collect();
    format!("on {}", names.join(" and "))
}

fn address(channel: &Value) -> String {
    format!("`{}`", channel["address"].as_str().unwrap_or_default())
}

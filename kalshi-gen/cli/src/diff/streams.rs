//! Differences of AsyncAPI specs: servers, channels, operations and messages. Their schemas are compared
//! like those of OpenAPI.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    At, Class, Comparison, Kind, Subject,
    owner::Owner,
    side::{MESSAGES, Side, Targets, named},
    values::format_value,
};
use kalshi_gen::internals::{
    error::JsonPath,
    spec::{self, schema_name},
};

use crate::facts;

impl Comparison<'_> {
    /// Compares the parts that only AsyncAPI specs have. Does nothing for OpenAPI specs.
    pub(super) fn streams(&mut self) {
        let (old, new) = (&self.old.document, &self.new.document);
        if old.get("asyncapi").is_none() {
            return;
        }
        let root = At {
            name: "the document".to_owned(),
            old: JsonPath::new(&[]),
            new: JsonPath::new(&[]),
        };
        let own_way = [
            "asyncapi",
            "channels",
            "components",
            "info",
            "operations",
            "servers",
        ];
        self.others(old, new, &root, &own_way);
        let (before, after) = (&old["info"], &new["info"]);
        let info = root.join("info".to_owned(), "info");
        self.others(before, after, &info, &["tags", "version"]);
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
        let is_payload = |name: &str| old.is_payload(name) || new.is_payload(name);
        for change in self
            .changes
            .iter_mut()
            .filter(|change| change.class == Class::Breaking)
        {
            let Some((payload, member)) = change.place.split_once('.') else {
                continue;
            };
            let is_inline = !change.path.starts_with("$.components.schemas.");
            let is_body =
                ["msg", "params", "type"].contains(&member) || member.contains(['.', '[', '{']);
            if !is_body && (is_inline || is_payload(payload)) {
                change.class = Class::Behaviour;
            }
        }
    }

    fn servers(&mut self) {
        let (old, new) = (named(self.old, "/servers"), named(self.new, "/servers"));
        let at = |name: &str| place(format!("server {name}"), &["servers", name]);
        for (name, was) in &old {
            match new.get(name) {
                Some(is) => {
                    self.others(was, is, &at(name), &[]);
                    self.words(was, is, &at(name));
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
        let (old, new) = (named(self.old, "/channels"), named(self.new, "/channels"));
        let at = |name: &str| place(format!("channel {name}"), &["channels", name]);
        for (name, was) in &old {
            let Some(is) = new.get(name) else {
                let (class, kind) = (Class::Breaking, Kind::Removed);
                self.push(class, kind, Subject::Channel, &at(name), "channel removed");
                continue;
            };
            let at = at(name);
            let (before, after) = (address(was), address(is));
            if before != after {
                // Programs refer to a channel by its address.
                let class = Class::Breaking;
                self.changed(class, Subject::Channel, &at, "the address", &before, &after);
            }
            self.carried(&channel_messages(was), &channel_messages(is), &at);
            for (name, node) in named_in(was, "messages") {
                let Some(now) = named_in(is, "messages").get(name).copied() else {
                    continue;
                };
                // Referenced messages are compared where they are defined.
                if node.get("$ref").is_none() && now.get("$ref").is_none() {
                    let at = at.join(format!("message {name}"), "messages");
                    self.message(name, node, now, &at);
                }
            }
            self.others(was, is, &at, &["address", "messages"]);
            self.words(was, is, &at);
        }
        for (name, is) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            let text = format!("channel added: {}", address(is));
            let (class, kind) = (Class::Additive, Kind::Added);
            self.push(class, kind, Subject::Channel, &at(name), text);
        }
    }

    fn stream_operations(&mut self) {
        let (old, new) = (
            named(self.old, "/operations"),
            named(self.new, "/operations"),
        );
        let at = |old: &str, new: &str| At {
            name: format!("operation {new}"),
            old: JsonPath::new(&["operations", old]),
            new: JsonPath::new(&["operations", new]),
        };
        for (name, was) in &old {
            let now = self.renames.operation(name).unwrap_or(name).to_owned();
            let at = at(name, &now);
            let Some(is) = new.get(now.as_str()) else {
                // No type is named after an operation. The effects on its messages are reported with the messages.
                let (class, kind) = (Class::Behaviour, Kind::Removed);
                self.push(class, kind, Subject::Operation, &at, "operation removed");
                continue;
            };
            if *name != now {
                let text = format!("renamed from `{name}`; no type is named after it");
                let (class, kind) = (Class::Additive, Kind::Renamed);
                self.push(class, kind, Subject::Operation, &at, text);
            }
            let direction = |node: &Value| match node["action"].as_str() {
                Some("send") => "sent by the exchange",
                _ => "sent by the client",
            };
            if direction(was) != direction(is) {
                let (before, after) = (direction(was), direction(is));
                let (class, what) = (Class::Breaking, "the direction");
                self.changed(class, Subject::Operation, &at, what, before, after);
            }
            let channel = |node: &Value| {
                let reference = node["channel"]["$ref"].as_str().unwrap_or_default();
                format!("`{}`", reference.trim_start_matches("#/channels/"))
            };
            if channel(was) != channel(is) {
                let (before, after) = (channel(was), channel(is));
                let (class, what) = (Class::Behaviour, "the channel");
                self.changed(class, Subject::Channel, &at, what, &before, &after);
            }
            self.carried(&operation_messages(was), &operation_messages(is), &at);
            self.others(was, is, &at, &["action", "channel", "messages"]);
            self.words(was, is, &at);
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
    fn carried(&mut self, old: &Targets<'_>, new: &Targets<'_>, at: &At) {
        let messages = (named(self.old, MESSAGES), named(self.new, MESSAGES));
        let is_there = |name: &str, targets: &Targets<'_>| targets.contains_key(name);
        for (name, was) in old {
            let now = self.renames.message(name).unwrap_or(name).to_owned();
            let Some(is) = new.get(now.as_str()) else {
                // A removed message is reported separately.
                if !is_there(name, &messages.0) || is_there(&now, &messages.1) {
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
            let is_another = now == *name && facts::facts(was) != facts::facts(is);
            if is_another && (reference(was) || reference(is)) {
                let text = format!("the message {name} changed");
                let (class, kind) = (Class::Behaviour, Kind::Changed);
                self.push(class, kind, Subject::Message, at, text);
            }
        }
        for name in new.keys() {
            let before = self.renames.old_message(name).unwrap_or(name);
            let is_new = is_there(name, &messages.1) && !is_there(before, &messages.0);
            if !is_there(before, old) && !is_new {
                let text = format!("now includes the message {name}");
                let (class, kind) = (Class::Additive, Kind::Added);
                self.push(class, kind, Subject::Message, at, text);
            }
        }
    }

    fn messages(&mut self) {
        let (old, new) = (named(self.old, MESSAGES), named(self.new, MESSAGES));
        let at = |old: &str, new: &str| At {
            name: format!("message {new}"),
            old: JsonPath::new(&["components", "messages", old]),
            new: JsonPath::new(&["components", "messages", new]),
        };
        let (carried_before, carried_after) = (carried(self.old), carried(self.new));
        for (name, was) in &old {
            let now = self.renames.message(name).unwrap_or(name).to_owned();
            let at = at(name, &now);
            let was_used = carried_before.contains(*name);
            let Some(is) = new.get(now.as_str()) else {
                let (class, text) = if was_used {
                    (Class::Breaking, "message removed")
                } else {
                    (Class::Additive, "message removed; no operation used it")
                };
                self.push(class, Kind::Removed, Subject::Message, &at, text);
                continue;
            };
            if *name != now {
                let text = format!("renamed from `{name}`");
                let (class, kind) = (Class::Breaking, Kind::Renamed);
                let change = self.push(class, kind, Subject::Message, &at, text);
                (change.before, change.after) = (Some((*name).to_owned()), Some(now.clone()));
            }
            match (was_used, carried_after.contains(now.as_str())) {
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
            self.message(&now, was, is, &at);
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
    fn message(&mut self, name: &str, was: &Value, is: &Value, at: &At) {
        self.others(was, is, at, &["payload", "$ref"]);
        self.words(was, is, at);
        let (Some(old), Some(new)) = (was.get("payload"), is.get("payload")) else {
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
            let (class, what) = (Class::Additive, "the payload");
            self.changed(class, Subject::Schema, at, what, &before, &after);
        }
        let sides = (self.old, self.new);
        let owner = Owner {
            old: name.to_owned(),
            new: name.to_owned(),
            sent: sides.0.is_sent_message(name) || sides.1.is_sent_message(name),
            received: sides.0.is_received_message(name) || sides.1.is_received_message(name),
        };
        let at = at.join(name.to_owned(), "payload");
        let (old, new) = (sides.0.target(old), sides.1.target(new));
        self.node(old, new, &at, "", &owner);
    }

    /// Reports differences in fields that do not affect the generated code, each separately.
    fn others(&mut self, old: &Value, new: &Value, at: &At, own_way: &[&str]) {
        let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
            return;
        };
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let is_fact = facts::Keys::Keywords.is_fact(key) && !own_way.contains(&key.as_str());
            // The key determines the meaning of the value, so it is included.
            let fact = |node: Option<&Value>| {
                node.map(|value| facts::facts(&serde_json::json!({ "node": { key: value } })))
            };
            let (was, is) = (before.get(key), after.get(key));
            if !is_fact || fact(was) == fact(is) {
                continue;
            }
            let what = format!("`{key}`");
            let (before, after) = (format_value(was), format_value(is));
            let class = Class::Behaviour;
            self.changed(class, Subject::Keyword, at, &what, &before, &after);
        }
    }
}

/// Returns the same location in both specs.
fn place(name: String, keys: &[&str]) -> At {
    At {
        name,
        old: JsonPath::new(keys),
        new: JsonPath::new(keys),
    }
}

fn named_in<'a>(node: &'a Value, key: &str) -> Targets<'a> {
    let members = node.get(key).and_then(Value::as_object).into_iter();
    let members = members.flatten();
    members.map(|(name, node)| (name.as_str(), node)).collect()
}

fn channel_messages(channel: &Value) -> Targets<'_> {
    named_in(channel, "messages")
}

/// Returns the messages of an operation by name.
fn operation_messages(operation: &Value) -> Targets<'_> {
    let messages = operation["messages"].as_array().into_iter().flatten();
    messages
        .filter_map(|message| Some((spec::reference(message)?.rsplit('/').next()?, message)))
        .collect()
}

/// Returns the names of the messages that an operation carries, as in the document's list of messages.
fn carried(side: &Side) -> BTreeSet<&str> {
    let operations = named(side, "/operations").into_values();
    let messages = operations.flat_map(|operation| operation_messages(operation).into_values());
    messages
        .filter_map(|message| {
            // Resolved through the channel, which may use another name for the message.
            let reference = spec::reference(side.behind(message));
            reference?.strip_prefix("#/components/messages/")
        })
        .collect()
}

/// Returns the channels that carry a message.
fn channels_of(side: &Side, message: &str) -> String {
    let channels = named(side, "/channels").into_iter();
    let channels = channels.filter(|(_, node)| channel_messages(node).contains_key(message));
    let names: Vec<_> = channels.map(|(name, _)| format!("`{name}`")).collect();
    format!("on {}", names.join(" and "))
}

fn address(channel: &Value) -> String {
    format!("`{}`", channel["address"].as_str().unwrap_or_default())
}

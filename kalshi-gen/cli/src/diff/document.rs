//! Differences of the document as a whole: servers, security schemes, tags and descriptions.

use serde_json::Value;

use super::{Class, Comparison, Kind, Location, Subject};
use kalshi_gen::internals::error::JsonPath;

use crate::structure;

impl Comparison<'_> {
    /// Compares servers, security schemes, tags and descriptions of the document as a whole.
    pub(super) fn document(&mut self) {
        let (old, new) = (&self.old.document, &self.new.document);
        let root = JsonPath::new(&[]);
        let at = |name: &str, key: &str| Location {
            name: name.to_owned(),
            old: root.join(key),
            new: root.join(key),
        };
        let servers = |document: &Value| -> Vec<(String, Option<Value>)> {
            let list = document.get("servers").and_then(Value::as_array);
            let servers = list.into_iter().flatten().filter_map(|server| {
                let url = server.get("url")?.as_str()?.to_owned();
                Some((url, server.get("description").cloned()))
            });
            servers.collect()
        };
        let (before, after) = (servers(old), servers(new));
        let addresses = |servers: &[(String, Option<Value>)]| -> Vec<String> {
            servers.iter().map(|(url, _)| url.clone()).collect()
        };
        let descriptions_differ = before != after;
        let (before, after) = (addresses(&before), addresses(&after));
        for url in before.iter().filter(|url| !after.contains(url)) {
            self.push(
                Class::Behaviour,
                Kind::Removed,
                Subject::Document,
                &at("servers", "servers"),
                format!("{url} removed"),
            );
        }
        for url in after.iter().filter(|url| !before.contains(url)) {
            self.push(
                Class::Additive,
                Kind::Added,
                Subject::Document,
                &at("servers", "servers"),
                format!("{url} added"),
            );
        }
        let schemes = |document: &Value| {
            document
                .pointer("/components/securitySchemes")
                .map(structure::canonical)
        };
        if schemes(old) != schemes(new) {
            self.push(
                Class::Behaviour,
                Kind::Changed,
                Subject::Auth,
                &at("security schemes", "components"),
                "changed",
            );
        }
        if old.get("tags") != new.get("tags") {
            self.push(
                Class::Prose,
                Kind::Changed,
                Subject::Document,
                &at("tags", "tags"),
                "the list of tags changed",
            );
        }
        if let (Some(old), Some(new)) = (old.get("info"), new.get("info")) {
            self.descriptions(old, new, &at("info", "info"));
        }
        if before == after && descriptions_differ {
            self.push(
                Class::Prose,
                Kind::Changed,
                Subject::Description,
                &at("servers", "servers"),
                "changed wording: description",
            );
        }
    }
}

//! Differences of the document as a whole: servers, schemes of security, tags, words.

use serde_json::Value;

use super::{At, Class, Comparison, Kind, Subject};
use crate::{error::Place, facts};

impl Comparison<'_> {
    /// Servers, schemes of security, tags and words of the document as a whole.
    pub(super) fn document(&mut self) {
        let (old, new) = (&self.old.document, &self.new.document);
        let root = Place::of(&[]);
        let at = |name: &str, key: &str| At {
            name: name.to_owned(),
            old: root.join(key),
            new: root.join(key),
        };
        let addresses = |document: &Value| {
            let list = document
                .get("servers")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            list.iter()
                .filter_map(|server| Some(server.get("url")?.as_str()?.to_owned()))
                .collect::<Vec<_>>()
        };
        let (before, after) = (addresses(old), addresses(new));
        for url in before.iter().filter(|url| !after.contains(url)) {
            self.push(
                Class::Behaviour,
                Kind::Removed,
                Subject::Document,
                &at("servers", "servers"),
                format!("{url} is gone"),
            );
        }
        for url in after.iter().filter(|url| !before.contains(url)) {
            self.push(
                Class::Additive,
                Kind::Added,
                Subject::Document,
                &at("servers", "servers"),
                format!("{url} is new"),
            );
        }
        let schemes = |document: &Value| {
            document
                .pointer("/components/securitySchemes")
                .map(facts::facts)
        };
        if schemes(old) != schemes(new) {
            self.push(
                Class::Behaviour,
                Kind::Changed,
                Subject::Auth,
                &at("security schemes", "components"),
                "they are others",
            );
        }
        if old.get("tags") != new.get("tags") {
            self.push(
                Class::Prose,
                Kind::Changed,
                Subject::Document,
                &at("tags", "tags"),
                "the list of tags is another",
            );
        }
        if let (Some(old), Some(new)) = (old.get("info"), new.get("info")) {
            self.words(old, new, &at("info", "info"));
        }
        let words = |document: &Value| {
            let list = document
                .get("servers")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            list.iter()
                .map(|server| {
                    (
                        server.get("url").cloned(),
                        server.get("description").cloned(),
                    )
                })
                .collect::<Vec<_>>()
        };
        if before == after && words(old) != words(new) {
            self.push(
                Class::Prose,
                Kind::Changed,
                Subject::Words,
                &at("servers", "servers"),
                "other words: description",
            );
        }
    }
}

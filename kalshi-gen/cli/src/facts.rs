//! Which fields of a spec are facts of the exchange, which are words, and which are this project's own (`x-`).

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Fields that hold words: they explain, and decide nothing.
pub(crate) const WORDS: [&str; 9] = [
    "contact",
    "description",
    "example",
    "examples",
    "externalDocs",
    "license",
    "summary",
    "termsOfService",
    "title",
];

/// What the keys of a mapping are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Keywords of OpenAPI or AsyncAPI: words, facts and `x-` fields.
    Keywords,
    /// Names that the spec chose, each of something with keywords.
    Names,
    /// Neither: the whole is one value.
    Data,
}

impl Keys {
    /// What the keys are of the value under `key` of a mapping of this kind.
    pub(crate) fn below(self, key: &str, is_mapping: bool) -> Self {
        match self {
            Self::Data => Self::Data,
            Self::Names => Self::Keywords,
            Self::Keywords => match key {
                "properties" | "schemas" | "responses" | "requestBodies" | "securitySchemes"
                | "headers" | "paths" | "content" | "callbacks" | "links" | "variables" => {
                    Self::Names
                }
                // Lists in OpenAPI, or in an operation of AsyncAPI.
                "parameters" | "servers" | "channels" | "operations" | "messages" if is_mapping => {
                    Self::Names
                }
                "default" | "const" | "enum" | "required" | "mapping" | "scopes" | "security" => {
                    Self::Data
                }
                key if key.starts_with("x-") || WORDS.contains(&key) => Self::Data,
                _ => Self::Keywords,
            },
        }
    }

    /// Whether the field `key` of a mapping of this kind is a fact of the exchange.
    pub(crate) fn is_fact(self, key: &str) -> bool {
        self != Self::Keywords || !(key.starts_with("x-") || WORDS.contains(&key))
    }
}

/// Whether a list is a set, whose order says nothing.
pub(crate) fn is_set(key: &str) -> bool {
    ["enum", "required", "tags"].contains(&key)
}

/// The facts of a document alone, in one form: without words, `x-` fields and the list of tags, which stands at the root or,
/// in AsyncAPI, in `info`; sets in order.
pub(crate) fn facts(document: &Value) -> Value {
    fn walk(node: &Value, keys: Keys, key: &str) -> Value {
        match node {
            Value::Object(members) => {
                let kept = members.iter().filter(|(key, _)| keys.is_fact(key));
                let mut kept: Vec<_> = kept
                    .map(|(key, value)| {
                        (
                            key.clone(),
                            walk(value, keys.below(key, value.is_object()), key),
                        )
                    })
                    .collect();
                kept.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(Map::from_iter(kept))
            }
            Value::Array(items) => {
                let mut items: Vec<_> = items.iter().map(|item| walk(item, keys, "")).collect();
                if is_set(key) {
                    items.sort_by_key(Value::to_string);
                    items.dedup();
                }
                Value::Array(items)
            }
            leaf => leaf.clone(),
        }
    }
    let mut facts = walk(document, Keys::Keywords, "");
    if let Value::Object(root) = &mut facts {
        root.remove("tags");
        if let Some(Value::Object(info)) = root.get_mut("info") {
            info.remove("tags");
        }
    }
    facts
}

/// The SHA-256 of a text, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::facts;
    use serde_json::json;

    #[test]
    fn facts_are_what_is_left_without_words_and_our_own_members() {
        let spec = json!({
            "info": { "title": "T", "version": "1" },
            "tags": [{ "name": "a" }],
            "components": { "schemas": { "title": {
                "description": "words", "x-ours": 1, "required": ["b", "a"], "example": { "type": 1 },
                "properties": { "description": { "type": "string", "title": "words" }, "x-name": { "default": { "title": 1 } } },
            } } },
        });
        let expected = json!({
            "info": { "version": "1" },
            "components": { "schemas": { "title": {
                "required": ["a", "b"],
                "properties": { "description": { "type": "string" }, "x-name": { "default": { "title": 1 } } },
            } } },
        });
        assert_eq!(facts(&spec), expected);
    }
}

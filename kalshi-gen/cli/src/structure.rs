//! Classification of a spec's fields: structure, descriptions, and this project's own `x-` fields.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Fields that describe and have no effect on the API.
pub(crate) const DESCRIPTIVE_FIELDS: [&str; 9] = [
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

/// The meaning of a mapping's keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Keywords of OpenAPI or AsyncAPI: structure, descriptions and `x-` fields.
    Keywords,
    /// Names chosen by the spec, each with a mapping of keywords.
    Names,
    /// Neither: the mapping is a single value.
    Data,
}

impl Keys {
    /// Returns the meaning of the keys of the value under `key`.
    pub(crate) fn nested(self, key: &str, is_mapping: bool) -> Self {
        match self {
            Self::Data => Self::Data,
            Self::Names => Self::Keywords,
            Self::Keywords => match key {
                "properties" | "schemas" | "responses" | "requestBodies" | "securitySchemes"
                | "headers" | "paths" | "content" | "callbacks" | "links" | "variables" => {
                    Self::Names
                }
                // Lists in OpenAPI or in an AsyncAPI operation.
                "parameters" | "servers" | "channels" | "operations" | "messages" if is_mapping => {
                    Self::Names
                }
                "default" | "const" | "enum" | "required" | "mapping" | "scopes" | "security" => {
                    Self::Data
                }
                key if key.starts_with("x-") || DESCRIPTIVE_FIELDS.contains(&key) => Self::Data,
                _ => Self::Keywords,
            },
        }
    }

    /// Returns `true` if the field `key` is part of the structure.
    pub(crate) fn is_structural(self, key: &str) -> bool {
        self != Self::Keywords || !(key.starts_with("x-") || DESCRIPTIVE_FIELDS.contains(&key))
    }
}

/// Returns `true` if a list is a set, so that its order is irrelevant.
pub(crate) fn is_set(key: &str) -> bool {
    ["enum", "required", "tags"].contains(&key)
}

/// Returns the structure of a document in a canonical form: without descriptions, `x-` fields and the list of tags,
/// which is at the root or, in AsyncAPI, in `info`. Sets are sorted.
pub(crate) fn canonical(document: &Value) -> Value {
    fn walk(node: &Value, keys: Keys, key: &str) -> Value {
        match node {
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(key, _)| keys.is_structural(key));
                let mut kept: Vec<_> = kept
                    .map(|(key, value)| {
                        (
                            key.clone(),
                            walk(value, keys.nested(key, value.is_object()), key),
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
    let mut canonical = walk(document, Keys::Keywords, "");
    if let Value::Object(root) = &mut canonical {
        root.remove("tags");
        if let Some(Value::Object(info)) = root.get_mut("info") {
            info.remove("tags");
        }
    }
    canonical
}

/// Returns the SHA-256 of `bytes` in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::canonical;
    use serde_json::json;

    #[test]
    fn structure_excludes_descriptions_and_extension_fields() {
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
        assert_eq!(canonical(&spec), expected);
    }
}

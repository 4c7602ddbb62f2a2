//! Validation of a spec: rejects documents that are not specs, and constructs that the later stages cannot express,
//! with their JSON path.

pub(crate) mod keywords;
mod operations;
mod require;
mod schemas;
pub(crate) mod streams;

use serde_json::Value;

use crate::error::{Error, JsonPath};

/// Checks that a document is an OpenAPI 3.0 spec that this generator can express.
pub(crate) fn check(document: &Value) -> Result<(), Error> {
    let Some(root) = document.as_object() else {
        return Err(Error::document(
            "not a spec: the document is not a mapping (an error page or a truncated file?)",
        ));
    };
    if root.contains_key("swagger") {
        return Err(Error::document(
            "Swagger 2 is not supported; convert the spec to OpenAPI 3.0",
        ));
    }
    match root.get("openapi").and_then(Value::as_str) {
        Some(version) if version.starts_with("3.0.") => {}
        Some(version) => {
            return Err(Error::at(
                &JsonPath::new(&["openapi"]),
                format!("OpenAPI {version} is not supported; kalshi-gen reads 3.0.x"),
            ));
        }
        None if root.contains_key("asyncapi") => {
            return Err(Error::document(
                "an AsyncAPI spec where an OpenAPI spec is required",
            ));
        }
        None => {
            return Err(Error::document(
                "not a spec: it has neither a string `openapi` nor a string `asyncapi`",
            ));
        }
    }
    require::check_info(document)?;
    schemas::check(document)?;
    operations::check(document)
}

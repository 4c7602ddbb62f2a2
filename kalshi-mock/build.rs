//! Digests the spec, `openapi.yaml`, into what the exchange needs at run time: operations, schemas and sample responses,
//! without descriptions.

use std::{env, fs, io, path::PathBuf, process::ExitCode};

use kalshi_gen::{FixupMode, Samples};
use serde_json::{Map, Value, json};

/// The spec of this package. In the repository it is a symbolic link to the spec of the workspace.
const SPEC: &str = "openapi.yaml";
/// The target of that link, for checkouts without symbolic links.
const WORKSPACE_SPEC: &str = "../openapi.yaml";

fn main() -> ExitCode {
    match read_spec().and_then(|text| write_digest(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={}", message.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

/// Reads the spec of this package, or that of the workspace if the link to it is not usable.
fn read_spec() -> Result<String, String> {
    let own = match read(SPEC) {
        Ok(text) if is_link_text(&text) => Err(format!("{SPEC} is the text of a symbolic link")),
        Ok(text) => Ok(text),
        Err(error) => Err(format!("cannot read {SPEC}: {error}")),
    };
    own.or_else(|own| {
        read(WORKSPACE_SPEC)
            .map_err(|error| format!("{own}; cannot read {WORKSPACE_SPEC}: {error}"))
    })
}

/// Returns true for the file that git writes where it cannot create a symbolic link: it holds the path of the target.
fn is_link_text(text: &str) -> bool {
    text.trim() == WORKSPACE_SPEC
}

/// Reads a file, and makes cargo rerun this script when the file changes.
fn read(path: &str) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    println!("cargo::rerun-if-changed={path}");
    Ok(text)
}

fn write_digest(text: &str) -> Result<(), String> {
    let samples =
        Samples::new(text, FixupMode::Lenient).map_err(|error| format!("{SPEC}: {error}"))?;
    let spec = samples.spec();
    let mut operations = Map::new();
    for item in spec["paths"].as_object().into_iter().flat_map(Map::values) {
        for node in item.as_object().into_iter().flat_map(Map::values) {
            if let Some(id) = node["operationId"].as_str() {
                operations.insert(id.to_owned(), operation(spec, node, id, &samples));
            }
        }
    }
    let digest = json!({
        "operations": operations,
        "schemas": without_descriptions(&spec["components"]["schemas"]),
    });
    let directory = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: cargo runs this script")?;
    let path = PathBuf::from(directory).join("spec.json");
    fs::write(&path, digest.to_string())
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn operation(spec: &Value, node: &Value, id: &str, samples: &Samples) -> Value {
    let resolved = |node: &Value| {
        let reference = node["$ref"]
            .as_str()
            .and_then(|text| text.strip_prefix('#'));
        let target = reference.and_then(|pointer| spec.pointer(pointer));
        without_descriptions(target.unwrap_or(node))
    };
    let parameters: Vec<Value> = node["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(resolved)
        .collect();
    let body = node.get("requestBody").map(resolved);
    let success = node["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .find(|(status, _)| status.starts_with('2'))
        .map(|(_, response)| resolved(response));
    let json_schema = |node: Option<Value>| {
        node.and_then(|node| node.pointer("/content/application~1json/schema").cloned())
    };
    json!({
        "parameters": parameters,
        "body_required": body.as_ref().is_some_and(|body| body["required"] == true),
        "body": json_schema(body),
        "status": samples.status(id),
        "response": json_schema(success),
        "sample": samples.answers(id).into_iter().next().map(|sample| sample.body),
    })
}

/// Removes descriptions, summaries and examples. A property may have such a name, so only strings are removed.
fn without_descriptions(node: &Value) -> Value {
    match node {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, value)| {
                let is_description = ["description", "summary", "example"].contains(&name.as_str());
                !(is_description && value.is_string())
            })
            .map(|(name, value)| (name.clone(), without_descriptions(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_descriptions).collect(),
        other => other.clone(),
    }
}

//! Makes of `openapi.yaml` what the exchange goes by: operations, schemas and sample answers, without the words.

use std::{env, fs, path::PathBuf, process::ExitCode};

use kalshi_gen::{FixupMode, Samples};
use serde_json::{Map, Value, json};

/// A link to the contract of the workspace; in a package, the contract.
const CONTRACT: &str = "openapi.yaml";
/// The contract where links are not followed.
const WORKSPACE_CONTRACT: &str = "../openapi.yaml";

fn main() -> ExitCode {
    let contract = [WORKSPACE_CONTRACT, CONTRACT]
        .into_iter()
        .find(|path| PathBuf::from(path).exists())
        .unwrap_or(CONTRACT);
    println!("cargo::rerun-if-changed={contract}");
    match digest(contract) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={contract}: {}", message.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn digest(path: &str) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let samples = Samples::new(&text, FixupMode::Lenient).map_err(|error| error.to_string())?;
    let contract = samples.spec();
    let mut operations = Map::new();
    for item in contract["paths"]
        .as_object()
        .into_iter()
        .flat_map(Map::values)
    {
        for node in item.as_object().into_iter().flat_map(Map::values) {
            if let Some(id) = node["operationId"].as_str() {
                operations.insert(id.to_owned(), operation(contract, node, id, &samples));
            }
        }
    }
    let digest = json!({
        "operations": operations,
        "schemas": without_words(&contract["components"]["schemas"]),
    });
    let directory = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: cargo runs this script")?;
    let path = PathBuf::from(directory).join("contract.json");
    fs::write(&path, digest.to_string())
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn operation(contract: &Value, node: &Value, id: &str, samples: &Samples) -> Value {
    let resolved = |node: &Value| {
        let reference = node["$ref"]
            .as_str()
            .and_then(|text| text.strip_prefix('#'));
        let target = reference.and_then(|pointer| contract.pointer(pointer));
        without_words(target.unwrap_or(node))
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
        .map(|(_, answer)| resolved(answer));
    let json_schema = |node: Option<Value>| {
        node.and_then(|node| node.pointer("/content/application~1json/schema").cloned())
    };
    json!({
        "parameters": parameters,
        "body_required": body.as_ref().is_some_and(|body| body["required"] == true),
        "body": json_schema(body),
        "status": samples.status(id),
        "answer": json_schema(success),
        "sample": samples.answers(id).into_iter().next().map(|sample| sample.body),
    })
}

/// The same without what is for readers only. A property may have such a name: only texts are words.
fn without_words(node: &Value) -> Value {
    match node {
        Value::Object(members) => members
            .iter()
            .filter(|(name, value)| {
                let words = ["description", "summary", "example"].contains(&name.as_str());
                !(words && value.is_string())
            })
            .map(|(name, value)| (name.clone(), without_words(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_words).collect(),
        other => other.clone(),
    }
}

//! Reduces the specs of the enabled APIs to what the exchange needs at run time: operations, schemas and sample responses,
//! without descriptions.

use std::{env, fs, io, path::PathBuf, process::ExitCode};

use kalshi_gen::{FixupMode, Samples};
use serde_json::{Map, Value, json};

/// A spec in this package. In the repository it is a symbolic link to the spec of the API's crate.
struct Source {
    /// Prefix of operations and schemas in the digest.
    api: &'static str,
    /// Cargo feature that enables the API, as cargo names it in the environment.
    feature: Option<&'static str>,
    path: &'static str,
    /// Target of the symbolic link, for checkouts that do not support links.
    target: &'static str,
}

const SOURCES: [Source; 3] = [
    Source {
        api: "trade",
        feature: None,
        path: "openapi.yaml",
        target: "../openapi.yaml",
    },
    Source {
        api: "perps",
        feature: Some("CARGO_FEATURE_PERPS"),
        path: "perps_openapi.yaml",
        target: "../kalshi-perps/perps_openapi.yaml",
    },
    Source {
        api: "klear",
        feature: Some("CARGO_FEATURE_KLEAR"),
        path: "klear_openapi.yaml",
        target: "../kalshi-klear/klear_openapi.yaml",
    },
];

/// Prefix of references to schemas.
const SCHEMAS: &str = "#/components/schemas/";

fn main() -> ExitCode {
    match write_digest() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={}", message.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn write_digest() -> Result<(), String> {
    let (mut operations, mut schemas) = (Map::new(), Map::new());
    for source in SOURCES {
        if source
            .feature
            .is_none_or(|feature| env::var_os(feature).is_some())
        {
            source.digest(&mut operations, &mut schemas)?;
        }
    }
    let digest = json!({ "operations": operations, "schemas": schemas });
    let directory =
        env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this script through cargo")?;
    let path = PathBuf::from(directory).join("spec.json");
    fs::write(&path, digest.to_string())
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

impl Source {
    /// Reads the spec in this package, or the target of the link if the link cannot be followed.
    fn read(&self) -> Result<String, String> {
        let path = self.path;
        let own = match read(path) {
            // If git cannot create a symbolic link, it writes a file that contains the path of the target.
            Ok(text) if text.trim() == self.target => Err(format!(
                "{path} is a symbolic link that was checked out as a text file"
            )),
            Ok(text) => Ok(text),
            Err(error) => Err(format!("cannot read {path}: {error}")),
        };
        own.or_else(|own| {
            read(self.target)
                .map_err(|error| format!("{own}; cannot read {}: {error}", self.target))
        })
    }

    /// Adds the operations and schemas to the digest, prefixed with the name of the API.
    fn digest(
        &self,
        operations: &mut Map<String, Value>,
        schemas: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let samples = Samples::new(&self.read()?, FixupMode::Lenient)
            .map_err(|error| format!("{}: {error}", self.path))?;
        let spec = samples.spec();
        for item in spec["paths"].as_object().into_iter().flat_map(Map::values) {
            for node in item.as_object().into_iter().flat_map(Map::values) {
                if let Some(id) = node["operationId"].as_str() {
                    let name = format!("{}/{id}", self.api);
                    operations.insert(name, self.operation(spec, node, id, &samples));
                }
            }
        }
        for (name, schema) in spec["components"]["schemas"]
            .as_object()
            .into_iter()
            .flatten()
        {
            schemas.insert(format!("{}/{name}", self.api), self.stripped(schema));
        }
        Ok(())
    }

    fn operation(&self, spec: &Value, node: &Value, id: &str, samples: &Samples) -> Value {
        let resolved = |node: &Value| {
            let reference = node["$ref"]
                .as_str()
                .and_then(|text| text.strip_prefix('#'));
            let target = reference.and_then(|pointer| spec.pointer(pointer));
            self.stripped(target.unwrap_or(node))
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
            "sample": samples.responses(id).into_iter().next().map(|sample| sample.body),
        })
    }

    /// Removes descriptions, summaries and examples, and adds the name of the API to references. Only strings are removed, because
    /// a property may be called `description`.
    fn stripped(&self, node: &Value) -> Value {
        match node {
            Value::Object(fields) => fields
                .iter()
                .filter(|(name, value)| {
                    let is_description =
                        ["description", "summary", "example"].contains(&name.as_str());
                    !(is_description && value.is_string())
                })
                .map(|(name, value)| {
                    let schema = value
                        .as_str()
                        .filter(|_| name == "$ref")
                        .and_then(|reference| reference.strip_prefix(SCHEMAS));
                    let value = schema.map_or_else(
                        || self.stripped(value),
                        |schema| format!("{SCHEMAS}{}/{schema}", self.api).into(),
                    );
                    (name.clone(), value)
                })
                .collect::<Map<_, _>>()
                .into(),
            Value::Array(items) => items.iter().map(|item| self.stripped(item)).collect(),
            other => other.clone(),
        }
    }
}

/// Reads a file, and makes cargo rerun this script when the file changes.
fn read(path: &str) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    println!("cargo::rerun-if-changed={path}");
    Ok(text)
}

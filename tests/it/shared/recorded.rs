//! Decodes recorded responses of the real exchange, from the folder that `KALSHI_RECORDED` names.
//!
//! Bodies are named `OPERATION__N.json`, error responses `OPERATION__errSTATUS__N.json`, and fragments of a response
//! `OPERATION.FIELD__N.json`. Without the variable these tests print that they are skipped.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kalshi_core::Error;
use kalshi_gen::Samples;
use serde_json::Value;

use crate::{
    harness::calls::{Server, arguments, call, samples},
    target::{self, operation},
};

pub struct Recorded {
    /// ID of the operation.
    pub operation: String,
    /// The field of the response that the file contains, or `None` if it contains the whole response.
    pub field: Option<String>,
    /// HTTP status, if it is an error response.
    pub error_status: Option<u16>,
    pub body: Value,
    pub file: String,
}

/// Returns the folder of the API's recorded responses, or `None` if `KALSHI_RECORDED` is not set.
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("KALSHI_RECORDED").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        eprintln!("skipped: KALSHI_RECORDED is not set");
    }
    folder.map(|folder| Path::new(&folder).join(target::RECORDED))
}

/// Returns the recorded bodies of a folder, sorted by name. Files of unknown operations are skipped with a message.
pub fn recorded(folder: &Path) -> Vec<Recorded> {
    let mut files: Vec<_> = match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(error) => {
            eprintln!("skipped: {}: {error}", folder.display());
            return Vec::new();
        }
    };
    files.sort();
    let mut found = Vec::new();
    for path in files.into_iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    }) {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut parts = file.split("__");
        let (name, field) = match parts.next().unwrap().split_once('.') {
            Some((name, field)) => (name.to_owned(), Some(field.to_owned())),
            None => (file.split("__").next().unwrap().to_owned(), None),
        };
        if operation::find(&name).is_none() {
            eprintln!("skipped: {file}: the spec has no such operation");
            continue;
        }
        let error_status = parts.find_map(|part| part.strip_prefix("err")?.parse().ok());
        let body = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        found.push(Recorded {
            operation: name,
            field,
            error_status,
            body,
            file,
        });
    }
    found
}

/// Returns the responses to replay for a recorded file: the file itself, or its fragments inserted into a sample.
pub fn responses(samples: &Samples, recorded: &Recorded) -> Vec<Value> {
    let Some(field) = &recorded.field else {
        return vec![recorded.body.clone()];
    };
    let sample = samples.responses(&recorded.operation).remove(0).body;
    assert!(
        sample.get(field).is_some(),
        "{}: the response has no `{field}`",
        recorded.file
    );
    let with = |part: &Value| {
        let mut response = sample.clone();
        response[field] = part.clone();
        response
    };
    match &recorded.body {
        Value::Array(parts) if !sample[field].is_array() => parts.iter().map(with).collect(),
        whole => vec![with(whole)],
    }
}

/// Sends a request of the operation to a server that returns the recorded body.
pub async fn replay(
    server: &Server,
    samples: &Samples,
    recorded: &Recorded,
    response: Value,
) -> Result<Value, Error> {
    let status = recorded
        .error_status
        .or(samples.status(&recorded.operation))
        .unwrap();
    server.respond(status, Some(response));
    call(
        &server.client,
        &recorded.operation,
        &arguments(samples, &recorded.operation),
    )
    .await
}

/// Checks that every body decodes and every error response has a code or a message. Returns the number of responses.
async fn all_decode(folder: &Path) -> usize {
    let (samples, server) = (samples(), Server::start().await);
    let mut count = 0;
    for recorded in recorded(folder) {
        for response in responses(samples, &recorded) {
            count += 1;
            match (
                recorded.error_status,
                replay(&server, samples, &recorded, response).await,
            ) {
                (None, Ok(_)) => {}
                (Some(status), Err(error)) => {
                    assert_eq!(
                        error.status().map(|status| status.as_u16()),
                        Some(status),
                        "{}",
                        recorded.file
                    );
                    // Errors of parameter validation have only a message.
                    let code = match recorded.body.get("msg") {
                        Some(_) => error.message(),
                        None => error.code(),
                    };
                    assert!(code.is_some(), "{}: {error}", recorded.file);
                }
                (_, result) => panic!("{}: {result:?}", recorded.file),
            }
        }
    }
    eprintln!(
        "{count} recorded responses decoded from {}",
        folder.display()
    );
    count
}

#[tokio::test]
async fn recorded_bodies_decode() {
    if let Some(folder) = folder() {
        assert!(
            all_decode(&folder).await > 0,
            "{} contains no recorded responses",
            folder.display()
        );
    }
}

#[tokio::test]
async fn recorded_fragments_decode() {
    if let Some(folder) = folder() {
        all_decode(&folder.join("fragments")).await;
    }
}

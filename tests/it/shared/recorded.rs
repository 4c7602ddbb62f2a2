//! Decodes recorded answers of the real exchange, from the folder that `KALSHI_RECORDED` names.
//!
//! Bodies are named `OPERATION__N.json`, refusals `OPERATION__errSTATUS__N.json`, parts of an answer
//! `OPERATION.MEMBER__N.json`. Without the variable there is nothing to do, which is said aloud.

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
    /// The operation's id.
    pub operation: String,
    /// The member of the answer that the file holds a part of.
    pub member: Option<String>,
    /// The status of a refusal.
    pub refusal: Option<u16>,
    pub body: Value,
    pub file: String,
}

/// The folder of the API's recorded answers.
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("KALSHI_RECORDED").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        eprintln!("skipped: KALSHI_RECORDED names no folder of recorded answers");
    }
    folder.map(|folder| Path::new(&folder).join(target::RECORDED))
}

/// The recorded bodies of a folder, by name; files whose operation is not (or no longer) one are listed and left.
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
        let (name, member) = match parts.next().unwrap().split_once('.') {
            Some((name, member)) => (name.to_owned(), Some(member.to_owned())),
            None => (file.split("__").next().unwrap().to_owned(), None),
        };
        if operation::find(&name).is_none() {
            eprintln!("left out: {file}: no operation of the contract");
            continue;
        }
        let refusal = parts.find_map(|part| part.strip_prefix("err")?.parse().ok());
        let body = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        found.push(Recorded {
            operation: name,
            member,
            refusal,
            body,
            file,
        });
    }
    found
}

/// The answers a recorded file stands for: itself, or its parts put into a sample of the rest.
pub fn answers(samples: &Samples, recorded: &Recorded) -> Vec<Value> {
    let Some(member) = &recorded.member else {
        return vec![recorded.body.clone()];
    };
    let sample = samples.answers(&recorded.operation).remove(0).body;
    assert!(
        sample.get(member).is_some(),
        "{}: the answer has no `{member}`",
        recorded.file
    );
    let with = |part: &Value| {
        let mut answer = sample.clone();
        answer[member] = part.clone();
        answer
    };
    match &recorded.body {
        Value::Array(parts) if !sample[member].is_array() => parts.iter().map(with).collect(),
        whole => vec![with(whole)],
    }
}

/// Serves the recorded body to a call of its operation.
pub async fn replay(
    server: &Server,
    samples: &Samples,
    recorded: &Recorded,
    answer: Value,
) -> Result<Value, Error> {
    let status = recorded
        .refusal
        .or(samples.status(&recorded.operation))
        .unwrap();
    server.answer(status, Some(answer));
    call(
        &server.client,
        &recorded.operation,
        &arguments(samples, &recorded.operation),
    )
    .await
}

/// Every body decodes, and every refusal is understood.
async fn all_decode(folder: &Path) -> usize {
    let (samples, server) = (samples(), Server::start().await);
    let mut count = 0;
    for recorded in recorded(folder) {
        for answer in answers(samples, &recorded) {
            count += 1;
            match (
                recorded.refusal,
                replay(&server, samples, &recorded, answer).await,
            ) {
                (None, Ok(_)) => {}
                (Some(status), Err(error)) => {
                    assert_eq!(
                        error.status().map(|status| status.as_u16()),
                        Some(status),
                        "{}",
                        recorded.file
                    );
                    // The check of parameters sends a bare message.
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
    eprintln!("{count} recorded answers decoded from {}", folder.display());
    count
}

#[tokio::test]
async fn recorded_bodies_decode() {
    if let Some(folder) = folder() {
        assert!(
            all_decode(&folder).await > 0,
            "{} holds no recorded answer",
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

//! Fields that a response lacks or that are malformed.

use serde_json::{Value, json};

use crate::{
    harness::calls::{Server, arguments, call, samples},
    target::operation,
};

/// Every member of every answer, taken away and bent: what is missing is an error with its path or stays missing, and is never
/// made up; what is bent and is an amount is an error with its path.
#[tokio::test]
async fn nothing_is_ever_made_up() {
    let (samples, server) = (samples(), Server::start().await);
    let (mut refused, mut left_out) = (0, 0);
    for operation in &operation::ALL {
        let Some(full) = samples.answers(operation.id).into_iter().next() else {
            continue;
        };
        let arguments = arguments(samples, operation.id);
        let status = samples.status(operation.id).unwrap();
        let mut members = Vec::new();
        collect(&full.body, String::new(), &mut members);
        for pointer in members {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let path = json_path(&pointer);
            let mut body = full.body.clone();
            let value = body
                .pointer_mut(parent)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(name)
                .unwrap();
            server.answer(status, Some(body));
            match call(&server.client, operation.id, &arguments).await {
                Err(error) => {
                    refused += 1;
                    assert_eq!(
                        error.decode_path(),
                        Some(path.as_str()),
                        "{}: {error}",
                        operation.id
                    );
                }
                Ok(answer) => {
                    let found = answer.pointer(&pointer);
                    let empty =
                        found.is_none_or(|found| [json!([]), json!({}), json!("")].contains(found));
                    assert!(empty, "{}: {path} was made up: {found:?}", operation.id);
                    // An empty text is for cursors only.
                    assert!(
                        found != Some(&json!("")) || name.ends_with("cursor"),
                        "{}: {path}",
                        operation.id
                    );
                    left_out += 1;
                }
            }
            if value == 0.5 {
                let mut body = full.body.clone();
                *body.pointer_mut(&pointer).unwrap() = json!("abc");
                server.answer(status, Some(body));
                let error = call(&server.client, operation.id, &arguments).await;
                let error = error.unwrap_err();
                assert_eq!(error.decode_path(), Some(path.as_str()), "{error}");
            }
            if value == "0.5625" || value == "12.50" {
                for bent in ["", "abc", "1.1234567"] {
                    let mut body = full.body.clone();
                    *body.pointer_mut(&pointer).unwrap() = json!(bent);
                    server.answer(status, Some(body));
                    match call(&server.client, operation.id, &arguments).await {
                        Err(error) => assert_eq!(
                            error.decode_path(),
                            Some(path.as_str()),
                            "{}: {error}",
                            operation.id
                        ),
                        // An empty text may stand for no amount.
                        Ok(answer) => assert!(
                            bent.is_empty() && answer.pointer(&pointer).is_none(),
                            "{}: {path} was {bent:?}",
                            operation.id
                        ),
                    }
                }
            }
        }
    }
    let enough = 3 * operation::ALL.len();
    assert!(
        refused > enough && left_out > enough,
        "{refused} refused, {left_out} left out"
    );
}

/// The members of all objects in a value, as JSON pointers; not those of maps.
fn collect(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members
                .iter()
                .filter(|(name, _)| *name != "sample key" && *name != "free")
            {
                found.push(format!("{at}/{name}"));
                collect(value, format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| collect(item, format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

fn json_path(pointer: &str) -> String {
    pointer
        .split('/')
        .skip(1)
        .fold(String::from("$"), |path, step| {
            match step.parse::<usize>() {
                Ok(index) => format!("{path}[{index}]"),
                Err(_) => format!("{path}.{step}"),
            }
        })
}

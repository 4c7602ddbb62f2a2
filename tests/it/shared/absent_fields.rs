//! Fields that a response lacks or that are malformed.

use serde_json::{Value, json};

use crate::{
    harness::calls::{Server, arguments, call, samples},
    target::operation,
};

/// Removes and corrupts every field of every sample response. A missing field is an error with its path, or stays absent. A
/// corrupt amount is an error with its path.
#[tokio::test]
async fn missing_field_is_an_error_or_stays_absent() {
    let (samples, server) = (samples(), Server::start().await);
    let (mut rejected, mut absent) = (0, 0);
    for operation in &operation::ALL {
        let Some(full) = samples.responses(operation.id).into_iter().next() else {
            continue;
        };
        let arguments = arguments(samples, operation.id);
        let status = samples.status(operation.id).unwrap();
        let mut fields = Vec::new();
        collect(&full.body, String::new(), &mut fields);
        for pointer in fields {
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
            server.respond(status, Some(body));
            match call(&server.client, operation.id, &arguments).await {
                Err(error) => {
                    rejected += 1;
                    assert_eq!(
                        error.decode_path(),
                        Some(path.as_str()),
                        "{}: {error}",
                        operation.id
                    );
                }
                Ok(response) => {
                    let found = response.pointer(&pointer);
                    let empty =
                        found.is_none_or(|found| [json!([]), json!({}), json!("")].contains(found));
                    assert!(
                        empty,
                        "{}: {path} has an invented value: {found:?}",
                        operation.id
                    );
                    // Only cursors may be decoded as an empty string.
                    assert!(
                        found != Some(&json!("")) || name.ends_with("cursor"),
                        "{}: {path}",
                        operation.id
                    );
                    absent += 1;
                }
            }
            if value == 0.5 {
                let mut body = full.body.clone();
                *body.pointer_mut(&pointer).unwrap() = json!("abc");
                server.respond(status, Some(body));
                let error = call(&server.client, operation.id, &arguments).await;
                let error = error.unwrap_err();
                assert_eq!(error.decode_path(), Some(path.as_str()), "{error}");
            }
            if value == "0.5625" || value == "12.50" {
                for corrupt in ["", "abc", "1.1234567"] {
                    let mut body = full.body.clone();
                    *body.pointer_mut(&pointer).unwrap() = json!(corrupt);
                    server.respond(status, Some(body));
                    match call(&server.client, operation.id, &arguments).await {
                        Err(error) => assert_eq!(
                            error.decode_path(),
                            Some(path.as_str()),
                            "{}: {error}",
                            operation.id
                        ),
                        // An empty string may mean that the amount is absent.
                        Ok(response) => assert!(
                            corrupt.is_empty() && response.pointer(&pointer).is_none(),
                            "{}: {path} was {corrupt:?}",
                            operation.id
                        ),
                    }
                }
            }
        }
    }
    let enough = 3 * operation::ALL.len();
    assert!(
        rejected > enough && absent > enough,
        "{rejected} rejected, {absent} absent"
    );
}

/// Collects the fields of all objects in a value as JSON pointers, without the keys of maps.
fn collect(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields
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

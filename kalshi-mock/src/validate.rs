//! Checks values against the schemas of the spec.

use kalshi_sdk::{Contracts, Dollars};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{Rejection, spec::resolve};

/// Checks a value against a schema. Unknown fields are allowed, and so is null for an optional field.
///
/// Returns a rejection with the path of the first mismatch.
pub(crate) fn check(schema: &Value, value: &Value, path: &str) -> Result<(), Rejection> {
    check_value(schema, value, path).map_err(Rejection::invalid)
}

/// Parses a parameter by its schema, or returns `None` if it was not sent.
pub(crate) fn parse_parameter(schema: &Value, values: &[&str]) -> Option<Value> {
    let last = *values.last()?;
    let schema = resolve(schema);
    let parse = |text: &str, schema: &Value| match json_type(schema) {
        "integer" => text
            .parse::<i64>()
            .map_or_else(|_| json!(text), Value::from),
        "number" => text
            .parse::<f64>()
            .map_or_else(|_| json!(text), Value::from),
        "boolean" => parse_bool(text).map_or_else(|| json!(text), Value::from),
        _ => json!(text),
    };
    if json_type(schema) != "array" {
        // An empty parameter counts as absent.
        return (!last.is_empty()).then(|| parse(last, schema));
    }
    let items = resolve(&schema["items"]);
    // Joined by commas or repeated: the exchange documents both, depending on the operation.
    let texts = values.iter().flat_map(|text| text.split(','));
    Some(
        texts
            .filter(|text| !text.is_empty())
            .map(|text| parse(text, items))
            .collect(),
    )
}

/// Parses a boolean as `strconv.ParseBool` of Go does.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Returns true if a value was rejected because of its JSON type.
pub(crate) fn is_wrong_type(rejection: &Rejection) -> bool {
    rejection.details.contains(WRONG_TYPE)
}

/// Part of the message of a rejection because of the JSON type.
const WRONG_TYPE: &str = ": must be of type ";

fn check_value(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|text| text.rsplit('/').next())
    {
        check_amount(name, value, path)?;
    }
    let schema = resolve(schema);
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check_value(part, value, path)?;
    }
    for keyword in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[keyword].as_array() {
            let failures: Vec<String> = choices
                .iter()
                .filter_map(|choice| check_value(choice, value, path).err())
                .collect();
            if let (true, Some(first)) =
                (failures.len() == choices.len(), failures.into_iter().next())
            {
                return Err(first);
            }
        }
    }
    let is = |expected: &str| match expected {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    let expected = json_type(schema);
    if !is(expected) {
        return Err(format!("{}{WRONG_TYPE}{expected}", display_path(path)));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed
            .iter()
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), ToOwned::to_owned)
            })
            .collect();
        return Err(format!(
            "{}: must be oneof {}",
            display_path(path),
            allowed.join(" ")
        ));
    }
    match value {
        Value::Number(number) => {
            check_bounds(schema, ["minimum", "maximum"], number.as_f64(), path, "")
        }
        Value::String(text) => {
            check_format(schema, text, path)?;
            let length = Some(text.chars().count() as f64);
            check_bounds(
                schema,
                ["minLength", "maxLength"],
                length,
                path,
                " characters",
            )
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_value(&schema["items"], item, &format!("{path}[{index}]"))?;
            }
            check_bounds(
                schema,
                ["minItems", "maxItems"],
                Some(items.len() as f64),
                path,
                " items",
            )
        }
        Value::Object(fields) => check_object(schema, fields, path),
        _ => Ok(()),
    }
}

fn check_object(schema: &Value, fields: &Map<String, Value>, path: &str) -> Result<(), String> {
    let required = schema["required"].as_array();
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|other| other == name));
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("{}: required", child_path(path, name)));
        }
    }
    let properties = schema["properties"].as_object();
    for (name, value) in fields {
        if let Some(schema) = properties.and_then(|properties| properties.get(name)) {
            if value.is_null() && !is_required(name) {
                continue;
            }
            check_value(schema, value, &child_path(path, name))?;
        } else if schema["additionalProperties"].is_object() {
            check_value(
                &schema["additionalProperties"],
                value,
                &child_path(path, name),
            )?;
        }
    }
    Ok(())
}

fn check_bounds(
    schema: &Value,
    [min, max]: [&str; 2],
    value: Option<f64>,
    path: &str,
    unit: &str,
) -> Result<(), String> {
    let (Some(value), path) = (value, display_path(path)) else {
        return Ok(());
    };
    match (&schema[min], &schema[max]) {
        (bound, _) if bound.as_f64().is_some_and(|bound| value < bound) => {
            Err(format!("{path}: must be gte {bound}{unit}"))
        }
        (_, bound) if bound.as_f64().is_some_and(|bound| value > bound) => {
            Err(format!("{path}: must be lte {bound}{unit}"))
        }
        _ => Ok(()),
    }
}

fn check_format(schema: &Value, text: &str, path: &str) -> Result<(), String> {
    let (is_valid, what) = match schema["format"].as_str() {
        Some("date-time") => (
            chrono::DateTime::parse_from_rfc3339(text).is_ok(),
            "an RFC 3339 time",
        ),
        Some("uuid") => (Uuid::parse_str(text).is_ok(), "a UUID"),
        _ => return Ok(()),
    };
    is_valid
        .then_some(())
        .ok_or_else(|| format!("{}: must be {what}", display_path(path)))
}

/// Checks amounts of money and contracts, which the spec declares as plain strings.
fn check_amount(schema: &str, value: &Value, path: &str) -> Result<(), String> {
    let Some(text) = value.as_str() else {
        return Ok(());
    };
    let (is_valid, what) = match schema {
        "FixedPointDollars" => (
            text.parse::<Dollars>().is_ok(),
            "dollars, with up to 6 decimals",
        ),
        "FixedPointCount" => (
            text.parse::<Contracts>().is_ok(),
            "contracts, with up to 2 decimals",
        ),
        _ => return Ok(()),
    };
    is_valid
        .then_some(())
        .ok_or_else(|| format!("{}: must be {what}", display_path(path)))
}

fn json_type(schema: &Value) -> &str {
    match schema["type"].as_str() {
        Some(kind) => kind,
        None if schema["properties"].is_object() => "object",
        None => "",
    }
}

fn display_path(path: &str) -> &str {
    if path.is_empty() { "body" } else { path }
}

fn child_path(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection_of(schema: Value, value: Value) -> String {
        check(&schema, &value, "x")
            .err()
            .map(|rejection| rejection.details)
            .unwrap_or_default()
    }

    #[test]
    fn mismatch_names_its_path() {
        for (schema, value, expected) in [
            (
                json!({ "type": "integer" }),
                json!("7"),
                "x: must be of type integer",
            ),
            (
                json!({ "type": "integer", "maximum": 1000 }),
                json!(1001),
                "x: must be lte 1000",
            ),
            (
                json!({ "type": "integer", "minimum": 0 }),
                json!(-1),
                "x: must be gte 0",
            ),
            (
                json!({ "type": "string", "maxLength": 2 }),
                json!("abc"),
                "x: must be lte 2 characters",
            ),
            (
                json!({ "enum": ["bid", "ask"] }),
                json!("buy"),
                "x: must be oneof bid ask",
            ),
            (
                json!({ "type": "string", "format": "uuid" }),
                json!("7"),
                "x: must be a UUID",
            ),
            (
                json!({ "type": "string", "format": "date-time" }),
                json!("now"),
                "x: must be an RFC 3339 time",
            ),
            (
                json!({ "$ref": "#/components/schemas/trade/FixedPointCount" }),
                json!("1.234"),
                "x: must be contracts, with up to 2 decimals",
            ),
            (
                json!({ "$ref": "#/components/schemas/trade/FixedPointDollars" }),
                json!(0.5),
                "x: must be of type string",
            ),
            (
                json!({ "type": "array", "minItems": 1, "items": {} }),
                json!([]),
                "x: must be gte 1 items",
            ),
            (
                json!({ "type": "array", "items": { "type": "string" } }),
                json!(["a", 1]),
                "x[1]: must be of type string",
            ),
            (
                json!({ "type": "object", "required": ["y"] }),
                json!({}),
                "x.y: required",
            ),
            (
                json!({ "type": "object", "properties": { "y": { "type": "boolean" } } }),
                json!({ "y": 1, "z": 2 }),
                "x.y: must be of type boolean",
            ),
            (
                json!({ "allOf": [{ "enum": [1] }] }),
                json!(2),
                "x: must be oneof 1",
            ),
            (
                json!({ "oneOf": [{ "type": "string" }, { "type": "integer" }] }),
                json!(true),
                "x: must be of type string",
            ),
        ] {
            assert_eq!(rejection_of(schema, value), expected);
        }
    }

    #[test]
    fn valid_values_are_accepted() {
        for (schema, value) in [
            (
                json!({ "type": "object", "properties": { "y": { "type": "boolean" } } }),
                json!({ "y": null, "z": 2 }),
            ),
            (json!({ "type": "string", "nullable": true }), json!(null)),
            (
                json!({ "oneOf": [{ "type": "string" }, { "type": "integer" }] }),
                json!(1),
            ),
            (
                json!({ "$ref": "#/components/schemas/trade/FixedPointCount" }),
                json!("2.5"),
            ),
        ] {
            assert_eq!(rejection_of(schema, value), "");
        }
    }

    #[test]
    fn parameters_are_typed_by_their_schema() {
        let integers = json!({ "type": "array", "items": { "type": "integer" } });
        assert_eq!(
            parse_parameter(&integers, &["1,2", "3"]),
            Some(json!([1, 2, 3]))
        );
        assert_eq!(
            parse_parameter(&json!({ "type": "boolean" }), &["true"]),
            Some(json!(true))
        );
        for (text, value) in [
            ("1", json!(true)),
            ("T", json!(true)),
            ("True", json!(true)),
            ("f", json!(false)),
        ] {
            assert_eq!(
                parse_parameter(&json!({ "type": "boolean" }), &[text]),
                Some(value)
            );
        }
        assert_eq!(
            parse_parameter(&json!({ "type": "boolean" }), &["tRUE"]),
            Some(json!("tRUE"))
        );
        assert_eq!(
            parse_parameter(&json!({ "type": "integer" }), &["x"]),
            Some(json!("x"))
        );
        assert_eq!(parse_parameter(&json!({ "type": "integer" }), &[""]), None);
        assert_eq!(parse_parameter(&json!({}), &[]), None);
    }
}

//! Corrections of parameters: lists that are declared as one string, and strings whose possible values are documented elsewhere.

use serde_json::{Map, Value, json};

use super::{field, schema};
use crate::operations::PLURAL;

/// Query parameters with comma-separated values: operation, parameter, and the name of the setter for several values if the
/// parameter's name is singular.
const COMMA_SEPARATED: [(&str, &str, Option<&str>); 11] = [
    ("GetMarkets", "tickers", None),
    ("BatchGetMarketCandlesticks", "market_tickers", None),
    ("GetEvents", "tickers", None),
    ("GetMultivariateEvents", "tickers", None),
    ("GetOrders", "event_ticker", Some("event_tickers")),
    ("GetOrderQueuePositions", "market_tickers", None),
    ("GetPositions", "count_filter", None),
    ("GetFills", "ticker", Some("tickers")),
    ("GetFCMOrders", "client_order_ids", None),
    ("GetFCMPositions", "count_filter", None),
    ("GetHistoricalMarkets", "tickers", None),
];

/// Declared as strings, but lists according to their descriptions.
pub(super) fn comma_separated_strings_are_lists(document: &mut Value) -> bool {
    COMMA_SEPARATED.map(|(operation, name, plural)| {
        let Some(parameter) = string_parameter(document, operation, name) else {
            return false;
        };
        parameter["schema"] = json!({ "type": "array", "items": { "type": "string" } });
        parameter["explode"] = Value::Bool(false);
        if let Some(plural) = plural {
            parameter[PLURAL] = json!(plural);
        }
        true
    }) == [true; COMMA_SEPARATED.len()]
}

/// The filter of `GetOrders` is compared with the status of an order but declared as a string. That of `GetFCMOrders` is declared
/// correctly.
pub(super) fn status_filter_of_orders_is_a_status(document: &mut Value) -> bool {
    set_values(document, "GetOrders", "status", "OrderStatus")
}

/// The filter is compared with the status of an RFQ but declared as a string.
pub(super) fn status_filter_of_rfqs_is_a_status(document: &mut Value) -> bool {
    name_values(document, "RFQ", "status", "RFQStatus")
        && set_values(document, "GetRFQs", "status", "RFQStatus")
}

/// The filter is compared with the status of a quote but declared as a string.
pub(super) fn status_filter_of_quotes_is_a_status(document: &mut Value) -> bool {
    name_values(document, "Quote", "status", "QuoteStatus")
        && set_values(document, "GetQuotes", "status", "QuoteStatus")
}

/// The items are declared as strings. The description of the filter of `GetPositions` lists their values.
pub(super) fn count_filters_name_fields(document: &mut Value) -> bool {
    const NAME: &str = "PositionCountFilter";
    let known = ["GetPositions", "GetFCMPositions"].map(|operation| {
        let Some(parameter) = parameter(document, operation, "count_filter") else {
            return false;
        };
        match parameter.pointer_mut("/schema/items") {
            Some(items) => {
                *items = json!({ "$ref": format!("#/components/schemas/{NAME}") });
                true
            }
            None => false,
        }
    });
    let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") else {
        return false;
    };
    schemas.entry(NAME).or_insert_with(|| {
        json!({
            "type": "string",
            "enum": ["position", "total_traded"],
            "description": "A number of a position that must not be zero: the contracts held, or those ever traded.",
        })
    });
    known == [true; 2]
}

/// Replaces the schema of a string parameter by the schema `values`.
fn set_values(document: &mut Value, operation: &str, name: &str, values: &str) -> bool {
    if schema(document, values).is_none() {
        return false;
    }
    let Some(parameter) = string_parameter(document, operation, name) else {
        return false;
    };
    parameter["schema"] = json!({ "$ref": format!("#/components/schemas/{values}") });
    true
}

/// Moves the values of a field into a named schema, so that a parameter can refer to them.
fn name_values(document: &mut Value, owner: &str, field_name: &str, name: &str) -> bool {
    if schema(document, name).is_some() {
        return false;
    }
    let Some(node) = field(document, owner, field_name).filter(|node| node.get("enum").is_some())
    else {
        return false;
    };
    let reference = json!({
        "$ref": format!("#/components/schemas/{name}"),
        "description": node.get("description").cloned().unwrap_or_default(),
    });
    let values = std::mem::replace(node, reference);
    document["components"]["schemas"][name] = values;
    true
}

/// Returns a parameter if it is a plain string.
pub(super) fn string_parameter<'a>(
    document: &'a mut Value,
    operation: &str,
    name: &str,
) -> Option<&'a mut Value> {
    let parameter = parameter(document, operation, name)?;
    let schema = parameter.get("schema")?;
    let is_string = schema.get("type").and_then(Value::as_str) == Some("string")
        && schema.get("enum").is_none();
    is_string.then_some(parameter)
}

/// Returns a parameter of an operation. A shared parameter is copied into the operation first.
fn parameter<'a>(document: &'a mut Value, operation: &str, name: &str) -> Option<&'a mut Value> {
    let shared = document.pointer("/components/parameters").cloned();
    let paths = document.get_mut("paths")?.as_object_mut()?;
    let operations = paths.values_mut().filter_map(Value::as_object_mut);
    let node = operations
        .flat_map(Map::values_mut)
        .find(|node| node.get("operationId").and_then(Value::as_str) == Some(operation))?;
    for parameter in node.get_mut("parameters")?.as_array_mut()? {
        let reference = parameter.get("$ref").and_then(Value::as_str);
        let component = reference.and_then(|text| text.strip_prefix("#/components/parameters/"));
        let target = component.and_then(|component| shared.as_ref()?.get(component));
        if target
            .unwrap_or(parameter)
            .get("name")
            .and_then(Value::as_str)
            == Some(name)
        {
            if let Some(target) = target {
                *parameter = target.clone();
            }
            return Some(parameter);
        }
    }
    None
}

//! Fields that the exchange continued to send for weeks after they were removed from the spec.
//!
//! With the setting, every object of the schema has the field, including nested objects. Without it, none has.

use serde_json::{Value, json};

use crate::spec;

/// Schema, field and value as last recorded.
type Field = (&'static str, &'static str, fn() -> Value);

const FIELDS: [Field; 5] = [
    // Removed from the spec on 2026-09-06.
    ("trade/EventData", "available_on_brokers", || true.into()),
    // Removed from the spec on 2026-07-04.
    ("trade/Market", "fractional_trading_enabled", || true.into()),
    // Removed from the spec on 2026-09-26.
    ("trade/Market", "liquidity_dollars", || json!("0.0000")),
    // Not in the spec since July 2026.
    ("trade/Market", "response_price_units", || json!("usd_cent")),
    // Removed from the spec on 2026-07-04.
    ("trade/MarketPosition", "resting_orders_count", || 0.into()),
];

/// Adds the fields to every object of a response.
pub(crate) fn add(schema: &Value, value: &mut Value) {
    let name = spec::reference(schema);
    let schema = spec::resolve(schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        add(part, value);
    }
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| add(&schema["items"], item)),
        Value::Object(fields) => {
            for (name, value) in &mut *fields {
                add(&schema["properties"][name], value);
            }
            let removed = FIELDS.iter().filter(|(schema, ..)| name == Some(schema));
            for (_, field, value) in removed {
                fields.insert((*field).to_owned(), value());
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::Spec;

    use super::*;

    #[test]
    fn removed_fields_are_absent_from_the_spec() {
        for (name, field, _) in FIELDS {
            let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
            let schema = spec::resolve(&schema);
            assert!(schema["properties"].is_object(), "{name}");
            assert!(schema["properties"][field].is_null(), "{name}.{field}");
        }
    }

    #[test]
    fn every_market_in_every_response_has_the_fields() {
        let count = |text: &str, field: &str| text.matches(&format!("\"{field}\":")).count();
        let mut nested = 0;
        for endpoint in Spec::get().endpoints() {
            let schema = endpoint.response_schema();
            let Some((schema, mut sample)) = schema.zip(endpoint.sample()) else {
                continue;
            };
            add(schema, &mut sample);
            let text = sample.to_string();
            // Only event markets have this field.
            let markets = count(&text, "yes_bid_size_fp");
            let added = count(&text, "liquidity_dollars");
            assert_eq!(added, markets, "{}", endpoint.operation);
            let market = &sample["events"][0]["markets"][0];
            nested += usize::from(market["liquidity_dollars"].is_string());
        }
        assert!(nested > 0, "no event with markets");
    }
}

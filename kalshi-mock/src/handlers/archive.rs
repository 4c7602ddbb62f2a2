//! Candlesticks of archived markets, whose field names differ from those of open markets.

use serde_json::{Map, Value};

use super::{HandlerResult, markets};
use crate::{call::Call, state::State};

pub(super) fn candlesticks(state: &State, call: &Call<'_>) -> HandlerResult {
    let mut found = markets::candlesticks(state, call)?;
    for candle in found["candlesticks"].as_array_mut().into_iter().flatten() {
        rename(candle);
        if let Some(price) = candle["price"].as_object_mut() {
            price.entry("previous").or_insert(Value::Null);
        }
    }
    Ok(found)
}

/// Removes unit suffixes from field names.
fn rename(value: &mut Value) {
    if let Value::Object(fields) = value {
        let renamed: Map<String, Value> = std::mem::take(fields)
            .into_iter()
            .map(|(name, mut value)| {
                rename(&mut value);
                let name = name.trim_end_matches("_dollars").trim_end_matches("_fp");
                (name.to_owned(), value)
            })
            .collect();
        *fields = renamed;
    }
}

//! Corrections where the exchange's WebSocket messages deviate from the AsyncAPI spec: one named function per deviation, documented
//! with its reason and limited to certain specs.

use serde_json::{Value, json};

use crate::{
    error::Error,
    options::FixupMode,
    scalars::{CONTRACTS, DECIMAL_TEXT, DOLLARS, DOLLARS_OR_NONE, ID, PRICE_LEVEL},
    yaml,
};

/// The AsyncAPI specs that the exchange publishes, distinguished by their channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// The WebSocket API of the Trade API.
    Trade,
    /// The WebSocket API of perpetual futures.
    Perps,
}

impl Spec {
    /// Identifies the spec of a document. Returns `None` if it has no distinctive channel.
    fn from_document(document: &Value) -> Option<Self> {
        let has = |channel: &str| {
            let channels = document.get("channels");
            channels.is_some_and(|channels| channels.get(channel).is_some())
        };
        match () {
            () if has("market_lifecycle_v2") => Some(Self::Trade),
            () if has("corporate_actions") => Some(Self::Perps),
            () => None,
        }
    }
}

/// A named fixup and the specs to which it applies.
struct Fixup {
    name: &'static str,
    specs: &'static [Spec],
    /// Corrects a document. Returns `true` if there was anything to correct.
    apply: fn(&mut Value) -> bool,
}

/// Defines a fixup of the Trade API, or of the named specs.
macro_rules! fixup {
    ($name:ident) => {
        fixup!($name, Spec::Trade)
    };
    ($name:ident, $($spec:path),+) => {
        Fixup {
            name: stringify!($name),
            specs: &[$($spec),+],
            apply: $name,
        }
    };
}

const FIXUPS: [Fixup; 11] = [
    fixup!(book_levels_are_pairs),
    fixup!(amounts_without_a_suffix_are_dollars),
    fixup!(book_clock_is_new),
    fixup!(taker_sides_are_new_on_trades),
    fixup!(ticker_fields_are_new),
    fixup!(margin_book_levels_are_pairs, Spec::Perps),
    fixup!(margin_prices_are_dollars, Spec::Perps),
    fixup!(margin_counts_are_contracts, Spec::Perps),
    fixup!(margin_ticker_prices_may_be_missing, Spec::Perps),
    fixup!(split_ratios_are_exact, Spec::Perps),
    fixup!(market_ids_are_uuids, Spec::Perps),
];

/// Applies every fixup of the document's spec. In strict mode, a fixup with nothing to correct is an error. If the document is
/// neither of the known specs, strict mode requires all fixups to apply.
pub fn apply(document: &mut Value, mode: FixupMode) -> Result<(), Error> {
    let spec = Spec::from_document(document);
    for fixup in FIXUPS {
        let applies = spec.is_none_or(|spec| fixup.specs.contains(&spec));
        if applies && !(fixup.apply)(document) && mode == FixupMode::Strict {
            return Err(Error::document(format!(
                "the fixup `{}` no longer applies to this spec: remove it from kalshi-gen/src/asyncapi/fixups.rs",
                fixup.name
            )));
        }
    }
    Ok(())
}

/// Returns the JSON pointer of the node at a path below a schema. References and the parts of an `allOf` on the way
/// are followed, but a reference at the end is not.
fn locate(document: &Value, at: String, path: &[&str], depth: usize) -> Option<String> {
    let Some((key, rest)) = path.split_first() else {
        return Some(at);
    };
    let node = document.pointer(&at)?;
    let depth = depth.checked_sub(1)?;
    if let Some(reference) = node.get("$ref").and_then(Value::as_str) {
        return locate(
            document,
            reference.strip_prefix('#')?.to_owned(),
            path,
            depth,
        );
    }
    let own = node.get(*key);
    own.and_then(|_| locate(document, format!("{at}/{key}"), rest, depth))
        .or_else(|| {
            // As in the merged object, the last part takes precedence.
            let parts = node.get("allOf")?.as_array()?;
            let mut parts = (0..parts.len()).rev();
            parts.find_map(|part| locate(document, format!("{at}/allOf/{part}"), path, depth))
        })
}

/// Returns the node at a path such as `tradePayload/properties/msg` below the named schemas.
fn schema<'a>(document: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let path: Vec<&str> = path.split('/').collect();
    let at = locate(
        document,
        "/components/schemas".to_owned(),
        &path,
        yaml::MAX_DEPTH,
    )?;
    document.pointer_mut(&at)
}

/// Returns the node at a path below the `msg` of a payload.
fn body<'a>(document: &'a mut Value, payload: &str, path: &str) -> Option<&'a mut Value> {
    schema(document, &format!("{payload}/properties/msg/{path}"))
}

/// Makes fields optional. Returns `true` if at least one was required.
fn make_optional(document: &mut Value, payload: &str, fields: &[&str]) -> bool {
    let Some(Value::Array(required)) = body(document, payload, "required") else {
        return false;
    };
    let before = required.len();
    required.retain(|name| !fields.iter().any(|field| name == field));
    required.len() < before
}

/// Marks a schema as a scalar type. Returns `true` if it exists.
fn mark(schema: Option<&mut Value>, kind: &str) -> bool {
    schema
        .map(|schema| schema["x-kalshi-type"] = json!(kind))
        .is_some()
}

/// A level is declared as a list of two strings, which are a price and a number of contracts.
fn book_levels_are_pairs(document: &mut Value) -> bool {
    ["yes_dollars_fp", "no_dollars_fp"].iter().all(|side| {
        let levels = format!("properties/{side}/items");
        mark(
            body(document, "orderbookSnapshotPayload", &levels),
            PRICE_LEVEL,
        )
    })
}

/// Dollars whose names do not show it.
fn amounts_without_a_suffix_are_dollars(document: &mut Value) -> bool {
    let fields = [
        ("fillPayload", "fee_cost"),
        ("marketLifecycleV2Payload", "settlement_value"),
        (
            "marketLifecycleV2Payload",
            "price_ranges/items/properties/start",
        ),
        (
            "marketLifecycleV2Payload",
            "price_ranges/items/properties/end",
        ),
        (
            "marketLifecycleV2Payload",
            "price_ranges/items/properties/step",
        ),
        ("multivariateMarketLifecyclePayload", "settlement_value"),
    ];
    fields.iter().all(|(payload, field)| {
        mark(
            body(document, payload, &format!("properties/{field}")),
            DOLLARS,
        )
    })
}

/// The clock of order books was added in October 2026. Recorded frames and earlier specs lack it.
fn book_clock_is_new(document: &mut Value) -> bool {
    ["orderbookSnapshotPayload", "orderbookDeltaPayload"]
        .into_iter()
        .all(|payload| {
            let was_required = make_optional(document, payload, &["clock"]);
            let fields = body(document, payload, "properties").and_then(Value::as_object_mut);
            let Some(fields) = fields else {
                return false;
            };
            let is_absent = !fields.contains_key("clock");
            if is_absent {
                let clock = json!({"type": "integer", "format": "int64", "description": "The exchange's count of the market's changes; added in October 2026, after this version of the spec."});
                fields.insert("clock".to_owned(), clock);
            }
            was_required || is_absent
        })
}

/// Trades recorded before May 2026 lack the sides, the timestamp in milliseconds and the block trade flag.
fn taker_sides_are_new_on_trades(document: &mut Value) -> bool {
    make_optional(
        document,
        "tradePayload",
        &[
            "taker_outcome_side",
            "taker_book_side",
            "is_block_trade",
            "ts_ms",
        ],
    )
}

/// Recorded tickers lack the fixed-point fields of March 2026 and all fields added later.
fn ticker_fields_are_new(document: &mut Value) -> bool {
    let fields = [
        "market_id",
        "dollar_volume",
        "dollar_open_interest",
        "volume_fp",
        "open_interest_fp",
        "yes_bid_size_fp",
        "yes_ask_size_fp",
        "last_trade_size_fp",
        "ts_ms",
        "time",
    ];
    make_optional(document, "tickerPayload", &fields)
}

/// A level of a margin market is also declared as a list of two strings.
fn margin_book_levels_are_pairs(document: &mut Value) -> bool {
    mark_at(document, "priceLevelDollarsCountFp", PRICE_LEVEL)
}

/// Prices and fees of margin markets have names without the suffix.
fn margin_prices_are_dollars(document: &mut Value) -> bool {
    const MESSAGES: [(&str, &[&str]); 4] = [
        ("marginOrderbookDeltaPayload", &["price"]),
        ("marginTradePayload", &["price"]),
        ("marginFillPayload", &["price", "fee_cost"]),
        ("marginUserOrderPayload", &["price"]),
    ];
    let parts = [
        "tickerPrice/properties/price",
        "marginCorporateActionSplitTerms/properties/pre_split_mark_price",
        "marginCorporateActionSplitTerms/properties/post_split_mark_price",
        "marginCorporateActionFinalSettlementTerms/properties/settlement_price_per_contract",
    ];
    mark_messages(document, &MESSAGES, DOLLARS)
        && parts.iter().all(|part| mark_at(document, part, DOLLARS))
}

/// Numbers of contracts in margin markets have names without the suffix.
fn margin_counts_are_contracts(document: &mut Value) -> bool {
    const MESSAGES: [(&str, &[&str]); 5] = [
        ("marginOrderbookDeltaPayload", &["delta"]),
        (
            "marginTickerPayload",
            &["volume", "volume_24h", "open_interest"],
        ),
        ("marginTradePayload", &["count"]),
        ("marginFillPayload", &["count", "post_position"]),
        ("marginUserOrderPayload", &["fill_count", "remaining_count"]),
    ];
    mark_messages(document, &MESSAGES, CONTRACTS)
}

/// In REST responses, a missing price is 0, or the maximum of an `i64` for an ask. Messages are decoded the same way.
fn margin_ticker_prices_may_be_missing(document: &mut Value) -> bool {
    const PRICES: [&str; 3] = ["price", "bid", "ask"];
    make_optional(document, "marginTickerPayload", &PRICES)
        && mark_messages(
            document,
            &[("marginTickerPayload", &PRICES)],
            DOLLARS_OR_NONE,
        )
}

/// Decimal numbers that are declared as strings.
fn split_ratios_are_exact(document: &mut Value) -> bool {
    ["ratio_old", "ratio_new"].iter().all(|name| {
        let field = format!("marginCorporateActionSplitTerms/properties/{name}");
        mark_at(document, &field, DECIMAL_TEXT)
    })
}

/// A UUID according to its description, but without the format.
fn market_ids_are_uuids(document: &mut Value) -> bool {
    mark_at(document, "marginCorporateAction/properties/market_id", ID)
}

/// Marks fields of message bodies.
fn mark_messages(document: &mut Value, messages: &[(&str, &[&str])], kind: &str) -> bool {
    messages.iter().all(|(payload, names)| {
        names
            .iter()
            .all(|name| mark(body(document, payload, &format!("properties/{name}")), kind))
    })
}

fn mark_at(document: &mut Value, path: &str, kind: &str) -> bool {
    mark(schema(document, path), kind)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn strict_mode_applies_to_the_fixups_of_the_spec_only() {
        let document = |channel: &str| json!({ "channels": { channel: {} } });
        let apply = |channel: &str, mode| super::apply(&mut document(channel), mode);
        let trade = apply("market_lifecycle_v2", FixupMode::Strict);
        let error = trade.unwrap_err().to_string();
        assert!(error.contains("`book_levels_are_pairs` no longer applies"));
        let perps = apply("corporate_actions", FixupMode::Strict);
        let error = perps.unwrap_err().to_string();
        assert!(error.contains("`margin_book_levels_are_pairs` no longer applies"));
        assert!(apply("prices", FixupMode::Strict).is_err());
        for channel in ["market_lifecycle_v2", "corporate_actions", "prices"] {
            apply(channel, FixupMode::Lenient).unwrap();
        }
    }

    #[test]
    fn fixups_follow_references_and_compositions() {
        let msg = json!({ "required": ["ts_ms", "a"], "properties": { "fee_cost": { "type": "string" } } });
        let by_reference =
            json!({ "properties": { "msg": { "$ref": "#/components/schemas/body" } } });
        let composed = json!({ "allOf": [{ "properties": { "sid": {} } }, by_reference] });
        for payload in [by_reference.clone(), composed] {
            let mut document = json!({ "channels": { "market_lifecycle_v2": {} }, "components": { "schemas": {
                "body": { "allOf": [msg] }, "tradePayload": payload, "fillPayload": payload,
            } } });
            super::apply(&mut document, FixupMode::Lenient).unwrap();
            let body = &document["components"]["schemas"]["body"]["allOf"][0];
            assert_eq!(body["required"], json!(["a"]));
            assert_eq!(body["properties"]["fee_cost"]["x-kalshi-type"], DOLLARS);
        }
    }

    #[test]
    fn fixups_of_one_spec_do_not_change_the_other() {
        let body = json!({ "properties": { "msg": { "required": ["ts_ms"], "properties": {} } } });
        let document = |channel: &str| json!({ "channels": { channel: {} }, "components": { "schemas": { "tradePayload": body } } });
        let required = |channel: &str| {
            let mut document = document(channel);
            super::apply(&mut document, FixupMode::Lenient).unwrap();
            let body = document.pointer("/components/schemas/tradePayload/properties/msg");
            body.unwrap()["required"].clone()
        };
        assert_eq!(required("market_lifecycle_v2"), json!([]));
        assert_eq!(required("corporate_actions"), json!(["ts_ms"]));
    }
}

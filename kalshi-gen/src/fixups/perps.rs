//! Corrections of the spec of perpetual futures: amounts that are declared as plain strings, and fields that responses lack.
//!
//! Some deviations need no correction here. Errors are nested under `error` or are a bare `msg`, both of which `ErrorResponse`
//! parses. Errors with a status that the spec does not list are parsed the same way. Order books are sent worst level first, and
//! books sort their levels.

use serde_json::{Value, json};

use super::{Fixup, Spec, field, fixup, make_optional, mark, parameters::string_parameter};
use crate::scalars::{DECIMAL_TEXT, DOLLARS, DOLLARS_OR_NONE, ID};

/// The fixups of the spec of perpetual futures, in the order in which they are applied.
pub(super) const FIXUPS: [Fixup; 12] = [
    fixup!(fill_amounts_are_dollars, Spec::Perps),
    fixup!(trade_prices_are_dollars, Spec::Perps),
    fixup!(notional_limits_are_dollars, Spec::Perps),
    fixup!(aggregation_steps_are_dollars, Spec::Perps),
    fixup!(ratios_are_exact, Spec::Perps),
    fixup!(market_ids_are_uuids, Spec::Perps),
    fixup!(tick_size_may_be_empty, Spec::Perps),
    fixup!(missing_prices_are_placeholders, Spec::Perps),
    fixup!(market_rules_are_new, Spec::Perps),
    fixup!(portfolio_flag_is_new_on_positions, Spec::Perps),
    fixup!(usage_is_new_on_notional_limits, Spec::Perps),
    fixup!(status_filter_of_margin_orders_is_a_status, Spec::Perps),
];

/// Marks fields of a schema. Returns `true` if all exist.
fn mark_fields(document: &mut Value, schema: &str, names: &[&str], kind: &str) -> bool {
    names
        .iter()
        .all(|name| mark(field(document, schema, name), kind))
}

/// Dollars whose names have no suffix. Their descriptions, and recorded fills, have four decimal places.
fn fill_amounts_are_dollars(document: &mut Value) -> bool {
    let names = ["price", "entry_price", "fees", "realized_pnl"];
    mark_fields(document, "MarginFill", &names, DOLLARS)
}

/// The price of a public trade, which is also in dollars and has no suffix.
fn trade_prices_are_dollars(document: &mut Value) -> bool {
    mark_fields(document, "MarginTrade", &["price"], DOLLARS)
}

/// The limits are declared as strings, while the usage beside them refers to the schema of dollars.
fn notional_limits_are_dollars(document: &mut Value) -> bool {
    const SCHEMA: &str = "NotionalRiskLimitResponse";
    let by_ticker = field(
        document,
        SCHEMA,
        "notional_value_risk_limits_by_market_ticker",
    );
    let by_ticker = by_ticker.and_then(|map| map.get_mut("additionalProperties"));
    mark(by_ticker, DOLLARS)
        && mark_fields(
            document,
            SCHEMA,
            &["default_notional_value_risk_limit"],
            DOLLARS,
        )
}

/// The step in dollars to which the prices of an order book are rounded, such as "0.10".
fn aggregation_steps_are_dollars(document: &mut Value) -> bool {
    let parameter = string_parameter(
        document,
        "GetMarginMarketOrderbook",
        "aggregation_tick_size",
    );
    mark(
        parameter.and_then(|parameter| parameter.get_mut("schema")),
        DOLLARS,
    )
}

/// Decimal numbers that are not dollars, encoded as strings: units of the underlying, ratios and indices.
fn ratios_are_exact(document: &mut Value) -> bool {
    const FIELDS: [(&str, &[&str]); 4] = [
        ("MarginMarket", &["contract_size", "underlying_multiplier"]),
        (
            "MarginCorporateActionSplitTerms",
            &["ratio_old", "ratio_new"],
        ),
        ("GetMarginFundingRateEstimateResponse", &["premium_index"]),
        ("MarginPremiumIndexPoint", &["premium_index"]),
    ];
    FIELDS
        .iter()
        .all(|(schema, names)| mark_fields(document, schema, names, DECIMAL_TEXT))
}

/// UUIDs according to their descriptions, but without the format. The filter of corporate actions has it.
fn market_ids_are_uuids(document: &mut Value) -> bool {
    [
        "AmendMarginOrderRequest",
        "CreateMarginOrderRequest",
        "MarginCorporateAction",
        "MarginMarket",
    ]
    .iter()
    .all(|schema| mark_fields(document, schema, &["market_id"], ID))
}

/// `""` for a demo market in all recordings of June 2026, and absent in production at that time.
fn tick_size_may_be_empty(document: &mut Value) -> bool {
    make_optional(document, "MarginMarket", &["tick_size"])
        && mark_fields(document, "MarginMarket", &["tick_size"], DOLLARS_OR_NONE)
}

/// A recorded demo market without orders had the bid `0.0000` and the ask `922337203685477.5807`, which is the maximum of an `i64` in
/// ten-thousandths of a dollar. Production sent `0.0000` for all prices of an inactive market.
fn missing_prices_are_placeholders(document: &mut Value) -> bool {
    let names = ["price", "bid", "ask"];
    mark_fields(document, "MarginMarket", &names, DOLLARS_OR_NONE)
}

/// Required, but absent in markets recorded in June 2026. For `schedule`, null also means around the clock.
fn market_rules_are_new(document: &mut Value) -> bool {
    let names = [
        "exchange_index",
        "funding_cap",
        "funding_deadband",
        "funding_invalid_premium_handling",
        "funding_limit_unit",
        "market_version",
        "schedule",
        "underlying_multiplier",
    ];
    // Lists such as `halt_sources` are empty if absent.
    make_optional(document, "MarginMarket", &names)
}

/// Required, but absent in positions recorded in June 2026.
fn portfolio_flag_is_new_on_positions(document: &mut Value) -> bool {
    ["MarginPosition", "MarginRiskPosition"]
        .map(|name| make_optional(document, name, &["is_portfolio"]))
        == [true; 2]
}

/// Required, but absent in limits recorded in June 2026. `current_usage_by_market_ticker` was absent too; as a map,
/// it is then empty.
fn usage_is_new_on_notional_limits(document: &mut Value) -> bool {
    make_optional(
        document,
        "NotionalRiskLimitResponse",
        &["total_current_usage"],
    )
}

/// Declared as a string. For any value other than these three, the exchange returns an empty list and no error.
fn status_filter_of_margin_orders_is_a_status(document: &mut Value) -> bool {
    const NAME: &str = "MarginOrderStatus";
    let Some(parameter) = string_parameter(document, "GetMarginOrders", "status") else {
        return false;
    };
    parameter["schema"] = json!({ "$ref": format!("#/components/schemas/{NAME}") });
    let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") else {
        return false;
    };
    let values = json!({
        "type": "string",
        "enum": ["resting", "canceled", "executed"],
        "description": "The state of an order: it rests in the book, was canceled, or was filled.",
    });
    schemas.insert(NAME.to_owned(), values).is_none()
}

//! Corrections of the spec of perpetual futures: amounts that are declared as plain texts, and fields that responses lack.
//!
//! Deviations that need no correction here: rejections nest under `error` or are a bare `msg` (read by `ErrorResponse`, which
//! every rejection is), statuses that the spec does not list (a rejection is read under any status), and order books that come
//! worst level first (books sort).

use serde_json::{Value, json};

use super::{Fixup, Spec, fixup, mark, member, optional, parameters::text_parameter};
use crate::scalars::{DECIMAL_TEXT, DOLLARS, DOLLARS_OR_NONE, ID};

/// The fixups of the spec of perpetual futures, in the order they are applied.
pub(super) const FIXUPS: [Fixup; 12] = [
    fixup!(fill_amounts_are_dollars, Spec::Perps),
    fixup!(trade_prices_are_dollars, Spec::Perps),
    fixup!(notional_limits_are_dollars, Spec::Perps),
    fixup!(aggregation_steps_are_dollars, Spec::Perps),
    fixup!(ratios_are_exact, Spec::Perps),
    fixup!(market_ids_are_uuids, Spec::Perps),
    fixup!(tick_size_may_be_empty, Spec::Perps),
    fixup!(empty_asks_are_the_largest_amount, Spec::Perps),
    fixup!(market_rules_are_new, Spec::Perps),
    fixup!(portfolio_flag_is_new_on_positions, Spec::Perps),
    fixup!(usage_is_new_on_notional_limits, Spec::Perps),
    fixup!(status_filter_of_margin_orders_is_a_status, Spec::Perps),
];

/// Marks fields of a schema; returns true if all exist.
fn mark_members(document: &mut Value, schema: &str, names: &[&str], kind: &str) -> bool {
    names
        .iter()
        .all(|name| mark(member(document, schema, name), kind))
}

/// Dollars with four decimals by their descriptions and in recorded fills, under names without a suffix.
fn fill_amounts_are_dollars(document: &mut Value) -> bool {
    let names = ["price", "entry_price", "fees", "realized_pnl"];
    mark_members(document, "MarginFill", &names, DOLLARS)
}

/// The price of a public trade, likewise.
fn trade_prices_are_dollars(document: &mut Value) -> bool {
    mark_members(document, "MarginTrade", &["price"], DOLLARS)
}

/// The limits are declared as texts, while the usage beside them refers to the schema of dollars.
fn notional_limits_are_dollars(document: &mut Value) -> bool {
    const SCHEMA: &str = "NotionalRiskLimitResponse";
    let by_ticker = member(
        document,
        SCHEMA,
        "notional_value_risk_limits_by_market_ticker",
    );
    let by_ticker = by_ticker.and_then(|map| map.get_mut("additionalProperties"));
    mark(by_ticker, DOLLARS)
        && mark_members(
            document,
            SCHEMA,
            &["default_notional_value_risk_limit"],
            DOLLARS,
        )
}

/// The step of prices that levels of an order book are rounded to, in dollars: "0.10".
fn aggregation_steps_are_dollars(document: &mut Value) -> bool {
    let parameter = text_parameter(
        document,
        "GetMarginMarketOrderbook",
        "aggregation_tick_size",
    );
    mark(
        parameter.and_then(|parameter| parameter.get_mut("schema")),
        DOLLARS,
    )
}

/// Decimal numbers that are no dollars, encoded as texts: units of the underlying, ratios and indices.
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
        .all(|(schema, names)| mark_members(document, schema, names, DECIMAL_TEXT))
}

/// UUIDs by their descriptions, without the format; the filter of corporate actions has it.
fn market_ids_are_uuids(document: &mut Value) -> bool {
    [
        "AmendMarginOrderRequest",
        "CreateMarginOrderRequest",
        "MarginCorporateAction",
        "MarginMarket",
    ]
    .iter()
    .all(|schema| mark_members(document, schema, &["market_id"], ID))
}

/// `""` on a demo market in every recording of June 2026, and absent in production then.
fn tick_size_may_be_empty(document: &mut Value) -> bool {
    optional(document, "MarginMarket", &["tick_size"])
        && mark_members(document, "MarginMarket", &["tick_size"], DOLLARS_OR_NONE)
}

/// `922337203685477.5807` in a recorded demo market without asks: the largest number of an `i64`, in ten-thousandths.
fn empty_asks_are_the_largest_amount(document: &mut Value) -> bool {
    mark_members(document, "MarginMarket", &["ask"], DOLLARS_OR_NONE)
}

/// Required, and not in markets recorded in June 2026. Of `schedule`, null has a meaning besides: around the clock.
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
    // A list such as `halt_sources` is empty where it is absent.
    optional(document, "MarginMarket", &names)
}

/// Required, and not in positions recorded in June 2026.
fn portfolio_flag_is_new_on_positions(document: &mut Value) -> bool {
    ["MarginPosition", "MarginRiskPosition"].map(|name| optional(document, name, &["is_portfolio"]))
        == [true; 2]
}

/// Required, and not in the limits recorded in June 2026; nor was `current_usage_by_market_ticker`, a map, which is empty then.
fn usage_is_new_on_notional_limits(document: &mut Value) -> bool {
    optional(
        document,
        "NotionalRiskLimitResponse",
        &["total_current_usage"],
    )
}

/// A text in the spec. Any other word than these three gives an empty list and no error, on the exchange.
fn status_filter_of_margin_orders_is_a_status(document: &mut Value) -> bool {
    const NAME: &str = "MarginOrderStatus";
    let Some(parameter) = text_parameter(document, "GetMarginOrders", "status") else {
        return false;
    };
    parameter["schema"] = json!({ "$ref": format!("#/components/schemas/{NAME}") });
    let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") else {
        return false;
    };
    let values = json!({
        "type": "string",
        "enum": ["resting", "canceled", "executed"],
        "description": "What became of an order: it rests in the book, was canceled, or was filled.",
    });
    schemas.insert(NAME.to_owned(), values).is_none()
}

//! Where the contract says something else than the exchange does: one named function a fault, each with its reason.
//!
//! This is the only place that knows a schema by name. A function answers whether it found what it mends; for the
//! vendored contract one that finds nothing is an error, so that no fixup outlives its fault.

use serde_json::{Value, json};

use crate::{
    error::Error,
    normalize::{CONTRACTS, DOLLARS, PRICE_LEVEL, REFUSAL},
};

/// Mends a document; answers whether there was anything to mend.
type Fixup = fn(&mut Value) -> bool;

/// The fixups of the Trade API, by name.
const TRADE: [(&str, Fixup); 16] = [
    ("fixed_point_texts_are_money", fixed_point_texts_are_money),
    ("price_levels_are_pairs", price_levels_are_pairs),
    ("quote_bids_are_dollars", quote_bids_are_dollars),
    ("price_ranges_are_dollars", price_ranges_are_dollars),
    (
        "market_settlement_bounds_are_new",
        market_settlement_bounds_are_new,
    ),
    (
        "market_sub_titles_may_be_missing",
        market_sub_titles_may_be_missing,
    ),
    (
        "exchange_index_is_new_on_portfolio_rows",
        exchange_index_is_new_on_portfolio_rows,
    ),
    (
        "sides_are_new_on_orders_and_fills",
        sides_are_new_on_orders_and_fills,
    ),
    (
        "taker_sides_are_new_on_trades",
        taker_sides_are_new_on_trades,
    ),
    (
        "block_trade_flag_is_new_on_trades",
        block_trade_flag_is_new_on_trades,
    ),
    ("collection_price_grid_is_new", collection_price_grid_is_new),
    ("order_group_routing_is_new", order_group_routing_is_new),
    ("subaccount_routing_is_new", subaccount_routing_is_new),
    (
        "resting_margin_reservation_is_new",
        resting_margin_reservation_is_new,
    ),
    ("empty_answers_hold_nothing", empty_answers_hold_nothing),
    ("refusals_are_worded_freely", refusals_are_worded_freely),
];

/// Applies every fixup that finds its fault. When `strict`, one that finds none is an error.
pub(crate) fn apply(document: &mut Value, strict: bool) -> Result<(), Error> {
    for (name, fixup) in TRADE {
        if !fixup(document) && strict {
            return Err(Error::document(format!(
                "the fixup `{name}` no longer applies to this contract: remove it from kalshi-gen/src/fixups.rs"
            )));
        }
    }
    Ok(())
}

/// The contract says in prose only that these two texts are fixed-point numbers.
fn fixed_point_texts_are_money(document: &mut Value) -> bool {
    let dollars = mark(schema(document, "FixedPointDollars"), DOLLARS);
    let contracts = mark(schema(document, "FixedPointCount"), CONTRACTS);
    dollars && contracts
}

/// A level of an order book is declared as a list of two texts; it is a price in dollars and a number of contracts.
fn price_levels_are_pairs(document: &mut Value) -> bool {
    mark(schema(document, "PriceLevelDollarsCountFp"), PRICE_LEVEL)
}

/// The bids of a new quote are dollars under names without the suffix.
fn quote_bids_are_dollars(document: &mut Value) -> bool {
    ["yes_bid", "no_bid"].map(|name| mark(member(document, "CreateQuoteRequest", name), DOLLARS))
        == [true; 2]
}

/// The ranges of a market's price grid are dollars under names without the suffix.
fn price_ranges_are_dollars(document: &mut Value) -> bool {
    ["start", "end", "step"].map(|name| mark(member(document, "PriceRange", name), DOLLARS))
        == [true; 3]
}

/// Required since 3.31 (2026-09-29); markets recorded before lack it.
fn market_settlement_bounds_are_new(document: &mut Value) -> bool {
    optional(document, "Market", &["settlement_bounds_type"])
}

/// Some series sent markets without sub-titles in April 2026.
fn market_sub_titles_may_be_missing(document: &mut Value) -> bool {
    optional(document, "Market", &["yes_sub_title", "no_sub_title"])
}

/// Required since 3.29 (2026-08-28); rows recorded before lack it.
fn exchange_index_is_new_on_portfolio_rows(document: &mut Value) -> bool {
    ["Fill", "MarketPosition", "Settlement"]
        .map(|name| optional(document, name, &["exchange_index"]))
        == [true; 3]
}

/// Required since 2026-05-19; older rows carry the pair of `side` and `action` only.
fn sides_are_new_on_orders_and_fills(document: &mut Value) -> bool {
    ["Order", "Fill"].map(|name| optional(document, name, &["outcome_side", "book_side"]))
        == [true; 2]
}

/// Required since 2026-05-19; older trades carry `taker_side` only.
fn taker_sides_are_new_on_trades(document: &mut Value) -> bool {
    optional(
        document,
        "Trade",
        &["taker_outcome_side", "taker_book_side"],
    )
}

/// Required since 2026-06-04; older trades lack it.
fn block_trade_flag_is_new_on_trades(document: &mut Value) -> bool {
    optional(document, "Trade", &["is_block_trade"])
}

/// Required since 3.32 (2026-10-06); collections recorded before lack it.
fn collection_price_grid_is_new(document: &mut Value) -> bool {
    optional(
        document,
        "MultivariateEventCollection",
        &["price_level_structure"],
    )
}

/// Required since 3.29; the answer to a new order group was its id alone before.
fn order_group_routing_is_new(document: &mut Value) -> bool {
    optional(document, "CreateOrderGroupResponse", &["subaccount"])
}

/// Required since 3.30; rows recorded before lack them.
fn subaccount_routing_is_new(document: &mut Value) -> bool {
    [
        "SubaccountBalance",
        "SubaccountTransfer",
        "SubaccountNettingConfig",
    ]
    .map(|name| optional(document, name, &["exchange_index"]))
        == [true; 3]
}

/// Required since 3.30; the answer lacked it before.
fn resting_margin_reservation_is_new(document: &mut Value) -> bool {
    optional(
        document,
        "GetTargetBalanceAllocationResponse",
        &["resting_margin_reservation"],
    )
}

/// The answers that carry nothing are declared as objects of which nothing is said, which could hold anything.
fn empty_answers_hold_nothing(document: &mut Value) -> bool {
    ["EmptyResponse", "ApplySubaccountTransferResponse"].map(|name| match schema(document, name) {
        Some(Value::Object(node))
            if !node.contains_key("properties") && !node.contains_key("additionalProperties") =>
        {
            node.insert("additionalProperties".into(), Value::Bool(false));
            true
        }
        _ => false,
    }) == [true; 2]
}

/// A refusal is declared flat and of texts; live ones are nested, and their details may be an object.
fn refusals_are_worded_freely(document: &mut Value) -> bool {
    match schema(document, "ErrorResponse") {
        Some(Value::Object(node)) => {
            node.insert("x-kalshi-type".into(), json!(REFUSAL));
            true
        }
        _ => false,
    }
}

fn schema<'a>(document: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    document.pointer_mut("/components/schemas")?.get_mut(name)
}

fn member<'a>(document: &'a mut Value, schema_name: &str, name: &str) -> Option<&'a mut Value> {
    schema(document, schema_name)?
        .get_mut("properties")?
        .get_mut(name)
}

/// Marks a plain text, a list of texts, or a reference to one, as one of the generator's own types.
fn mark(schema: Option<&mut Value>, kind: &str) -> bool {
    let Some(Value::Object(node)) = schema else {
        return false;
    };
    let text = |node: &Value| {
        node.get("type").and_then(Value::as_str) == Some("string") && node.get("enum").is_none()
    };
    let fits = node.contains_key("$ref")
        || node.get("items").is_some_and(text)
        || text(&Value::Object(node.clone()));
    if fits {
        node.insert("x-kalshi-type".into(), json!(kind));
    }
    fits
}

/// Takes members off the list of required ones; answers whether all were on it.
fn optional(document: &mut Value, schema_name: &str, names: &[&str]) -> bool {
    let Some(Value::Array(required)) =
        schema(document, schema_name).and_then(|node| node.get_mut("required"))
    else {
        return false;
    };
    let before = required.len();
    required.retain(|name| !names.iter().any(|other| name == other));
    before - required.len() == names.len()
}

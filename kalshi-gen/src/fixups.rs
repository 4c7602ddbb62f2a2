//! Corrections where the exchange deviates from its spec: one named function a deviation, each with its reason.
//!
//! This is the only module that knows a schema by name. A function returns `true` if it found what it corrects; for the
//! vendored spec one that finds nothing is an error, so that no fixup outlives its reason.

mod clearing;
mod parameters;
mod perps;

use serde_json::{Value, json};

use crate::{
    error::Error,
    options::FixupMode,
    scalars::{CONTRACTS, DOLLARS, ORDER_GROUP_ID, ORDER_ID, PRICE_LEVEL, REFUSAL},
};
use parameters::{
    count_filters_name_fields, joined_texts_are_lists, status_filter_of_orders_is_a_status,
    status_filter_of_quotes_is_a_status, status_filter_of_rfqs_is_a_status,
};

/// The specs that the exchange publishes. All but one have the same title, so they are told apart by their paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// The Trade API.
    Trade,
    /// The API of perpetual futures.
    Perps,
    /// The API of clearing members.
    Clearing,
}

/// A named fixup, and the specs it fixes.
struct Fixup {
    name: &'static str,
    specs: &'static [Spec],
    /// Fixes a document; returns true if there was anything to fix.
    apply: fn(&mut Value) -> bool,
}

/// A fixup of the Trade API, or of the specs named.
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
use fixup;

/// The first Trade API whose every fixup must apply: the one they were last written for. Older ones lack what came later.
const WRITTEN_FOR: [u64; 2] = [3, 34];

/// What makes a spec of a published text that is none in one place; only old ones need it.
const REPAIRS: [Fixup; 2] = [
    fixup!(event_positions_have_no_resting_orders_count),
    fixup!(price_levels_hold_anything),
];

/// The fixups, in the order they are applied.
const FIXUPS: [Fixup; 23] = [
    fixup!(fixed_point_texts_are_money, Spec::Trade, Spec::Perps),
    fixup!(price_levels_are_pairs, Spec::Trade, Spec::Perps),
    fixup!(quote_bids_are_dollars),
    fixup!(price_ranges_are_dollars),
    fixup!(order_groups_have_typed_ids, Spec::Trade, Spec::Perps),
    fixup!(market_settlement_bounds_are_new),
    fixup!(market_sub_titles_may_be_missing),
    fixup!(mutual_exclusion_of_events_may_be_missing),
    fixup!(exchange_index_is_new_on_portfolio_rows),
    fixup!(sides_are_new_on_orders_and_fills),
    fixup!(taker_sides_are_new_on_trades),
    fixup!(block_trade_flag_is_new_on_trades),
    fixup!(collection_price_grid_is_new),
    fixup!(order_group_routing_is_new, Spec::Trade, Spec::Perps),
    fixup!(subaccount_routing_is_new),
    fixup!(resting_margin_reservation_is_new),
    fixup!(empty_answers_hold_nothing, Spec::Trade, Spec::Perps),
    fixup!(refusals_are_worded_freely, Spec::Trade, Spec::Perps),
    fixup!(joined_texts_are_lists),
    fixup!(count_filters_name_fields),
    fixup!(status_filter_of_orders_is_a_status),
    fixup!(status_filter_of_rfqs_is_a_status),
    fixup!(status_filter_of_quotes_is_a_status),
];

/// Repairs what keeps a published text from being a spec.
pub(crate) fn repair(document: &mut Value) {
    for fixup in REPAIRS {
        if Spec::from_document(document).is_some_and(|spec| fixup.specs.contains(&spec)) {
            (fixup.apply)(document);
        }
    }
}

/// All fixups, in the order they are applied.
fn fixups() -> impl Iterator<Item = &'static Fixup> {
    FIXUPS.iter().chain(&perps::FIXUPS).chain(&clearing::FIXUPS)
}

/// Applies every fixup of the document's spec. In strict mode, one that finds no fault is an error; so it is for all of
/// them when the document is none of the specs they were written for.
pub fn apply(document: &mut Value, mode: FixupMode) -> Result<(), Error> {
    let spec = Spec::from_document(document);
    let strict = mode == FixupMode::Strict && is_written_for(spec, document);
    for fixup in fixups() {
        let belongs = fixup.specs.contains(&spec.unwrap_or(Spec::Trade));
        if belongs && !(fixup.apply)(document) && strict {
            return Err(Error::document(format!(
                "the fixup `{}` no longer applies to this spec: remove it from kalshi-gen/src/fixups.rs",
                fixup.name
            )));
        }
    }
    Ok(())
}

impl Spec {
    fn from_document(document: &Value) -> Option<Self> {
        let has = |path: &str| {
            document
                .get("paths")
                .is_some_and(|paths| paths.get(path).is_some())
        };
        match () {
            () if has("/exchange/status") || has("/events/{event_ticker}") => Some(Self::Trade),
            () if has("/margin/orders") => Some(Self::Perps),
            () if has("/margin/active_obligations") => Some(Self::Clearing),
            () => None,
        }
    }
}

/// Whether every fixup must apply to a document in strict mode: of the Trade API, to the one that they were last written for and
/// those after it. Older ones lack what came later.
fn is_written_for(spec: Option<Spec>, document: &Value) -> bool {
    let version = document.pointer("/info/version").and_then(Value::as_str);
    let numbers = version
        .unwrap_or_default()
        .split('.')
        .map_while(|part| part.parse::<u64>().ok());
    match spec {
        Some(Spec::Trade) => numbers.take(2).ge(WRITTEN_FOR),
        // Their versions tell nothing: only the vendored ones are generated in strict mode.
        Some(Spec::Perps | Spec::Clearing) | None => true,
    }
}

/// Published from 3.3 to 3.8: the list of required fields has one that the schema lacks.
fn event_positions_have_no_resting_orders_count(document: &mut Value) -> bool {
    let Some(node) = schema(document, "EventPosition") else {
        return false;
    };
    let absent = node
        .get("properties")
        .is_some_and(|members| members.get("resting_orders_count").is_none());
    absent && optional(document, "EventPosition", &["resting_orders_count"])
}

/// Published from 3.3 to 3.8: a pair of a text and a number is declared as a list of nothing in particular.
fn price_levels_hold_anything(document: &mut Value) -> bool {
    match schema(document, "PriceLevelDollars") {
        Some(Value::Object(node)) if !node.contains_key("items") => {
            node.insert("items".into(), json!({}));
            true
        }
        _ => false,
    }
}

/// The spec says in prose only that these two texts are fixed-point numbers.
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

/// The ids of an order group and of its orders have names that do not say so.
fn order_groups_have_typed_ids(document: &mut Value) -> bool {
    let group = mark(member(document, "OrderGroup", "id"), ORDER_GROUP_ID);
    let orders = member(document, "GetOrderGroupResponse", "orders");
    let order = mark(orders.and_then(|list| list.get_mut("items")), ORDER_ID);
    group && order
}

/// Required since 3.31 (2026-09-29); markets recorded before lack it.
fn market_settlement_bounds_are_new(document: &mut Value) -> bool {
    optional(document, "Market", &["settlement_bounds_type"])
}

/// Some series sent markets without sub-titles in April 2026.
fn market_sub_titles_may_be_missing(document: &mut Value) -> bool {
    optional(document, "Market", &["yes_sub_title", "no_sub_title"])
}

/// Required, and reported to be absent at times. `false` in its place would say that several markets of the event can resolve to yes.
fn mutual_exclusion_of_events_may_be_missing(document: &mut Value) -> bool {
    optional(document, "EventData", &["mutually_exclusive"])
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

/// Required since 3.29; the response to a new order group was its id alone before.
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

/// Required since 3.30; the response lacked it before.
fn resting_margin_reservation_is_new(document: &mut Value) -> bool {
    optional(
        document,
        "GetTargetBalanceAllocationResponse",
        &["resting_margin_reservation"],
    )
}

/// The responses that carry nothing are declared as objects of which nothing is said, which could hold anything.
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

/// A rejection is declared flat and of texts; live ones are nested, and their details may be an object.
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

/// Takes fields off the list of required ones; returns true if all were on it.
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

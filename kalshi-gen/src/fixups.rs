//! Corrections where the exchange deviates from its spec: one named function per deviation, documented with its reason.
//!
//! Only this module and its children know schemas by name. A function returns `true` if it found what it corrects. For the vendored spec, a
//! fixup that finds nothing is an error, so that obsolete fixups are noticed.

mod clearing;
mod parameters;
mod perps;

use serde_json::{Value, json};

use crate::{
    error::Error,
    options::FixupMode,
    scalars::{API_ERROR, CONTRACTS, DOLLARS, ORDER_GROUP_ID, ORDER_ID, PRICE_LEVEL},
};
use parameters::{
    comma_separated_strings_are_lists, count_filters_name_fields,
    status_filter_of_orders_is_a_status, status_filter_of_quotes_is_a_status,
    status_filter_of_rfqs_is_a_status,
};

/// The specs that the exchange publishes, distinguished by their paths because most have the same title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// The spec of the Trade API.
    Trade,
    /// The spec of perpetual futures.
    Perps,
    /// The spec for clearing members.
    Clearing,
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
use fixup;

/// The first version of the Trade API to which every fixup must apply. Earlier versions lack elements that were added later.
const STRICT_FROM: [u64; 2] = [3, 34];

/// Corrections that make a published document a valid spec. Only old versions need them.
const REPAIRS: [Fixup; 2] = [
    fixup!(event_positions_lack_resting_orders_count),
    fixup!(price_levels_lack_an_item_type),
];

/// The fixups, in the order they are applied.
const FIXUPS: [Fixup; 23] = [
    fixup!(fixed_point_strings_are_amounts, Spec::Trade, Spec::Perps),
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
    fixup!(empty_responses_have_no_fields, Spec::Trade, Spec::Perps),
    fixup!(errors_have_several_formats, Spec::Trade, Spec::Perps),
    fixup!(comma_separated_strings_are_lists),
    fixup!(count_filters_name_fields),
    fixup!(status_filter_of_orders_is_a_status),
    fixup!(status_filter_of_rfqs_is_a_status),
    fixup!(status_filter_of_quotes_is_a_status),
];

/// Corrects what keeps a published document from being a valid spec.
pub(crate) fn repair(document: &mut Value) {
    for fixup in REPAIRS {
        if Spec::from_document(document).is_some_and(|spec| fixup.specs.contains(&spec)) {
            (fixup.apply)(document);
        }
    }
}

/// Returns all fixups in the order in which they are applied.
fn fixups() -> impl Iterator<Item = &'static Fixup> {
    FIXUPS.iter().chain(&perps::FIXUPS).chain(&clearing::FIXUPS)
}

/// Applies every fixup of the document's spec. In strict mode, a fixup with nothing to correct is an error. If the document is none
/// of the known specs, strict mode requires all fixups of the Trade API to apply.
pub fn apply(document: &mut Value, mode: FixupMode) -> Result<(), Error> {
    let spec = Spec::from_document(document);
    let strict = mode == FixupMode::Strict && is_strict_for(spec, document);
    for fixup in fixups() {
        let applies = fixup.specs.contains(&spec.unwrap_or(Spec::Trade));
        if applies && !(fixup.apply)(document) && strict {
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

/// Returns `true` if every fixup must apply to a document in strict mode. For the Trade API, that is the case
/// from version [`STRICT_FROM`] on.
fn is_strict_for(spec: Option<Spec>, document: &Value) -> bool {
    let version = document.pointer("/info/version").and_then(Value::as_str);
    let numbers = version
        .unwrap_or_default()
        .split('.')
        .map_while(|part| part.parse::<u64>().ok());
    match spec {
        Some(Spec::Trade) => numbers.take(2).ge(STRICT_FROM),
        // Their versions are not informative. Only the vendored specs are generated in strict mode.
        Some(Spec::Perps | Spec::Clearing) | None => true,
    }
}

/// In versions 3.3 to 3.8, the list of required fields contains one that the schema does not define.
fn event_positions_lack_resting_orders_count(document: &mut Value) -> bool {
    let Some(node) = schema(document, "EventPosition") else {
        return false;
    };
    let absent = node
        .get("properties")
        .is_some_and(|fields| fields.get("resting_orders_count").is_none());
    absent && make_optional(document, "EventPosition", &["resting_orders_count"])
}

/// In versions 3.3 to 3.8, a pair of a string and a number is declared as a list without an item type.
fn price_levels_lack_an_item_type(document: &mut Value) -> bool {
    match schema(document, "PriceLevelDollars") {
        Some(Value::Object(node)) if !node.contains_key("items") => {
            node.insert("items".into(), json!({}));
            true
        }
        _ => false,
    }
}

/// These strings are fixed-point numbers according to their descriptions only.
fn fixed_point_strings_are_amounts(document: &mut Value) -> bool {
    let dollars = mark(schema(document, "FixedPointDollars"), DOLLARS);
    let contracts = mark(schema(document, "FixedPointCount"), CONTRACTS);
    dollars && contracts
}

/// A level of an order book is declared as a list of two strings, which are a price in dollars and a number of contracts.
fn price_levels_are_pairs(document: &mut Value) -> bool {
    mark(schema(document, "PriceLevelDollarsCountFp"), PRICE_LEVEL)
}

/// The bids of a new quote are dollars, but their names lack the suffix.
fn quote_bids_are_dollars(document: &mut Value) -> bool {
    ["yes_bid", "no_bid"].map(|name| mark(field(document, "CreateQuoteRequest", name), DOLLARS))
        == [true; 2]
}

/// The ranges of a market's price grid are dollars, but their names lack the suffix.
fn price_ranges_are_dollars(document: &mut Value) -> bool {
    ["start", "end", "step"].map(|name| mark(field(document, "PriceRange", name), DOLLARS))
        == [true; 3]
}

/// The names of the ids of an order group and of its orders do not show what they identify.
fn order_groups_have_typed_ids(document: &mut Value) -> bool {
    let group = mark(field(document, "OrderGroup", "id"), ORDER_GROUP_ID);
    let orders = field(document, "GetOrderGroupResponse", "orders");
    let order = mark(orders.and_then(|list| list.get_mut("items")), ORDER_ID);
    group && order
}

/// Required since 3.31 (2026-09-29). Markets recorded earlier lack it.
fn market_settlement_bounds_are_new(document: &mut Value) -> bool {
    make_optional(document, "Market", &["settlement_bounds_type"])
}

/// In April 2026, markets of some series had no sub-titles.
fn market_sub_titles_may_be_missing(document: &mut Value) -> bool {
    make_optional(document, "Market", &["yes_sub_title", "no_sub_title"])
}

/// Required, but reported to be absent at times. A default of `false` would mean that several markets of the event
/// can resolve to yes.
fn mutual_exclusion_of_events_may_be_missing(document: &mut Value) -> bool {
    make_optional(document, "EventData", &["mutually_exclusive"])
}

/// Required since 3.29 (2026-08-28). Rows recorded earlier lack it.
fn exchange_index_is_new_on_portfolio_rows(document: &mut Value) -> bool {
    ["Fill", "MarketPosition", "Settlement"]
        .map(|name| make_optional(document, name, &["exchange_index"]))
        == [true; 3]
}

/// Required since 2026-05-19. Older rows have only `side` and `action`.
fn sides_are_new_on_orders_and_fills(document: &mut Value) -> bool {
    ["Order", "Fill"].map(|name| make_optional(document, name, &["outcome_side", "book_side"]))
        == [true; 2]
}

/// Required since 2026-05-19. Older trades have only `taker_side`.
fn taker_sides_are_new_on_trades(document: &mut Value) -> bool {
    make_optional(
        document,
        "Trade",
        &["taker_outcome_side", "taker_book_side"],
    )
}

/// Required since 2026-06-04. Older trades lack it.
fn block_trade_flag_is_new_on_trades(document: &mut Value) -> bool {
    make_optional(document, "Trade", &["is_block_trade"])
}

/// Required since 3.32 (2026-10-06). Collections recorded earlier lack it.
fn collection_price_grid_is_new(document: &mut Value) -> bool {
    make_optional(
        document,
        "MultivariateEventCollection",
        &["price_level_structure"],
    )
}

/// Required since 3.29. Before, the response to a new order group contained only its id.
fn order_group_routing_is_new(document: &mut Value) -> bool {
    make_optional(document, "CreateOrderGroupResponse", &["subaccount"])
}

/// Required since 3.30. Rows recorded earlier lack it.
fn subaccount_routing_is_new(document: &mut Value) -> bool {
    [
        "SubaccountBalance",
        "SubaccountTransfer",
        "SubaccountNettingConfig",
    ]
    .map(|name| make_optional(document, name, &["exchange_index"]))
        == [true; 3]
}

/// Required since 3.30. Earlier responses lack it.
fn resting_margin_reservation_is_new(document: &mut Value) -> bool {
    make_optional(
        document,
        "GetTargetBalanceAllocationResponse",
        &["resting_margin_reservation"],
    )
}

/// Empty responses are declared as objects without any constraint, which would be free-form objects.
fn empty_responses_have_no_fields(document: &mut Value) -> bool {
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

/// An error is declared as flat strings. Real errors are nested, and their details may be an object.
fn errors_have_several_formats(document: &mut Value) -> bool {
    match schema(document, "ErrorResponse") {
        Some(Value::Object(node)) => {
            node.insert("x-kalshi-type".into(), json!(API_ERROR));
            true
        }
        _ => false,
    }
}

fn schema<'a>(document: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    document.pointer_mut("/components/schemas")?.get_mut(name)
}

fn field<'a>(document: &'a mut Value, schema_name: &str, name: &str) -> Option<&'a mut Value> {
    schema(document, schema_name)?
        .get_mut("properties")?
        .get_mut(name)
}

/// Marks a plain string, a list of strings, or a reference to one, as one of the generator's scalar types.
fn mark(schema: Option<&mut Value>, kind: &str) -> bool {
    let Some(Value::Object(node)) = schema else {
        return false;
    };
    let is_plain_string = |node: &Value| {
        node.get("type").and_then(Value::as_str) == Some("string") && node.get("enum").is_none()
    };
    let is_markable = node.contains_key("$ref")
        || node.get("items").is_some_and(is_plain_string)
        || is_plain_string(&Value::Object(node.clone()));
    if is_markable {
        node.insert("x-kalshi-type".into(), json!(kind));
    }
    is_markable
}

/// Makes required fields optional. Returns `true` if all were required.
fn make_optional(document: &mut Value, schema_name: &str, names: &[&str]) -> bool {
    let Some(Value::Array(required)) =
        schema(document, schema_name).and_then(|node| node.get_mut("required"))
    else {
        return false;
    };
    let before = required.len();
    required.retain(|name| !names.iter().any(|other| name == other));
    before - required.len() == names.len()
}

//! The scalar types of the SDK: the components that stand for them in a normalised spec, and which strings become one.

use serde_json::{Map, Value};

use crate::spec;

/// The component that stands for exact dollars after normalising.
pub const DOLLARS: &str = "DollarsText";
/// The component that stands for a number of contracts after normalising.
pub const CONTRACTS: &str = "ContractsText";
/// The component that stands for a price and the contracts at it after normalising.
pub const PRICE_LEVEL: &str = "PriceLevelPair";

/// The component that stands for a UUID after normalising.
pub const ID: &str = "IdText";
/// The component that stands for a rejection after normalising, in whichever wording.
pub const REFUSAL: &str = "RefusalObject";
/// The component that stands for a text nobody may print after normalising.
pub const SECRET: &str = "SecretText";
/// The components that this generator brings, and the types of `kalshi-sdk` they become.
pub const SCALARS: [(&str, &str); 6] = [
    (DOLLARS, "::kalshi_core::Dollars"),
    (CONTRACTS, "::kalshi_core::Contracts"),
    (PRICE_LEVEL, "::kalshi_core::PriceLevel"),
    (ID, "::kalshi_core::Id"),
    (SECRET, "::kalshi_core::Secret"),
    (REFUSAL, "::kalshi_core::ErrorResponse"),
];

/// What a text is by the name of its field and by its format.
pub fn scalar(name: &str, node: &Map<String, Value>) -> Option<&'static str> {
    let text = |key: &str| spec::text(node, key).unwrap_or_default();
    let choice_or_time = node.contains_key("enum") || text("format").starts_with("date");
    if text("type") != "string" || choice_or_time {
        return None;
    }
    match name {
        "private_key" => Some(SECRET),
        name if name.ends_with("_dollars") => Some(DOLLARS),
        name if name.ends_with("_fp") => Some(CONTRACTS),
        _ => (text("format") == "uuid").then_some(ID),
    }
}

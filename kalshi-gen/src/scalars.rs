//! The scalar types of the SDK: the components that stand for them in a normalised spec, and which strings become one.

use serde_json::{Map, Value};

use crate::spec;

/// The component that stands for exact dollars after normalising.
pub const DOLLARS: &str = "DollarsText";
/// The component that stands for a number of contracts after normalising.
pub const CONTRACTS: &str = "ContractsText";
/// The component that stands for a price and the contracts at it after normalising.
pub const PRICE_LEVEL: &str = "PriceLevelPair";

/// The component that stands for an exact number after normalising.
pub const DECIMAL: &str = "DecimalNumber";
/// The component that stands for an exact number that is encoded as a string after normalising. For fields of responses.
pub const DECIMAL_TEXT: &str = "DecimalText";
/// The component that stands for exact dollars, or a text that means there are none, after normalising. For optional fields of
/// responses.
pub const DOLLARS_OR_NONE: &str = "DollarsOrNoneText";

/// The component that stands for a UUID after normalising.
pub const ID: &str = "IdText";
/// The component that stands for the id of an order after normalising.
pub const ORDER_ID: &str = "OrderIdText";
/// The component that stands for a client order id after normalising.
pub const CLIENT_ORDER_ID: &str = "ClientOrderIdText";
/// The component that stands for the id of a trade after normalising.
pub const TRADE_ID: &str = "TradeIdText";
/// The component that stands for the id of an order group after normalising.
pub const ORDER_GROUP_ID: &str = "OrderGroupIdText";
/// The component that stands for the number of a subaccount after normalising.
pub const SUBACCOUNT: &str = "SubaccountInteger";
/// The component that stands for an API error after normalising, in any of its schemas.
pub const REFUSAL: &str = "RefusalObject";
/// The component that stands for a secret string, which is never printed, after normalising.
pub const SECRET: &str = "SecretText";
/// The components that this generator brings, and the types of `kalshi-sdk` they become.
pub const SCALARS: [(&str, &str); 14] = [
    (DOLLARS, "::kalshi_core::Dollars"),
    (CONTRACTS, "::kalshi_core::Contracts"),
    (PRICE_LEVEL, "::kalshi_core::PriceLevel"),
    (DECIMAL, "::kalshi_core::Decimal"),
    // The fields of the next two get the types without the ending, and a serializer or deserializer of their own.
    (DECIMAL_TEXT, "::kalshi_core::DecimalText"),
    (DOLLARS_OR_NONE, "::kalshi_core::DollarsOrNone"),
    (ID, "::kalshi_core::Id"),
    (ORDER_ID, "::kalshi_core::OrderId"),
    (CLIENT_ORDER_ID, "::kalshi_core::ClientOrderId"),
    (TRADE_ID, "::kalshi_core::TradeId"),
    (ORDER_GROUP_ID, "::kalshi_core::OrderGroupId"),
    (SUBACCOUNT, "::kalshi_core::SubaccountNumber"),
    (SECRET, "::kalshi_core::Secret"),
    (REFUSAL, "::kalshi_core::ErrorResponse"),
];

/// The scalar type of a string or a number, by its type, the name of its field and its format.
pub fn scalar(name: &str, node: &Map<String, Value>) -> Option<&'static str> {
    let text = |key: &str| spec::text(node, key).unwrap_or_default();
    let choice_or_time = node.contains_key("enum") || text("format").starts_with("date");
    let is_subaccount =
        ["subaccount", "subaccount_number"].contains(&name) || name.ends_with("_subaccount");
    if text("type") == "integer" && is_subaccount {
        return Some(SUBACCOUNT);
    }
    if text("type") == "number" {
        return Some(DECIMAL);
    }
    if text("type") != "string" || choice_or_time {
        return None;
    }
    match name {
        "private_key" => Some(SECRET),
        "trade_id" | "fill_id" => Some(TRADE_ID),
        "order_group_id" => Some(ORDER_GROUP_ID),
        name if name.ends_with("client_order_id") => Some(CLIENT_ORDER_ID),
        name if name == "order_id" || name.ends_with("_order_id") => Some(ORDER_ID),
        name if name.ends_with("_dollars") => Some(DOLLARS),
        name if name.ends_with("_fp") => Some(CONTRACTS),
        _ => (text("format") == "uuid").then_some(ID),
    }
}

//! The scalar types of the SDK: the components that represent them in a normalised spec, and the fields that use them.

use serde_json::{Map, Value};

use crate::spec;

/// The component that represents exact dollars in a normalised spec.
pub const DOLLARS: &str = "DollarsText";
/// The component that represents a number of contracts in a normalised spec.
pub const CONTRACTS: &str = "ContractsText";
/// The component that represents a price and the number of contracts at it in a normalised spec.
pub const PRICE_LEVEL: &str = "PriceLevelPair";

/// The component that represents an exact number in a normalised spec.
pub const DECIMAL: &str = "DecimalNumber";
/// The component that represents an exact number encoded as a string in a normalised spec. For response fields.
pub const DECIMAL_TEXT: &str = "DecimalText";
/// The component that represents a positive amount in exact dollars, or a string that means that there is no amount, in a normalised
/// spec. For optional response fields.
pub const DOLLARS_OR_NONE: &str = "DollarsOrNoneText";

/// The component that represents a UUID in a normalised spec.
pub const ID: &str = "IdText";
/// The component that represents an order id in a normalised spec.
pub const ORDER_ID: &str = "OrderIdText";
/// The component that represents a client order id in a normalised spec.
pub const CLIENT_ORDER_ID: &str = "ClientOrderIdText";
/// The component that represents a trade id in a normalised spec.
pub const TRADE_ID: &str = "TradeIdText";
/// The component that represents an order group id in a normalised spec.
pub const ORDER_GROUP_ID: &str = "OrderGroupIdText";
/// The component that represents a subaccount number in a normalised spec.
pub const SUBACCOUNT: &str = "SubaccountInteger";
/// The component that represents an API error, in any of its schemas, in a normalised spec.
pub const API_ERROR: &str = "ApiErrorObject";
/// The component that represents a secret string, which is never printed, in a normalised spec.
pub const SECRET: &str = "SecretText";
/// The components that this generator adds, and the types of `kalshi-core` that they become.
pub const SCALARS: [(&str, &str); 14] = [
    (DOLLARS, "::kalshi_core::Dollars"),
    (CONTRACTS, "::kalshi_core::Contracts"),
    (PRICE_LEVEL, "::kalshi_core::PriceLevel"),
    (DECIMAL, "::kalshi_core::Decimal"),
    // Placeholders: fields of the next two get `Decimal` and `Option<Dollars>`, with a custom serializer or deserializer.
    (DECIMAL_TEXT, "::kalshi_core::DecimalText"),
    (DOLLARS_OR_NONE, "::kalshi_core::DollarsOrNone"),
    (ID, "::kalshi_core::Id"),
    (ORDER_ID, "::kalshi_core::OrderId"),
    (CLIENT_ORDER_ID, "::kalshi_core::ClientOrderId"),
    (TRADE_ID, "::kalshi_core::TradeId"),
    (ORDER_GROUP_ID, "::kalshi_core::OrderGroupId"),
    (SUBACCOUNT, "::kalshi_core::SubaccountNumber"),
    (SECRET, "::kalshi_core::Secret"),
    (API_ERROR, "::kalshi_core::ErrorResponse"),
];

/// Returns the scalar type of a string or a number, determined by its type, field name and format.
pub fn scalar(name: &str, node: &Map<String, Value>) -> Option<&'static str> {
    let string = |key: &str| spec::str_field(node, key).unwrap_or_default();
    let choice_or_time = node.contains_key("enum") || string("format").starts_with("date");
    let is_subaccount =
        ["subaccount", "subaccount_number"].contains(&name) || name.ends_with("_subaccount");
    if string("type") == "integer" && is_subaccount {
        return Some(SUBACCOUNT);
    }
    if string("type") == "number" {
        return Some(DECIMAL);
    }
    if string("type") != "string" || choice_or_time {
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
        _ => (string("format") == "uuid").then_some(ID),
    }
}

//! Corrections of the spec for clearing members: dollar amounts and secrets that are declared as plain strings, and its error object.

use serde_json::{Value, json};

use super::{Fixup, Spec, field, fixup, mark, schema};
use crate::scalars::{API_ERROR, DOLLARS, SECRET};

/// The fixups of the spec for clearing members, in the order in which they are applied.
pub(super) const FIXUPS: [Fixup; 5] = [
    fixup!(estimated_margins_are_dollars, Spec::Clearing),
    fixup!(session_prices_are_dollars, Spec::Clearing),
    fixup!(withdrawals_are_dollars, Spec::Clearing),
    fixup!(report_urls_are_secret, Spec::Clearing),
    fixup!(errors_have_several_formats, Spec::Clearing),
];

/// Dollar amounts whose names end in `_fp`, like numbers of contracts. Their examples have four decimal places. The price of a
/// position to estimate has no suffix.
fn estimated_margins_are_dollars(document: &mut Value) -> bool {
    let response = [
        "maintenance_margin_fp",
        "base_margin_fp",
        "hvar_fp",
        "apc_fp",
        "funding_addon_fp",
        "liquidation_addon_fp",
    ]
    .map(|name| {
        let schema = "EstimatePortfolioMaintenanceMarginResponse";
        mark(field(document, schema, name), DOLLARS)
    });
    let schema = "EstimatePortfolioMaintenanceMarginPosition";
    mark(field(document, schema, "price"), DOLLARS) && response == [true; 6]
}

/// A "fixed-point dollar string" according to its description, with a name like that of a number of contracts.
fn session_prices_are_dollars(document: &mut Value) -> bool {
    let price = field(document, "MarketSettlementEstimate", "session_avg_price_fp");
    mark(price, DOLLARS)
}

/// Dollar amounts whose names have no suffix.
fn withdrawals_are_dollars(document: &mut Value) -> bool {
    [
        "WithdrawSettlementBalanceRequest",
        "GetSettlementBalanceWithdrawalResponse",
    ]
    .map(|name| mark(field(document, name, "amount"), DOLLARS))
        == [true; 2]
}

/// The URL of a report contains its own authorization: whoever has it can download the file.
fn report_urls_are_secret(document: &mut Value) -> bool {
    mark(field(document, "MarginReport", "url"), SECRET)
}

/// The error object of the other APIs, under another name.
fn errors_have_several_formats(document: &mut Value) -> bool {
    match schema(document, "Error") {
        Some(Value::Object(node)) => {
            node.insert("x-kalshi-type".into(), json!(API_ERROR));
            true
        }
        _ => false,
    }
}

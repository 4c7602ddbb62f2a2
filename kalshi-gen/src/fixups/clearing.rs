//! Corrections of the spec for clearing members: amounts of dollars that are declared as plain texts, and its errors.

use serde_json::{Value, json};

use super::{Fixup, Spec, fixup, mark, member, schema};
use crate::scalars::{DOLLARS, REFUSAL};

/// The fixups of the spec for clearing members, in the order they are applied.
pub(super) const FIXUPS: [Fixup; 4] = [
    fixup!(estimated_margins_are_dollars, Spec::Clearing),
    fixup!(session_prices_are_dollars, Spec::Clearing),
    fixup!(withdrawals_are_dollars, Spec::Clearing),
    fixup!(errors_are_worded_freely, Spec::Clearing),
];

/// Amounts of USD under names that end in `_fp` as those of contracts do, with four decimals by their example. The price of a
/// position to estimate has no suffix at all.
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
        mark(member(document, schema, name), DOLLARS)
    });
    let schema = "EstimatePortfolioMaintenanceMarginPosition";
    mark(member(document, schema, "price"), DOLLARS) && response == [true; 6]
}

/// "Fixed-point dollar string" by its description, under a name of contracts.
fn session_prices_are_dollars(document: &mut Value) -> bool {
    let price = member(document, "MarketSettlementEstimate", "session_avg_price_fp");
    mark(price, DOLLARS)
}

/// Amounts of USD under a name without a suffix.
fn withdrawals_are_dollars(document: &mut Value) -> bool {
    [
        "WithdrawSettlementBalanceRequest",
        "GetSettlementBalanceWithdrawalResponse",
    ]
    .map(|name| mark(member(document, name, "amount"), DOLLARS))
        == [true; 2]
}

/// The error object of the other APIs under another name.
fn errors_are_worded_freely(document: &mut Value) -> bool {
    match schema(document, "Error") {
        Some(Value::Object(node)) => {
            node.insert("x-kalshi-type".into(), json!(REFUSAL));
            true
        }
        _ => false,
    }
}

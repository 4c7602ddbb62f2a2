//! WebSocket messages of operations without state: combos and RFQ batches.

use serde_json::{Value, json};

use crate::{
    call::Call,
    state::{Event, State},
    time::{rfc3339, seconds},
};

/// Emits the messages that a successful request causes. Ids are those of the request or of the samples. Every subscription to
/// the channel receives the message.
pub(super) fn emit(state: &mut State, call: &Call<'_>, response: &Value) {
    for (kind, body) in messages(state, call, response) {
        state.emit(|_| Some(Event::Sample { kind, body }));
    }
}

fn messages(state: &State, call: &Call<'_>, response: &Value) -> Vec<(&'static str, Value)> {
    let now = rfc3339(state.now);
    let user = &state.user(call.caller.user).communications_id;
    let batch = call.string("rfq_batch_id").unwrap_or("sample id");
    let quote = call.string("batch_quote_id").unwrap_or("sample id");
    let market = "sample market_ticker";
    match call.id() {
        "CreateMarketInMultivariateEventCollection" => {
            vec![("multivariate_market_lifecycle", combo(state, response))]
        }
        "CreateRFQBatch" => {
            let children = call.body["children"].as_array().into_iter().flatten();
            let rfqs = children.enumerate().map(|(number, child)| {
                json!({
                    "id": format!("sample rfq_id {number}"),
                    "market_ticker": child["market_ticker"].as_str().unwrap_or(market),
                    "contracts_fp": "12.50",
                    "leg_indices": [0],
                })
            });
            let leg = json!({
                "event_ticker": "sample event_ticker",
                "market_ticker": market,
                "side": "yes",
            });
            let body = json!({
                "id": batch,
                "creator_id": user,
                "created_ts": now,
                "legs": [leg],
                "rfqs": rfqs.collect::<Vec<_>>(),
            });
            vec![("rfq_batch_created", body)]
        }
        "DeleteRFQBatch" => {
            let body = json!({
                "id": batch,
                "creator_id": user,
                "rfq_ids": ["sample rfq_id 0"],
                "deleted_ts": now,
            });
            vec![("rfq_batch_deleted", body)]
        }
        "CreateRFQBatchQuote" => {
            let entries = call.body["quotes"].as_array().into_iter().flatten();
            let (quotes, best): (Vec<Value>, Vec<Value>) = entries
                .map(|entry| {
                    let best = json!({
                        "rfq_id": entry["rfq_id"],
                        "market_ticker": market,
                        "yes_bid_dollars": entry["yes_bid"],
                        "no_bid_dollars": entry["no_bid"],
                    });
                    let mut quote = best.clone();
                    quote["quote_id"] = json!("sample quote_id");
                    (quote, best)
                })
                .unzip();
            let created = json!({
                "batch_quote_id": quote,
                "rfq_batch_id": batch,
                "quote_creator_id": user,
                "created_ts": now,
                "quotes": quotes,
            });
            let best = json!({
                "rfq_batch_id": batch,
                "version": state.now,
                "updated_ts": now,
                "yes_complete": true,
                "no_complete": true,
                "rfqs": best,
            });
            vec![
                ("batch_quote_created", created),
                ("rfq_batch_best_quotes", best),
            ]
        }
        "AcceptRFQBatch" => {
            let quotes = response["quotes"].as_array().into_iter().flatten();
            let quotes = quotes.map(|quote| {
                json!({
                    "quote_id": quote["id"],
                    "rfq_id": quote["rfq_id"],
                    "market_ticker": quote["market_ticker"],
                    "yes_bid_dollars": quote["yes_bid_dollars"],
                    "no_bid_dollars": quote["no_bid_dollars"],
                })
            });
            let body = json!({
                "batch_quote_id": quote,
                "rfq_batch_id": batch,
                "quote_creator_id": "sample creator_id",
                "rfq_creator_id": user,
                "accepted_side": response["accepted_side"],
                "accepted_ts": now,
                "quotes": quotes.collect::<Vec<_>>(),
            });
            vec![("batch_quote_accepted", body)]
        }
        "ConfirmRFQBatchQuote" => {
            let executed = json!({
                "rfq_batch_id": batch,
                "rfq_creator_id": user,
                "executed_rfq_ids": ["sample rfq_id 0"],
                "failed_rfq_ids": [],
                "executed_ts": now,
                "close_reason": "executed",
            });
            let mut own = executed.clone();
            own["batch_quote_id"] = json!(quote);
            vec![
                ("rfq_batch_executed", executed),
                ("batch_quote_executed", own),
            ]
        }
        _ => Vec::new(),
    }
}

/// Renders the creation of a combo.
fn combo(state: &State, response: &Value) -> Value {
    let closes = seconds(state.now) + 24 * 3600;
    json!({
        "market_ticker": response["market_ticker"],
        "event_type": "created",
        "exchange_index": 1,
        "open_ts": seconds(state.now),
        "close_ts": closes,
        "price_level_structure": "deci_cent",
        "additional_metadata": {
            "name": "A combo",
            "title": "A combo",
            "yes_sub_title": "Yes",
            "no_sub_title": "No",
            "rules_primary": "",
            "rules_secondary": "",
            "can_close_early": true,
            "event_ticker": response["event_ticker"],
            "expected_expiration_ts": closes,
        },
    })
}

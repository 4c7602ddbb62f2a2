//! Responses of operations without state: samples from the spec, with the ids of the request.

use serde_json::Value;

use super::common::{HandlerResult, echo};
use crate::{
    Rejection,
    call::{Call, Order},
    state::State,
};

/// Path parameters that name objects of the samples. The lists of these objects show the same ids.
const IDS: [&str; 6] = [
    "block_trade_proposal_id",
    "rfq_batch_id",
    "batch_quote_id",
    "milestone_id",
    "structured_target_id",
    "collection_ticker",
];

/// Responds with the sample. Fields take the values of parameters with the same name, so the items of a list pass its filters.
pub(super) fn respond(state: &mut State, call: &Call<'_>) -> HandlerResult {
    for parameter in &call.endpoint.details.parameters {
        let name = parameter.name.as_str();
        if parameter.location != "path" {
            continue;
        }
        if let Some(id) = call
            .string(name)
            .filter(|id| !exists(state, call, name, id))
        {
            return Err(Rejection::not_found(format!("{name}: {id} does not exist")));
        }
    }
    let mut body = echo(call);
    super::sample_events::emit(state, call, &body);
    let paging = call.endpoint.operation.paging;
    if let Some(paging) = paging
        && let Some(items) = paging.items_field
        && let Some(Value::Array(rows)) = body.get_mut(items).map(Value::take)
    {
        let ids = call.strings("ids");
        let rows = rows.into_iter().filter(|row| {
            let id = row["id"].as_str().unwrap_or_default();
            ids.as_ref().is_none_or(|ids| ids.contains(&id))
        });
        let (page, cursor) = call.page(Order::OldestFirst, (0..).zip(rows), |row| row)?;
        body[items] = page.into();
        body[paging.cursor_field] = cursor.into();
    }
    Ok(body)
}

/// Returns true if the object that a path parameter names exists, or if the exchange does not track such objects.
fn exists(state: &State, call: &Call<'_>, name: &str, id: &str) -> bool {
    match name {
        "event_ticker" => state.events.contains_key(id),
        "series_ticker" => state.series.contains_key(id),
        "ticker" if call.endpoint.operation.path.contains("/events/") => {
            state.events.contains_key(id)
        }
        "ticker" => state.market(id).is_some(),
        _ if IDS.contains(&name) => id == "sample id" || id == format!("sample {name}"),
        _ => true,
    }
}

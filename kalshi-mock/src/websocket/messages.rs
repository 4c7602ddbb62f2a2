//! Rendering of events as messages, without side effects.

mod margin;
mod market;
mod private;

use serde_json::Value;

use super::{frame::Message, subscription::Subscription};
use crate::{
    call::Caller,
    state::{Event, Market, State},
};

/// Renders an event for a subscription, or returns `None` if the subscription does not cover it.
pub(super) fn render(
    state: &State,
    caller: &Caller,
    subscription: &Subscription,
    event: &Event,
) -> Option<Message> {
    if state.margin.is_some() {
        return margin::render(state, caller, subscription, event);
    }
    market::render(state, caller, subscription, event)
        .or_else(|| private::render(state, caller, subscription, event))
}

/// Renders the order book of a market.
pub(super) fn snapshot(state: &State, market: &Market, yes_prices: bool) -> Message {
    match &market.perp {
        Some(_) => margin::snapshot(state, market),
        None => market::snapshot(state, market, yes_prices),
    }
}

/// Returns the fields of a ticker message, without its time.
pub(super) fn ticker_fields(state: &State, market: &Market) -> Value {
    match &market.perp {
        Some(perp) => margin::ticker_fields(state, market, perp),
        None => market::ticker_fields(state, market),
    }
}

/// Completes a ticker message with the current time.
pub(super) fn ticker(state: &State, fields: Value) -> Value {
    match &state.margin {
        Some(_) => margin::ticker(state, fields),
        None => market::ticker(state, fields),
    }
}

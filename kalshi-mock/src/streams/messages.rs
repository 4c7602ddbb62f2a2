//! Rendering of events as messages. Nothing here changes or sends anything.

mod market;
mod private;

pub(super) use market::{snapshot, ticker, ticker_fields};

use super::{frame::Message, subscription::Subscription};
use crate::{
    call::Caller,
    state::{Event, State},
};

/// Renders an event for a subscription, or returns `None` if the subscription does not cover it.
pub(super) fn render(
    state: &State,
    caller: &Caller,
    subscription: &Subscription,
    event: &Event,
) -> Option<Message> {
    market::render(state, caller, subscription, event)
        .or_else(|| private::render(state, caller, subscription, event))
}

//! The `ticker` channel, which reports a market when its ticker differs from the last one sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{
    messages,
    socket::{Socket, of_instance},
    subscription::Channel,
};
use crate::state::{Event, Instance, MarketIndex, State, Step};

/// The last ticker of each market, without its time.
#[derive(Default)]
pub(super) struct Tickers(HashMap<MarketIndex, Value>);

impl Tickers {
    /// Records the current tickers of markets that have none yet.
    pub(super) fn record(&mut self, state: &State) {
        for (index, market) in state.markets.iter().enumerate() {
            let fields = || messages::ticker_fields(state, market);
            self.0.entry(index).or_insert_with(fields);
        }
    }

    /// Sends the ticker of every market that the events changed, once per market.
    pub(super) fn deliver(
        &mut self,
        state: &State,
        sockets: &mut BTreeMap<u64, Socket>,
        instance: Instance,
        events: &[Event],
    ) {
        let is_subscribed = |socket: &Socket| socket.subscription_to(Channel::Ticker).is_some();
        if !of_instance(sockets, instance).any(|socket| is_subscribed(socket)) {
            // Without subscribers nothing is recorded. A later subscriber starts from the tickers at that time.
            self.0.clear();
            return;
        }
        let changed: BTreeSet<MarketIndex> = events.iter().filter_map(market_of).collect();
        for index in changed {
            let Some(market) = state.markets.get(index) else {
                continue;
            };
            let fields = messages::ticker_fields(state, market);
            if self.0.get(&index) == Some(&fields) {
                continue;
            }
            let body = messages::ticker(state, fields.clone());
            self.0.insert(index, fields);
            for socket in of_instance(sockets, instance) {
                socket.send_ticker(state, index, &body);
            }
        }
    }
}

/// Returns the market whose ticker an event may change.
fn market_of(event: &Event) -> Option<MarketIndex> {
    match event {
        Event::Level(change) => Some(change.market),
        Event::Trade(trade) => Some(trade.market),
        Event::Market {
            market,
            step: Step::Settled,
            ..
        } => Some(*market),
        _ => None,
    }
}

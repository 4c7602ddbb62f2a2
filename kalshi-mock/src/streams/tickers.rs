//! The `ticker` channel: what has changed of a market since it was last told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{
    messages::{self, Message},
    socket::Socket,
    subscription::Channel,
};
use crate::state::{MarketIndex, News, State, Step};

/// What was told of each market, without its time.
#[derive(Default)]
pub(super) struct Tickers(HashMap<MarketIndex, Value>);

impl Tickers {
    /// Takes what markets show now as told, where nothing else was.
    pub(super) fn remember(&mut self, state: &State) {
        for (index, market) in state.markets.iter().enumerate() {
            let fields = || messages::ticker_fields(state, market);
            self.0.entry(index).or_insert_with(fields);
        }
    }

    /// Tells what has changed of the markets in which something happened: once, however much that was.
    pub(super) fn tell(
        &mut self,
        state: &State,
        sockets: &mut BTreeMap<u64, Socket>,
        news: &[News],
    ) {
        let wanted = |socket: &Socket| socket.on(Channel::Ticker).is_some();
        if !sockets.values().any(wanted) {
            // What is not told changes unseen.
            self.0.clear();
            return;
        }
        let touched: BTreeSet<MarketIndex> = news.iter().filter_map(market_of).collect();
        for index in touched {
            let Some(market) = state.markets.get(index) else {
                continue;
            };
            let fields = messages::ticker_fields(state, market);
            if self.0.get(&index) == Some(&fields) {
                continue;
            }
            let body = messages::ticker(state, fields.clone());
            self.0.insert(index, fields);
            for socket in sockets.values_mut() {
                let sid = socket.on(Channel::Ticker);
                let sid = sid.filter(|sid| {
                    socket
                        .subscriptions
                        .get(sid)
                        .is_some_and(|subscription| subscription.has(&market.ticker))
                });
                if let Some(sid) = sid {
                    let message = Message {
                        kind: "ticker",
                        body: body.clone(),
                    };
                    socket.send(state, sid, None, message);
                }
            }
        }
    }
}

/// The market of which the ticker may have changed.
fn market_of(news: &News) -> Option<MarketIndex> {
    match news {
        News::Level(change) => Some(change.market),
        News::Trade(trade) => Some(trade.market),
        News::Market {
            market,
            step: Step::Settled,
            ..
        } => Some(*market),
        _ => None,
    }
}

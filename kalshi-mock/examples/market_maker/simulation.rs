//! The environment of the maker: other traders, and faults of the exchange.

use std::time::Duration;

use kalshi_mock::{Fault, Market, MockExchange, WebSockets};
use kalshi_sdk::{Dollars, operation};

use super::TICKERS;

/// Steps between two faults of the WebSocket connection.
const STEPS_BETWEEN_FAULTS: u32 = 30;

/// Steps for which a connection is silent before it is lost. Fills in this time are not delivered.
const SILENT_STEPS: u32 = 3;

pub(crate) struct Simulation {
    traders: Vec<Traders>,
    websockets: WebSockets,
    random: fastrand::Rng,
    /// Step at which a silent connection is lost, or `None` if it is not silent.
    lost_at: Option<u32>,
}

impl Simulation {
    pub(crate) fn new(exchange: &MockExchange, seed: u64) -> Self {
        // Reads lag behind writes, responses are late or lost, and some requests are executed although they fail.
        exchange.fault(Fault::StaleReads(Duration::from_millis(300)));
        let latency = Fault::Latency(Duration::from_millis(80));
        exchange.fault(latency.probability(0.2).seed(seed));
        for (fault, operation, probability) in [
            (Fault::DropAfter, operation::BATCH_CREATE_ORDERS_V2, 0.05),
            (Fault::DropBefore, operation::BATCH_CREATE_ORDERS_V2, 0.05),
            (
                Fault::ServerErrorAfter(502),
                operation::BATCH_CREATE_ORDERS_V2,
                0.05,
            ),
            (Fault::DropAfter, operation::BATCH_CANCEL_ORDERS_V2, 0.05),
            (
                Fault::ServerError(503),
                operation::BATCH_CANCEL_ORDERS_V2,
                0.05,
            ),
            (Fault::TooManyRequests, operation::GET_ORDERS, 0.1),
            (Fault::DropAfter, operation::TRIGGER_ORDER_GROUP, 0.2),
        ] {
            let rule = fault.on(operation).probability(probability);
            exchange.fault(rule.seed(seed));
        }
        let traders = |(number, ticker): (usize, &&str)| Traders {
            market: exchange.market(ticker),
            middle: 35 + 15 * i64::try_from(number).unwrap_or_default(),
            random: fastrand::Rng::with_seed(seed + number as u64),
        };
        Self {
            traders: TICKERS.iter().enumerate().map(traders).collect(),
            websockets: exchange.websockets(),
            random: fastrand::Rng::with_seed(seed),
            lost_at: None,
        }
    }

    /// Lets the other traders act, and injects the next fault.
    pub(crate) fn step(&mut self, step: u32) {
        for traders in &mut self.traders {
            traders.trade();
        }
        if self.lost_at.is_some_and(|lost_at| step >= lost_at) {
            self.lost_at = None;
            self.websockets.reset();
        } else if step % STEPS_BETWEEN_FAULTS == STEPS_BETWEEN_FAULTS / 2 {
            match self.random.u8(0..5) {
                0 | 1 => {
                    self.websockets.silence();
                    self.lost_at = Some(step + SILENT_STEPS);
                }
                2 => {
                    self.websockets.reject_handshakes(503, 2);
                    self.websockets.reset();
                }
                3 => self.websockets.end_subscriptions(25),
                _ => self.websockets.drop_frames(3),
            }
        }
    }
}

/// The other traders of one market. They quote away from the mid price, and trade with the maker's quotes.
struct Traders {
    market: Market,
    /// Mid price in cents, which follows a random walk.
    middle: i64,
    random: fastrand::Rng,
}

impl Traders {
    fn trade(&mut self) {
        self.middle = (self.middle + self.random.i64(-1..=1)).clamp(15, 85);
        let count = self.random.i32(1..=6);
        match self.random.u8(0..10) {
            0 | 1 => _ = self.market.bid(Dollars::from_cents(self.middle + 3), count),
            2 | 3 => _ = self.market.ask(Dollars::from_cents(self.middle - 3), count),
            _ => {}
        }
        // Cancels what did not trade, and quotes around the new mid price.
        self.market.clear();
        for level in 0..5 {
            let offset = 4 + 2 * level;
            self.market
                .bid(Dollars::from_cents(self.middle - offset), 25)
                .ask(Dollars::from_cents(self.middle + offset), 25);
        }
    }
}

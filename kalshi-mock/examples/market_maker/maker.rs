//! The maker: observes events, decides on quotes and sends requests.

mod outcomes;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, UNIX_EPOCH},
};

use kalshi_sdk::{
    Client, Contracts, Dollars, OrderId, OutcomeSide,
    types::OrderStatus,
    ws::{
        Backfill, BookStream, BookUpdate, Changes, Event, Message, Missed, Observation,
        Subscription,
    },
};
use tokio::task::{JoinError, JoinSet};

use super::{
    Error,
    account::Fill,
    display::{MarketView, View},
    group::Group,
    quotes::{Action, Order, Quote, Quotes},
    report::{Counts, Report},
};
use outcomes::RequestOutcome;

/// Timeout of the shutdown, which cancels all orders.
const STOP_TIMEOUT: Duration = Duration::from_secs(90);

pub(crate) struct Maker {
    client: Client,
    markets: BTreeMap<String, Quotes>,
    group: Group,
    backfill: Backfill,
    is_reading: bool,
    /// Requests in flight.
    requests: JoinSet<RequestOutcome>,
    id_prefix: String,
    counts: Counts,
    profits: Vec<i64>,
    notes: VecDeque<String>,
}

impl Maker {
    pub(crate) async fn new(
        client: Client,
        tickers: &[&str],
        subscriptions: &[Subscription],
    ) -> Result<Self, Error> {
        // Client order ids can never be reused, so each run has its own prefix.
        let started = UNIX_EPOCH.elapsed()?.as_millis();
        let markets = tickers
            .iter()
            .map(|ticker| ((*ticker).to_owned(), Quotes::new()));
        Ok(Self {
            markets: markets.collect(),
            group: Group::create(&client).await?,
            backfill: Backfill::new(&client)
                .subscriptions(subscriptions)
                .markets(tickers.iter().copied()),
            is_reading: false,
            requests: JoinSet::new(),
            id_prefix: format!("maker-{started:x}"),
            counts: Counts::default(),
            profits: Vec::new(),
            notes: VecDeque::new(),
            client,
        })
    }

    fn note(&mut self, note: String) {
        self.notes.push_back(note);
    }

    /// Records what the connection delivered, without a decision.
    pub(crate) fn observe(&mut self, changes: Changes) -> Result<(), Error> {
        for update in &changes.updates {
            // Every event of the connection goes to the backfill, in order.
            if let BookUpdate::Connection(event) = update {
                let was_missing_messages = self.backfill.may_be_missing_messages();
                let observation = self.backfill.observe(event);
                if self.backfill.may_be_missing_messages() && !was_missing_messages {
                    self.stop_quoting(event);
                }
                self.observe_event(event, observation)?;
            }
        }
        for ticker in &changes.market_tickers {
            if let Some(quotes) = self.markets.get_mut(&**ticker) {
                quotes.has_changed = true;
            }
        }
        Ok(())
    }

    /// Stops quoting, because fills may be missing and the inventory is unknown.
    fn stop_quoting(&mut self, event: &Event) {
        self.counts.outages += 1;
        self.note(match event {
            Event::Disconnected { reason } => format!("connection lost ({reason}): not quoting"),
            _ => "messages may be missing: not quoting".to_owned(),
        });
        // The quotes still rest, so this does not wait for the next decision.
        self.send_group_request();
    }

    fn observe_event(&mut self, event: &Event, observation: Observation) -> Result<(), Error> {
        match (observation, event) {
            (Observation::New, Event::Message(received)) => match &received.frame.message {
                Message::Fill(fill) => self.add_fill(&Fill::try_from(&**fill)?),
                Message::UserOrder(order) => {
                    let has_ended = order.status != OrderStatus::Resting;
                    let remaining = order.remaining_count_fp;
                    self.update_order(
                        &order.client_order_id,
                        &order.order_id,
                        remaining,
                        has_ended,
                    );
                }
                _ => {}
            },
            (Observation::FetchNeeded, _) => {
                self.note("messages were lost: reading fills and orders".to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn add_fill(&mut self, fill: &Fill) {
        if let Some(quotes) = self.markets.get_mut(&fill.ticker) {
            self.counts.fills += 1;
            quotes.account.add(fill);
            quotes.has_changed = true;
        }
    }

    /// Changes the order with this id if it is one of the quotes. `change` returns `false` if the order has ended.
    fn with_order(&mut self, client_order_id: &str, change: impl FnOnce(&mut Order) -> bool) {
        for quotes in self.markets.values_mut() {
            for quote in quotes.sides() {
                let order = quote.order.as_mut();
                if let Some(order) = order.filter(|order| order.client_order_id == client_order_id)
                {
                    if !change(order) {
                        quote.order = None;
                    }
                    return;
                }
            }
        }
    }

    fn update_order(
        &mut self,
        client_order_id: &str,
        order_id: &OrderId,
        remaining: Contracts,
        has_ended: bool,
    ) {
        self.with_order(client_order_id, |order| {
            order.order_id = Some(order_id.clone());
            order.remaining = remaining;
            !has_ended
        });
    }

    fn add_missed(&mut self, missed: &Missed) -> Result<(), Error> {
        self.counts.missed_fills += missed.fills.len();
        self.note(format!(
            "backfill: {} missed fills, {} missed orders",
            missed.fills.len(),
            missed.orders.len()
        ));
        for fill in &missed.fills {
            self.add_fill(&Fill::try_from(fill)?);
        }
        for order in &missed.orders {
            let has_ended = order.status != OrderStatus::Resting;
            let remaining = order.remaining_count_fp;
            self.update_order(
                &order.client_order_id,
                &order.order_id,
                remaining,
                has_ended,
            );
        }
        if let Some(error) = missed.skipped.first() {
            self.note(format!(
                "the inventory may be wrong, because a row does not decode: {error}"
            ));
        }
        if missed.omitted > 0 {
            self.note(format!(
                "the inventory may be wrong, because {} rows are too old to know if they were counted",
                missed.omitted
            ));
        }
        Ok(())
    }

    /// Decides on the quotes of all markets that changed since the last decision, and sends cancels and orders as one batch each.
    pub(crate) fn decide(&mut self, books: &BookStream) -> Result<(), Error> {
        self.group.tick();
        self.send_group_request();
        if self.backfill.is_fetch_needed() && !self.is_reading {
            self.is_reading = true;
            let read = self.backfill.read();
            self.requests
                .spawn(async { RequestOutcome::Read(read.await) });
        }
        let may_quote = self.group.is_armed() && !self.backfill.may_be_missing_messages();
        let (mut cancels, mut placements) = (Vec::new(), Vec::new());
        let mut profit = 0;
        for (ticker, quotes) in &mut self.markets {
            quotes.decide(books.live(ticker));
            profit += quotes.profit().micros();
            if !may_quote {
                continue;
            }
            let mut act = |quote: &mut Quote, opposite: &Quote| -> Result<(), Error> {
                let new_id = || {
                    self.counts.orders += 1;
                    format!("{}-{}", self.id_prefix, self.counts.orders).into()
                };
                match quote.act(opposite, ticker, self.group.id(), new_id)? {
                    Some(Action::Cancel(id, key)) => cancels.push((id, key)),
                    Some(Action::Place(id, request)) => placements.push((id, *request)),
                    None => {}
                }
                Ok(())
            };
            let [bid, ask] = quotes.sides();
            act(bid, ask)?;
            act(ask, bid)?;
        }
        self.profits.push(profit);
        if !cancels.is_empty() {
            let (ids, keys): (Vec<_>, Vec<_>) = cancels.into_iter().unzip();
            let client = self.client.clone();
            self.requests.spawn(async move {
                RequestOutcome::Cancelled(ids, client.orders().cancel_batch(&keys).await)
            });
        }
        if !placements.is_empty() {
            let (ids, orders): (Vec<_>, Vec<_>) = placements.into_iter().unzip();
            let client = self.client.clone();
            self.requests.spawn(async move {
                RequestOutcome::Placed(ids, client.orders().place_batch(orders).await)
            });
        }
        Ok(())
    }

    fn send_group_request(&mut self) {
        if let Some(request) = self
            .group
            .next_request(self.backfill.may_be_missing_messages())
        {
            let sent = self.group.send(&self.client, request);
            self.requests
                .spawn(async move { RequestOutcome::Group(request, sent.await) });
        }
    }

    /// Returns the next request that completes, or `None` if none is in flight.
    pub(crate) async fn next_outcome(&mut self) -> Option<Result<RequestOutcome, JoinError>> {
        self.requests.join_next().await
    }

    pub(crate) fn view(&mut self, step: u32, books: &BookStream) -> View {
        let market = |(ticker, quotes): (&String, &Quotes)| {
            let book = books.live(ticker);
            let best = |price: Option<kalshi_sdk::PriceLevel>| price.map(|level| level.price);
            MarketView {
                ticker: ticker.clone(),
                bid: best(book.and_then(|book| book.best_bid(OutcomeSide::Yes))),
                ask: best(book.and_then(|book| book.best_ask(OutcomeSide::Yes))),
                own_bid: quotes.bid.price(),
                own_ask: quotes.ask.price(),
                position: quotes.account.position,
            }
        };
        let state = match (
            self.backfill.may_be_missing_messages(),
            self.group.is_armed(),
        ) {
            (true, _) => "fills may be missing: not quoting",
            (false, false) => "order group triggered: not quoting",
            (false, true) => "quoting",
        };
        View {
            step,
            markets: self.markets.iter().map(market).collect(),
            profits: self.profits.clone(),
            state,
            notes: std::mem::take(&mut self.notes).into(),
        }
    }

    /// Cancels all orders, after an error that ends the maker. Orders that arrive later are rejected.
    pub(crate) async fn cancel_all(&mut self) -> Result<(), Error> {
        self.group.trigger(&self.client).await
    }

    /// Cancels all orders, counts the last fills and compares the inventory with the exchange's.
    pub(crate) async fn stop(self) -> Result<Report, Error> {
        match tokio::time::timeout(STOP_TIMEOUT, self.cancel_and_compare()).await {
            Ok(report) => report,
            Err(_) => Err("shutdown timed out: orders may still rest".into()),
        }
    }

    async fn cancel_and_compare(mut self) -> Result<Report, Error> {
        // Also cancels orders whose placement is unknown, and rejects those that arrive later.
        self.group.trigger(&self.client).await?;
        while let Some(outcome) = self.requests.join_next().await {
            self.finish_request(outcome?)?;
        }
        self.group.delete(&self.client).await?;
        // Nothing trades from here on, and the connection is not read any further. The backfill reads the fills not yet observed.
        self.backfill.disconnected();
        let missed = loop {
            match self.backfill.fetch().await {
                Ok(missed) => break missed,
                Err(error) => eprintln!("{error}"),
            }
        };
        self.add_missed(&missed)?;
        let positions = self.client.get_positions().limit(100).send().await?;
        let resting = self.client.get_orders().status("resting");
        let resting = resting.collect_all(usize::MAX).await?.len();
        let row = |(ticker, quotes): (&String, &Quotes)| {
            let mut positions = positions.market_positions.iter();
            let position = positions.find(|position| position.ticker == *ticker);
            let position = position.map_or(Contracts::ZERO, |position| position.position_fp);
            (ticker.clone(), quotes.account.position, position)
        };
        Ok(Report {
            inventory: self.markets.iter().map(row).collect(),
            profit: Dollars::from_micros(
                self.markets
                    .values()
                    .map(|quotes| quotes.profit().micros())
                    .sum(),
            ),
            counts: self.counts,
            resting,
        })
    }
}

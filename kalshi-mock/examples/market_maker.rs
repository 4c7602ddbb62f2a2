//! A small two-sided market maker on a local exchange.
//!
//! It quotes around the middle of the book and leans against what it holds. Its orders are in an order group: should they trade
//! too much within 15 seconds, the exchange itself takes them away, and the maker stands aside for a while. In a terminal it draws
//! book, orders and profit until `q` is pressed; piped, it prints a line a step.
//!
//! `cargo run -p kalshi-mock --example market_maker -- [--steps N] [--seed N]`

#![allow(missing_docs, reason = "an example")]

#[path = "market_maker/display.rs"]
mod display;

use std::{
    env,
    error::Error,
    io::{self, IsTerminal},
    process::ExitCode,
    time::Duration,
};

use display::{Lines, Screen, Show, View};
use kalshi_mock::{Market, MockExchange};
use kalshi_sdk::{
    Client, Contracts, Dollars, PriceLevel,
    limits::Tier,
    orders::{ChangeOutcome, OrderOutcome, PlacedOrder},
    types::{
        AmendOrderV2Request, BookSide, CreateOrderV2Request, SelfTradePreventionType, TimeInForce,
    },
};

const TICKER: &str = "KXEXAMPLE-26-MAKER";
/// Contracts a quote.
const SIZE: i32 = 10;
/// Contracts that the exchange lets trade in any 15 seconds.
const GROUP_LIMIT: i32 = 60;
/// How far from the middle, in cents.
const HALF_SPREAD: i64 = 2;
/// Contracts held for each cent that the quotes lean.
const LEAN: i64 = 15;
/// A step.
const PACE: Duration = Duration::from_millis(150);

struct Options {
    steps: Option<u32>,
    seed: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!(
                "market_maker [--steps N] [--seed N]\n\nQuotes both sides of a market on a local exchange. In a terminal, q ends it."
            );
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("error: {message}; see --help");
            return ExitCode::FAILURE;
        }
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the lines has seen enough.
        Err(error)
            if error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options {
        steps: None,
        seed: 1,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments
                .next()
                .ok_or(format!("{argument} wants a number"))?;
            value
                .parse::<u32>()
                .map_err(|_| format!("{argument} wants a number, not {value:?}"))
        };
        match argument.as_str() {
            "--steps" => options.steps = Some(number()?),
            "--seed" => options.seed = number()?.into(),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(Some(options))
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let exchange = MockExchange::builder()
        .with_tier(Tier::Premier)
        .with_seed(options.seed)
        .start()
        .await?;
    let mut crowd = Crowd::new(exchange.market(TICKER), options.seed);
    let mut maker = Maker::new(
        exchange
            .client_builder()?
            .rate_limits(Tier::Premier)
            .build()?,
    )
    .await?;
    let (mut show, steps): (Box<dyn Show>, u32) = match io::stdout().is_terminal() {
        true => (Box::new(Screen::new()?), options.steps.unwrap_or(u32::MAX)),
        false => (Box::new(Lines), options.steps.unwrap_or(60)),
    };
    for step in 1..=steps {
        crowd.trade();
        let view = maker.step(step).await?;
        if show.show(&view)? {
            break;
        }
        tokio::time::sleep(PACE).await;
    }
    maker.stop().await
}

/// Everybody else: quotes far from the middle, and hits the maker's quotes now and then.
struct Crowd {
    market: Market,
    middle: i64,
    random: fastrand::Rng,
}

impl Crowd {
    fn new(market: Market, seed: u64) -> Self {
        Self {
            market,
            middle: 50,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn trade(&mut self) {
        self.middle = (self.middle + self.random.i64(-1..=1)).clamp(20, 80);
        let count = self.random.i32(1..=15);
        match self.random.u8(0..10) {
            0..=2 => _ = self.market.bid(cents(self.middle + 3), count),
            3..=5 => _ = self.market.ask(cents(self.middle - 3), count),
            _ => {}
        }
        // What did not trade goes, and the quotes move with the middle.
        self.market.clear();
        for level in 0..5 {
            let away = 4 + 2 * level;
            self.market
                .bid(cents(self.middle - away), 25)
                .ask(cents(self.middle + away), 25);
        }
    }
}

struct Maker {
    client: Client,
    group: String,
    bid: Option<Quote>,
    ask: Option<Quote>,
    /// What it had in the beginning.
    start: Dollars,
    profits: Vec<f64>,
    stands_aside: u32,
}

/// An order that rests, as far as is known.
struct Quote {
    order: PlacedOrder,
    price: Dollars,
}

impl Maker {
    async fn new(client: Client) -> Result<Self, Box<dyn Error>> {
        let limit = Contracts::from(GROUP_LIMIT);
        let group = client
            .create_order_group()
            .body_map(|body| body.contracts_limit_fp(limit))
            .send()
            .await?;
        let start = client.get_balance().send().await?.balance_dollars;
        Ok(Self {
            group: group.into_inner().order_group_id,
            client,
            bid: None,
            ask: None,
            start,
            profits: Vec::new(),
            stands_aside: 0,
        })
    }

    /// Looks, thinks, quotes.
    async fn step(&mut self, step: u32) -> Result<View, Box<dyn Error>> {
        let book = self
            .client
            .get_market_orderbook()
            .ticker(TICKER)
            .send()
            .await?
            .into_inner()
            .orderbook_fp;
        let market = self
            .client
            .get_market()
            .ticker(TICKER)
            .send()
            .await?
            .into_inner()
            .market;
        let positions = self
            .client
            .get_positions()
            .ticker(TICKER)
            .send()
            .await?
            .into_inner()
            .market_positions;
        let (position, exposure, realized, fees) =
            positions.first().map_or_else(Default::default, |position| {
                (
                    position.position_fp,
                    position.market_exposure_dollars,
                    position.realized_pnl_dollars,
                    position.fees_paid_dollars,
                )
            });
        let middle = (market.yes_bid_dollars.micros() + market.yes_ask_dollars.micros()) / 2;
        // What the position would fetch at the middle, less what it cost.
        let unit = if position.is_negative() {
            1_000_000 - middle
        } else {
            middle
        };
        let worth = unit * position.hundredths().abs() / 100;
        let profit =
            Dollars::from_micros(worth - exposure.micros() + realized.micros() - fees.micros());
        self.profits.push(profit.micros() as f64 / 1e6);

        let armed = self
            .client
            .get_order_group()
            .order_group_id(&self.group)
            .send()
            .await?
            .is_auto_cancel_enabled;
        if !armed {
            (self.bid, self.ask) = (None, None);
            self.stands_aside += 1;
            // The exchange has stopped us: look on for a while before going back.
            if self.stands_aside > 20 {
                self.client
                    .reset_order_group()
                    .order_group_id(&self.group)
                    .send()
                    .await?;
                self.stands_aside = 0;
            }
        } else {
            let lean = position.hundredths() / 100 / LEAN;
            let fair = middle / 10_000 - lean;
            self.bid = self
                .quote(BookSide::Bid, self.bid.as_ref(), cents(fair - HALF_SPREAD))
                .await?;
            self.ask = self
                .quote(BookSide::Ask, self.ask.as_ref(), cents(fair + HALF_SPREAD))
                .await?;
        }
        let asks = book.no_dollars.iter().filter_map(|level| {
            Some(PriceLevel {
                price: Dollars::ONE.checked_sub(level.price)?,
                count: level.count,
            })
        });
        Ok(View {
            step,
            bids: book.yes_dollars.iter().rev().copied().collect(),
            asks: asks.rev().collect(),
            own: [self.bid.as_ref(), self.ask.as_ref()].map(|quote| quote.map(|quote| quote.price)),
            position,
            profit,
            profits: self.profits.clone(),
            armed,
            balance: self.start,
        })
    }

    /// Puts a quote where it belongs: amends the one that rests, or places one.
    async fn quote(
        &self,
        side: BookSide,
        resting: Option<&Quote>,
        price: Dollars,
    ) -> Result<Option<Quote>, Box<dyn Error>> {
        if let Some(quote) = resting {
            let order = self
                .client
                .get_order()
                .order_id(&quote.order.order_id)
                .send()
                .await?
                .into_inner()
                .order;
            let whole = Contracts::from(SIZE)
                .checked_add(order.fill_count_fp)
                .unwrap_or(order.fill_count_fp);
            if order.remaining_count_fp == Contracts::from(SIZE) && quote.price == price {
                return Ok(Some(Quote {
                    order: quote.order.clone(),
                    price,
                }));
            }
            let amendment = AmendOrderV2Request::builder()
                .ticker(TICKER)
                .side(side.clone())
                .price(price)
                .count(whole);
            match self
                .client
                .amend_order(&quote.order, amendment.try_into()?)
                .await?
            {
                ChangeOutcome::Done(_) => {
                    return Ok(Some(Quote {
                        order: quote.order.clone(),
                        price,
                    }));
                }
                // Filled meanwhile: place another.
                ChangeOutcome::AlreadyGone(_) => {}
                other => return Err(format!("the quote is in an unknown state: {other:?}").into()),
            }
        }
        let order = CreateOrderV2Request::builder()
            .ticker(TICKER)
            .side(side)
            .price(price)
            .count(SIZE)
            .time_in_force(TimeInForce::GoodTillCanceled)
            .self_trade_prevention_type(SelfTradePreventionType::Maker)
            .order_group_id(&self.group);
        match self.client.place_order(order.try_into()?).await? {
            OrderOutcome::Placed(order) => Ok(Some(Quote { order, price })),
            // The group has triggered since we looked, or there is no money: the next step sees.
            OrderOutcome::Rejected(_) => Ok(None),
            other => Err(format!("the quote is in an unknown state: {other:?}").into()),
        }
    }

    /// Takes everything back.
    async fn stop(self) -> Result<(), Box<dyn Error>> {
        self.client
            .delete_order_group()
            .order_group_id(&self.group)
            .send()
            .await?;
        Ok(())
    }
}

fn cents(cents: i64) -> Dollars {
    Dollars::from_micros(cents.clamp(1, 99) * 10_000)
}

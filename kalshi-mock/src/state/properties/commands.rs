//! Random commands: mostly orders near the middle of the book.

use proptest::prelude::*;

use crate::state::{SelfTrade, Side, TimeInForce};

/// A command to the exchange.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Create {
        user: usize,
        subaccount: u8,
        market: usize,
        side: Side,
        cents: i64,
        count: i64,
        time_in_force: TimeInForce,
        self_trade: SelfTrade,
        post_only: bool,
        reduce_only: bool,
        expires_in: Option<i64>,
        group: Option<usize>,
    },
    MarketMaker {
        market: usize,
        side: Side,
        cents: i64,
        count: i64,
    },
    ClearMarketMaker {
        market: usize,
    },
    Amend {
        order: usize,
        cents: i64,
        count: i64,
    },
    Decrease {
        order: usize,
        to: i64,
    },
    Cancel {
        order: usize,
    },
    Group {
        user: usize,
        limit: i64,
    },
    Limit {
        group: usize,
        limit: i64,
    },
    Reset {
        group: usize,
    },
    Trigger {
        group: usize,
    },
    Delete {
        group: usize,
    },
    Quote {
        requester: usize,
        maker: usize,
        market: usize,
        count: i64,
        cents: i64,
        side: Side,
    },
    Transfer {
        user: usize,
        to: u8,
        cents: i64,
    },
    /// Moves the clock. It moves back if `milliseconds` is negative.
    Advance {
        milliseconds: i64,
    },
    Pause {
        active: bool,
    },
    Settle {
        market: usize,
        cents: i64,
    },
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

fn create() -> impl Strategy<Value = Command> {
    let account = (0..3_usize, 0..2_u8, 0..2_usize, side());
    // Near the middle, so that most orders trade.
    let amount = (
        40..60_i64,
        prop_oneof![1..400_i64, Just(100), 1_000..5_000_i64],
    );
    let options = (
        prop_oneof![
            4 => Just(TimeInForce::GoodTillCanceled),
            1 => Just(TimeInForce::ImmediateOrCancel),
            1 => Just(TimeInForce::FillOrKill),
        ],
        prop_oneof![Just(SelfTrade::TakerAtCross), Just(SelfTrade::Maker)],
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.1, 1..30_i64),
        prop::option::weighted(0.5, 0..6_usize),
    );
    (account, amount, options).prop_map(
        |((user, subaccount, market, side), (cents, count), options)| {
            let (time_in_force, self_trade, post_only, reduce_only, expires_in, group) = options;
            Command::Create {
                user,
                subaccount,
                market,
                side,
                cents,
                count,
                time_in_force,
                self_trade,
                post_only,
                reduce_only,
                expires_in,
                group,
            }
        },
    )
}

/// Generates commands, mostly ones that trade.
pub(super) fn command() -> impl Strategy<Value = Command> {
    let (market, count, cents) = (0..2_usize, 1..1_000_i64, 40..60_i64);
    prop_oneof![
        20 => create(),
        4 => (market.clone(), side(), cents.clone(), count.clone())
            .prop_map(|(market, side, cents, count)| Command::MarketMaker { market, side, cents, count }),
        1 => market.clone().prop_map(|market| Command::ClearMarketMaker { market }),
        4 => (0..60_usize, cents.clone(), count.clone())
            .prop_map(|(order, cents, count)| Command::Amend { order, cents, count }),
        2 => (0..60_usize, 0..300_i64).prop_map(|(order, to)| Command::Decrease { order, to }),
        3 => (0..60_usize).prop_map(|order| Command::Cancel { order }),
        2 => (0..3_usize, 100..900_i64).prop_map(|(user, limit)| Command::Group { user, limit }),
        1 => (0..6_usize, 100..900_i64).prop_map(|(group, limit)| Command::Limit { group, limit }),
        2 => (0..6_usize).prop_map(|group| Command::Reset { group }),
        1 => (0..6_usize).prop_map(|group| Command::Trigger { group }),
        1 => (0..6_usize).prop_map(|group| Command::Delete { group }),
        1 => (0..3_usize, 0..3_usize, market.clone(), count, cents, side()).prop_map(
            |(requester, maker, market, count, cents, side)| Command::Quote { requester, maker, market, count, cents, side }
        ),
        1 => (0..3_usize, 0..2_u8, 1..2_000_i64).prop_map(|(user, to, cents)| Command::Transfer { user, to, cents }),
        4 => (1..20_000_i64).prop_map(|milliseconds| Command::Advance { milliseconds }),
        1 => (-20_000..0_i64).prop_map(|milliseconds| Command::Advance { milliseconds }),
        1 => prop::bool::weighted(0.8).prop_map(|active| Command::Pause { active }),
        1 => prop_oneof![9 => Just(None), 1 => (0..2_usize, 0..=100_i64).prop_map(Some)].prop_map(|end| match end {
            Some((market, cents)) => Command::Settle { market, cents },
            None => Command::Advance { milliseconds: 1 },
        }),
    ]
}

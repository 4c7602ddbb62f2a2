//! Best prices of a market for YES and NO.

use kalshi_sdk::{Dollars, OutcomeSide, PriceLevel, types::Market};
use serde_json::json;

fn market(bid: &str, ask: &str) -> Market {
    serde_json::from_value(json!({
        "ticker": "T-A", "event_ticker": "T", "market_type": "binary", "status": "active", "result": "",
        "rules_primary": "", "rules_secondary": "", "created_time": "2026-01-01T00:00:00Z", "updated_time": "2026-01-01T00:00:00Z",
        "open_time": "2026-01-01T00:00:00Z", "close_time": "2026-01-01T00:00:00Z", "latest_expiration_time": "2026-01-01T00:00:00Z",
        "can_close_early": true, "settlement_timer_seconds": 300, "expiration_value": "", "notional_value_dollars": "1.0000",
        "last_price_dollars": "0.0000", "previous_price_dollars": "0.0000", "yes_bid_dollars": bid, "yes_ask_dollars": ask,
        "no_bid_dollars": "0.0000", "no_ask_dollars": "1.0000", "previous_yes_bid_dollars": "0.0000",
        "previous_yes_ask_dollars": "1.0000", "yes_bid_size_fp": "10.00", "yes_ask_size_fp": "20.00",
        "volume_fp": "0.00", "volume_24h_fp": "0.00", "open_interest_fp": "0.00", "price_level_structure": "linear_cent",
    }))
    .unwrap()
}

#[test]
fn no_prices_are_complements_of_yes_prices() {
    let level = |price: &str, count: i32| {
        Some(PriceLevel {
            price: price.parse().unwrap(),
            count: count.into(),
        })
    };
    let quoted = market("0.40", "0.45");
    assert_eq!(quoted.best_bid(OutcomeSide::Yes), level("0.40", 10));
    assert_eq!(quoted.best_ask(OutcomeSide::Yes), level("0.45", 20));
    assert_eq!(quoted.best_bid(OutcomeSide::No), level("0.55", 20));
    assert_eq!(quoted.best_ask(OutcomeSide::No), level("0.60", 10));
    assert_eq!(quoted.mark((-10).into()), Some("5.50".parse().unwrap()));
    let unknown = serde_json::from_value(json!("maybe")).unwrap();
    assert_eq!(quoted.best_ask(unknown), None);
}

#[test]
fn empty_sides_have_no_best_price_and_are_worth_nothing() {
    let is_empty = |market: &Market| {
        for (outcome, position) in [(OutcomeSide::Yes, 10), (OutcomeSide::No, -10)] {
            assert_eq!(market.best_ask(outcome), None);
            assert_eq!(market.best_bid(outcome), None);
            assert_eq!(market.mark(position.into()), Some(Dollars::ZERO));
        }
    };
    for (bid, ask) in [("0", "1"), ("0", "0"), ("1", "1")] {
        is_empty(&market(bid, ask));
    }
    // A recorded market had a bid with the size -1.00 and an ask with the size -24.83.
    for (bid, ask) in [("-1.00", "-24.83"), ("0.00", "0.00")] {
        let mut market = market("0.0100", "0.1700");
        market.yes_bid_size_fp = bid.parse().unwrap();
        market.yes_ask_size_fp = ask.parse().unwrap();
        is_empty(&market);
    }
}

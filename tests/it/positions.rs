//! Cost, mark and sign of positions, and amounts that the exchange sends in cents.

use kalshi_sdk::{
    Contracts, Dollars, OutcomeSide,
    positions::{cost, mark},
    types,
};
use serde_json::{Value, json};

fn dollars(text: &str) -> Dollars {
    text.parse().unwrap()
}

#[test]
fn yes_and_no_cost_a_dollar_together() {
    for (count, price, expected) in [
        ("10", "0.56", "5.60"),
        ("-10", "0.56", "4.40"),
        ("0.01", "0.0001", "0.000001"),
        ("-2.50", "0.9999", "0.00025"),
        ("0", "0.50", "0"),
        ("7", "0", "0"),
        ("-7", "1", "0"),
    ] {
        let count: Contracts = count.parse().unwrap();
        assert_eq!(
            cost(count, dollars(price)),
            Some(dollars(expected)),
            "{count}"
        );
        let other = cost(count.checked_neg().unwrap(), dollars(price)).unwrap();
        let both = dollars(expected).checked_add(other);
        assert_eq!(both, Dollars::ONE.checked_mul(count.abs()), "{count}");
    }
    assert_eq!(cost(1.into(), dollars("1.01")), None);
    assert_eq!(cost(1.into(), dollars("-0.01")), None);
    // Not a whole number of millionths of a dollar.
    assert_eq!(cost("0.01".parse().unwrap(), dollars("0.00333")), None);
    assert_eq!(
        cost(Contracts::from_hundredths(i64::MIN), Dollars::ONE),
        None
    );
}

#[test]
fn position_is_marked_at_the_price_that_closes_it() {
    let (bid, ask) = (dollars("0.40"), dollars("0.45"));
    assert_eq!(mark(10.into(), bid, ask), Some(dollars("4.00")));
    assert_eq!(mark((-10).into(), bid, ask), Some(dollars("5.50")));
    // There is no bid.
    for no_bid in [Dollars::ZERO, Dollars::ONE] {
        assert_eq!(mark(10.into(), no_bid, ask), Some(Dollars::ZERO));
    }
    assert_eq!(
        mark(10.into(), Dollars::ONE, Dollars::ONE),
        Some(Dollars::ZERO)
    );
    for no_ask in [Dollars::ONE, Dollars::ZERO] {
        assert_eq!(mark((-10).into(), bid, no_ask), Some(Dollars::ZERO));
    }
}

#[test]
fn cents_of_responses_become_dollars() {
    let balance = |cents: i64| -> types::GetBalanceResponse {
        serde_json::from_value(json!({
            "balance": 0, "balance_dollars": "0.0000", "portfolio_value": cents, "updated_ts": 1, "balance_breakdown": [],
        }))
        .unwrap()
    };
    let value = balance(12_345).portfolio_value_dollars();
    assert_eq!(value, Some(dollars("123.45")));
    assert_eq!(balance(i64::MAX).portfolio_value_dollars(), None);
    let settlement = |value: Option<i64>| -> types::Settlement {
        serde_json::from_value(json!({
            "ticker": "T", "event_ticker": "E", "market_result": "yes", "yes_count_fp": "2.00", "no_count_fp": "0.00",
            "yes_total_cost_dollars": "0.80", "no_total_cost_dollars": "0.00", "revenue": 200, "value": value,
            "settled_time": "2026-09-22T14:13:20Z", "fee_cost": "0.01",
        }))
        .unwrap()
    };
    let settled = settlement(Some(100));
    assert_eq!(settled.revenue_dollars(), Some(dollars("2")));
    assert_eq!(settled.value_dollars(), Some(Dollars::ONE));
    assert_eq!(settlement(None).value_dollars(), None);
}

/// A fill of 2.50 contracts at a YES price of 0.40, with the given sides.
fn fill(sides: &Value) -> types::Fill {
    let mut json = json!({
        "fill_id": "f", "trade_id": "f", "order_id": "o", "ticker": "T", "market_ticker": "T", "is_taker": true,
        "count_fp": "2.50", "yes_price_dollars": "0.40", "no_price_dollars": "0.60", "fee_cost": "0.01",
    });
    let object = json.as_object_mut().unwrap();
    object.extend(sides.as_object().unwrap().clone());
    serde_json::from_value(json).unwrap()
}

#[test]
fn fill_that_sells_an_outcome_buys_the_other() {
    let yes = Some((
        OutcomeSide::Yes,
        dollars("0.40"),
        Contracts::from_hundredths(250),
    ));
    let no = Some((
        OutcomeSide::No,
        dollars("0.60"),
        Contracts::from_hundredths(-250),
    ));
    for (sides, expected) in [
        (json!({ "book_side": "bid" }), yes),
        (json!({ "book_side": "ask" }), no),
        (json!({ "outcome_side": "yes" }), yes),
        (json!({ "outcome_side": "no" }), no),
        (json!({ "outcome_side": "no", "book_side": "bid" }), yes),
        (json!({ "book_side": "both" }), None),
        (json!({}), None),
    ] {
        let fill = fill(&sides);
        let bought = expected.map(|(outcome, price, _)| (outcome, price));
        assert_eq!(fill.bought(), bought, "{sides}");
        let count = expected.map(|(_, _, count)| count);
        assert_eq!(fill.signed_count(), count, "{sides}");
    }
}

//! Values of the feature `testing`.

use kalshi_sdk::{
    BookSide, Contracts, Dollars,
    orders::PriceGrid,
    testing::{fill, market, order, placed_order},
    types::OrderStatus,
};
use serde_json::json;

#[test]
fn samples_decode_and_agree_with_their_arguments() {
    let market = market("KXTEST-26-A");
    assert_eq!(
        (market.ticker.as_str(), market.event_ticker.as_str()),
        ("KXTEST-26-A", "KXTEST-26")
    );
    assert!(PriceGrid::from(&market).contains(Dollars::from_cents(41)));
    let unknown: BookSide = serde_json::from_value(json!("both")).unwrap();
    for side in [BookSide::Bid, BookSide::Ask, unknown] {
        for price in [
            Dollars::ZERO,
            Dollars::from_cents(41),
            Dollars::ONE,
            Dollars::from_micros(i64::MAX),
        ] {
            let order = order("KXTEST-26-A", side, price, Contracts::from(10));
            let price = price.min(Dollars::from_micros(1_000_000_000_000_000_000));
            assert_eq!(
                (order.book_side, order.status.clone()),
                (Some(side), OrderStatus::Resting)
            );
            assert_eq!(
                (order.yes_price_dollars, order.remaining_count_fp),
                (price, 10.into())
            );
            let placed = placed_order(&order);
            assert_eq!(
                (placed.order_id, placed.remaining_count),
                (order.order_id, 10.into())
            );
            let fill = fill("KXTEST-26-A", side, price, 3);
            assert_eq!(fill.book_side, Some(side));
        }
    }
    assert_eq!(
        fill("T", BookSide::Ask, Dollars::from_cents(41), 3).signed_count(),
        Some((-3).into())
    );
}

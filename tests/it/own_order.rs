//! Order books without the program's own orders.

use kalshi_sdk::{
    BookSide, Dollars, OutcomeSide,
    testing::order,
    ws::{OrderBook, OwnOrder},
};

fn dollars(text: &str) -> Dollars {
    text.parse().unwrap()
}

#[test]
fn own_orders_are_removed_from_their_levels_only() {
    let mut book = OrderBook::new();
    book.add(OutcomeSide::Yes, dollars("0.41"), 10.into())
        .unwrap();
    book.add(OutcomeSide::No, dollars("0.55"), 30.into())
        .unwrap();
    let own = |side, price, count: u32| order("KXTEST-26-A", side, dollars(price), count);
    let mut of_unknown_side = own(BookSide::Ask, "0.45", 5);
    (of_unknown_side.book_side, of_unknown_side.outcome_side) = (None, None);
    let orders = [
        own(BookSide::Bid, "0.41", 10),
        own(BookSide::Ask, "0.45", 12),
        // Not in the book yet.
        own(BookSide::Bid, "0.39", 5),
        of_unknown_side,
    ];
    let others = book.without(&orders);
    assert_eq!(others.best_bid(OutcomeSide::Yes), None);
    assert_eq!(others.best_bid(OutcomeSide::No).unwrap().count, 18.into());
    // More than the level has, as after a fill that the list of orders does not show yet.
    let more = OwnOrder::new(OutcomeSide::No, dollars("0.55"), 99.into());
    assert!(others.without([more]).is_empty());
}

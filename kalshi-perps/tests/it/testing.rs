//! Values of the feature `testing`.

use kalshi_perps::{
    ApiError, BookSide, Dollars,
    orders::OrderState,
    reqwest::StatusCode,
    testing::{fill, market, order, placed_order, rejection},
};
use serde_json::json;

#[test]
fn samples_decode_and_agree_with_their_arguments() {
    let market = market("KXBTCPERP");
    assert_eq!(market.ticker, "KXBTCPERP");
    assert_eq!([market.price, market.bid, market.ask], [None; 3]);
    let unknown: BookSide = serde_json::from_value(json!("both")).unwrap();
    for side in [BookSide::Bid, BookSide::Ask, unknown] {
        for price in [Dollars::from_cents(641), Dollars::from_micros(i64::MAX)] {
            let order = order("KXBTCPERP", side, price, 10);
            let price = price.min(Dollars::from_micros(1_000_000_000_000_000_000));
            assert_eq!((order.side, order.price), (side, price));
            let placed = placed_order(&order);
            assert_eq!((placed.side, placed.count), (side, 10.into()));
            assert_eq!(placed.state(), OrderState::Resting);
            let fill = fill("KXBTCPERP", side, price, 3);
            assert_eq!((fill.side, fill.count), (side, 3.into()));
        }
    }
    let error = ApiError::for_tests(StatusCode::BAD_REQUEST, "invalid_price");
    assert_eq!(rejection(error).code(), Some("invalid_price"));
}

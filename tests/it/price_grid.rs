//! Price grids: rounding and rejected prices.

use kalshi_sdk::{Dollars, OutcomeSide, orders::*, types::CreateOrderV2Request};

fn dollars(text: &str) -> Dollars {
    text.parse().unwrap()
}

/// Returns a grid with steps of a cent in the middle and a tenth of a cent at the edges.
fn tapered() -> PriceGrid {
    PriceGrid::new(
        [
            ("0", "0.1", "0.001"),
            ("0.1", "0.9", "0.01"),
            ("0.9", "1", "0.001"),
        ]
        .map(|(start, end, step)| (dollars(start), dollars(end), dollars(step))),
    )
}

#[test]
fn prices_round_to_neighbours_on_the_grid() {
    let grid = tapered();
    for (price, below, above) in [
        ("0.0010", Some("0.0010"), Some("0.0010")),
        ("0.0005", None, Some("0.0010")),
        ("0", None, Some("0.0010")),
        ("0.0995", Some("0.0990"), Some("0.1000")),
        ("0.1000", Some("0.1000"), Some("0.1000")),
        ("0.1010", Some("0.1000"), Some("0.1100")),
        ("0.5600", Some("0.5600"), Some("0.5600")),
        ("0.5650", Some("0.5600"), Some("0.5700")),
        ("0.8999", Some("0.8900"), Some("0.9000")),
        ("0.9001", Some("0.9000"), Some("0.9010")),
        ("0.9995", Some("0.9990"), None),
        ("1.0000", Some("0.9990"), None),
        ("7.0000", Some("0.9990"), None),
        ("-0.5", None, Some("0.0010")),
    ] {
        let price = dollars(price);
        let (below, above) = (below.map(dollars), above.map(dollars));
        assert_eq!(
            (grid.round_down(price), grid.round_up(price)),
            (below, above),
            "{price}"
        );
        assert_eq!(grid.check(price).is_ok(), below == Some(price), "{price}");
    }
    let error = grid.check(dollars("0.5650")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the YES price 0.5650 is not on the market's price grid; the nearest valid prices are 0.5600 and 0.5700"
    );
}

#[test]
fn invalid_ranges_contain_no_prices() {
    for ranges in [
        vec![],
        vec![("0.5", "0.4", "0.01")],
        vec![("0.1", "0.9", "0")],
        vec![("-1", "0.5", "0.1")],
        vec![("1", "2", "0.1")],
    ] {
        let grid = PriceGrid::new(
            ranges
                .iter()
                .map(|(start, end, step)| (dollars(start), dollars(end), dollars(step))),
        );
        assert_eq!(
            (
                grid.round_down(dollars("0.5")),
                grid.round_up(dollars("0.5"))
            ),
            (None, None),
            "{ranges:?}"
        );
    }
    let huge = PriceGrid::new([(
        Dollars::ZERO,
        Dollars::from_micros(i64::MAX),
        Dollars::from_micros(i64::MAX),
    )]);
    assert_eq!(huge.round_up(Dollars::from_micros(i64::MIN)), None);
    assert_eq!(huge.round_down(Dollars::from_micros(i64::MAX)), None);
}

#[test]
fn errors_of_orders_for_no_are_in_prices_of_no() {
    let order = NewOrder::buy("T", OutcomeSide::No, dollars("0.405"), 1).on_grid(tapered());
    let error = CreateOrderV2Request::try_from(order).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the NO price 0.4050 is not on the market's price grid; the nearest valid prices are 0.4000 and 0.4100"
    );
    let order = NewOrder::sell("T", OutcomeSide::No, dollars("0.9995"), 1).on_grid(tapered());
    let error = CreateOrderV2Request::try_from(order).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the nearest valid price is 0.9990"),
        "{error}"
    );
}

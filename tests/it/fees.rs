//! Fees of trades.

use kalshi_sdk::{Contracts, Dollars, fees::*};

#[test]
fn fees_are_those_of_recorded_fills() {
    // Price of the side bought, count, multiplier, fee: figures that the exchange has charged.
    for (price, count, multiplier, charged) in [
        ("0.4800", "1.00", 1.0, "0.017500"),
        ("0.0010", "227.27", 1.0, "0.015930"),
        ("0.0010", "90.90", 1.0, "0.006400"),
        ("0.0330", "28.32", 1.0, "0.063340"),
        ("0.2280", "4.15", 1.0, "0.051200"),
        ("0.0100", "10.00", 1.0, "0.007000"),
        ("0.7400", "15.00", 1.0, "0.202100"),
        ("0.1600", "10.00", 1.0, "0.094100"),
        ("0.5100", "1.00", 0.5, "0.008800"),
        ("0.2700", "10.00", 0.5, "0.069000"),
        ("0.2700", "0.27", 0.5, "0.001900"),
    ] {
        let fee = taker(
            price.parse().unwrap(),
            count.parse().unwrap(),
            multiplier.try_into().unwrap(),
        )
        .unwrap();
        assert_eq!(fee, charged.parse().unwrap(), "{count} at {price}");
    }
}

#[test]
fn makers_pay_a_part() {
    let (price, count) = ("0.5000".parse().unwrap(), "100".parse().unwrap());
    assert_eq!(
        taker(price, count, Multiplier::ONE),
        Some("1.7500".parse().unwrap())
    );
    assert_eq!(
        combo_maker(price, count, Multiplier::ONE),
        Some("0.8750".parse().unwrap())
    );
    assert_eq!(
        maker(price, count, Multiplier::ONE),
        Some("0.4375".parse().unwrap())
    );
    assert_eq!(
        maker(price, count, Multiplier::from_millionths(0)),
        Some(Dollars::ZERO)
    );
}

#[test]
fn what_cannot_be_is_nothing() {
    let one = Multiplier::ONE;
    assert_eq!(taker("1.0001".parse().unwrap(), 1.into(), one), None);
    assert_eq!(taker("-0.01".parse().unwrap(), 1.into(), one), None);
    assert_eq!(
        taker("0.5".parse().unwrap(), Contracts::from(-1), one),
        None
    );
    assert_eq!(
        taker(
            "0.5".parse().unwrap(),
            Contracts::from_hundredths(i64::MAX),
            Multiplier::from_millionths(u32::MAX)
        ),
        None
    );
    assert_eq!(taker(Dollars::ONE, 1.into(), one), Some(Dollars::ZERO));
    assert_eq!(
        cost("0.000001".parse().unwrap(), "0.01".parse().unwrap()),
        None
    );
    assert_eq!(
        cost(Dollars::from_micros(i64::MAX), Contracts::from(i32::MAX)),
        None
    );
    for bad in [-1.0, f64::NAN, f64::INFINITY, 0.000_000_1, 1e300] {
        assert!(Multiplier::try_from(bad).is_err(), "{bad}");
    }
    assert_eq!(Multiplier::try_from(5.5).unwrap().millionths(), 5_500_000);
}

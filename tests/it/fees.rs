//! Fees of trades.

use kalshi_sdk::{Contracts, Decimal, Dollars, fees::*};
use serde_json::json;

#[test]
fn taker_fees_match_recorded_fills() {
    // Price of the side bought, count, multiplier, and the fee that the exchange charged.
    for (price, count, multiplier, charged) in [
        ("0.4800", "1.00", "1", "0.017500"),
        ("0.0010", "227.27", "1", "0.015930"),
        ("0.0010", "90.90", "1", "0.006400"),
        ("0.0330", "28.32", "1", "0.063340"),
        ("0.2280", "4.15", "1", "0.051200"),
        ("0.0100", "10.00", "1", "0.007000"),
        ("0.7400", "15.00", "1", "0.202100"),
        ("0.1600", "10.00", "1", "0.094100"),
        ("0.5100", "1.00", "0.5", "0.008800"),
        ("0.2700", "10.00", "0.5", "0.069000"),
        ("0.2700", "0.27", "0.5", "0.001900"),
    ] {
        let fee = taker(
            price.parse().unwrap(),
            count.parse().unwrap(),
            multiplier.parse().unwrap(),
        )
        .unwrap();
        assert_eq!(fee, charged.parse().unwrap(), "{count} at {price}");
    }
}

#[test]
fn maker_fees_are_a_fraction_of_taker_fees() {
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
fn invalid_input_has_no_fee() {
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
    let (price, count) = ("0.0010".parse().unwrap(), "0.27".parse().unwrap());
    let free = Multiplier::from_millionths(0);
    assert_eq!(taker(price, count, free), Some(Dollars::ZERO));
    let multiplier = |text: &str| Multiplier::try_from(text.parse::<Decimal>().unwrap());
    for bad in ["-1", "0.0000001", "4295", "1e30"] {
        assert!(multiplier(bad).is_err(), "{bad}");
        assert!(bad.parse::<Multiplier>().is_err(), "{bad}");
    }
    assert_eq!(multiplier("5.5").unwrap().millionths(), 5_500_000);
}

fn schedule(
    series: (&str, f64),
    event: (Option<&str>, Option<f64>),
) -> Result<FeeSchedule, FeeError> {
    let series = json!({
        "ticker": "KXTEST", "frequency": "daily", "title": "Test", "category": "Tests", "tags": [], "settlement_sources": [],
        "contract_url": "", "contract_terms_url": "", "fee_type": series.0, "fee_multiplier": series.1,
        "additional_prohibitions": [],
    });
    let event = json!({
        "event_ticker": "KXTEST-26", "series_ticker": "KXTEST", "sub_title": "", "title": "Test",
        "collateral_return_type": "", "mutually_exclusive": false, "available_on_brokers": true,
        "fee_type_override": event.0, "fee_multiplier_override": event.1,
    });
    let series = serde_json::from_value(series).unwrap();
    FeeSchedule::new(&series, Some(&serde_json::from_value(event).unwrap()))
}

#[test]
fn event_overrides_fee_schedule_of_series() {
    let (price, count) = ("0.5000".parse().unwrap(), "100".parse().unwrap());
    let none = (None, None);
    for (series, event, taker, maker) in [
        (("quadratic", 1.0), none, "1.75", "0"),
        (("quadratic_with_maker_fees", 1.0), none, "1.75", "0.4375"),
        (
            ("quadratic_with_combo_maker_fees", 0.5),
            none,
            "0.875",
            "0.4375",
        ),
        (
            ("quadratic", 1.0),
            (Some("quadratic_with_maker_fees"), Some(0.5)),
            "0.875",
            "0.2188",
        ),
        (("flat", 1.0), (Some("quadratic"), None), "1.75", "0"),
        (("quadratic", 1.0), (None, Some(2.0)), "3.50", "0"),
    ] {
        let fees = schedule(series, event).unwrap();
        let expected = [taker, maker].map(|text| Some(text.parse().unwrap()));
        assert_eq!(
            [fees.taker(price, count), fees.maker(price, count)],
            expected,
            "{series:?} {event:?}"
        );
    }
    // A maker fee of zero is also zero where the exact cost has more digits.
    let fees = schedule(("quadratic", 1.0), none).unwrap();
    let fee = fees.maker("0.0010".parse().unwrap(), "0.27".parse().unwrap());
    assert_eq!(fee, Some(Dollars::ZERO));
    assert_eq!(fees.maker("1.01".parse().unwrap(), 1.into()), None);
}

#[test]
fn fees_of_several_fills_may_exceed_the_fee_of_one() {
    let price = "0.4800".parse().unwrap();
    let fee = |count: i32| taker(price, count.into(), Multiplier::ONE).unwrap();
    assert_eq!(fee(100), "1.7472".parse().unwrap());
    assert_eq!(
        fee(1).checked_mul(100.into()),
        Some("1.75".parse().unwrap())
    );
}

#[cfg(feature = "testing")]
#[test]
fn fee_waiver_is_reported_until_it_ends() {
    let end = "2026-11-29T12:00:00Z".parse().unwrap();
    let mut market = kalshi_sdk::testing::market("KXTEST-26-A");
    assert!(!market.has_fee_waiver(end));
    market.fee_waiver_expiration_time = Some(end);
    assert!(market.has_fee_waiver(end - chrono::TimeDelta::seconds(1)));
    assert!(!market.has_fee_waiver(end));
}

#[test]
fn unsupported_fee_types_are_an_error() {
    let none = (None, None);
    assert_eq!(schedule(("flat", 1.0), none), Err(FeeError::Flat));
    assert_eq!(
        schedule(("quadratic", 1.0), (Some("flat"), None)),
        Err(FeeError::Flat)
    );
    assert_eq!(
        schedule(("cubic", 1.0), none),
        Err(FeeError::UnknownType("cubic".to_owned()))
    );
    for multiplier in [-1.0, 5_000.0, 0.000_000_1] {
        let error = schedule(("quadratic", multiplier), none).unwrap_err();
        assert!(matches!(error, FeeError::Multiplier(..)), "{error:?}");
    }
}

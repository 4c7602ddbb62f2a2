//! A single order book: sweeps, rejected changes, crossing, and a comparison with a map.

use std::collections::BTreeMap;

use kalshi_sdk::{
    Contracts, Dollars, OutcomeSide,
    ws::{OrderBook, Sweep},
};

use proptest::prelude::*;

#[test]
fn sweep_of_thin_book_is_partial() {
    let mut book = OrderBook::new();
    assert_eq!(
        book.sweep(OutcomeSide::Yes, Contracts::from(5)),
        Sweep::default()
    );
    book.add(
        OutcomeSide::No,
        "0.60".parse().unwrap(),
        "2.50".parse().unwrap(),
    )
    .unwrap();
    let sweep = book.sweep(OutcomeSide::Yes, Contracts::from(5));
    assert_eq!(
        (sweep.filled, sweep.cost),
        ("2.5".parse().unwrap(), Dollars::ONE)
    );
    assert_eq!(sweep.worst, Some("0.4".parse().unwrap()));
    assert_eq!(
        book.sweep(OutcomeSide::No, Contracts::from(5)).filled,
        Contracts::ZERO
    );
    assert_eq!(
        book.sweep(OutcomeSide::Yes, Contracts::from(-5)),
        Sweep::default()
    );
}

#[test]
fn rejected_change_leaves_book_unchanged() {
    let mut book = OrderBook::new();
    let price = "0.30".parse().unwrap();
    book.add(OutcomeSide::Yes, price, Contracts::from(5))
        .unwrap();
    let before = book.clone();
    for (price, count) in [("0.30", -6), ("0.31", -1), ("1.01", 1), ("-0.01", 1)] {
        book.add(
            OutcomeSide::Yes,
            price.parse().unwrap(),
            Contracts::from(count),
        )
        .unwrap_err();
        assert_eq!(book, before, "{price} {count}");
    }
    book.add(OutcomeSide::Yes, price, Contracts::from(-5))
        .unwrap();
    assert!(book.is_empty());
}

#[test]
fn book_with_meeting_bids_is_crossed() {
    let mut book = OrderBook::new();
    book.add(
        OutcomeSide::Yes,
        "0.40".parse().unwrap(),
        Contracts::from(1),
    )
    .unwrap();
    assert!(!book.is_crossed());
    book.add(OutcomeSide::No, "0.59".parse().unwrap(), Contracts::from(1))
        .unwrap();
    assert!(!book.is_crossed());
    assert_eq!(book.mid(OutcomeSide::Yes), Some("0.405".parse().unwrap()));
    book.add(OutcomeSide::No, "0.60".parse().unwrap(), Contracts::from(1))
        .unwrap();
    assert!(book.is_crossed());
}

proptest! {
    #[test]
    fn book_equals_map_of_levels(changes in prop::collection::vec((any::<bool>(), 1..200_i64, -50..100_i64), 0..400)) {
        let mut book = OrderBook::new();
        let mut model: BTreeMap<(bool, i64), i64> = BTreeMap::new();
        for (yes, tick, count) in changes {
            let outcome = if yes { OutcomeSide::Yes } else { OutcomeSide::No };
            let held = model.get(&(yes, tick)).copied().unwrap_or(0);
            let result = book.add(outcome, Dollars::from_micros(tick * 5_000), Contracts::from_hundredths(count));
            prop_assert_eq!(result.is_ok(), held + count >= 0);
            if result.is_ok() {
                model.insert((yes, tick), held + count);
                model.retain(|_, count| *count > 0);
            }
            for (outcome, yes) in [(OutcomeSide::Yes, true), (OutcomeSide::No, false)] {
                let levels: Vec<_> = book.bids(outcome).map(|level| (level.price.micros() / 5_000, level.count.hundredths())).collect();
                let expected: Vec<_> = model.iter().rev().filter(|((side, _), _)| *side == yes).map(|((_, tick), count)| (*tick, *count)).collect();
                prop_assert_eq!(levels, expected);
            }
        }
    }
}

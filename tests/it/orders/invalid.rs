//! Invalid orders are not sent.

use super::*;

#[tokio::test]
async fn invalid_order_is_not_sent() {
    let orders = orders();
    let exchange = exchange(&orders, |_| None).await;
    let client = builder(&exchange).build().unwrap();
    let now = i64::try_from(
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    )
    .unwrap();
    let change = |change: &dyn Fn(&mut CreateOrderV2Request)| {
        let mut order = order();
        change(&mut order);
        order
    };
    let grid = OrderRules::new().with_grid(PriceGrid::new([(
        "0".parse().unwrap(),
        "1".parse().unwrap(),
        "0.01".parse().unwrap(),
    )]));
    let group = OrderRules::new().with_group(
        OrderGroupRef::new("g")
            .with_exchange_index(1)
            .with_subaccount(2),
    );
    let none = OrderRules::new();
    let grouped = |order: &mut CreateOrderV2Request| {
        order.order_group_id = Some("g".into());
        order.exchange_index = Some(kalshi_sdk::types::ExchangeIndex(1));
        order.subaccount = Some(2.into());
    };
    let wrong: [(CreateOrderV2Request, &OrderRules, &str); 15] = [
        (
            change(&|order| order.price = "0".parse().unwrap()),
            &none,
            "not above 0 and below 1 dollar",
        ),
        (
            change(&|order| order.price = "1".parse().unwrap()),
            &none,
            "not above 0 and below 1 dollar",
        ),
        (
            change(&|order| order.price = "0.565".parse().unwrap()),
            &grid,
            "not on the market's price grid; the nearest valid prices are 0.5600 and 0.5700",
        ),
        (
            change(&|order| order.count = "0".parse().unwrap()),
            &none,
            "is below 0.01 contracts",
        ),
        (
            change(&|order| order.count = "-1".parse().unwrap()),
            &none,
            "is below 0.01 contracts",
        ),
        (
            change(&|order| order.reduce_only = Some(true)),
            &none,
            "`reduce_only` needs the time in force `immediate_or_cancel`",
        ),
        (
            // Until responses show the exchange's time, the local clock may be a day fast.
            change(&|order| order.expiration_time = Some(now - 25 * 3_600)),
            &none,
            "is in the past",
        ),
        (
            change(&|order| order.expiration_time = Some((now + 60) * 1_000)),
            &none,
            "it is in Unix seconds, not milliseconds",
        ),
        (
            change(&|order| order.expiration_time = Some(-1)),
            &none,
            "is in the past",
        ),
        (
            change(&|order| {
                order.expiration_time = Some(now + 60);
                order.time_in_force = TimeInForce::ImmediateOrCancel;
            }),
            &none,
            "cannot be combined with the time in force `immediate_or_cancel`",
        ),
        (order(), &group, "the rules require another one"),
        (
            change(&|order| order.order_group_id = Some("h".into())),
            &group,
            "the rules require another one",
        ),
        (
            change(&|order| order.order_group_id = Some("g".into())),
            &group,
            "its group is on 1",
        ),
        (
            change(&|order| {
                grouped(order);
                order.exchange_index = Some(kalshi_sdk::types::ExchangeIndex(-1));
            }),
            &group,
            "its group is on 1",
        ),
        (
            change(&|order| {
                grouped(order);
                order.subaccount = None;
            }),
            &group,
            "is for subaccount 0, but its group belongs to subaccount 2",
        ),
    ];
    for (order, rules, expected) in wrong {
        let error = client.orders().place_with(order, rules).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.is_invalid_request() && !error.may_have_reached_exchange());
    }
    assert_eq!(exchange.count(), 0);
    let fine = [
        (
            change(&|order| order.expiration_time = Some(now + 60)),
            &grid,
        ),
        (change(&grouped), &group),
        (
            change(&|order| {
                order.reduce_only = Some(true);
                order.time_in_force = TimeInForce::ImmediateOrCancel;
            }),
            &none,
        ),
    ];
    for (order, rules) in fine {
        assert!(matches!(
            client.orders().place_with(order, rules).await.unwrap(),
            OrderOutcome::Placed(_)
        ));
    }
    assert_eq!(
        none.check(
            &change(&|order| order.price = "-1".parse().unwrap()),
            SystemTime::now()
        ),
        Err(InvalidOrder::Price("-1".parse().unwrap()))
    );
}

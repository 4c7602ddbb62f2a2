//! Changes that take rate limit tokens ahead of other waiting writes.

use kalshi_sdk::{
    Client, Credentials, Dollars, OutcomeSide,
    limits::{AccountLimits, BucketLimit, RateLimits, Tier},
    operation,
    orders::{Decrease, NewOrder, OrderRef},
};
use serde_json::{Value, json};

use crate::common::{
    KEY_ID,
    exchange::{Exchange, Received, Reply},
    key,
};

#[test]
fn only_cancels_take_priority() {
    let first = operation::ALL
        .iter()
        .filter(|operation| operation.takes_priority);
    let mut first: Vec<_> = first.map(|operation| operation.id).collect();
    first.sort_unstable();
    assert_eq!(
        first,
        [
            "BatchCancelOrdersV2",
            "CancelAllOrders",
            "CancelOrderV2",
            "DeleteOrderGroup",
            "DeleteQuote",
            "DeleteRFQ",
            "DeleteRFQBatch",
            "DeleteRFQBatchQuote",
            "DeleteRFQQuote",
            "TriggerOrderGroup",
        ]
    );
}

/// A decrease to zero is a cancel, so orders that add exposure must not delay it.
#[tokio::test]
async fn decrease_to_zero_goes_ahead_of_other_writes() {
    let rejection = json!({ "error": { "code": "invalid_order", "message": "no" } });
    let exchange = Exchange::start(move |_: &Received| Reply::json(400, &rejection)).await;
    let limits = AccountLimits::from_tier(Tier::Basic).with_write(BucketLimit::new(40, 10));
    let client = Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .rate_limits(RateLimits::Account(limits))
        .build()
        .unwrap();
    let orders = client.orders();
    let place = |id: &'static str| {
        let price = Dollars::from_cents(40);
        let order = NewOrder::buy("KXTEST-26-A", OutcomeSide::Yes, price, 1).client_order_id(id);
        orders.place(order)
    };
    let decrease = |count: i32| {
        let request = orders.decrease(OrderRef::new("o1"), Decrease::To(count.into()));
        request.into_future()
    };
    // The first order takes all tokens. The others queue in the order in which they are polled.
    _ = place("first").await.unwrap();
    let (second, to_one, to_zero) = tokio::join!(place("second"), decrease(1), decrease(0));
    _ = (second.unwrap(), to_one.unwrap(), to_zero.unwrap());
    let received = exchange.received();
    let bodies: Vec<Value> = received.iter().map(Received::json).collect();
    assert_eq!(bodies[1], json!({ "reduce_to": "0.00" }));
    assert_eq!(bodies[2]["client_order_id"], "second");
    assert_eq!(bodies[3], json!({ "reduce_to": "1.00" }));
}

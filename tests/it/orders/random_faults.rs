//! Random faults neither lose nor duplicate an order.

use super::*;

/// Sends orders through an exchange with random faults. Every order must exist exactly once or be known not to exist.
/// `KALSHI_ORDERS` sets the number of orders, `KALSHI_TEST_SEED` the seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_is_lost_or_duplicated_under_random_faults() {
    let number = |name: &str, unless: u64| {
        std::env::var(name)
            .ok()
            .map_or(unless, |text| text.parse().unwrap())
    };
    let seed = number(
        "KALSHI_TEST_SEED",
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .subsec_nanos()
            .into(),
    );
    let count = number("KALSHI_ORDERS", 600);
    println!("KALSHI_TEST_SEED={seed} KALSHI_ORDERS={count}");
    let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
    let orders = Orders::default();
    let exchange = {
        let (orders, before, random) = (orders.clone(), random.clone(), random.clone());
        let closes_connection = move || before.lock().unwrap().u32(0..100) < 3;
        Exchange::start_unreliable(closes_connection, move |request| {
            let fault = {
                let mut random = random.lock().unwrap();
                let some = random.choice(AFTER).unwrap();
                match random.u32(0..100) {
                    0..15 if request.method != "GET" => Some(Fault::After(some)),
                    15..25 => Some(Fault::Before(some)),
                    25..35 => Some(Fault::Before(Break::Status(429))),
                    35..38 if request.method != "GET" => Some(Fault::Before(Break::ErrorInSuccess)),
                    38..41 if request.method != "GET" => Some(Fault::Before(Break::Status(400))),
                    _ => None,
                }
            };
            reply_to(&orders, request, fault)
        })
        .await
    };
    let client = builder(&exchange)
        .timeout(Duration::from_millis(500))
        .retry(
            RetryPolicy::default()
                .with_initial_backoff(Duration::from_millis(2))
                .with_attempt_timeout(Some(Duration::from_millis(150))),
        )
        .build()
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    let (mut placed, mut absent, mut found, mut unsent) = (0, 0, 0, 0);
    let mut check = |outcome: Result<(String, bool, bool), String>| match outcome {
        Ok((id, there, reconciled)) => {
            let held = held(&orders, &id);
            assert_eq!(
                held.as_ref().map_or(0, |held| held.times),
                usize::from(there),
                "{id}"
            );
            placed += usize::from(there);
            absent += usize::from(!there);
            found += usize::from(reconciled);
        }
        Err(_) => unsent += 1,
    };
    for number in 0..count {
        if tasks.len() >= 64 {
            check(tasks.join_next().await.unwrap().unwrap());
        }
        let client = client.clone();
        tasks.spawn(async move {
            let id = format!("order {number}");
            let mut order = order();
            order.client_order_id = Some(id.as_str().into());
            order.ticker = format!("KXTEST-26-T{}", number % 100);
            match client.orders().place(order).await {
                // The order was certainly not placed.
                Err(error) => {
                    assert!(error.was_not_processed(), "{error}");
                    Err(id)
                }
                Ok(OrderOutcome::Placed(placed)) => {
                    Ok((placed.client_order_id.to_string(), true, false))
                }
                Ok(OrderOutcome::Rejected(_)) => Ok((id, false, false)),
                Ok(outcome) => match unknown(outcome).reconcile(Duration::from_secs(60)).await {
                    Reconciliation::Placed(placed) => {
                        Ok((placed.client_order_id.to_string(), true, true))
                    }
                    Reconciliation::NotFound => Ok((id, false, true)),
                    other => panic!("{id} could not be reconciled: {other:?}"),
                },
            }
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        check(outcome.unwrap());
    }
    println!("{placed} placed, {absent} absent, {unsent} not sent; {found} of them reconciled");
    let on_exchange = orders.lock().unwrap();
    assert_eq!(on_exchange.len(), placed);
    assert!(on_exchange.values().all(|held| held.times == 1));
    assert_eq!(placed + absent + unsent, usize::try_from(count).unwrap());
    assert!(placed > 0 && absent > 0 && found > 0);
}

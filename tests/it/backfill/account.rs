//! An account derived from messages and fetches agrees with the exchange after every outage.

use super::*;

/// The position and orders that a program derives from messages and fetches.
#[derive(Debug, Default, PartialEq)]
struct Account {
    /// Position in hundredths of a YES contract.
    position: i64,
    /// Status, filled count and remaining count by order id.
    orders: BTreeMap<String, (String, Contracts, Contracts)>,
}

impl Account {
    fn fill(&mut self, is_bid: bool, count: Contracts) {
        let count = count.hundredths();
        self.position += if is_bid { count } else { -count };
    }

    fn order(&mut self, order: &Order) {
        let status = order.status.to_string();
        let counts = (order.fill_count_fp, order.remaining_count_fp);
        self.orders
            .insert(order.order_id.to_string(), (status, counts.0, counts.1));
    }

    fn message(&mut self, message: &Message) {
        match message {
            Message::Fill(fill) => {
                self.fill(
                    fill.book_side == Some(messages::BookSide::Bid),
                    fill.count_fp,
                );
            }
            Message::UserOrder(order) => {
                let state = (
                    order.status.to_string(),
                    order.fill_count_fp,
                    order.remaining_count_fp,
                );
                self.orders.insert(order.order_id.to_string(), state);
            }
            _ => {}
        }
    }

    /// Reads the same data from the exchange.
    async fn read(client: &Client) -> Self {
        let mut account = Self::default();
        let positions = client.get_positions().ticker(MARKET).send().await.unwrap();
        let position = positions.market_positions.first();
        account.position = position.map_or(0, |position| position.position_fp.hundredths());
        let orders = client.get_orders().collect_all(usize::MAX).await.unwrap();
        orders.iter().for_each(|order| account.order(order));
        account
    }
}

/// Reads events until none arrives for 300 ms and fetches when due. Returns the number of missed fills.
async fn follow(
    connection: &mut Connection,
    backfill: &mut Backfill,
    account: &mut Account,
) -> usize {
    let mut missed_fills = 0;
    let pause = Duration::from_millis(300);
    while let Ok(event) = tokio::time::timeout(pause, connection.next()).await {
        let event = event.unwrap().unwrap();
        match (backfill.observe(&event), &event) {
            (Observation::New, Event::Message(received)) => {
                account.message(&received.frame.message)
            }
            (Observation::FetchNeeded, _) => {
                let missed = backfill.fetch().await.unwrap();
                missed_fills += missed.fills.len();
                for fill in &missed.fills {
                    account.fill(fill.book_side == Some(BookSide::Bid), fill.count_fp);
                }
                missed.orders.iter().for_each(|order| account.order(order));
            }
            _ => {}
        }
    }
    missed_fills
}

#[tokio::test]
async fn account_matches_exchange_after_every_outage() {
    let seed = std::env::var("KALSHI_TEST_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    println!("KALSHI_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let exchange = MockExchange::builder()
        .without_limits()
        .seed(seed)
        .start()
        .await
        .unwrap();
    exchange.fault(Fault::StaleReads(Duration::from_millis(400)));
    let market = exchange.market(MARKET);
    let client = exchange.client().unwrap();
    let mut connection = client
        .websocket()
        .channel(Channel::Fill)
        .channel(Channel::UserOrders)
        .reconnect(policy().with_max_backoff(Duration::from_millis(80)))
        .connect()
        .await
        .unwrap();
    let mut backfill = Backfill::new(&client).subscriptions(connection.subscriptions());
    let mut account = Account::default();
    let mut missed = 0;
    for _ in 0..4 {
        let outage = random.usize(5..25);
        for step in 0..40 {
            if step == outage {
                exchange.websockets().reject_handshakes(503, 2);
                exchange.websockets().reset();
            }
            let cents = random.i64(45..=55);
            let count = Contracts::from(random.i32(1..=9));
            if random.bool() {
                let order = CreateOrderV2Request::builder()
                    .ticker(MARKET)
                    .side(if random.bool() {
                        BookSide::Bid
                    } else {
                        BookSide::Ask
                    })
                    .price(Dollars::from_cents(cents))
                    .count(count)
                    .time_in_force(TimeInForce::GoodTillCanceled)
                    .self_trade_prevention_type(SelfTradePreventionType::Maker);
                _ = client.orders().place(order).await.unwrap();
            } else if random.bool() {
                market.bid(Dollars::from_cents(cents), count);
            } else {
                market.ask(Dollars::from_cents(cents), count);
            }
        }
        missed += follow(&mut connection, &mut backfill, &mut account).await;
        // Wait until the stale reads have caught up.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(account, Account::read(&client).await);
    }
    assert!(missed > 0, "no fill was missed during the outages");
}

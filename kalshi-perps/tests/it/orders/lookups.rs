//! Lookups by client order id.

use std::time::Duration;

use kalshi_perps::orders::{OrderLookup, Reconciliation, Subaccounts};

use super::old;
use crate::{
    common::exchange::Reply,
    hostile::{
        case::{Case, LONG, after_writes},
        model::ticker,
        samples::order,
    },
};

const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn find_repeats_until_order_is_listed() {
    let case = Case::with_lag(Duration::from_millis(500), |_, _| None).await;
    let placed = case.placed(order("a")).await;
    let lookup = case.client.orders().find("a", Subaccounts::All);
    let found = lookup.clone().timeout(Duration::from_millis(100)).await;
    assert!(
        matches!(&found, OrderLookup::Unknown(unresolved) if unresolved.error().is_none()),
        "{found:?}"
    );
    let found = lookup.ticker(ticker(0, 'A')).timeout(LONG).await;
    assert!(
        matches!(&found, OrderLookup::Found(order) if order.order_id == placed.order_id),
        "{found:?}"
    );
}

#[tokio::test]
async fn find_of_absent_order_is_unknown() {
    let case = Case::new(|_, _| None).await;
    let market = ticker(0, 'B');
    case.placed(order("a")).await;
    let lookup = case.client.orders().find("a", Subaccounts::All);
    let found = lookup.ticker(&market).timeout(SHORT).await;
    assert!(matches!(found, OrderLookup::Unknown(_)), "{found:?}");
    let sent = case.server.count();
    let found = case.client.orders().find("", Subaccounts::All).await;
    assert!(
        matches!(&found, OrderLookup::Unknown(unresolved) if unresolved.error().unwrap().is_invalid_request()),
        "{found:?}"
    );
    assert_eq!(case.server.count(), sent);
}

/// The last page of a list may have no cursor.
#[tokio::test]
async fn order_on_page_without_cursor_is_found() {
    let case = Case::with_lag(Duration::from_millis(500), |request, model| {
        let Reply::Response(status, headers, body) = model.handle(request) else {
            panic!()
        };
        let body = String::from_utf8(body).unwrap();
        let body = body.replace(r#""cursor":"""#, r#""other":"""#);
        Some(Reply::Response(status, headers, body.into()))
    })
    .await;
    let placed = case.placed(order("a")).await;
    let lookup = case.client.orders().find("a", Subaccounts::All);
    let found = lookup.ticker(ticker(0, 'A')).timeout(LONG).await;
    assert!(
        matches!(&found, OrderLookup::Found(order) if order.order_id == placed.order_id),
        "{found:?}"
    );
}

#[tokio::test]
async fn find_reports_error_of_undecodable_row() {
    let case = Case::new(|request, model| {
        let Reply::Response(status, _, body) = model.handle(request) else {
            panic!()
        };
        let body = String::from_utf8(body).unwrap();
        let body = body.replace(r#""price":"6.2590""#, r#""price":"cheap""#);
        Some(Reply::Response(status, Vec::new(), body.into()))
    })
    .await;
    let market = ticker(0, 'A');
    case.model.add_old(&old("a", &market));
    let lookup = case.client.orders().find("a", Subaccounts::All);
    let found = lookup.timeout(SHORT).await;
    assert!(
        matches!(&found, OrderLookup::Unknown(unresolved) if unresolved.error().unwrap().is_row()),
        "{found:?}"
    );
}

/// The exchange ignores the market of the request and lists all markets.
#[tokio::test]
async fn list_with_rows_of_other_markets_is_rejected() {
    let case = Case::new(|request, model| {
        let mut request = request.clone();
        request.query.remove("ticker");
        (request.method == "GET").then(|| model.handle(&request))
    })
    .await;
    let (market, other) = (ticker(0, 'A'), ticker(0, 'B'));
    case.model.add_old(&old("a", &market));
    case.model.add_old(&old("b", &other));
    let lookup = case.client.orders().find("a", Subaccounts::All);
    let found = lookup.ticker(&market).timeout(SHORT).await;
    let OrderLookup::Unknown(unresolved) = &found else {
        panic!("{found:?}")
    };
    let error = unresolved.error().unwrap().to_string();
    assert!(
        error.contains("an item that the request excluded"),
        "{error}"
    );
}

#[tokio::test]
async fn order_behind_a_thousand_newer_ones_is_found() {
    let case = Case::new(after_writes(Reply::Drop)).await;
    let unknown = case.unknown(order("a")).await;
    let market = ticker(0, 'A');
    for index in 0..1_005 {
        let id = format!("newer-{index}");
        case.model.add_old(&old(&id, &market));
    }
    let found = unknown.reconcile(LONG).await;
    assert!(matches!(found, Reconciliation::Placed(_)), "{found:?}");
    // Two pages. They are read twice, because the exchange's time is known only once three responses agree on it.
    assert_eq!(case.count("GET", "/margin/orders"), 4);
}

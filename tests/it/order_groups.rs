//! `DELETE /portfolio/order_groups/{order_group_id}` in detail, as an example of every operation.

use crate::common::{KEY_ID, NOW_MS, assert_signed, client, only_request, public_key};
use kalshi_sdk::{Error, operation, types};
use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

const ID: &str = "8b3f2f0e-5d0c-4f0e-9a53-7f6f3f9d1c11";

async fn server_replying(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("DELETE"))
        .and(path(format!("/trade-api/v2/portfolio/order_groups/{ID}")))
        .respond_with(template)
        .expect(1)
        .mount(&server)
        .await;
    server
}

async fn rejection(status: u16, code: &str) -> Error {
    let body = json!({ "code": code, "message": "message", "details": "in detail", "service": "order-groups" });
    let server = server_replying(ResponseTemplate::new(status).set_body_json(body)).await;
    client(&server)
        .delete_order_group()
        .order_group_id(ID)
        .send()
        .await
        .unwrap_err()
}

#[tokio::test]
async fn delete_is_signed_and_has_no_body() {
    let server = server_replying(ResponseTemplate::new(200).set_body_json(json!({}))).await;
    let response = client(&server)
        .delete_order_group()
        .order_group_id(ID)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let _: types::EmptyResponse = response.into_inner();

    let request = only_request(&server).await;
    assert_eq!(
        request.url.path(),
        format!("/trade-api/v2/portfolio/order_groups/{ID}")
    );
    assert_eq!(request.url.query(), None);
    assert!(request.body.is_empty());
    assert_eq!(request.headers["kalshi-access-key"], KEY_ID);
    assert_eq!(
        request.headers["kalshi-access-timestamp"],
        NOW_MS.to_string()
    );
    assert_signed(&request);

    // Independent check: the signed string is timestamp, method and path.
    use base64::Engine;
    let signature = request.headers["kalshi-access-signature"].to_str().unwrap();
    let signature = base64::engine::general_purpose::STANDARD
        .decode(signature)
        .unwrap();
    let text = format!("{NOW_MS}DELETE/trade-api/v2/portfolio/order_groups/{ID}");
    assert!(public_key().verify(text.as_bytes(), &signature));
}

#[tokio::test]
async fn query_is_sent_and_not_signed() {
    let server = server_replying(ResponseTemplate::new(200).set_body_json(json!({}))).await;
    client(&server)
        .delete_order_group()
        .order_group_id(ID)
        .subaccount(3)
        .exchange_index(1)
        .send()
        .await
        .unwrap();
    let request = only_request(&server).await;
    let mut query: Vec<_> = request
        .url
        .query_pairs()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    query.sort();
    assert_eq!(query, ["exchange_index=1", "subaccount=3"]);
    assert_signed(&request);
}

#[tokio::test]
async fn error_has_every_field_of_the_response() {
    for (status, code) in [
        (401, "unauthorized"),
        (404, "not_found"),
        (500, "internal_server_error"),
    ] {
        let error = rejection(status, code).await;
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert_eq!(error.code(), Some(code));
        assert_eq!(error.message(), Some("message"));
        assert_eq!(error.details(), Some("in detail"));
        assert_eq!(error.service(), Some("order-groups"));
        assert_eq!(error.operation(), operation::DELETE_ORDER_GROUP);
        assert_eq!(error.is_auth(), status == 401);
        assert_eq!(error.is_not_found(), status == 404);
        assert!(error.may_have_reached_exchange());
        assert!(
            error
                .to_string()
                .starts_with("DeleteOrderGroup: the exchange responded with "),
            "{error}"
        );
    }
}

#[tokio::test]
async fn missing_id_is_rejected_before_sending() {
    let server = MockServer::start().await;
    let error = client(&server)
        .delete_order_group()
        .send()
        .await
        .unwrap_err();
    assert!(error.is_invalid_request());
    assert!(!error.may_have_reached_exchange());
    assert!(error.to_string().contains(".order_group_id(..)"), "{error}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

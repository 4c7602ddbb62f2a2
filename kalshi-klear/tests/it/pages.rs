//! Pagination of all lists.

use kalshi_klear::operation;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, query_param},
};

use crate::{
    harness::{
        self,
        calls::{arguments, pages, samples},
    },
    target,
};

#[tokio::test]
async fn all_pages_of_every_paginated_operation_are_read() {
    let samples = samples();
    let mut paginated = 0;
    for paged in &operation::ALL {
        let Some(paging) = paged.paging else { continue };
        paginated += 1;
        let mut first = samples.responses(paged.id).remove(0).body;
        let mut last = first.clone();
        first[paging.cursor_field] = json!("next page");
        last[paging.cursor_field] = Value::Null;
        let server = MockServer::start().await;
        Mock::given(query_param(paging.cursor_parameter, "next page"))
            .respond_with(ResponseTemplate::new(200).set_body_json(last))
            .with_priority(1)
            .mount(&server)
            .await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_json(first))
            .mount(&server)
            .await;
        let client = harness::client(&server);
        let count = pages(&client, paged.id, &arguments(samples, paged.id)).await;
        assert_eq!(count.unwrap(), 2, "{paged}");
        let received = server.received_requests().await.unwrap();
        assert_eq!(received.len(), 2, "{paged}");
        received.iter().for_each(target::assert_authenticated);
    }
    assert_eq!(paginated, 7);
}

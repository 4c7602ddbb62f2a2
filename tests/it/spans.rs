//! Fields of the tracing span of a request.

use std::sync::{Arc, Mutex};

use crate::common::calls::Server;
use serde_json::json;

#[tokio::test]
async fn span_has_operation_method_path_status_and_duration() {
    use tracing_subscriber::{Layer, layer::SubscriberExt};

    // The subscriber is per thread, but its interest in a span is cached for the whole process.
    if !crate::common::is_alone("spans::span_has_operation_method_path_status_and_duration") {
        return;
    }

    #[derive(Clone, Default)]
    struct Fields(Arc<Mutex<Vec<(String, String)>>>);

    impl tracing::field::Visit for Fields {
        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
            self.0
                .lock()
                .unwrap()
                .push((field.name().to_owned(), format!("{value:?}")));
        }
    }

    impl<S: tracing::Subscriber> Layer<S> for Fields {
        fn on_new_span(
            &self,
            attributes: &tracing::span::Attributes<'_>,
            _: &tracing::Id,
            _: tracing_subscriber::layer::Context<'_, S>,
        ) {
            if attributes.metadata().target().starts_with("kalshi_core") {
                attributes.record(&mut self.clone());
            }
        }

        fn on_record(
            &self,
            _: &tracing::Id,
            values: &tracing::span::Record<'_>,
            _: tracing_subscriber::layer::Context<'_, S>,
        ) {
            values.record(&mut self.clone());
        }
    }

    let fields = Fields::default();
    let subscriber = tracing_subscriber::registry().with(fields.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start().await;
    server.respond(404, Some(json!({ "code": "not_found" })));
    let error = server.client.get_order().order_id("a b").send().await;
    assert!(error.is_err());
    let fields = fields.0.lock().unwrap();
    let field = |name: &str| {
        fields
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(field("operation"), Some("\"GetOrder\""));
    assert_eq!(field("method"), Some("GET"));
    assert_eq!(field("path"), Some("\"/portfolio/orders/{order_id}\""));
    assert_eq!(field("status"), Some("404"));
    assert!(field("duration_ms").is_some());
    let all = format!("{fields:?}");
    assert!(
        !all.contains(crate::common::KEY_ID) && !all.contains("not_found"),
        "{all}"
    );
}

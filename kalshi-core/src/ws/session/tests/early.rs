//! Tests of messages that arrive before the acknowledgement of their subscription.

use super::*;

#[tokio::test]
async fn early_messages_are_bounded_in_bytes() {
    let (mut session, _receiver) = subscribed();
    let (reply, _result) = oneshot::channel();
    session.command(Command::Subscribe {
        channel: "trades".to_owned(),
        targets: &TARGETS,
        params: Map::new(),
        queue: None,
        reply,
    });
    let text: Arc<str> = format!(
        r#"{{"type":"trade","sid":9,"msg":{{"x":"{}"}}}}"#,
        "x".repeat(1 << 20)
    )
    .into();
    for _ in 0..100 {
        session.frame(text.clone(), Arrival::default());
    }
    assert!(session.early.len() <= 16, "{}", session.early.len());
}

/// Returns a session with a pending subscription, whose early messages of `sid` 4 do not all fit, and the id of its command.
fn overfull() -> (Session, crate::ws::queue::Receiver, u64) {
    let (mut session, receiver) = empty_session();
    let (id, result) = subscribe(&mut session, "trades");
    std::mem::forget(result);
    let body = "x".repeat(1 << 20);
    let text = format!(r#"{{"type":"trade","sid":4,"msg":{{"x":"{body}"}}}}"#);
    let text: Arc<str> = text.into();
    for _ in 0..20 {
        receive(&mut session, text.clone());
    }
    (session, receiver, id)
}

/// Returns the numbers of messages that are reported as lost.
async fn lagged(mut receiver: crate::ws::queue::Receiver) -> Vec<u64> {
    receiver.close();
    let mut counts = Vec::new();
    while let Some(item) = receiver.recv().await {
        if let Ok(RawEvent::Lagged { count }) = item {
            counts.push(count);
        }
    }
    counts
}

#[tokio::test]
async fn end_that_does_not_fit_ends_its_subscription() {
    let (mut session, receiver, id) = overfull();
    receive(
        &mut session,
        r#"{"type":"error","sid":4,"msg":{"code":25}}"#,
    );
    open(&mut session, id, "trades", 4);
    assert!(session.sids.is_empty() && session.next_retry().is_some());
    assert_eq!(lagged(receiver).await.len(), 1);
}

#[tokio::test]
async fn early_messages_that_do_not_fit_are_reported_as_lost() {
    let (mut session, receiver, id) = overfull();
    let (other, _result) = subscribe(&mut session, "fills");
    open(&mut session, other, "fills", 5);
    open(&mut session, id, "trades", 4);
    // A message of any subscription is missing only once.
    let (last, _result) = subscribe(&mut session, "books");
    open(&mut session, last, "books", 6);
    assert_eq!(session.sids.len(), 3);
    let lagged = lagged(receiver).await;
    assert!(matches!(lagged[..], [count] if count >= 4), "{lagged:?}");
}

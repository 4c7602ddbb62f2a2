//! Tests of replies to commands.

use super::*;

/// Returns the `sid` of each delivered message.
async fn delivered(mut receiver: crate::ws::queue::Receiver) -> Vec<Option<u64>> {
    receiver.close();
    let mut sids = Vec::new();
    while let Some(item) = receiver.recv().await {
        if let Ok(RawEvent::Message(message)) = item {
            sids.push(message.envelope.sid);
        }
    }
    sids
}

#[tokio::test]
async fn acknowledgement_without_a_sid_belongs_to_the_subscription_of_its_command() {
    for step in [Change::Add, Change::Remove] {
        let (mut session, receiver) = selecting(&["A", "B"]);
        let id = change(&mut session, step, "A");
        let ok = format!(r#"{{"id":{id},"type":"ok","msg":{{"market_tickers":["B"]}}}}"#);
        session.frame(ok.into(), Arrival::default());
        assert_eq!(delivered(receiver).await, [Some(1)], "{step:?}");
    }
    let (mut session, receiver) = subscribed();
    session.command(Command::Unsubscribe {
        subscription: SubscriptionId(1),
        reply: None,
    });
    let unsubscribed = r#"{"id":2,"type":"unsubscribed"}"#;
    session.frame(unsubscribed.into(), Arrival::default());
    assert_eq!(delivered(receiver).await, [Some(1)]);
}

#[tokio::test]
async fn subscription_unknown_to_the_exchange_is_made_again() {
    let unknown = r#""type":"error","msg":{"code":7,"msg":"unknown subscription"}"#;
    for fields in [r#""id":2"#, r#""id":2,"sid":1"#, r#""sid":1"#] {
        let (mut session, receiver) = selecting(&["A"]);
        assert_eq!(change(&mut session, Change::Add, "B"), 2);
        session.frame(format!("{{{fields},{unknown}}}").into(), Arrival::default());
        assert!(
            session.sids.is_empty() && session.next_retry().is_some(),
            "{fields}"
        );
        // Order books use it to find the subscription that ended.
        assert_eq!(delivered(receiver).await, [Some(1)], "{fields}");
    }
    // A chunk keeps its targets, which are requested with the new subscription.
    let (mut chunked, _receiver) = in_chunks();
    chunked.retry_due(Instant::now() + Duration::from_secs(60));
    chunked.next_outgoing();
    chunked.frame(
        format!(r#"{{"id":3,{unknown}}}"#).into(),
        Arrival::default(),
    );
    assert!(chunked.sids.is_empty());
    assert_eq!(chunked.subscriptions[&SubscriptionId(1)].selected.len(), 8);
    // Without a subscription or a command it concerns none.
    let (mut session, _receiver) = subscribed();
    session.frame(format!("{{{unknown}}}").into(), Arrival::default());
    assert!(session.sids.contains_key(&1));
}

#[tokio::test]
async fn terminal_error_needs_only_its_code() {
    for body in [
        r#"{"code":25}"#,
        r#"{"code":25,"msg":null}"#,
        r#"{"code":25,"msg":{"a":1},"market_ticker":7,"market_tickers":"A"}"#,
    ] {
        let (mut session, _receiver) = subscribed();
        let error = format!(r#"{{"type":"error","sid":1,"msg":{body}}}"#);
        session.frame(error.into(), Arrival::default());
        assert!(session.sids.is_empty(), "{body}");
        assert!(session.next_retry().is_some(), "{body}");
    }
}

/// The reply may be an error, or never arrive.
#[tokio::test]
async fn last_subscription_of_the_main_reader_is_detached_when_it_is_ended() {
    let (mut session, mut receiver) = subscribed();
    session.command(Command::Unsubscribe {
        subscription: SubscriptionId(1),
        reply: None,
    });
    receiver.close();
    let mut detached = Vec::new();
    while let Some(Ok(event)) = receiver.recv().await {
        if let RawEvent::Detached { sid, .. } = event {
            detached.push(sid);
        }
    }
    assert_eq!(detached, [1]);
}

/// Another subscription may select a target while it is being removed.
#[tokio::test]
async fn target_removed_without_a_sid_is_added_again_for_another_subscription() {
    let (mut session, _receiver) = selecting(&["A", "B"]);
    let removal = change(&mut session, Change::Remove, "A");
    let (reply, _result) = oneshot::channel();
    session.command(Command::Subscribe {
        channel: "books".to_owned(),
        targets: &TARGETS,
        params: Map::from_iter([("market_tickers".to_owned(), json!(["A"]))]),
        queue: None,
        reply,
    });
    session.next_outgoing();
    let ok = format!(r#"{{"id":{removal},"type":"ok","msg":{{}}}}"#);
    session.frame(ok.into(), Arrival::default());
    let added = session.next_outgoing().unwrap_or_default();
    assert!(added.contains(r#""action":"add""#), "{added}");
}

/// Returns the subscriptions that are reported as idle.
async fn idle(mut receiver: crate::ws::queue::Receiver) -> Vec<SubscriptionId> {
    receiver.close();
    let mut idle = Vec::new();
    while let Some(item) = receiver.recv().await {
        if let Ok(RawEvent::Idle { subscription }) = item {
            idle.push(subscription);
        }
    }
    idle
}

#[tokio::test]
async fn subscription_without_targets_is_reported_as_idle() {
    let (mut session, receiver) = selecting(&["A"]);
    let id = change(&mut session, Change::Remove, "A");
    let ok = format!(r#"{{"id":{id},"sid":1,"type":"ok","msg":{{}}}}"#);
    session.frame(ok.into(), Arrival::default());
    session.disconnected();
    session.connected();
    assert_eq!(session.next_outgoing(), None);
    // The exchange rejects the first target that is added.
    let added = change(&mut session, Change::Add, "B");
    let error = format!(r#"{{"id":{added},"type":"error","msg":{{"code":11,"msg":"no"}}}}"#);
    session.frame(error.into(), Arrival::default());
    assert_eq!(idle(receiver).await, [SubscriptionId(1); 2]);
}

/// An unrequested end without a `sid` does not show which subscription has ended.
#[tokio::test]
async fn end_without_a_sid_ends_all_subscriptions() {
    let several = Command::Other {
        name: "unsubscribe".to_owned(),
        params: Some(json!({"sids": [1, 2]})),
        reply: oneshot::channel().0,
    };
    for (command, end) in [
        (None, r#"{"type":"unsubscribed","seq":7}"#),
        // The id is that of a command which has been acknowledged.
        (None, r#"{"type":"unsubscribed","id":1}"#),
        (Some(several), r#"{"type":"unsubscribed","id":2}"#),
    ] {
        let (mut session, receiver) = subscribed();
        if let Some(command) = command {
            session.command(command);
            assert_eq!(next_id(&mut session), 2);
        }
        session.frame(end.into(), Arrival::default());
        assert!(
            session.sids.is_empty() && session.next_retry().is_some(),
            "{end}"
        );
        assert_eq!(delivered(receiver).await, [None], "{end}");
    }
}

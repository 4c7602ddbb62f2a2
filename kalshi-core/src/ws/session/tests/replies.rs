//! Tests of replies to commands.

use super::*;
use crate::ws::control;

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

#[tokio::test]
async fn acknowledgement_of_another_channel_is_not_accepted() {
    let (mut session, _receiver) = subscribed();
    let (id, mut result) = subscribe(&mut session, "fills");
    for wrong in [
        r#""type":"subscribed","msg":{"channel":"books","sid":1}"#,
        r#""type":"subscribed","msg":{"channel":"books","sid":2}"#,
        r#""type":"subscribed","msg":{"channel":"fills","sid":1}"#,
        r#""type":"subscribed","msg":{"sid":1}"#,
        r#""type":"ok","sid":1,"msg":{}"#,
    ] {
        session.frame(
            format!(r#"{{"id":{id},{wrong}}}"#).into(),
            Arrival::default(),
        );
        assert!(result.try_recv().is_err(), "{wrong}");
        assert_eq!(session.sids[&1].subscriptions, [SubscriptionId(1)]);
    }
    let right = format!(r#"{{"id":{id},"type":"subscribed","msg":{{"channel":"fills","sid":2}}}}"#);
    session.frame(right.into(), Arrival::default());
    assert!(matches!(result.try_recv(), Ok(Ok(made)) if made.sid == 2));
}

#[tokio::test]
async fn subscriptions_with_swapped_acknowledgements_are_requested_again() {
    let (main, _receiver) = EventQueue::new(Backpressure::default(), usize::MAX);
    let mut session = Session::new(main);
    session.connected();
    let (books, mut books_result) = subscribe(&mut session, "books");
    let (fills, mut fills_result) = subscribe(&mut session, "fills");
    for (id, channel, sid) in [(books, "fills", 2), (fills, "books", 1)] {
        let reply = format!(
            r#"{{"id":{id},"type":"subscribed","msg":{{"channel":"{channel}","sid":{sid}}}}}"#
        );
        session.frame(reply.into(), Arrival::default());
    }
    assert!(session.sids.is_empty());
    session.retry_due(Instant::now() + Duration::from_secs(60));
    for sid in [1, 2] {
        let ok = format!(
            r#"{{"id":{},"type":"ok","sid":{sid},"msg":{{}}}}"#,
            next_id(&mut session)
        );
        session.frame(ok.into(), Arrival::default());
    }
    assert!(matches!(books_result.try_recv(), Ok(Ok(made)) if made.sid == 1));
    assert!(matches!(fills_result.try_recv(), Ok(Ok(made)) if made.sid == 2));
}

#[tokio::test]
async fn reply_that_names_another_subscription_does_not_complete_a_command() {
    let (mut session, _receiver) = selecting(&["A", "B"]);
    let (id, _result) = subscribe(&mut session, "trades");
    let ack = r#""type":"subscribed","msg":{"channel":"trades","sid":2}"#;
    session.frame(format!(r#"{{"id":{id},{ack}}}"#).into(), Arrival::default());
    let id = change(&mut session, Change::Remove, "B");
    for (sid, selected) in [(2, 2), (1, 1)] {
        session.frame(
            format!(r#"{{"id":{id},"type":"ok","sid":{sid},"msg":{{}}}}"#).into(),
            Arrival::default(),
        );
        let tracked = &session.subscriptions[&SubscriptionId(1)];
        assert_eq!(tracked.selected.len(), selected, "{sid}");
    }
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

/// The subscription has ended before the command is acknowledged.
#[tokio::test]
async fn late_end_without_a_sid_ends_no_other_subscription() {
    let (mut session, _receiver) = subscribed();
    let (id, _result) = subscribe(&mut session, "trades");
    open(&mut session, id, "trades", 2);
    session.command(Command::Unsubscribe {
        subscription: SubscriptionId(2),
        reply: None,
    });
    let id = next_id(&mut session);
    receive(
        &mut session,
        r#"{"type":"error","sid":2,"msg":{"code":25}}"#,
    );
    receive(
        &mut session,
        format!(r#"{{"id":{id},"type":"unsubscribed"}}"#),
    );
    assert!(session.sids.contains_key(&1));
}

/// Returns the targets of a complete result.
fn targets_in(mut snapshots: Snapshots) -> Vec<String> {
    let Ok(Ok(snapshots)) = snapshots.try_recv() else {
        panic!("no result")
    };
    let target = |reply: &RawReply| {
        control::field(&reply.text, &reply.envelope, "market_ticker").map(|name| name.into_owned())
    };
    snapshots.iter().filter_map(target).collect()
}

#[tokio::test]
async fn result_of_a_snapshot_request_has_each_target_once() {
    let (mut session, _receiver) = selecting(&["A", "B"]);
    let (id, result) = request(&mut session, &["A", "B"]);
    let fields = format!(r#""sid":1,"id":{id}"#);
    for target in ["A", "A", "C", "A", "B"] {
        deliver_snapshot(&mut session, &fields, target);
    }
    assert_eq!(targets_in(result), ["A", "B"]);
    // No snapshot is kept for a caller that is gone.
    let (id, result) = request(&mut session, &["A", "B"]);
    drop(result);
    deliver_snapshot(&mut session, &format!(r#""sid":1,"id":{id}"#), "A");
    let mut pending = session.pending.values();
    assert!(pending.all(|command| matches!(command.pending, Pending::Obsolete(_))));
}

#[tokio::test]
async fn snapshot_without_a_sid_does_not_shorten_the_result() {
    let (mut session, _receiver) = in_chunks();
    let (id, result) = request(&mut session, &["A", "B", "C", "D"]);
    deliver_snapshot(&mut session, &format!(r#""sid":2,"id":{id}"#), "A");
    deliver_snapshot(&mut session, &format!(r#""id":{id}"#), "B");
    let id = next_id(&mut session);
    for target in ["C", "D"] {
        deliver_snapshot(&mut session, &format!(r#""id":{id}"#), target);
    }
    assert_eq!(targets_in(result), ["A", "B", "C", "D"]);
}

#[tokio::test]
async fn missing_snapshot_is_requested_again_with_the_last_ones() {
    let (mut session, _receiver) = in_chunks();
    let (id, result) = request(&mut session, &["A", "B", "C", "D"]);
    deliver_snapshot(&mut session, &format!(r#""sid":2,"id":{id}"#), "B");
    let mut requested = Vec::new();
    for targets in [&["C", "D"][..], &["A"]] {
        session.continue_due(Instant::now() + Duration::from_secs(3));
        let id = next_id(&mut session);
        for target in targets {
            deliver_snapshot(&mut session, &format!(r#""sid":2,"id":{id}"#), target);
        }
        requested.push(id);
    }
    assert_eq!(targets_in(result), ["B", "C", "D", "A"], "{requested:?}");
}

#[tokio::test]
async fn targets_without_a_snapshot_are_requested_after_all_others() {
    let (mut session, _receiver) = in_chunks();
    let (_, result) = request(&mut session, &["A", "B", "C", "D"]);
    session.continue_due(Instant::now() + Duration::from_secs(3));
    session.next_outgoing();
    drop(result);
    // One of the targets is no longer silent.
    for expected in [r#"["C","D"]"#, r#"["B","C"]"#] {
        let (reply, _result) = oneshot::channel();
        session.command(Command::Snapshot {
            subscription: SubscriptionId(1),
            targets: ["A", "B", "C", "D"].map(str::to_owned).to_vec(),
            reply,
        });
        let command = session.next_outgoing().unwrap_or_default();
        assert!(command.contains(expected), "{command}");
        let (id, _result) = request(&mut session, &["B"]);
        deliver_snapshot(&mut session, &format!(r#""id":{id}"#), "B");
    }
}

#[tokio::test]
async fn error_without_an_id_belongs_to_the_snapshot_request_whose_caller_waits() {
    let (mut session, _receiver) = selecting(&["A", "B"]);
    change(&mut session, Change::Add, "C");
    let (_, mut result) = request(&mut session, &["A"]);
    let error = r#"{"type":"error","sid":1,"msg":{"code":14,"msg":"no"}}"#;
    session.frame(error.into(), Arrival::default());
    assert!(
        matches!(result.try_recv(), Ok(Err(ConnectionError::Command(error))) if error.code == 14)
    );
}

/// The command names no subscription, so any may have ended.
#[tokio::test]
async fn overflow_in_reply_to_a_list_ends_all_subscriptions() {
    let (mut session, receiver) = selecting(&["A"]);
    let (reply, _result) = oneshot::channel();
    session.command(Command::Other {
        name: "list_subscriptions".to_owned(),
        params: None,
        reply,
    });
    let id = next_id(&mut session);
    let overflow = format!(r#"{{"id":{id},"type":"error","msg":{{"code":25}}}}"#);
    session.frame(overflow.into(), Arrival::default());
    assert!(session.sids.is_empty() && session.next_retry().is_some());
    assert_eq!(delivered(receiver).await, [None]);
}

#[tokio::test]
async fn rejected_subscribe_command_ends_no_subscription() {
    for code in [10, 25] {
        for (channel, is_open) in [("trades", false), ("books", true)] {
            let (mut session, _receiver) = subscribed();
            let (reply, mut result) = oneshot::channel();
            session.command(Command::Other {
                name: "subscribe".to_owned(),
                params: Some(json!({"channels": [channel]})),
                reply,
            });
            let error = format!(r#"{{"id":2,"type":"error","msg":{{"code":{code}}}}}"#);
            session.frame(error.into(), Arrival::default());
            // The command would have been part of the open subscription to its channel.
            assert_eq!(session.sids.is_empty(), is_open, "{code} {channel}");
            assert!(matches!(
                result.try_recv(),
                Ok(Err(ConnectionError::Command(_)))
            ));
        }
    }
}

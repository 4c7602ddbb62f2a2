//! Tests of replies that arrive late, or not at all.

use super::*;

/// The subscription ended and was made again before the acknowledgement of a change arrives.
#[tokio::test]
async fn change_of_a_replaced_subscription_is_made_again() {
    for (step, target, is_early) in [
        (Change::Add, "C", false),
        (Change::Add, "C", true),
        (Change::Remove, "B", false),
    ] {
        let (mut session, _receiver) = selecting(&["A", "B"]);
        let (reply, mut result) = oneshot::channel();
        session.command(Command::Change {
            subscription: SubscriptionId(1),
            change: step,
            targets: vec![target.to_owned()],
            is_acknowledged: false,
            reply,
        });
        let id = next_id(&mut session);
        let failed = r#"{"type":"error","sid":1,"msg":{"code":10,"msg":"failed"}}"#;
        session.frame(failed.into(), Arrival::default());
        session.retry_due(Instant::now() + Duration::from_secs(60));
        let new = next_id(&mut session);
        let ok = format!(r#"{{"id":{id},"type":"ok","sid":1,"seq":3,"msg":{{}}}}"#);
        let subscribed =
            format!(r#"{{"id":{new},"type":"subscribed","msg":{{"channel":"books","sid":2}}}}"#);
        let frames = match is_early {
            true => [ok, subscribed],
            false => [subscribed, ok],
        };
        for frame in frames {
            session.frame(frame.into(), Arrival::default());
        }
        let again = session.next_outgoing().unwrap_or_default();
        assert!(
            again.contains(r#""sids":[2]"#) && again.contains(target),
            "{step:?} {again}"
        );
        assert!(result.try_recv().is_err());
        let tracked = &session.subscriptions[&SubscriptionId(1)];
        assert_eq!(tracked.selected.len(), 2, "{step:?}");
    }
}

#[tokio::test]
async fn acknowledged_change_is_made_again_without_its_caller() {
    let (mut session, _receiver) = selecting(&["A", "B"]);
    // The caller of this change is gone.
    let id = change(&mut session, Change::Add, "C");
    let failed = r#"{"type":"error","sid":1,"msg":{"code":10,"msg":"failed"}}"#;
    session.frame(failed.into(), Arrival::default());
    session.retry_due(Instant::now() + Duration::from_secs(60));
    let new = next_id(&mut session);
    for frame in [
        format!(r#"{{"id":{id},"type":"ok","sid":1,"seq":3,"msg":{{}}}}"#),
        format!(r#"{{"id":{new},"type":"subscribed","msg":{{"channel":"books","sid":2}}}}"#),
    ] {
        session.frame(frame.into(), Arrival::default());
    }
    let again = session.next_outgoing().unwrap_or_default();
    assert!(
        again.contains(r#""sids":[2]"#) && again.contains(r#""C""#),
        "{again}"
    );
}

#[tokio::test]
async fn late_acknowledgement_does_not_undo_a_later_change() {
    let (mut session, _receiver) = selecting(&["A"]);
    // The caller of this change is gone.
    let late = change(&mut session, Change::Add, "C");
    let failed = r#"{"type":"error","sid":1,"msg":{"code":10,"msg":"failed"}}"#;
    session.frame(failed.into(), Arrival::default());
    let (reply, _result) = oneshot::channel();
    session.command(Command::Change {
        subscription: SubscriptionId(1),
        change: Change::Remove,
        targets: vec!["C".to_owned()],
        is_acknowledged: false,
        reply,
    });
    session.retry_due(Instant::now() + Duration::from_secs(60));
    let new = next_id(&mut session);
    for frame in [
        format!(r#"{{"id":{late},"type":"ok","sid":1,"seq":3,"msg":{{}}}}"#),
        format!(r#"{{"id":{new},"type":"subscribed","msg":{{"channel":"books","sid":2}}}}"#),
    ] {
        session.frame(frame.into(), Arrival::default());
    }
    while let Some(command) = session.next_outgoing() {
        let command: Value = serde_json::from_str(&command).unwrap_or_default();
        let ok = json!({"id": command["id"], "type": "ok", "sid": 2, "msg": {}});
        session.frame(ok.to_string().into(), Arrival::default());
    }
    let tracked = session.subscriptions.get(&SubscriptionId(1));
    assert!(tracked.is_some_and(|tracked| !tracked.selected.contains("C")));
}

/// The first `subscribe` is answered after it was sent again, and fails once the channel is open.
#[tokio::test]
async fn late_error_ends_the_channel_that_its_command_opened() {
    for is_first in [true, false] {
        let (mut session, _receiver) = empty_session();
        let (first, _result) = subscribe(&mut session, "books");
        session.retry_due(Instant::now() + Duration::from_secs(16));
        let second = next_id(&mut session);
        open(&mut session, first, "books", 1);
        acknowledge(&mut session, second, 1);
        assert_eq!(session.sids.len(), 1);
        reject(&mut session, if is_first { first } else { second }, 25);
        assert!(session.sids.is_empty() && session.next_retry().is_some());
    }
}

/// Nothing waits for the reply any more: the command was sent again, or its caller is gone.
#[tokio::test]
async fn late_error_without_a_sid_ends_only_the_subscription_of_its_command() {
    for is_chunk in [true, false] {
        for is_repeated in [true, false] {
            let (mut session, _receiver) = in_chunks();
            let (id, _result) = subscribe(&mut session, "trades");
            let ack = r#""type":"subscribed","msg":{"channel":"trades","sid":3}"#;
            session.frame(format!(r#"{{"id":{id},{ack}}}"#).into(), Arrival::default());
            session.retry_due(Instant::now() + Duration::from_secs(3));
            let mut late = next_id(&mut session);
            if !is_chunk {
                let (id, result) = request(&mut session, &["A", "B", "C", "D"]);
                late = id;
                if is_repeated {
                    session.continue_due(Instant::now() + Duration::from_secs(3));
                    deliver_snapshot(&mut session, &format!(r#""id":{late}"#), "A");
                }
                drop(result);
            } else if is_repeated {
                session.continue_due(Instant::now() + Duration::from_secs(16));
            }
            // Old commands are dropped when another one is written.
            request(&mut session, &["A"]);
            let overflow = format!(r#"{{"id":{late},"type":"error","msg":{{"code":25}}}}"#);
            session.frame(overflow.into(), Arrival::default());
            let sids: Vec<_> = session.sids.keys().copied().collect();
            assert_eq!(sids, [3], "{is_chunk} {is_repeated}");
        }
    }
}

#[tokio::test]
async fn acknowledgement_after_that_of_a_later_change_does_not_undo_it() {
    for (steps, target, again) in [
        ([Change::Remove, Change::Add], "B", "add"),
        ([Change::Add, Change::Remove], "C", "remove"),
    ] {
        let (mut session, _receiver) = selecting(&["A", "B"]);
        let [earlier, later] = steps.map(|step| change(&mut session, step, target));
        for id in [later, earlier] {
            acknowledge(&mut session, id, 1);
        }
        assert_eq!(selects(&session, 1, target), again == "add", "{steps:?}");
        // The exchange may have made the changes in the order of its replies.
        let sent = outgoing(&mut session);
        assert!(
            sent.contains(&format!(r#""action":"{again}""#)) && sent.contains(target),
            "{steps:?} {sent}"
        );
    }
}

#[tokio::test]
async fn target_of_a_late_chunk_is_removed_again() {
    let (mut session, _receiver) = in_chunks();
    session.retry_due(Instant::now() + Duration::from_secs(3));
    let chunk = next_id(&mut session);
    let removal = change(&mut session, Change::Remove, "C");
    acknowledge(&mut session, removal, 2);
    acknowledge(&mut session, chunk, 2);
    let sent = outgoing(&mut session);
    assert!(
        sent.contains(r#""action":"remove""#) && sent.contains(r#"["C"]"#),
        "{sent}"
    );
}

#[tokio::test]
async fn acknowledgement_on_a_replaced_sid_does_not_undo_a_later_change() {
    for is_acknowledged in [true, false] {
        let (mut session, _receiver) = selecting(&["A", "B"]);
        let removal = change(&mut session, Change::Remove, "B");
        receive(
            &mut session,
            r#"{"type":"error","sid":1,"msg":{"code":10}}"#,
        );
        session.retry_due(Instant::now() + Duration::from_secs(60));
        let new = next_id(&mut session);
        open(&mut session, new, "books", 2);
        let addition = change(&mut session, Change::Add, "B");
        if is_acknowledged {
            acknowledge(&mut session, addition, 2);
        }
        acknowledge(&mut session, removal, 1);
        assert_eq!(outgoing(&mut session), "", "{is_acknowledged}");
        assert!(selects(&session, 1, "B"), "{is_acknowledged}");
    }
}

/// A channel that fails slowly is requested again and again.
#[tokio::test]
async fn late_error_of_a_channel_that_is_not_open_ends_no_subscription() {
    let (mut session, _receiver) = empty_session();
    let ids = ["trades", "fills", "books"].map(|channel| {
        let (id, result) = subscribe(&mut session, channel);
        std::mem::forget(result);
        id
    });
    let [mut failing, fills, books] = ids;
    open(&mut session, fills, "fills", 2);
    open(&mut session, books, "books", 3);
    session.disconnected();
    session.connected();
    for (channel, sid) in [("trades", 0), ("fills", 2), ("books", 3)] {
        let id = next_id(&mut session);
        match sid {
            0 => failing = id,
            sid => open(&mut session, id, channel, sid),
        }
    }
    for _ in 0..3 {
        session.retry_due(Instant::now() + Duration::from_secs(600));
        let next = next_id(&mut session);
        reject(&mut session, failing, 10);
        let mut sids: Vec<_> = session.sids.keys().copied().collect();
        sids.sort_unstable();
        assert_eq!(sids, [2, 3]);
        failing = next;
    }
    assert!(session.next_retry().is_some());
}

#[tokio::test]
async fn acknowledgement_of_an_earlier_attempt_makes_the_subscription() {
    let (mut session, _receiver) = empty_session();
    let (first, mut result) = subscribe(&mut session, "books");
    session.retry_due(Instant::now() + Duration::from_secs(16));
    let second = next_id(&mut session);
    open(&mut session, first, "books", 1);
    assert!(matches!(result.try_recv(), Ok(Ok(made)) if made.sid == 1));
    // The other reply does not name the subscription.
    receive(
        &mut session,
        format!(r#"{{"id":{second},"type":"ok","msg":{{}}}}"#),
    );
    assert_eq!(session.sids[&1].subscriptions, [SubscriptionId(1)]);
    assert_eq!(session.next_retry(), None);
}

#[tokio::test]
async fn only_the_last_attempt_rejects_a_subscription() {
    let (mut session, _receiver) = empty_session();
    let (first, mut result) = subscribe(&mut session, "books");
    session.retry_due(Instant::now() + Duration::from_secs(16));
    let second = next_id(&mut session);
    reject(&mut session, first, 14);
    assert!(result.try_recv().is_err());
    reject(&mut session, second, 14);
    assert!(matches!(result.try_recv(), Ok(Err(_))));
    assert!(session.subscriptions.is_empty());
}

/// Every reply arrives after the next attempt.
#[tokio::test(start_paused = true)]
async fn late_rejections_end_a_subscription() {
    for (code, is_permanent) in [(14, true), (25, false)] {
        let (mut session, _receiver) = selecting(&["A", "B", "C", "D"]);
        session.disconnected();
        session.connected();
        let mut pending = vec![next_id(&mut session)];
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(16)).await;
            session.retry_due(Instant::now());
            while session.has_outgoing() {
                pending.push(next_id(&mut session));
            }
            if !pending.is_empty() {
                reject(&mut session, pending.remove(0), code);
            }
        }
        assert_eq!(session.subscriptions.is_empty(), is_permanent, "{code}");
    }
}

#[tokio::test]
async fn overflow_of_an_earlier_attempt_makes_the_chunks_smaller() {
    let (mut session, _receiver) = selecting(&["A", "B", "C", "D"]);
    session.disconnected();
    session.connected();
    let first = next_id(&mut session);
    session.retry_due(Instant::now() + Duration::from_secs(16));
    reject(&mut session, first, 25);
    assert_eq!(session.subscriptions[&SubscriptionId(1)].chunks.size(), 1);
}

#[tokio::test(start_paused = true)]
async fn attempts_without_a_reply_are_forgotten() {
    let (mut session, _receiver) = empty_session();
    let (_, _result) = subscribe(&mut session, "books");
    for _ in 0..1_000 {
        tokio::time::advance(Duration::from_secs(16)).await;
        session.retry_due(Instant::now());
        assert!(session.next_outgoing().is_some() && session.is_subscribing());
    }
    assert!(session.pending.len() < 50);
}

#[tokio::test(start_paused = true)]
async fn subscription_is_not_requested_again_while_the_reader_is_behind() {
    let (main, mut receiver) = EventQueue::new(Backpressure::Block { capacity: 2 }, usize::MAX);
    let mut session = Session::new(main);
    session.connected();
    let (_, _result) = subscribe(&mut session, "books");
    while !session.is_full() {
        receive(&mut session, r#"{"type":"trade","msg":{}}"#);
    }
    for is_full in [true, false] {
        tokio::time::advance(Duration::from_secs(16)).await;
        session.retry_due(Instant::now());
        assert_eq!(session.next_outgoing().is_none(), is_full);
        assert!(session.next_retry().is_some());
        receiver.close();
    }
}

#[tokio::test]
async fn late_reply_does_not_concern_a_new_subscription_with_the_same_sid() {
    let (mut session, _receiver) = selecting(&["A"]);
    let addition = change(&mut session, Change::Add, "C");
    receive(
        &mut session,
        r#"{"type":"error","sid":1,"msg":{"code":25}}"#,
    );
    session.retry_due(Instant::now() + Duration::from_secs(60));
    let new = next_id(&mut session);
    open(&mut session, new, "books", 1);
    acknowledge(&mut session, addition, 1);
    assert!(!selects(&session, 1, "C"));
    let sent = outgoing(&mut session);
    assert!(sent.contains(r#"["C"]"#), "{sent}");

    // A rejected chunk with a single target.
    let (mut session, _receiver) = in_chunks();
    session.retry_due(Instant::now() + Duration::from_secs(3));
    let chunk = next_id(&mut session);
    reject(&mut session, chunk, 14);
    session.retry_due(Instant::now() + Duration::from_secs(3));
    let single = next_id(&mut session);
    receive(
        &mut session,
        r#"{"type":"error","sid":2,"msg":{"code":25}}"#,
    );
    session.retry_due(Instant::now() + Duration::from_secs(60));
    let new = next_id(&mut session);
    open(&mut session, new, "books", 2);
    reject(&mut session, single, 14);
    assert!(selects(&session, 1, "C"));
}

//! Tests of changes that are acknowledged in another order than they were sent, or after a change without a command.

use super::*;

/// Sends a change. Returns the result.
fn command(
    session: &mut Session,
    id: u64,
    change: Change,
    targets: &[&str],
) -> oneshot::Receiver<Result<(), ConnectionError>> {
    let (reply, result) = oneshot::channel();
    session.command(Command::Change {
        subscription: SubscriptionId(id),
        change,
        targets: targets.iter().map(ToString::to_string).collect(),
        is_acknowledged: false,
        reply,
    });
    result
}

/// Subscribes to targets. Returns the id of the command, and the result.
fn subscribe_to(
    session: &mut Session,
    targets: &[&str],
) -> (u64, oneshot::Receiver<Result<Made, ConnectionError>>) {
    let (reply, result) = oneshot::channel();
    session.command(Command::Subscribe {
        channel: "books".to_owned(),
        targets: &TARGETS,
        params: Map::from_iter([
            ("channels".to_owned(), json!(["books"])),
            ("market_tickers".to_owned(), json!(targets)),
        ]),
        queue: None,
        reply,
    });
    (next_id(session), result)
}

fn removes(sent: &str, target: &str) -> bool {
    sent.contains(r#""action":"remove""#) && sent.contains(&format!(r#"["{target}"]"#))
}

/// Two commands add the same targets in chunks, because the caller of the first one is gone.
#[tokio::test]
async fn target_of_a_chunk_in_flight_is_removed_at_the_exchange() {
    for is_in_order in [true, false] {
        let (mut session, _receiver) = in_chunks();
        let [first, _] = [(); 2].map(|()| {
            drop(command(&mut session, 1, Change::Add, &["P", "Q", "R", "S"]));
            next_id(&mut session)
        });
        acknowledge(&mut session, first, 2);
        let chunk = next_id(&mut session);
        let _result = command(&mut session, 1, Change::Remove, &["R"]);
        let sent = session.next_outgoing().unwrap_or_default();
        assert!(removes(&sent, "R"), "{sent}");
        let removal = session.last_id;
        let ids = match is_in_order {
            true => [chunk, removal],
            false => [removal, chunk],
        };
        for id in ids {
            acknowledge(&mut session, id, 2);
        }
        assert!(!selects(&session, 1, "R") && selects(&session, 1, "S"));
        assert_eq!(removes(&outgoing(&mut session), "R"), !is_in_order);
    }
}

#[tokio::test]
async fn target_that_another_subscription_selects_is_not_added_after_its_removal() {
    let (mut session, _receiver) = selecting(&["A"]);
    let (id, _result) = subscribe_to(&mut session, &["C"]);
    acknowledge(&mut session, id, 1);
    let addition = change(&mut session, Change::Add, "C");
    let mut removed = command(&mut session, 1, Change::Remove, &["C"]);
    assert!(matches!(removed.try_recv(), Ok(Ok(()))));
    acknowledge(&mut session, addition, 1);
    assert!(!selects(&session, 1, "C"));
    assert_eq!(outgoing(&mut session), "");
    let _result = command(&mut session, 2, Change::Remove, &["C"]);
    let sent = outgoing(&mut session);
    assert!(removes(&sent, "C"), "{sent}");
}

#[tokio::test]
async fn target_in_flight_is_removed_with_its_subscription() {
    let (mut session, _receiver) = selecting(&["A"]);
    let (id, _result) = subscribe_to(&mut session, &["A", "B"]);
    acknowledge(&mut session, id, 1);
    change(&mut session, Change::Add, "B");
    change(&mut session, Change::Add, "C");
    session.command(Command::Unsubscribe {
        subscription: SubscriptionId(1),
        reply: None,
    });
    let sent = outgoing(&mut session);
    assert!(removes(&sent, "C"), "{sent}");
}

#[tokio::test]
async fn late_addition_does_not_wake_a_subscription_whose_target_was_removed() {
    let (mut session, _receiver) = selecting(&["A"]);
    let addition = change(&mut session, Change::Add, "C");
    let removal = change(&mut session, Change::Remove, "A");
    acknowledge(&mut session, removal, 1);
    receive(
        &mut session,
        r#"{"type":"error","sid":1,"msg":{"code":25}}"#,
    );
    session.retry_due(Instant::now() + Duration::from_secs(60));
    let mut removed = command(&mut session, 1, Change::Remove, &["C"]);
    assert!(matches!(removed.try_recv(), Ok(Ok(()))));
    acknowledge(&mut session, addition, 1);
    assert_eq!(outgoing(&mut session), "");
    assert!(!selects(&session, 1, "C"));
}

#[tokio::test]
async fn target_is_added_again_until_the_exchange_replies() {
    for (code, is_rejected) in [(None, false), (Some(27), false), (Some(14), true)] {
        let (mut session, mut receiver) = selecting(&["A", "B"]);
        let removal = change(&mut session, Change::Remove, "B");
        let addition = change(&mut session, Change::Add, "B");
        for id in [addition, removal] {
            acknowledge(&mut session, id, 1);
        }
        let repair = next_id(&mut session);
        if let Some(code) = code {
            reject(&mut session, repair, code);
        }
        session.retry_due(Instant::now() + Duration::from_secs(16));
        let sent = outgoing(&mut session);
        assert_eq!(sent.contains(r#"["B"]"#), !is_rejected, "{code:?} {sent}");
        assert_eq!(selects(&session, 1, "B"), !is_rejected, "{code:?}");
        receiver.close();
        let mut rejections = 0;
        while let Some(Ok(event)) = receiver.recv().await {
            rejections += usize::from(matches!(event, RawEvent::TargetsRejected { .. }));
        }
        assert_eq!(rejections, usize::from(is_rejected), "{code:?}");
    }
}

/// The subscription is to all targets.
#[tokio::test]
async fn only_the_opposite_of_a_late_change_is_made_again() {
    use Change::{Add, Remove};
    for (steps, replies, again) in [
        (&[Add, Add][..], &[1, 0][..], None),
        (&[Remove, Remove], &[1, 0], None),
        (&[Add, Remove], &[1, 0], Some("remove")),
        (&[Remove, Add], &[1, 0], Some("add")),
        (&[Add, Remove, Add], &[1, 2, 0], None),
        (&[Add, Remove, Add], &[2, 0], None),
    ] {
        let (mut session, _receiver) = subscribed();
        let ids: Vec<_> = steps
            .iter()
            .map(|step| change(&mut session, *step, "A"))
            .collect();
        for reply in replies {
            acknowledge(&mut session, ids[*reply], 1);
        }
        let sent = outgoing(&mut session);
        match again {
            None => assert_eq!(sent, "", "{steps:?}"),
            Some(action) => assert!(
                sent.contains(&format!(r#""action":"{action}""#)),
                "{steps:?} {sent}"
            ),
        }
    }
}

#[tokio::test]
async fn target_of_a_late_attempt_is_removed_again() {
    for is_reused in [false, true] {
        let (mut session, _receiver) = empty_session();
        let (first, _result) = subscribe_to(&mut session, &["A", "B"]);
        session.retry_due(Instant::now() + Duration::from_secs(16));
        let second = next_id(&mut session);
        open(&mut session, first, "books", 1);
        let removal = change(&mut session, Change::Remove, "A");
        acknowledge(&mut session, removal, 1);
        if is_reused {
            receive(
                &mut session,
                r#"{"type":"error","sid":1,"msg":{"code":25}}"#,
            );
            session.retry_due(Instant::now() + Duration::from_secs(60));
            let new = next_id(&mut session);
            open(&mut session, new, "books", 1);
        }
        acknowledge(&mut session, second, 1);
        let sent = outgoing(&mut session);
        assert_eq!(removes(&sent, "A"), !is_reused, "{sent}");
    }
}

#[tokio::test]
async fn target_of_a_late_repeated_chunk_is_removed_again() {
    let (mut session, _receiver) = in_chunks();
    session.retry_due(Instant::now() + Duration::from_secs(3));
    let chunk = next_id(&mut session);
    session.continue_due(Instant::now() + Duration::from_secs(16));
    let repeat = next_id(&mut session);
    acknowledge(&mut session, repeat, 2);
    let removal = change(&mut session, Change::Remove, "C");
    acknowledge(&mut session, removal, 2);
    acknowledge(&mut session, chunk, 2);
    let sent = outgoing(&mut session);
    assert!(removes(&sent, "C"), "{sent}");
}

//! Tests of subscriptions in chunks.

use super::*;

fn changed(session: &mut Session, change: Change, target: &str) -> Option<String> {
    let (reply, _) = oneshot::channel();
    session.command(Command::Change {
        subscription: SubscriptionId(1),
        change,
        targets: vec![target.to_owned()],
        is_acknowledged: false,
        reply,
    });
    session.next_outgoing()
}

#[tokio::test]
async fn target_added_individually_is_not_part_of_a_chunk() {
    let (mut session, _receiver) = in_chunks();
    // The exchange does not have the target yet.
    assert_eq!(changed(&mut session, Change::Remove, "H"), None);
    let added = changed(&mut session, Change::Add, "G").unwrap_or_default();
    assert!(added.contains(r#""action":"add""#), "{added}");
    let ok = r#"{"id":3,"type":"ok","sid":2,"seq":1,"msg":{}}"#;
    session.frame(ok.into(), Arrival::default());
    // Now the exchange has the target.
    let removed = changed(&mut session, Change::Remove, "G").unwrap_or_default();
    assert!(removed.contains(r#""action":"remove""#), "{removed}");
    let mut sent = String::new();
    for _ in 0..3 {
        session.retry_due(Instant::now() + Duration::from_secs(60));
        sent += &session.next_outgoing().unwrap_or_default();
    }
    assert!(
        sent.contains(r#"["C","D"]"#) && sent.contains(r#"["E","F"]"#),
        "{sent}"
    );
    assert!(
        !sent.contains(r#""G""#) && !sent.contains(r#""H""#),
        "{sent}"
    );
}

#[tokio::test]
async fn unanswered_chunk_is_sent_again() {
    let (mut session, _receiver) = in_chunks();
    let sent_later = |session: &mut Session| {
        session.retry_due(Instant::now() + Duration::from_secs(60));
        let mut sent = String::new();
        while let Some(command) = session.next_outgoing() {
            sent += &command;
        }
        sent
    };
    for _ in 0..3 {
        assert!(sent_later(&mut session).contains(r#"["C","D"]"#));
    }
    assert!(session.next_retry().is_some());
    let pending: Vec<_> = session.pending.keys().copied().collect();
    for id in pending {
        let ok = format!(r#"{{"id":{id},"type":"ok","sid":2,"msg":{{}}}}"#);
        session.frame(ok.into(), Arrival::default());
    }
    assert!(session.next_retry().is_none());
}

#[tokio::test]
async fn target_removed_while_its_chunk_fails_is_not_requested_again() {
    let (mut session, _receiver) = in_chunks();
    session.retry_due(Instant::now() + Duration::from_secs(60));
    let chunk = session.next_outgoing().unwrap_or_default();
    assert!(chunk.contains(r#"["C","D"]"#), "{chunk}");
    let removed = changed(&mut session, Change::Remove, "C").unwrap_or_default();
    assert!(removed.contains(r#""action":"remove""#), "{removed}");
    for reply in [
        r#"{"id":3,"type":"error","msg":{"code":27,"msg":"slow down"}}"#,
        r#"{"id":4,"type":"ok","sid":2,"seq":1,"msg":{}}"#,
    ] {
        session.frame(reply.into(), Arrival::default());
    }
    let mut sent = String::new();
    for _ in 0..4 {
        session.retry_due(Instant::now() + Duration::from_secs(60));
        sent += &session.next_outgoing().unwrap_or_default();
    }
    assert!(
        sent.contains(r#""D""#) && !sent.contains(r#""C""#),
        "{sent}"
    );
}

#[tokio::test]
async fn target_that_is_being_removed_is_not_added_again_with_its_chunk() {
    for is_rejected in [false, true] {
        let (mut session, _receiver) = in_chunks();
        session.retry_due(Instant::now() + Duration::from_secs(3));
        let chunk = session.next_outgoing().unwrap_or_default();
        assert!(chunk.contains(r#"["C","D"]"#), "{chunk}");
        changed(&mut session, Change::Remove, "C");
        if is_rejected {
            let error = r#"{"id":3,"type":"error","msg":{"code":14,"msg":"no"}}"#;
            session.frame(error.into(), Arrival::default());
        }
        session.retry_due(Instant::now() + Duration::from_secs(16));
        let mut sent = String::new();
        while let Some(command) = session.next_outgoing() {
            sent += &command;
        }
        assert!(
            sent.contains(r#"["D"]"#) && !sent.contains(r#""C""#),
            "{sent}"
        );
    }
}

/// Subscribes to E, F, G and H, of which the last attempt has E and F. Returns the id of its command, and the result.
fn subscribe_in_chunks(
    session: &mut Session,
) -> (u64, oneshot::Receiver<Result<Made, ConnectionError>>) {
    let (reply, result) = oneshot::channel();
    session.command(Command::Subscribe {
        channel: "books".to_owned(),
        targets: &TARGETS,
        params: Map::from_iter([
            ("channels".to_owned(), json!(["books"])),
            ("market_tickers".to_owned(), json!(["E", "F", "G", "H"])),
        ]),
        queue: None,
        reply,
    });
    session.next_outgoing();
    if let Some(tracked) = session.subscriptions.get_mut(&SubscriptionId(2)) {
        tracked.chunks.shrink(8);
    }
    // The first attempt gets no reply.
    session.retry_due(Instant::now() + Duration::from_secs(16));
    (next_id(session), result)
}

#[tokio::test]
async fn target_added_again_for_another_subscription_is_not_part_of_its_next_chunk() {
    let (mut session, _receiver) = selecting(&["A", "H"]);
    let removal = change(&mut session, Change::Remove, "H");
    let (id, _result) = subscribe_in_chunks(&mut session);
    for id in [id, removal] {
        let ok = format!(r#"{{"id":{id},"type":"ok","sid":1,"msg":{{}}}}"#);
        session.frame(ok.into(), Arrival::default());
    }
    session.retry_due(Instant::now() + Duration::from_secs(3));
    let mut sent = String::new();
    while let Some(command) = session.next_outgoing() {
        sent += &command;
    }
    assert!(
        sent.contains(r#"["H"]"#) && sent.contains(r#"["G"]"#),
        "{sent}"
    );
}

#[tokio::test]
async fn target_added_again_on_another_sid_remains_part_of_its_chunk() {
    let (mut session, _receiver) = selecting(&["A", "H"]);
    let removal = change(&mut session, Change::Remove, "H");
    let (id, _result) = subscribe_in_chunks(&mut session);
    for frame in [
        format!(r#"{{"id":{removal},"type":"ok","sid":1,"msg":{{}}}}"#),
        r#"{"type":"error","sid":1,"msg":{"code":25,"msg":"lag"}}"#.to_owned(),
        format!(r#"{{"id":{id},"type":"subscribed","msg":{{"channel":"books","sid":2}}}}"#),
    ] {
        session.frame(frame.into(), Arrival::default());
    }
    session.retry_due(Instant::now() + Duration::from_secs(3));
    let mut sent = Vec::new();
    while let Some(command) = session.next_outgoing() {
        sent.push(command);
    }
    let adds_h = |command: &String| command.contains(r#""sids":[2]"#) && command.contains(r#""H""#);
    assert!(sent.iter().any(adds_h), "{sent:?}");
}

#[tokio::test]
async fn target_whose_removal_is_rejected_is_added_although_its_chunk_left_it_out() {
    for code in [14, 27] {
        for is_rejected in [true, false] {
            let (mut session, _receiver) = in_chunks();
            session.retry_due(Instant::now() + Duration::from_secs(3));
            let chunk = next_id(&mut session);
            let removal = change(&mut session, Change::Remove, "C");
            let error = |id: u64| {
                format!(r#"{{"id":{id},"type":"error","msg":{{"code":{code},"msg":"no"}}}}"#)
            };
            if is_rejected {
                session.frame(error(chunk).into(), Arrival::default());
            } else {
                session.continue_due(Instant::now() + Duration::from_secs(16));
            }
            session.frame(error(removal).into(), Arrival::default());
            session.retry_due(Instant::now() + Duration::from_secs(60));
            let mut sent = String::new();
            while let Some(command) = session.next_outgoing() {
                sent += &command;
            }
            assert!(sent.contains(r#""C""#), "{code} {is_rejected} {sent}");
        }
    }
}

#[tokio::test]
async fn target_that_was_added_after_its_chunk_left_it_out_is_not_added_again() {
    let (mut session, _receiver) = in_chunks();
    session.retry_due(Instant::now() + Duration::from_secs(3));
    next_id(&mut session);
    change(&mut session, Change::Remove, "C");
    session.continue_due(Instant::now() + Duration::from_secs(16));
    while session.next_outgoing().is_some() {}
    let addition = change(&mut session, Change::Add, "C");
    let ok = format!(r#"{{"id":{addition},"type":"ok","sid":2,"msg":{{}}}}"#);
    session.frame(ok.into(), Arrival::default());
    let removal = change(&mut session, Change::Remove, "C");
    let error = format!(r#"{{"id":{removal},"type":"error","msg":{{"code":14,"msg":"no"}}}}"#);
    session.frame(error.into(), Arrival::default());
    assert_eq!(session.next_outgoing(), None);
}

/// The exchange rejects two chunks, each because of one target, with errors that name no command.
#[tokio::test]
async fn targets_of_two_chunks_that_fail_without_an_id_are_requested_individually() {
    let (mut session, _receiver) = in_chunks();
    for _ in 0..2 {
        session.retry_due(Instant::now() + Duration::from_secs(3));
    }
    let (_, _snapshots) = request(&mut session, &["A"]);
    let mut added = Vec::new();
    for _ in 0..20 {
        while let Some(command) = session.next_outgoing() {
            let command: Value = serde_json::from_str(&command).unwrap_or_default();
            let (id, action) = (&command["id"], &command["params"]["action"]);
            if action != "add" {
                continue;
            }
            let targets = command["params"]["market_tickers"].as_array();
            let targets: Vec<_> = targets.into_iter().flatten().cloned().collect();
            let is_rejected = targets.contains(&json!("D")) || targets.contains(&json!("F"));
            let reply = match is_rejected {
                true => r#"{"type":"error","sid":2,"msg":{"code":14}}"#.to_owned(),
                false => format!(r#"{{"id":{id},"type":"ok","sid":2,"msg":{{}}}}"#),
            };
            if !is_rejected {
                added.extend(targets);
            }
            session.frame(reply.into(), Arrival::default());
        }
        session.retry_due(Instant::now() + Duration::from_secs(600));
    }
    added.sort_by_key(ToString::to_string);
    added.dedup();
    assert_eq!(added, ["C", "E", "G", "H"]);
    assert_eq!(session.subscriptions[&SubscriptionId(1)].selected.len(), 6);
}

/// The removal may have no effect, and its reply may not show it.
#[tokio::test]
async fn target_that_another_subscription_removes_is_added_with_its_chunk() {
    for is_rejected in [true, false] {
        for removal_code in [None, Some(1), Some(18)] {
            let (mut session, _receiver) = selecting(&["A", "H"]);
            let removal = change(&mut session, Change::Remove, "H");
            let (id, _result) = subscribe_in_chunks(&mut session);
            acknowledge(&mut session, id, 1);
            session.retry_due(Instant::now() + Duration::from_secs(3));
            let chunk = next_id(&mut session);
            match is_rejected {
                true => reject(&mut session, chunk, 27),
                false => session.continue_due(Instant::now() + Duration::from_secs(16)),
            }
            if let Some(code) = removal_code {
                reject(&mut session, removal, code);
            }
            session.retry_due(Instant::now() + Duration::from_secs(60));
            let sent = outgoing(&mut session);
            assert!(
                sent.contains(r#""H""#),
                "{is_rejected} {removal_code:?} {sent}"
            );
        }
    }
}

#[tokio::test]
async fn target_is_not_added_again_for_a_subscription_that_removes_it_too() {
    let (mut session, _receiver) = selecting(&["A", "H"]);
    let removal = change(&mut session, Change::Remove, "H");
    let (id, _result) = subscribe_in_chunks(&mut session);
    acknowledge(&mut session, id, 1);
    session.retry_due(Instant::now() + Duration::from_secs(3));
    outgoing(&mut session);
    session.command(Command::Change {
        subscription: SubscriptionId(2),
        change: Change::Remove,
        targets: vec!["H".to_owned()],
        is_acknowledged: false,
        reply: oneshot::channel().0,
    });
    let second = next_id(&mut session);
    acknowledge(&mut session, removal, 1);
    assert_eq!(outgoing(&mut session), "");
    reject(&mut session, second, 14);
    let sent = outgoing(&mut session);
    assert!(
        sent.contains(r#""add""#) && sent.contains(r#"["H"]"#),
        "{sent}"
    );
}

#[tokio::test]
async fn target_removed_during_its_addition_in_chunks_is_not_added() {
    let (mut session, _receiver) = in_chunks();
    session.command(Command::Change {
        subscription: SubscriptionId(1),
        change: Change::Add,
        targets: ["P", "Q", "R", "S"].map(str::to_owned).to_vec(),
        is_acknowledged: false,
        reply: oneshot::channel().0,
    });
    let addition = next_id(&mut session);
    // The exchange does not have the target yet.
    assert_eq!(changed(&mut session, Change::Remove, "S"), None);
    acknowledge(&mut session, addition, 2);
    let sent = outgoing(&mut session);
    assert!(sent.contains(r#"["R"]"#), "{sent}");
    assert!(!selects(&session, 1, "S"));
}

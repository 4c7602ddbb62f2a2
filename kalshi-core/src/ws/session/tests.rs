//! Tests of the session without a socket.

mod chunks;
mod early;
mod late;
mod order;
mod replies;

use super::*;
use crate::ws::{
    command::{Change, RawReply},
    event::Arrival,
    queue::Backpressure,
};

static TARGETS: Targets = Targets {
    list: "market_tickers",
    single: Some("market_ticker"),
    ids: &[],
    add: "add",
    remove: "remove",
    all_if_empty: true,
    snapshot: Some("snapshot"),
    counts_from_one: false,
};

/// Returns a session that is subscribed to a channel as `sid` 1.
fn subscribed() -> (Session, crate::ws::queue::Receiver) {
    selecting(&[])
}

/// Like [`subscribed`], with these targets.
fn selecting(targets: &[&str]) -> (Session, crate::ws::queue::Receiver) {
    let mut params = Map::from_iter([("channels".to_owned(), json!(["books"]))]);
    if !targets.is_empty() {
        params.insert("market_tickers".to_owned(), json!(targets));
    }
    let (main, receiver) = EventQueue::new(Backpressure::default(), usize::MAX);
    let mut session = Session::new(main);
    session.connected();
    let (reply, _kept) = oneshot::channel();
    session.command(Command::Subscribe {
        channel: "books".to_owned(),
        targets: &TARGETS,
        params,
        queue: None,
        reply,
    });
    session.next_outgoing();
    let reply = r#"{"id":1,"type":"subscribed","msg":{"channel":"books","sid":1}}"#;
    session.frame(reply.into(), Arrival::default());
    assert!(session.sids.contains_key(&1));
    (session, receiver)
}

#[tokio::test]
async fn unknown_fields_of_an_envelope_do_not_hide_an_error() {
    let terminal = r#"{"type":"error","sid":1,"seq":9,"msg":{"code":25,"msg":"lag"},"shard":3,"sending_ts_ms":5}"#;
    let (mut session, _receiver) = subscribed();
    session.frame(terminal.into(), Arrival::default());
    assert!(session.sids.is_empty() && session.next_retry().is_some());

    let (mut session, _receiver) = subscribed();
    let (reply, mut result) = oneshot::channel();
    let targets = vec!["A".to_owned()];
    session.command(Command::SnapshotBySid {
        sid: 1,
        targets,
        reply,
    });
    // The exchange may write a missing id as 0.
    let without_id =
        r#"{"type":"error","id":0,"sid":1,"seq":9,"msg":{"code":14,"msg":"no"},"more":{"a":{}}}"#;
    session.frame(without_id.into(), Arrival::default());
    let result = result.try_recv();
    assert!(matches!(result, Ok(Err(ConnectionError::Command(error))) if error.code == 14));
}

#[tokio::test]
async fn invalid_frame_does_not_end_a_subscription() {
    let (mut session, _receiver) = subscribed();
    session.frame(
        r#"{"type":"unsubscribed","sid":1,"msg":{"a":{}}"#.into(),
        Arrival::default(),
    );
    assert!(session.sids.contains_key(&1));
}

#[tokio::test]
async fn malformed_replies_fail_their_command() {
    for reply in [
        r#"{"id":2,"type":"error","msg":{"code":"11"}}"#,
        r#"{"id":2,"msg":{}}"#,
        r#"{"id":2,"type":null}"#,
        r#"{"type":"snapshot","sid":1,"seq":3,"msg":{},"id":2,"sending_ts_ms":3}"#,
    ] {
        let (mut session, _receiver) = subscribed();
        let (sender, result) = oneshot::channel();
        let targets = vec!["A".to_owned()];
        session.command(Command::SnapshotBySid {
            sid: 1,
            targets,
            reply: sender,
        });
        session.frame(reply.into(), Arrival::default());
        let result = tokio::time::timeout(Duration::from_secs(5), result).await;
        assert!(
            matches!(result, Ok(Ok(Err(ConnectionError::Invalid(_))))),
            "{reply}: {result:?}"
        );
    }
}

#[tokio::test]
async fn frame_without_a_type_advances_the_sequence() {
    let (mut session, mut receiver) = subscribed();
    let first = r#"{"type":"delta","sid":1,"seq":1,"msg":{}}"#;
    let third = r#"{"type":"delta","sid":1,"seq":3,"msg":{}}"#;
    for text in [first, r#"{"sid":1,"seq":2}"#, third] {
        session.frame(text.into(), Arrival::default());
    }
    receiver.close();
    let mut messages = 0;
    while let Some(item) = receiver.recv().await {
        match item {
            Ok(RawEvent::Message(_)) => messages += 1,
            Ok(RawEvent::Gap { .. }) => panic!("no message is missing"),
            _ => {}
        }
    }
    assert_eq!(messages, 3);
}

#[tokio::test]
async fn unwritten_commands_are_dropped_with_their_socket() {
    let (main, _receiver) = EventQueue::new(Backpressure::default(), usize::MAX);
    let mut session = Session::new(main);
    session.connected();
    let (reply, result) = oneshot::channel();
    session.command(Command::Other {
        name: "list_subscriptions".to_owned(),
        params: None,
        reply,
    });
    assert!(session.has_outgoing());
    session.disconnected();
    assert!(matches!(
        result.await,
        Ok(Err(ConnectionError::Disconnected))
    ));
    session.connected();
    assert_eq!(session.next_outgoing(), None);
}

fn receive(session: &mut Session, frame: impl Into<Arc<str>>) {
    session.frame(frame.into(), Arrival::default());
}

/// Acknowledges a command.
fn acknowledge(session: &mut Session, id: u64, sid: u64) {
    receive(
        session,
        format!(r#"{{"id":{id},"type":"ok","sid":{sid},"msg":{{}}}}"#),
    );
}

/// Rejects a command.
fn reject(session: &mut Session, id: u64, code: i64) {
    receive(
        session,
        format!(r#"{{"id":{id},"type":"error","msg":{{"code":{code}}}}}"#),
    );
}

/// Acknowledges a subscription.
fn open(session: &mut Session, id: u64, channel: &str, sid: u64) {
    let body = format!(r#"{{"channel":"{channel}","sid":{sid}}}"#);
    receive(
        session,
        format!(r#"{{"id":{id},"type":"subscribed","msg":{body}}}"#),
    );
}

/// Returns all outgoing commands.
fn outgoing(session: &mut Session) -> String {
    let mut commands = String::new();
    while let Some(command) = session.next_outgoing() {
        commands += &command;
    }
    commands
}

fn selects(session: &Session, id: u64, target: &str) -> bool {
    let tracked = session.subscriptions.get(&SubscriptionId(id));
    tracked.is_some_and(|tracked| tracked.selected.contains(target))
}

fn empty_session() -> (Session, crate::ws::queue::Receiver) {
    let (main, receiver) = EventQueue::new(Backpressure::default(), usize::MAX);
    let mut session = Session::new(main);
    session.connected();
    (session, receiver)
}

/// Returns the id of the next outgoing command.
fn next_id(session: &mut Session) -> u64 {
    let text = session.next_outgoing().unwrap_or_default();
    let command: Value = serde_json::from_str(&text).unwrap_or_default();
    command["id"].as_u64().unwrap_or_default()
}

fn change(session: &mut Session, change: Change, target: &str) -> u64 {
    let (reply, _result) = oneshot::channel();
    let subscription = SubscriptionId(1);
    session.command(Command::Change {
        subscription,
        change,
        targets: vec![target.to_owned()],
        is_acknowledged: false,
        reply,
    });
    next_id(session)
}

/// Subscribes to a channel. Returns the id of the command, and the result.
fn subscribe(
    session: &mut Session,
    channel: &str,
) -> (u64, oneshot::Receiver<Result<Made, ConnectionError>>) {
    let (reply, result) = oneshot::channel();
    session.command(Command::Subscribe {
        channel: channel.to_owned(),
        targets: &TARGETS,
        params: Map::from_iter([("channels".to_owned(), json!([channel]))]),
        queue: None,
        reply,
    });
    (next_id(session), result)
}

type Snapshots = oneshot::Receiver<Result<Vec<RawReply>, ConnectionError>>;

/// Requests snapshots of the subscription of a session. Returns the id of the command, and the result.
fn request(session: &mut Session, targets: &[&str]) -> (u64, Snapshots) {
    let (reply, result) = oneshot::channel();
    session.command(Command::Snapshot {
        subscription: SubscriptionId(1),
        targets: targets.iter().map(ToString::to_string).collect(),
        reply,
    });
    (next_id(session), result)
}

fn deliver_snapshot(session: &mut Session, fields: &str, target: &str) {
    let snapshot =
        format!(r#"{{"type":"snapshot",{fields},"msg":{{"market_ticker":"{target}"}}}}"#);
    session.frame(snapshot.into(), Arrival::default());
}

#[tokio::test]
async fn added_and_removed_markets_leave_no_state() {
    let (mut session, _receiver) = selecting(&["A"]);
    for number in 0..1_000 {
        let target = format!("M{number}");
        for step in [Change::Add, Change::Remove] {
            let id = change(&mut session, step, &target);
            session.frame(
                format!(r#"{{"id":{id},"sid":1,"type":"ok","msg":{{}}}}"#).into(),
                Arrival::default(),
            );
            // Requested before the removal, so that it is the same market throughout.
            if step == Change::Add {
                session.frame(
                    format!(
                        r#"{{"type":"snapshot","sid":1,"msg":{{"market_ticker":"{target}"}}}}"#
                    )
                    .into(),
                    Arrival::default(),
                );
            }
        }
    }
    let route = &session.sids[&1];
    assert!(route.extra.is_empty(), "{}", route.extra.len());
    assert_eq!(session.subscriptions[&SubscriptionId(1)].selected.len(), 1);
    assert!(session.pending.is_empty() && session.waiting.is_empty());
}

#[tokio::test]
async fn ended_subscriptions_leave_no_route() {
    let (mut session, _receiver) = subscribed();
    for sid in 2..100 {
        let (reply, mut result) = oneshot::channel();
        session.command(Command::Subscribe {
            channel: "books".to_owned(),
            targets: &TARGETS,
            params: Map::new(),
            queue: None,
            reply,
        });
        let id = next_id(&mut session);
        let reply =
            format!(r#"{{"id":{id},"type":"subscribed","msg":{{"channel":"books","sid":{sid}}}}}"#);
        session.frame(reply.into(), Arrival::default());
        let Ok(Ok(made)) = result.try_recv() else {
            panic!("not subscribed")
        };
        session.command(Command::Unsubscribe {
            subscription: made.id,
            reply: None,
        });
        let id = next_id(&mut session);
        // The reply may omit the subscription.
        session.frame(
            format!(r#"{{"id":{id},"type":"unsubscribed"}}"#).into(),
            Arrival::default(),
        );
    }
    assert_eq!(session.sids.len(), 1);
    assert_eq!(session.subscriptions.len(), 1);
    assert_eq!(session.queues.len(), 1);
}

#[tokio::test]
async fn overflow_in_reply_to_a_command_ends_the_subscription() {
    for step in [Change::Add, Change::Remove] {
        let (mut session, mut receiver) = selecting(&["A", "B"]);
        let id = change(&mut session, step, "B");
        session.frame(
            format!(r#"{{"id":{id},"type":"error","msg":{{"code":25,"msg":"overflow"}}}}"#).into(),
            Arrival::default(),
        );
        assert!(session.sids.is_empty() && session.next_retry().is_some());
        receiver.close();
        let mut sids = Vec::new();
        while let Some(item) = receiver.recv().await {
            if let Ok(RawEvent::Message(message)) = item {
                sids.push(message.envelope.sid);
            }
        }
        // Order books use it to find the subscription that ended.
        assert_eq!(sids, [Some(1)]);
    }
    // Any other error only rejects the command.
    let (mut session, _receiver) = selecting(&["A"]);
    let id = change(&mut session, Change::Add, "B");
    session.frame(
        format!(r#"{{"id":{id},"type":"error","msg":{{"code":11,"msg":"no"}}}}"#).into(),
        Arrival::default(),
    );
    assert!(session.sids.contains_key(&1) && session.next_retry().is_none());
}

/// Returns the gaps that a subscribed session reports for these frames.
async fn gaps(frames: &[&str]) -> Vec<(u64, u64)> {
    let (mut session, mut receiver) = subscribed();
    for text in frames {
        session.frame((*text).into(), Arrival::default());
    }
    receiver.close();
    let mut gaps = Vec::new();
    while let Some(item) = receiver.recv().await {
        if let Ok(RawEvent::Gap { expected, got, .. }) = item {
            gaps.push((expected, got));
        }
    }
    gaps
}

#[tokio::test]
async fn lower_number_is_a_gap() {
    let fifth = r#"{"type":"delta","sid":1,"seq":5,"msg":{}}"#;
    let first = r#"{"type":"delta","sid":1,"seq":1,"msg":{}}"#;
    let second = r#"{"type":"delta","sid":1,"seq":2,"msg":{}}"#;
    assert_eq!(gaps(&[fifth, first, second]).await, [(6, 1)]);
}

#[tokio::test]
async fn repeat_and_late_snapshot_reply_are_not_gaps() {
    let fifth = r#"{"type":"delta","sid":1,"seq":5,"msg":{}}"#;
    let sixth = r#"{"type":"delta","sid":1,"seq":6,"msg":{}}"#;
    let reply = r#"{"type":"snapshot","id":1,"sid":1,"seq":5,"msg":{"market_ticker":"A"}}"#;
    assert!(gaps(&[fifth, fifth, sixth]).await.is_empty());
    assert!(gaps(&[fifth, reply, sixth]).await.is_empty());
    // No command has the id 0 or 9.
    for id in ["", r#""id":0,"#, r#""id":9,"#] {
        let unsolicited =
            format!(r#"{{"type":"snapshot",{id}"sid":1,"seq":5,"msg":{{"market_ticker":"A"}}}}"#);
        assert_eq!(gaps(&[fifth, &unsolicited, sixth]).await, [(6, 5)], "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn commands_without_a_reply_are_forgotten() {
    let (mut session, _receiver) = selecting(&["A", "B"]);
    for change in [Change::Add, Change::Remove] {
        for _ in 0..20 {
            let (reply, _) = oneshot::channel();
            session.command(Command::Change {
                subscription: SubscriptionId(1),
                change,
                targets: vec!["A".to_owned()],
                is_acknowledged: false,
                reply,
            });
        }
    }
    // A late reply still updates the selection.
    assert_eq!(session.pending.len(), 40);
    tokio::time::advance(Duration::from_secs(700)).await;
    let (reply, _result) = oneshot::channel();
    session.command(Command::SnapshotBySid {
        sid: 1,
        // The exchange may have removed the other one.
        targets: vec!["B".to_owned()],
        reply,
    });
    assert_eq!(session.pending.len(), 1);
}

/// Returns a session of the targets A to H that overflowed and is made again in chunks of two as `sid` 2.
fn in_chunks() -> (Session, crate::ws::queue::Receiver) {
    let (mut session, receiver) = selecting(&["A", "B", "C", "D", "E", "F", "G", "H"]);
    let overflow = r#"{"type":"error","sid":1,"seq":1,"msg":{"code":25,"msg":"lag"}}"#;
    session.frame(overflow.into(), Arrival::default());
    session.retry_due(Instant::now() + Duration::from_secs(60));
    let command = session.next_outgoing().unwrap_or_default();
    assert!(
        command.contains(r#""market_tickers":["A","B"]"#),
        "{command}"
    );
    let reply = r#"{"id":2,"type":"subscribed","msg":{"channel":"books","sid":2}}"#;
    session.frame(reply.into(), Arrival::default());
    (session, receiver)
}

#[tokio::test]
async fn unsubscribing_is_reported() {
    let (mut session, mut receiver) = subscribed();
    session.command(Command::Unsubscribe {
        subscription: SubscriptionId(1),
        reply: None,
    });
    receiver.close();
    let mut ended = 0;
    while let Some(Ok(event)) = receiver.recv().await {
        ended += usize::from(matches!(event, RawEvent::Unsubscribed { error: None, .. }));
    }
    assert_eq!(ended, 1);
}

/// A removal and an addition of the same target, of which the exchange acknowledges only the addition.
#[tokio::test]
async fn only_an_addition_after_the_removal_keeps_a_target() {
    for (steps, expected) in [
        ([Change::Add, Change::Remove], 0),
        ([Change::Remove, Change::Add], 1),
    ] {
        let (mut session, mut receiver) = selecting(&["A", "B"]);
        let ids = steps.map(|step| (step, change(&mut session, step, "B")));
        for (step, id) in ids {
            if step == Change::Add {
                let ok = format!(r#"{{"id":{id},"sid":1,"type":"ok","msg":{{}}}}"#);
                session.frame(ok.into(), Arrival::default());
            }
        }
        let route = &session.sids[&1];
        assert_eq!(session.has_target(route, "B"), expected == 1, "{steps:?}");
        receiver.close();
        let mut kept = 0;
        while let Some(Ok(event)) = receiver.recv().await {
            kept += usize::from(matches!(event, RawEvent::TargetsKept { .. }));
        }
        assert_eq!(kept, expected, "{steps:?}");
    }
}

/// Returns the targets that are reported as kept.
async fn kept(mut receiver: crate::ws::queue::Receiver) -> Vec<String> {
    receiver.close();
    let mut kept = Vec::new();
    while let Some(Ok(event)) = receiver.recv().await {
        if let RawEvent::TargetsKept { targets, .. } = event {
            kept.extend(targets.iter().cloned());
        }
    }
    kept
}

/// The reader may have missed the acknowledgement.
#[tokio::test]
async fn target_added_after_its_acknowledged_removal_is_reported() {
    let (mut session, receiver) = selecting(&["A", "B"]);
    for (step, target) in [
        (Change::Add, "C"),
        (Change::Remove, "B"),
        (Change::Add, "B"),
    ] {
        let id = change(&mut session, step, target);
        let ok = format!(r#"{{"id":{id},"sid":1,"type":"ok","msg":{{}}}}"#);
        session.frame(ok.into(), Arrival::default());
    }
    assert_eq!(kept(receiver).await, ["B"]);
}

#[tokio::test]
async fn target_that_no_subscription_selects_is_not_reported_as_kept() {
    let (mut session, receiver) = selecting(&["A", "B"]);
    // A second subscription shares the number and selects one of the targets.
    let (reply, _result) = oneshot::channel();
    session.command(Command::Subscribe {
        channel: "books".to_owned(),
        targets: &TARGETS,
        params: Map::from_iter([("market_tickers".to_owned(), json!(["A"]))]),
        queue: None,
        reply,
    });
    let id = next_id(&mut session);
    let ok = format!(r#"{{"id":{id},"sid":1,"type":"ok","msg":{{}}}}"#);
    session.frame(ok.into(), Arrival::default());
    session.command(Command::Unsubscribe {
        subscription: SubscriptionId(1),
        reply: None,
    });
    let id = next_id(&mut session);
    let error = format!(r#"{{"id":{id},"type":"error","msg":{{"code":27,"msg":"slow"}}}}"#);
    session.frame(error.into(), Arrival::default());
    assert!(session.sids[&1].removing.is_empty());
    assert!(kept(receiver).await.is_empty());
}

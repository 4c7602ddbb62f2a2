//! Tests of the session, without a socket.

use super::*;
use crate::ws::queue::Backpressure;

static TARGETS: Targets = Targets {
    list: "market_tickers",
    single: Some("market_ticker"),
    ids: &[],
    add: "add",
    remove: "remove",
    all_if_empty: true,
    snapshot: Some("snapshot"),
};

/// A session that is subscribed to a channel as `sid` 1.
fn subscribed() -> (Session, crate::ws::queue::Receiver) {
    let (main, receiver) = EventQueue::new(Backpressure::default(), usize::MAX);
    let mut session = Session::new(main);
    session.connected();
    let (reply, _kept) = oneshot::channel();
    session.command(Command::Subscribe {
        channel: "books".to_owned(),
        targets: &TARGETS,
        params: Map::new(),
        queue: None,
        reply,
    });
    session.next_outgoing();
    let reply = r#"{"id":1,"type":"subscribed","msg":{"channel":"books","sid":1}}"#;
    session.frame(reply.into(), None);
    assert!(session.sids.contains_key(&1));
    (session, receiver)
}

#[tokio::test]
async fn unknown_fields_of_an_envelope_do_not_hide_an_error() {
    let terminal = r#"{"type":"error","sid":1,"seq":9,"msg":{"code":25,"msg":"lag"},"shard":3,"sending_ts_ms":5}"#;
    let (mut session, _receiver) = subscribed();
    session.frame(terminal.into(), None);
    assert!(session.sids.is_empty() && session.next_retry().is_some());

    let (mut session, _receiver) = subscribed();
    let (reply, result) = oneshot::channel();
    let targets = vec!["A".to_owned()];
    session.command(Command::SnapshotBySid {
        sid: 1,
        targets,
        reply,
    });
    let without_id =
        r#"{"type":"error","sid":1,"seq":9,"msg":{"code":14,"msg":"no"},"more":{"a":{}}}"#;
    session.frame(without_id.into(), None);
    assert!(matches!(result.await, Ok(Err(ConnectionError::Command(error))) if error.code == 14));
}

#[tokio::test]
async fn broken_frame_ends_no_subscription() {
    let (mut session, _receiver) = subscribed();
    session.frame(
        r#"{"type":"unsubscribed","sid":1,"msg":{"a":{}}"#.into(),
        None,
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
        session.frame(reply.into(), None);
        let result = tokio::time::timeout(Duration::from_secs(5), result).await;
        assert!(
            matches!(result, Ok(Ok(Err(ConnectionError::Invalid(_))))),
            "{reply}: {result:?}"
        );
    }
}

#[tokio::test]
async fn frame_without_a_type_counts_in_its_sequence() {
    let (mut session, mut receiver) = subscribed();
    let first = r#"{"type":"delta","sid":1,"seq":1,"msg":{}}"#;
    let third = r#"{"type":"delta","sid":1,"seq":3,"msg":{}}"#;
    for text in [first, r#"{"sid":1,"seq":2}"#, third] {
        session.frame(text.into(), None);
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
async fn unwritten_commands_do_not_outlive_their_socket() {
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

//! Server-sent events of the page: the state and the last requests, whenever they change.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream::unfold};
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{MockExchange, ReceivedRequest, Snapshot, sync::lock};

/// Time between two checks of the state.
const INTERVAL: Duration = Duration::from_millis(250);
/// Number of checks without a change after which only the time is sent.
const MAX_UNCHANGED: u32 = 4;
/// Number of requests to send.
const REQUESTS: usize = 50;
/// Maximum size of the body and of each text of a request to send, in bytes.
const MAX_TEXT: usize = 4096;

struct Feed {
    exchange: MockExchange,
    interval: Interval,
    last: Option<(Snapshot, Vec<Value>)>,
    unchanged: u32,
}

/// Returns the events until the exchange shuts down: `state` with `state` and `requests` after a change, and `time` with the time
/// of the exchange after a second without one.
pub(super) fn stream(
    exchange: MockExchange,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let mut interval = interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed {
        exchange,
        interval,
        last: None,
        unchanged: 0,
    };
    unfold(feed, |mut feed| async {
        let event = feed.next().await?;
        Some((Ok(event.into()), feed))
    })
}

impl Feed {
    async fn next(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                () = self.exchange.shared.stopped() => return None,
                _ = self.interval.tick() => {}
            }
            let mut state = self.exchange.snapshot();
            let requests = self.requests();
            let now = state.now;
            if let Some((last, last_requests)) = &self.last {
                state.now = last.now;
                if state == *last && requests == *last_requests {
                    self.unchanged += 1;
                    if self.unchanged < MAX_UNCHANGED {
                        continue;
                    }
                    self.unchanged = 0;
                    return Some(event("time", &json!({ "now": now })));
                }
            }
            state.now = now;
            self.unchanged = 0;
            let text = event("state", &json!({ "state": state, "requests": requests }));
            self.last = Some((state, requests));
            return Some(text);
        }
    }

    /// Returns the last requests, oldest first.
    fn requests(&self) -> Vec<Value> {
        let log = lock(&self.exchange.shared.log);
        let requests = log.last(REQUESTS, |_| true);
        drop(log);
        requests.iter().map(truncated).collect()
    }
}

fn truncated(request: &ReceivedRequest) -> Value {
    let mut request = request.clone();
    if request.body.len() > MAX_TEXT {
        request.body = Bytes::new();
    }
    let mut fields = request.describe();
    for name in ["path", "query", "key_id"] {
        if let Value::String(text) = &mut fields[name]
            && text.len() > MAX_TEXT
        {
            *text = text.chars().take(MAX_TEXT).collect();
        }
    }
    fields
}

fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

//! The timer: advances the state when a scheduled action is due, while a connection is open.

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use crate::{shared::Shared, time::Micros};

/// Longest sleep.
const MAX_SLEEP: Duration = Duration::from_secs(3600);

/// Advances the state whenever something is due, until the exchange shuts down.
pub(crate) async fn keep_time(shared: Arc<Shared>) {
    loop {
        let due = {
            let state = shared.state();
            let due = state.next_due().filter(|_| state.has_listeners);
            // Without a connection nothing wakes the timer early.
            let alarm = if state.has_listeners {
                due.unwrap_or(Micros::MAX)
            } else {
                Micros::MIN
            };
            shared.hub.alarm.store(alarm, SeqCst);
            due
        };
        let wait = due.and_then(|due| shared.time.until(due));
        tokio::select! {
            () = shared.stopped() => return,
            () = shared.time.changed() => {}
            () = sleep(wait) => {}
        }
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        // One millisecond longer, so that it never wakes too early.
        Some(wait) => tokio::time::sleep(wait.min(MAX_SLEEP) + Duration::from_millis(1)).await,
        None => pending().await,
    }
}

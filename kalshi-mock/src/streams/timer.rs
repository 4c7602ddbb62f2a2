//! What falls due by itself happens at its time, as long as somebody is told.

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use crate::{shared::Shared, time::Micros};

/// How long it sleeps at most.
const LONGEST: Duration = Duration::from_secs(3600);

/// Moves the state on whenever something is due, until the exchange is shut down.
pub(crate) async fn keep_time(shared: Arc<Shared>) {
    loop {
        let due = {
            let state = shared.state();
            let due = state.next_due().filter(|_| state.listened);
            // Nobody to tell: nothing is earlier than never.
            let alarm = if state.listened {
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
        // To the millisecond after, so that it is not too early.
        Some(wait) => tokio::time::sleep(wait.min(LONGEST) + Duration::from_millis(1)).await,
        None => pending().await,
    }
}

//! The timer, which advances the state when a scheduled action is due while a connection is open.

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

#[cfg(feature = "perps")]
use crate::state::Instance;
use crate::{shared::Shared, time::Micros};

/// Maximum time between two checks of the schedule.
const MAX_SLEEP: Duration = Duration::from_secs(3600);

/// Advances the state whenever something is due, until the exchange shuts down.
pub(crate) async fn keep_time(shared: Arc<Shared>) {
    loop {
        let due = {
            let mut state = shared.state();
            let due = state.instances().next_due();
            // Without a connection, an earlier action does not wake the timer.
            let is_heard = state
                .instances()
                .each()
                .any(|(_, state)| state.has_listeners);
            let alarm = if is_heard {
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
        // Sleep one millisecond longer, so as never to wake too early.
        Some(wait) => tokio::time::sleep(wait.min(MAX_SLEEP) + Duration::from_millis(1)).await,
        None => pending().await,
    }
}

/// Sends external prices while a connection is open, until the exchange shuts down.
pub(crate) async fn send_prices(shared: Arc<Shared>) {
    loop {
        let wait = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            shared.hub.until_heard().await;
        };
        tokio::select! {
            () = shared.stopped() => return,
            () = wait => {}
        }
        let state = shared.state();
        shared.hub.send_prices(&state);
    }
}

/// Sends the tickers of the margin exchange about once a second, until the exchange shuts down.
#[cfg(feature = "perps")]
pub(crate) async fn send_tickers(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.stopped() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        if shared.hub.is_heard(Instance::Margined) {
            let mut state = shared.state();
            shared.hub.send_margin_tickers(state.margin());
        }
    }
}

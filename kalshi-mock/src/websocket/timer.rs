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

/// Advances the state whenever a scheduled action is due, until the exchange shuts down.
pub(crate) async fn run_timer(shared: Arc<Shared>) {
    loop {
        let next = {
            let mut state = shared.state();
            let next = state.instances().next_timer();
            // Without a connection, an earlier action does not wake the timer.
            let has_connections = state
                .instances()
                .states()
                .any(|(_, state)| state.has_connections);
            let timer = if has_connections {
                next.unwrap_or(Micros::MAX)
            } else {
                Micros::MIN
            };
            shared.hub.timer.store(timer, SeqCst);
            next
        };
        let wait = next.and_then(|next| shared.time.until(next));
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
            shared.hub.wait_for_connection().await;
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
        if shared.hub.has_connection_to(Instance::Margined) {
            let mut state = shared.state();
            shared.hub.send_margin_tickers(state.margin());
        }
    }
}

//! Signals while the outcome of a request is awaited.

use crate::signals::Signals;

/// Runs `future` until it completes or a termination signal, such as that of ctrl-C, arrives. Returns `None` after a signal: the request
/// may have been sent, and its outcome is unknown.
pub(super) async fn unless_interrupted<F: Future>(future: F) -> Option<F::Output> {
    // Without handlers, signals end the process.
    let Ok(mut signals) = Signals::new() else {
        return Some(future.await);
    };
    tokio::select! {
        biased;
        _ = signals.next() => None,
        output = future => Some(output),
    }
}

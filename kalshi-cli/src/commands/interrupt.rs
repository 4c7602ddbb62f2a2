//! Signals while the outcome of a request is awaited.

use crate::signals::Signals;

/// Runs `future` unless ctrl-C is pressed or another signal asks for an end. Returns `None` in that case: the request may have been sent,
/// and its outcome is unknown.
pub(super) async fn unless_interrupted<F: Future>(future: F) -> Option<F::Output> {
    // Signals end the process if they cannot be received.
    let Ok(mut signals) = Signals::new() else {
        return Some(future.await);
    };
    tokio::select! {
        biased;
        _ = signals.next() => None,
        output = future => Some(output),
    }
}

//! Ctrl-C while the outcome of a request is awaited.

/// Runs `future` unless ctrl-C is pressed. Returns `None` in that case: the request may have been sent, and its outcome is unknown.
pub(super) async fn unless_interrupted<F: Future>(future: F) -> Option<F::Output> {
    tokio::select! {
        // Listens before anything is sent.
        biased;
        Ok(()) = tokio::signal::ctrl_c() => None,
        output = future => Some(output),
    }
}

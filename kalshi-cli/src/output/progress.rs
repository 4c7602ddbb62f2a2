//! Progress on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Spinner with a count of the items received, on standard error. It is drawn only on a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(items: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(items);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} {msg}, {elapsed}") {
            bar.set_style(style);
        }
        // Redraws while nothing arrives.
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Returns a spinner without a count.
    pub(crate) fn spinner(what: &'static str) -> Self {
        let progress = Self::new(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
            progress.0.set_style(style);
        }
        progress
    }

    pub(crate) fn increment(&self) {
        self.0.inc(1);
    }

    /// Removes the count from the terminal.
    pub(crate) fn finish(self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

//! Time limit for the headers of a request, which `axum::serve` does not have.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

/// Time limit for the headers of a request, from their first byte.
const LIMIT: Duration = Duration::from_secs(30);

/// Progress of the current request on a connection.
#[derive(Default)]
pub(crate) enum HeaderTimeout {
    /// Waits for a request, without limit.
    #[default]
    Idle,
    Headers {
        limit: Pin<Box<Sleep>>,
        /// The last four bytes.
        end: u32,
    },
    /// Headers are complete, and no response has been written.
    Serving,
    /// The connection is a WebSocket.
    Upgraded,
}

impl HeaderTimeout {
    /// Returns an error once the headers have taken too long.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Self::Headers { limit, .. } = self else {
            return Ok(());
        };
        match limit.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Tracks bytes that were read.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Self::Idle = self {
            let limit = Box::pin(sleep(LIMIT));
            *self = Self::Headers { limit, end: 0 };
        }
        let Self::Headers { end, .. } = self else {
            return;
        };
        for byte in bytes {
            *end = *end << 8 | u32::from(*byte);
            // An empty line ends the headers, with or without carriage returns.
            if *end == 0x0d0a_0d0a || *end & 0xffff == 0x0a0a {
                *self = Self::Serving;
                return;
            }
        }
    }

    /// Tracks bytes that are written.
    pub(crate) fn written(&mut self, bytes: &[u8]) {
        if let Self::Serving = self {
            *self = match bytes.starts_with(b"HTTP/1.1 101") {
                true => Self::Upgraded,
                false => Self::Idle,
            };
        }
    }
}

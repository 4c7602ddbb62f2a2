//! Reads the body of a request, up to a limit.

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;

/// Size limit of a request body, in bytes.
pub(crate) const MAX_BODY: usize = 16 * 1024 * 1024;

/// Maximum number of bytes to read of a body that is too large.
const MAX_DISCARDED: usize = 16 * MAX_BODY;

/// Reads a body, or returns `None` if it is incomplete. Only the first bytes of a body larger than `max` are kept. The rest is
/// read up to a limit, because a client that is still writing would not see the response.
pub(crate) async fn read(body: Body, max: usize) -> Option<Bytes> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut length: usize = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        length = length.saturating_add(chunk.len());
        if bytes.len() <= max {
            bytes.extend_from_slice(&chunk);
        }
        if length > MAX_DISCARDED {
            break;
        }
    }
    Some(bytes.into())
}

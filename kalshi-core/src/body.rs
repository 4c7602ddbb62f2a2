//! Reads response bodies up to a limit, which applies to the decompressed size.

use bytes::Bytes;
use reqwest::Response;

/// Default maximum size of a response body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// Maximum size of the body of an error response, in bytes.
pub(crate) const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;

/// Maximum number of bytes to reserve because of a `Content-Length` header.
const MAX_RESERVED: u64 = 1024 * 1024;

/// A response body, or its beginning.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    /// `false` if the body was longer than `bytes`.
    pub(crate) is_complete: bool,
}

/// Reads at most `max` bytes of a body. If the body is longer, dropping the response closes the connection.
pub(crate) async fn read(response: &mut Response, max: usize) -> Result<Body, reqwest::Error> {
    let Some(first) = response.chunk().await? else {
        return Ok(Body {
            bytes: Bytes::new(),
            is_complete: true,
        });
    };
    // Most bodies arrive in one chunk, which is returned without a copy.
    if first.len() > max {
        return Ok(Body {
            bytes: first.slice(..max),
            is_complete: false,
        });
    }
    let rest = response.content_length().unwrap_or_default();
    let rest = usize::try_from(rest.min(MAX_RESERVED)).unwrap_or_default();
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.is_empty() {
            bytes.reserve(first.len() + chunk.len().max(rest).min(max));
            bytes.extend_from_slice(&first);
        }
        let left = max - bytes.len();
        if chunk.len() > left {
            bytes.extend(chunk.iter().take(left));
            return Ok(Body {
                bytes: bytes.into(),
                is_complete: false,
            });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body {
        bytes: if bytes.is_empty() {
            first
        } else {
            bytes.into()
        },
        is_complete: true,
    })
}

//! Reads response bodies within bounds. The length that counts is the one after decompression.

use bytes::Bytes;
use reqwest::Response;

/// Default limit of a response body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// Limit of the body of a rejection, in bytes.
pub(crate) const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;

/// Most bytes that are allocated because a `Content-Length` announces them.
const MAX_RESERVED: u64 = 1024 * 1024;

/// A body, or its beginning.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    /// `false` if the body is longer than `bytes`.
    pub(crate) is_whole: bool,
}

/// Reads at most `max` bytes of a body. Dropping the response then closes the connection if the body was not read to its end.
pub(crate) async fn read(response: &mut Response, max: usize) -> Result<Body, reqwest::Error> {
    let Some(first) = response.chunk().await? else {
        return Ok(Body {
            bytes: Bytes::new(),
            is_whole: true,
        });
    };
    // Most bodies arrive in one chunk, which needs no copy.
    if first.len() > max {
        return Ok(Body {
            bytes: first.slice(..max),
            is_whole: false,
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
        let room = max - bytes.len();
        if chunk.len() > room {
            bytes.extend(chunk.iter().take(room));
            return Ok(Body {
                bytes: bytes.into(),
                is_whole: false,
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
        is_whole: true,
    })
}

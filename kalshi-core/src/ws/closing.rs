//! The end of a socket: the error that it reports, and the closing handshake.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{
    Error as SocketError, Message as Data,
    error::CapacityError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{error::ConnectionError, handshake::Socket};

/// Timeout of the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) fn lost(error: SocketError) -> ConnectionError {
    match error {
        SocketError::ConnectionClosed | SocketError::AlreadyClosed => closed(None),
        SocketError::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
            ConnectionError::MessageTooLarge(max_size)
        }
        error => ConnectionError::broken(error),
    }
}

pub(super) fn closed(frame: Option<CloseFrame>) -> ConnectionError {
    match frame {
        None => ConnectionError::Closed {
            code: Some(1005),
            reason: String::new(),
        },
        // tungstenite replaces an invalid close code by this one and drops the reason.
        Some(frame)
            if frame.code == CloseCode::Protocol
                && frame.reason.as_str() == "Protocol violation" =>
        {
            ConnectionError::Closed {
                code: None,
                reason: String::new(),
            }
        }
        Some(frame) => ConnectionError::Closed {
            code: Some(frame.code.into()),
            reason: frame.reason.as_str().to_owned(),
        },
    }
}

/// Sends a close frame because a message is too large, if the socket accepts it without waiting.
pub(super) fn close_oversized(socket: &mut Socket, context: &mut Context<'_>) {
    let frame = CloseFrame {
        code: CloseCode::Size,
        reason: "message too large".into(),
    };
    if matches!(socket.poll_ready_unpin(context), Poll::Ready(Ok(())))
        && socket.start_send_unpin(Data::Close(Some(frame))).is_ok()
    {
        _ = socket.poll_flush_unpin(context);
    }
}

/// Sends a close frame and waits briefly for the reply.
pub(super) async fn close_gracefully(mut socket: Socket) {
    let closing = async {
        socket.close(None).await?;
        while let Some(data) = socket.next().await {
            data?;
        }
        Ok::<(), SocketError>(())
    };
    _ = timeout(CLOSE_TIMEOUT, closing).await;
}

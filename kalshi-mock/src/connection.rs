//! Connections, with or without TLS, that a fault can cut, truncate or silence.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use crate::header_timeout::HeaderTimeout;

/// Handle of the connection that a request arrived on.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    peer: SocketAddr,
    state: Arc<ConnectionState>,
}

/// State that a connection shares with its handles.
#[derive(Debug)]
struct ConnectionState {
    /// Bytes that may still be written. The maximum value means no limit.
    writable: AtomicUsize,
    is_silent: AtomicBool,
    /// True if an extra response follows the next one.
    extra_response: AtomicBool,
    /// True if the connection ends with a reset.
    resets: AtomicBool,
    waker: AtomicWaker,
}

impl Default for ConnectionState {
    fn default() -> Self {
        Self {
            writable: AtomicUsize::new(usize::MAX),
            is_silent: AtomicBool::default(),
            extra_response: AtomicBool::default(),
            resets: AtomicBool::default(),
            waker: AtomicWaker::new(),
        }
    }
}

impl Connection {
    /// Returns the address of the client.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Makes all further writes fail, which closes the connection.
    pub(crate) fn close(&self) {
        self.close_after(0);
    }

    /// Makes writes fail after `bytes` more bytes.
    pub(crate) fn close_after(&self, bytes: usize) {
        self.state.writable.store(bytes, SeqCst);
        self.state.waker.wake();
    }

    /// Closes the connection with a reset. Unsent data is lost.
    pub(crate) fn reset(&self) {
        self.state.resets.store(true, SeqCst);
        self.close();
    }

    /// Sends another response after the one that is written next.
    pub(crate) fn send_extra_response(&self) {
        self.state.extra_response.store(true, SeqCst);
    }

    /// Suspends or resumes writing.
    pub(crate) fn set_silent(&self, silent: bool) {
        self.state.is_silent.store(silent, SeqCst);
        self.state.waker.wake();
    }
}

impl Connected<IncomingStream<'_, FaultListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, FaultListener>) -> Self {
        stream.remote_addr().clone()
    }
}

/// An unsolicited response.
const EXTRA_RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// A listener that can inject faults into its connections.
pub(crate) struct FaultListener {
    listener: TcpListener,
    #[cfg(feature = "tls")]
    handshakes: Option<crate::tls::Handshakes>,
}

/// A byte stream over TCP, with or without TLS.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl FaultListener {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            #[cfg(feature = "tls")]
            handshakes: None,
        }
    }

    /// Expects a TLS handshake on every connection.
    #[cfg(feature = "tls")]
    pub(crate) fn with_tls_handshakes(mut self, handshakes: crate::tls::Handshakes) -> Self {
        self.handshakes = Some(handshakes);
        self
    }

    async fn accept_transport(&mut self) -> (Box<dyn Transport>, SocketAddr) {
        #[cfg(feature = "tls")]
        if let Some(handshakes) = &mut self.handshakes {
            return handshakes.accept(&mut self.listener).await;
        }
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        (Box::new(stream), peer)
    }
}

impl Listener for FaultListener {
    type Io = Stream;
    type Addr = Connection;

    async fn accept(&mut self) -> (Stream, Connection) {
        let (stream, peer) = self.accept_transport().await;
        // Send small responses without delay.
        _ = stream.tcp().set_nodelay(true);
        let state = Arc::<ConnectionState>::default();
        let connection = Connection {
            peer,
            state: Arc::clone(&state),
        };
        let stream = Stream {
            stream,
            state,
            headers: HeaderTimeout::default(),
        };
        (stream, connection)
    }

    fn local_addr(&self) -> io::Result<Connection> {
        let peer = TcpListener::local_addr(&self.listener)?;
        Ok(Connection {
            peer,
            state: Arc::default(),
        })
    }
}

/// A connection. Writes fail once it is closed, and reads fail if the headers of a request take too long.
pub(crate) struct Stream {
    stream: Box<dyn Transport>,
    state: Arc<ConnectionState>,
    headers: HeaderTimeout,
}

impl Stream {
    /// Returns how many bytes may be written now.
    fn poll_writable(&self, context: &Context<'_>) -> Poll<io::Result<usize>> {
        let writable = self.state.writable.load(SeqCst);
        if writable == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.state.is_silent.load(SeqCst) {
            self.state.waker.register(context.waker());
            // The state may have changed before the waker was registered.
            if self.state.is_silent.load(SeqCst) && self.state.writable.load(SeqCst) != 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(self.state.writable.load(SeqCst)))
    }

    fn count_written(&self, writable: usize, bytes: usize) {
        if writable != usize::MAX {
            self.state
                .writable
                .store(writable.saturating_sub(bytes), SeqCst);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.state.resets.load(SeqCst) {
            // If this fails, the connection closes normally.
            _ = self.stream.tcp().set_zero_linger();
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.headers.poll(context)?;
        let filled = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled();
        self.headers.read(bytes.get(filled..).unwrap_or_default());
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let writable = ready!(self.poll_writable(context))?;
        let bytes = bytes.get(..writable).unwrap_or(bytes);
        self.headers.written(bytes);
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.count_written(writable, written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let writable = ready!(self.poll_writable(context))?;
        if writable == usize::MAX {
            let first = slices.iter().find(|slice| !slice.is_empty());
            self.headers.written(first.map_or(&[], |slice| slice));
            return Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(context, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A response is flushed once it has been written.
        if self.state.extra_response.swap(false, SeqCst) {
            // These few bytes fit into the send buffer unless the client has stopped reading. The fault then has no effect.
            _ = Pin::new(&mut self.stream).poll_write(context, EXTRA_RESPONSE);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

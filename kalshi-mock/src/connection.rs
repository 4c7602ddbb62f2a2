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
    valve: Arc<Valve>,
}

/// State that a connection shares with its handles.
#[derive(Debug)]
struct Valve {
    /// Bytes that may still be written. The maximum value means no limit.
    left: AtomicUsize,
    silent: AtomicBool,
    /// True if an extra response follows the next one.
    extra: AtomicBool,
    /// True if the connection ends with a reset.
    reset: AtomicBool,
    waker: AtomicWaker,
}

impl Default for Valve {
    fn default() -> Self {
        Self {
            left: AtomicUsize::new(usize::MAX),
            silent: AtomicBool::default(),
            extra: AtomicBool::default(),
            reset: AtomicBool::default(),
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
    pub(crate) fn cut(&self) {
        self.cut_after(0);
    }

    /// Makes writes fail after `bytes` more bytes.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.valve.left.store(bytes, SeqCst);
        self.valve.waker.wake();
    }

    /// Closes the connection with a reset. Unsent data is lost.
    pub(crate) fn reset(&self) {
        self.valve.reset.store(true, SeqCst);
        self.cut();
    }

    /// Sends another response after the one that is written next.
    pub(crate) fn respond_twice(&self) {
        self.valve.extra.store(true, SeqCst);
    }

    /// Suspends or resumes writing.
    pub(crate) fn silence(&self, silent: bool) {
        self.valve.silent.store(silent, SeqCst);
        self.valve.waker.wake();
    }
}

impl Connected<IncomingStream<'_, Severable>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Severable>) -> Self {
        stream.remote_addr().clone()
    }
}

/// An unsolicited response.
const EXTRA_RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// A listener whose connections can be cut.
pub(crate) struct Severable {
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

impl Severable {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            #[cfg(feature = "tls")]
            handshakes: None,
        }
    }

    /// Expects a TLS handshake on every connection.
    #[cfg(feature = "tls")]
    pub(crate) fn with_handshakes(mut self, handshakes: crate::tls::Handshakes) -> Self {
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

impl Listener for Severable {
    type Io = Stream;
    type Addr = Connection;

    async fn accept(&mut self) -> (Stream, Connection) {
        let (stream, peer) = self.accept_transport().await;
        // Send small responses without delay.
        _ = stream.tcp().set_nodelay(true);
        let valve = Arc::<Valve>::default();
        let connection = Connection {
            peer,
            valve: Arc::clone(&valve),
        };
        let stream = Stream {
            stream,
            valve,
            headers: HeaderTimeout::default(),
        };
        (stream, connection)
    }

    fn local_addr(&self) -> io::Result<Connection> {
        let peer = TcpListener::local_addr(&self.listener)?;
        Ok(Connection {
            peer,
            valve: Arc::default(),
        })
    }
}

/// A connection. Writes fail once it is cut, and reads fail if the headers of a request take too long.
pub(crate) struct Stream {
    stream: Box<dyn Transport>,
    valve: Arc<Valve>,
    headers: HeaderTimeout,
}

impl Stream {
    /// Returns how many bytes may be written now.
    fn poll_left(&self, context: &Context<'_>) -> Poll<io::Result<usize>> {
        let left = self.valve.left.load(SeqCst);
        if left == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.valve.silent.load(SeqCst) {
            self.valve.waker.register(context.waker());
            // The state may have changed before the waker was registered.
            if self.valve.silent.load(SeqCst) && self.valve.left.load(SeqCst) != 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(self.valve.left.load(SeqCst)))
    }

    fn count_written(&self, left: usize, bytes: usize) {
        if left != usize::MAX {
            self.valve.left.store(left.saturating_sub(bytes), SeqCst);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.valve.reset.load(SeqCst) {
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
        let left = ready!(self.poll_left(context))?;
        let bytes = bytes.get(..left).unwrap_or(bytes);
        self.headers.written(bytes);
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.count_written(left, written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let left = ready!(self.poll_left(context))?;
        if left == usize::MAX {
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
        if self.valve.extra.swap(false, SeqCst) {
            // These few bytes fit into the send buffer unless the client has stopped reading. The fault then has no effect.
            _ = Pin::new(&mut self.stream).poll_write(context, EXTRA_RESPONSE);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

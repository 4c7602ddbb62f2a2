//! The HTTP server: connections that can be cut, and a route for each operation.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::{
        ConnectInfo, RawPathParams, Request, State, connect_info::Connected,
        rejection::RawPathParamsRejection,
    },
    response::Response,
    routing::{MethodFilter, on},
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use crate::{contract::Contract, gate, shared::Shared};

/// What all paths of the exchange begin with.
pub(crate) const PREFIX: &str = "/trade-api/v2";

/// Serves until it is told to stop, and then until no call is under way.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let service = router(Arc::clone(&shared)).into_make_service_with_connect_info::<Connection>();
    axum::serve(Severable(listener), service)
        .with_graceful_shutdown(async move { shared.stopped().await })
        .await
}

fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for endpoint in Contract::get().endpoints() {
        let Ok(method) = MethodFilter::try_from(endpoint.operation.method.clone()) else {
            continue;
        };
        let serve = move |State(shared): State<Arc<Shared>>,
                          ConnectInfo(connection): ConnectInfo<Connection>,
                          parameters: Result<RawPathParams, RawPathParamsRejection>,
                          request: Request| async move {
            // A path that is no UTF-8 is nowhere.
            let target = parameters.ok().map(|parameters| {
                let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                (endpoint, parameters.iter().map(owned).collect())
            });
            gate::serve(&shared, target, &connection, request).await
        };
        router = router.route(
            &format!("{PREFIX}{}", endpoint.operation.path),
            on(method, serve),
        );
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(shared)
}

async fn unknown(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    gate::serve(&shared, None, &connection, request).await
}

/// The connection that a call came by.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    peer: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Connection {
    /// Whose it is.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Lets nothing more through.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Severable>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Severable>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A listener whose connections can be cut.
struct Severable(TcpListener);

impl Listener for Severable {
    type Io = Stream;
    type Addr = Connection;

    async fn accept(&mut self) -> (Stream, Connection) {
        let (stream, peer) = Listener::accept(&mut self.0).await;
        // Small answers are not to wait for company.
        _ = stream.set_nodelay(true);
        let cut = Arc::new(AtomicBool::new(false));
        let connection = Connection {
            peer,
            cut: Arc::clone(&cut),
        };
        (Stream { stream, cut }, connection)
    }

    fn local_addr(&self) -> io::Result<Connection> {
        let peer = TcpListener::local_addr(&self.0)?;
        Ok(Connection {
            peer,
            cut: Arc::default(),
        })
    }
}

/// A connection that breaks on the first byte written after it was cut.
struct Stream {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl Stream {
    fn check(&self) -> io::Result<()> {
        match self.cut.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

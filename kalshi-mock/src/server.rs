//! The HTTP server: a route for each operation, and one for WebSocket connections.

use std::{collections::HashSet, io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, RawPathParams, Request, State, rejection::RawPathParamsRejection},
    response::Response,
    routing::{MethodFilter, get, on},
};
use tokio::net::TcpListener;

use crate::{
    connection::{Connection, FaultListener},
    control::Control,
    pipeline,
    shared::Shared,
    spec::Spec,
    websocket,
};

/// Prefix of the REST paths of both exchanges.
pub(crate) const PREFIX: &str = "/trade-api/v2";
/// Path of the WebSocket endpoint.
pub(crate) const WS_PATH: &str = "/trade-api/ws/v2";
/// Path of the WebSocket endpoint of the margin exchange.
#[cfg(feature = "perps")]
pub(crate) const MARGIN_WS_PATH: &str = "/trade-api/ws/v2/margin";
/// Prefix of the paths of the clearing API.
#[cfg(feature = "klear")]
pub(crate) const KLEAR_PREFIX: &str = "/klear-api/v1";

/// Time limit after the shutdown for clients to read their responses.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 });

/// Serves until shutdown, then finishes the requests in flight.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    control: Option<Control>,
) -> io::Result<()> {
    let mut router = router(Arc::clone(&shared));
    if let Some(control) = control {
        router = router.merge(control.router());
    }
    let service = router.into_make_service_with_connect_info::<Connection>();
    let listener = FaultListener::new(listener);
    #[cfg(feature = "tls")]
    let listener = match &shared.tls {
        Some(tls) => listener.with_tls_handshakes(tls.handshakes()),
        None => listener,
    };
    let stopping = Arc::clone(&shared);
    let served = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stopping.stopped().await });
    tokio::select! {
        served = async { served.await } => served,
        // A client that does not read its response, such as a suspended page, would hold up the shutdown.
        () = async {
            shared.stopped().await;
            tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
        } => Ok(()),
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    let mut served = HashSet::new();
    for endpoint in Spec::get().endpoints() {
        let path = endpoint.path();
        if !served.insert((endpoint.operation.method.clone(), path.clone())) {
            continue;
        }
        let Ok(method) = MethodFilter::try_from(endpoint.operation.method.clone()) else {
            continue;
        };
        let serve = move |State(shared): State<Arc<Shared>>,
                          ConnectInfo(connection): ConnectInfo<Connection>,
                          parameters: Result<RawPathParams, RawPathParamsRejection>,
                          request: Request| async move {
            // A path that is not UTF-8 matches no operation.
            let target = parameters.ok().map(|parameters| {
                let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                (endpoint, parameters.iter().map(owned).collect())
            });
            pipeline::serve(&shared, target, &connection, request).await
        };
        router = router.route(&path, on(method, serve));
    }
    #[cfg(feature = "perps")]
    {
        router = router.route(MARGIN_WS_PATH, get(websocket::margin_handshake));
    }
    router
        .route(WS_PATH, get(websocket::handshake))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(shared)
}

async fn unknown(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    pipeline::serve(&shared, None, &connection, request).await
}

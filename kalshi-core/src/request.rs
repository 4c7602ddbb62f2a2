//! The request path: a tracing span around the attempts, then decoding.

use reqwest::Request;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};

use crate::{
    client::Core,
    custom_request::Route,
    error::Error,
    limits::{self, Charge},
    operation::Operation,
    received::Received,
    response::Response,
    sending::Sending,
    wire::Attempts,
};

impl Core {
    /// Sends a request and decodes the response.
    #[allow(
        clippy::manual_async_fn,
        reason = "the future of an `async fn` holds its parameters twice, and many requests may be in flight"
    )]
    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> impl Future<Output = Result<Response<T>, Error>> {
        async move {
            let attempts = Attempts::default();
            match request {
                Ok(ref request) => {
                    let received = self.fetch(operation, request, &attempts, None);
                    received.await?.into_object()
                }
                Err(error) => Err(error),
            }
        }
    }

    /// Sends a request for a page, and returns the page and the length of the body.
    pub(crate) async fn call_page<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> Result<(T, usize), Error> {
        let attempts = Attempts::default();
        let received = self.fetch(operation, &request?, &attempts, None).await?;
        let length = received.body.len();
        Ok((received.into_object::<T>()?.into_inner(), length))
    }

    /// Sends a request, counts its attempts in `attempts` and decodes the response.
    pub(crate) async fn call_counted<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
        attempts: &Attempts,
    ) -> Result<Response<T>, Error> {
        let received = self.fetch(operation, &request?, attempts, None).await?;
        received.into_object()
    }

    /// Sends a request and decodes a response that may be a list.
    pub(crate) async fn call_list<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> Result<Response<T>, Error> {
        let attempts = Attempts::default();
        let received = self.fetch(operation, &request?, &attempts, None).await?;
        received.into_any()
    }

    /// Sends a request whose response has no body, and counts its attempts in `attempts`.
    pub(crate) async fn call_empty(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
        attempts: &Attempts,
    ) -> Result<Response<()>, Error> {
        let received = self.fetch(operation, &request?, attempts, None).await?;
        received.into_empty()
    }

    /// Sends a custom request and returns the response undecoded.
    pub(crate) async fn call_custom(
        &self,
        operation: &'static Operation,
        request: &Request,
        route: &Route,
    ) -> Result<Received, Error> {
        let attempts = Attempts::default();
        self.fetch(operation, request, &attempts, Some(route)).await
    }

    /// Sends a request inside a tracing span. Returns an error for any status other than success.
    async fn fetch(
        &self,
        operation: &'static Operation,
        request: &Request,
        attempts: &Attempts,
        route: Option<&Route>,
    ) -> Result<Received, Error> {
        let span = tracing::debug_span!(
            "kalshi",
            operation = operation.id,
            method = %operation.method,
            path = route.map_or(operation.path, |route| &route.path),
            status = Empty,
            duration_ms = Empty,
        );
        let charged = route.and_then(|route| route.operation).unwrap_or(operation);
        let body = request.body().and_then(reqwest::Body::as_bytes);
        let charge = Charge {
            is_signed: operation.auth,
            tokens: route.and_then(|route| route.cost),
            cost_of_query: charged.cost_of_query(request.url().query()),
            ..Charge::new(charged, limits::items(charged, body))
        };
        let sending = Sending {
            core: self,
            operation,
            request,
            charge,
            attempts,
        };
        // Boxed, because the caller's future is copied several times when a task is spawned with it.
        let sending = Box::pin(sending.run());
        // Faster without a subscriber.
        let result = if span.is_none() {
            sending.await
        } else {
            Self::record(sending).instrument(span).await
        };
        match result {
            Ok(response) if self.reads_evidence => response.check_evidence(self.requires_cursor),
            Ok(response) => Ok(response),
            Err(error) => Err(error.after(attempts)),
        }
    }

    /// Records the outcome of a request in the current span.
    async fn record(
        sending: impl Future<Output = Result<Received, Error>>,
    ) -> Result<Received, Error> {
        let started = Instant::now();
        let result = sending.await;
        let span = Span::current();
        let status = match &result {
            Ok(response) => Some(response.status),
            Err(error) => error.status(),
        };
        if let Some(status) = status {
            span.record("status", status.as_u16());
        }
        span.record(
            "duration_ms",
            u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        );
        tracing::trace!("finished");
        result
    }
}

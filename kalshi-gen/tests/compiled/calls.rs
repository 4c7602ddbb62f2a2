//! Sends any operation by its id to a server whose next response the test sets.

use std::{
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::Stream as _;
use kalshi_core::{
    Error,
    pages::{Page, Pages},
};
use kalshi_gen::{FixupMode, Samples};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use crate::target::{self, Client, types};

/// The arguments of an operation, by setter name.
pub struct Arguments(Map<String, Value>);

impl Arguments {
    fn get<T: DeserializeOwned>(&self, name: &str) -> T {
        let value = self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("no argument {name}"));
        serde_json::from_value(value.clone())
            .unwrap_or_else(|error| panic!("{name}: {value}: {error}"))
    }
}

fn serialized<T: Serialize>(response: &T) -> Value {
    serde_json::to_value(response).unwrap()
}

/// Returns the next page of a list, or `None` after the last.
#[allow(dead_code)]
async fn next<T: Page>(pages: &mut Pages<T>) -> Result<Option<T>, Error> {
    std::future::poll_fn(|context| Pin::new(&mut *pages).poll_next(context))
        .await
        .transpose()
}

include!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/generated/calls.rs"
));

/// Returns the samples of the spec, created once for all tests.
pub fn samples() -> &'static Samples {
    static SAMPLES: LazyLock<Samples> =
        LazyLock::new(|| Samples::new(target::SPEC, FixupMode::Lenient).unwrap());
    &SAMPLES
}

/// Returns arguments for all setters of `id`: every parameter, and the body.
pub fn arguments(samples: &Samples, id: &str) -> Arguments {
    let mut out = Map::new();
    for argument in samples.arguments(id) {
        out.insert(argument.name, argument.value);
    }
    out.extend(samples.body(id).map(|body| ("body".to_owned(), body)));
    Arguments(out)
}

/// A server and a client for it. The next response is the one set last.
pub struct Server {
    pub server: MockServer,
    pub client: Client,
    next: Arc<Mutex<ResponseTemplate>>,
    request_count: AtomicUsize,
}

impl Server {
    pub async fn start() -> Self {
        let server = MockServer::start().await;
        let next = Arc::new(Mutex::new(ResponseTemplate::new(500)));
        let response = next.clone();
        Mock::given(any())
            .respond_with(move |_: &Request| response.lock().unwrap().clone())
            .mount(&server)
            .await;
        let client = super::client(&server);
        Self {
            server,
            client,
            next,
            request_count: AtomicUsize::new(0),
        }
    }

    /// Sets the next response.
    pub fn respond(&self, status: u16, body: Option<Value>) {
        let template = ResponseTemplate::new(status);
        *self.next.lock().unwrap() = match body {
            Some(body) => template.set_body_json(body),
            None => template,
        };
    }

    /// Sets the next response as raw bytes.
    pub fn respond_raw(&self, status: u16, body: &[u8], media_type: &str) {
        *self.next.lock().unwrap() = ResponseTemplate::new(status).set_body_raw(body, media_type);
    }

    /// Returns the only request since the last call.
    pub async fn take_request(&self) -> Request {
        let requests = self.server.received_requests().await.unwrap();
        let before = self.request_count.swap(requests.len(), Ordering::Relaxed);
        assert_eq!(requests.len(), before + 1, "not one request");
        requests.into_iter().next_back().unwrap()
    }
}

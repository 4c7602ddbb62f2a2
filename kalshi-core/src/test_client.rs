//! The client and the environment of an API for unit tests. Nothing listens on its hosts.

use crate::{ApiClient, Environment, Operation, client::Core};

#[derive(Clone)]
pub(crate) struct TestClient(pub(crate) Core);

impl ApiClient for TestClient {
    type Environment = Local;
    const USER_AGENT: &'static str = "test";
    const OPERATIONS: &'static [Operation] = &[];

    fn from_core(core: Core, _: Local) -> Self {
        Self(core)
    }

    fn core(&self) -> &Core {
        &self.0
    }

    fn with_core(&self, core: Core) -> Self {
        Self(core)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Local;

impl Environment for Local {
    fn rest_url(&self) -> &str {
        "http://127.0.0.1:1"
    }

    fn websocket_url(&self) -> Option<&str> {
        Some("ws://127.0.0.1:1/ws")
    }
}

//! The parts of this API that the tests shared by every API crate depend on.

use kalshi_gen::{FixupMode, Options};
use kalshi_klear::BearerCredentials;
pub use kalshi_klear::{Client, ClientBuilder, Environment, operation, types};
use wiremock::Request;

pub const SPEC: &str = include_str!("../../klear_openapi.yaml");

pub const ADMIN_USER_ID: &str = "7d9f1a34-admin-user";
pub const ACCESS_TOKEN: &str = "tok_4Zk1-access";

pub fn environment(base: &str) -> Environment {
    Environment::custom(&format!("{base}/klear-api/v1")).unwrap()
}

/// Returns the build script's options that change types.
pub fn options() -> Options {
    Options::new().fixups(FixupMode::Strict)
}

pub fn credentials() -> BearerCredentials {
    BearerCredentials::new(ADMIN_USER_ID, ACCESS_TOKEN).unwrap()
}

pub fn with_credentials(builder: ClientBuilder) -> ClientBuilder {
    builder.credentials(credentials())
}

pub fn assert_authenticated(request: &Request) {
    let values: Vec<_> = request.headers.get_all("authorization").iter().collect();
    assert_eq!(values, [&format!("Bearer {ADMIN_USER_ID}:{ACCESS_TOKEN}")]);
}

pub fn assert_anonymous(request: &Request) {
    assert!(!request.headers.contains_key("authorization"));
}


#[cfg(test)]
mod target {
    pub use crate::{Client, ClientBuilder, Environment, operation, types};

    pub use crate::harness::signed::{
        assert_signed as assert_authenticated, assert_unsigned as assert_anonymous,
        with_credentials,
    };

    pub const SPEC: &str = include_str!("../openapi.yaml");

    pub fn environment(base: &str) -> Environment {
        Environment::custom(&format!("{base}/trade-api/v2")).unwrap()
    }
}

#[cfg(test)]
#[path = "ROOT/kalshi-gen/tests/compiled/harness.rs"]
mod harness;


#[cfg(test)]
extern crate self as kalshi_sdk;

#[cfg(test)]
#[path = "ROOT/kalshi-gen/tests/compiled/harness.rs"]
mod harness;

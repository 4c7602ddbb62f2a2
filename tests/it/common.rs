//! Helpers shared by the tests: a faulty server, received requests, and tests in separate processes.

pub(crate) mod exchange;

use chrono::{TimeDelta, Utc};
use kalshi_sdk::auth::{Clock, ClockError};
use wiremock::{MockServer, Request};

pub use crate::{
    harness::{
        builder, calls, client,
        signed::{KEY_ID, NOW_MS, assert_signed, assert_unsigned, key, public_key},
    },
    target::environment,
};

/// A clock that is off by a fixed duration.
#[derive(Debug)]
pub struct SkewedClock(pub TimeDelta);

impl Clock for SkewedClock {
    fn now_ms(&self) -> Result<u64, ClockError> {
        let now = Utc::now() + self.0;
        Ok(u64::try_from(now.timestamp_millis()).unwrap())
    }
}

pub async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

/// Runs the test `name`, its path in this binary, in a separate process, because it measures memory or changes global state.
/// Returns `true` in that process, where the test continues.
pub fn is_alone(name: &str) -> bool {
    const CHILD_VARIABLE: &str = "KALSHI_TEST_ALONE";
    if std::env::var_os(CHILD_VARIABLE).is_some() {
        return true;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(CHILD_VARIABLE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
    false
}

/// Returns the peak memory of this process in bytes, or `None` if the system does not report it.
pub fn peak_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: usize = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

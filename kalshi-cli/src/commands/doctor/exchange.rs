//! Checks of the connection to the exchange, its status, schedule and spec.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use kalshi_sdk::{
    Client, Environment, Error, RetryPolicy, SPEC_VERSION,
    reqwest::{Method, Url},
    types::{DailySchedule, ExchangeStatus},
};
use tokio::{net::lookup_host, time::timeout};

use super::Checks;

/// Timeout for resolving a name, and for fetching the spec.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Checks that the name of the exchange resolves.
pub(super) async fn check_dns(checks: &mut Checks, environment: &Environment) {
    let url = Url::parse(environment.rest_url());
    let Ok(url) = url else { return };
    let (host, port) = (
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(443),
    );
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        checks.ok("dns", format!("{host} needs no lookup"));
        return;
    }
    let error = match timeout(TIMEOUT, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<_> = addresses.map(|address| address.ip().to_string()).collect();
            checks.ok("dns", format!("{host} is {}", addresses.join(", ")));
            return;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no response within 5 s".to_owned(),
    };
    // A proxy resolves the name itself. If none does, the connection fails.
    checks.warning(
        "dns",
        format!("{host} does not resolve: {error}"),
        "check the network and the name server",
    );
}

/// Checks that the exchange can be reached and that it trades.
pub(super) async fn check_status(
    checks: &mut Checks,
    environment: &Environment,
    client: &Client,
) -> Option<ExchangeStatus> {
    let started = Instant::now();
    let status = match client.get_exchange_status().send().await {
        Ok(status) => status.into_inner(),
        Err(error) if error.status().is_some() => {
            checks.ok("connection", connection_detail(environment, started));
            checks.failure("status", error.to_string(), "wait until the exchange is up");
            return None;
        }
        Err(error) => {
            checks.failure("connection", with_sources(&error), remedy(&error));
            return None;
        }
    };
    checks.ok("connection", connection_detail(environment, started));
    let resume = match status.exchange_estimated_resume_time {
        Some(time) => format!(
            "wait: it is expected to resume at {}",
            time.format("%Y-%m-%d %H:%M UTC")
        ),
        None => "wait until it resumes, and check again".to_owned(),
    };
    match (status.exchange_active, status.trading_active) {
        (true, true) => checks.ok("status", "exchange and trading are active"),
        (true, false) => checks.failure("status", "trading is paused", resume),
        (false, _) => checks.failure("status", "the exchange is closed", resume),
    }
    // The overall status is that of shard 0.
    let shards = status.exchange_index_statuses.iter();
    for shard in shards.filter(|shard| shard.exchange_index.0 != 0) {
        if !shard.exchange_active || !shard.trading_active {
            checks.warning(
                "status",
                format!(
                    "trading is paused on shard {} ({})",
                    shard.exchange_index.0, shard.description
                ),
                "orders of markets there are rejected until it resumes",
            );
        }
    }
    Some(status)
}

fn connection_detail(environment: &Environment, started: Instant) -> String {
    let url = environment.rest_url();
    let tls = match url.starts_with("https:") {
        true => "TLS",
        false => "no TLS, a local exchange",
    };
    format!(
        "{url}, {tls}, first response after {} ms",
        started.elapsed().as_millis()
    )
}

/// Returns an error with its causes.
fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    text
}

fn remedy(error: &Error) -> &'static str {
    let text = with_sources(error).to_lowercase();
    if text.contains("certificate") {
        "the certificate is not accepted: check this machine's clock and certificates, and proxies that intercept TLS"
    } else if text.contains("dns") {
        "the name does not resolve: check the network and the name server"
    } else if error.is_timeout() {
        "the request timed out: check the network and firewalls"
    } else {
        "no connection was established: check the network, firewalls and the variable HTTPS_PROXY"
    }
}

/// Reports maintenance planned for the next two days, and weekly pauses.
pub(super) async fn check_schedule(checks: &mut Checks, client: &Client) {
    let schedule = match client.get_exchange_schedule().send().await {
        Ok(schedule) => schedule.into_inner().schedule,
        Err(error) => {
            checks.warning("schedule", error.to_string(), "try again");
            return;
        }
    };
    let now = Utc::now();
    for window in &schedule.maintenance_windows {
        let (from, to) = (window.start_datetime, window.end_datetime);
        if to > now && from - now < TimeDelta::days(2) {
            checks.warning(
                "schedule",
                format!(
                    "maintenance from {} to {} UTC",
                    from.format("%Y-%m-%d %H:%M"),
                    to.format("%Y-%m-%d %H:%M")
                ),
                "let the bot stop before it, or place orders with `cancel_order_on_pause`",
            );
        }
    }
    for week in &schedule.standard_hours {
        if !(week.start_time..week.end_time).contains(&now) {
            continue;
        }
        let days = [
            ("Monday", &week.monday),
            ("Tuesday", &week.tuesday),
            ("Wednesday", &week.wednesday),
            ("Thursday", &week.thursday),
            ("Friday", &week.friday),
            ("Saturday", &week.saturday),
            ("Sunday", &week.sunday),
        ];
        let pauses: Vec<_> = days
            .iter()
            .filter(|(_, sessions)| !is_all_day(sessions))
            .map(|(day, sessions)| {
                let sessions: Vec<_> = sessions
                    .iter()
                    .map(|session| format!("{}-{}", session.open_time, session.close_time))
                    .collect();
                format!("{day} {}", sessions.join(" and "))
            })
            .collect();
        match pauses.is_empty() {
            true => checks.info("schedule", "no weekly pause"),
            false => checks.info(
                "schedule",
                format!(
                    "trading hours (Eastern time) are limited on {}",
                    pauses.join("; ")
                ),
            ),
        }
    }
}

fn is_all_day(sessions: &[DailySchedule]) -> bool {
    let is_all_day_session = |session: &DailySchedule| {
        session.open_time == "00:00"
            && ["24:00", "23:59", "00:00"].contains(&session.close_time.as_str())
    };
    matches!(sessions, [session] if is_all_day_session(session))
}

/// Compares the version of the spec with the published one.
pub(super) async fn check_spec(checks: &mut Checks, environment: &Environment) {
    if matches!(environment, Environment::Custom(_)) {
        checks.info(
            "spec",
            format!("{SPEC_VERSION}; a custom exchange publishes no spec"),
        );
        return;
    }
    match published_version().await {
        Some(version) if version == SPEC_VERSION => {
            checks.ok("spec", format!("{SPEC_VERSION}, as published"));
        }
        Some(version) => checks.warning(
            "spec",
            format!("{version} is published, and this program was built for {SPEC_VERSION}"),
            "read the exchange's changelog and update this program",
        ),
        None => checks.info(
            "spec",
            format!("{SPEC_VERSION}; the published version could not be read"),
        ),
    }
}

/// Returns the version of the spec that the exchange publishes.
async fn published_version() -> Option<String> {
    let site = "https://docs.kalshi.com";
    let environment = Environment::custom_path(site, "wss://docs.kalshi.com").ok()?;
    let client = Client::builder()
        .environment(environment)
        .retry(RetryPolicy::none())
        .timeout(TIMEOUT)
        .build()
        .ok()?;
    // The client decodes only JSON, but its error contains the body as received.
    let request = client.request(Method::GET, "/openapi.yaml").unsigned();
    let error = request.send::<serde_json::Value>().await.err()?;
    version(std::str::from_utf8(error.body()?).ok()?)
}

/// Returns `info.version` of a spec in YAML.
fn version(yaml: &str) -> Option<String> {
    let mut lines = yaml.lines().skip_while(|line| line.trim_end() != "info:");
    let line = lines.find_map(|line| line.strip_prefix("  version:"))?;
    Some(line.trim().trim_matches(['\'', '"']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_from_the_spec() {
        let spec = include_str!("../../../../openapi.yaml");
        assert_eq!(version(spec).as_deref(), Some(SPEC_VERSION));
        assert_eq!(version("<html>"), None);
    }
}

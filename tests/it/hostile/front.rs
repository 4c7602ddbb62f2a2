//! A front of the exchange that fails like a proxy, fails like the exchange, or sends an extra response on a connection.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use chrono::Utc;
use fastrand::Rng;
use serde_json::{Value, json};

use super::model::{Model, PRICE, flow_of};
use crate::common::exchange::{Received, Reply};

/// A delay within the client's timeout, and one beyond it.
const DELAYS: [Duration; 2] = [Duration::from_millis(40), Duration::from_secs(3)];

/// Age of a signature from which a write is dropped, in milliseconds: shortly after the client's timeout.
const LATEST_MS: i64 = 900;

/// Statuses that prove nothing, regardless of the body.
const STATUSES: [u16; 18] = [
    301, 302, 307, 308, 405, 408, 413, 421, 425, 431, 451, 499, 500, 502, 503, 504, 520, 599,
];

/// Statuses that are rejections if the body has the exchange's format.
const REJECTING: [u16; 7] = [400, 401, 403, 404, 409, 410, 422];

pub const UNCERTAIN_CODES: [&str; 7] = [
    "bad_gateway",
    "deadline_exceeded",
    "internal_error",
    "internal_server_error",
    "timeout",
    "gateway_timeout",
    "service_unavailable",
];

/// Rejections before processing.
const REJECTIONS: [(u16, &str); 4] = [
    (409, "fill_or_kill_insufficient_resting_volume"),
    (409, "trading_is_paused"),
    (400, "insufficient_balance"),
    (403, "permission_denied"),
];

/// A fault in a response.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Drop,
    Reset,
    Half,
    Short,
    Hang,
    Slow,
    Status,
    ProxyError,
    UncertainCode,
    UncertainItems,
    ProxyLimit,
    Nonsense,
    Endless,
    Oversized,
}

const FAULTS: [Fault; 16] = [
    Fault::Drop,
    Fault::Reset,
    Fault::Half,
    Fault::Short,
    Fault::Hang,
    Fault::Slow,
    Fault::Status,
    Fault::Status,
    Fault::Status,
    Fault::ProxyError,
    Fault::ProxyError,
    Fault::UncertainCode,
    Fault::UncertainCode,
    Fault::UncertainItems,
    Fault::ProxyLimit,
    Fault::Nonsense,
];

#[derive(Default)]
struct State {
    random: Rng,
    /// The pending response of each shifted connection.
    delayed: HashMap<usize, Reply>,
    /// A recent success of each kind of request, with its flow.
    recent: HashMap<&'static str, (Option<u64>, Reply)>,
    /// Flows that received the error or the empty list of another request.
    misled: BTreeSet<u64>,
    /// Number of lists without a market that got the response to another request, which does not show in them.
    misled_lists: usize,
    counts: BTreeMap<String, usize>,
}

/// The exchange behind a hostile front.
pub struct Front {
    pub model: Model,
    state: Mutex<State>,
}

impl Front {
    pub fn new(seed: u64, model: Model) -> Arc<Self> {
        let state = State {
            random: Rng::with_seed(seed),
            ..State::default()
        };
        Arc::new(Self {
            model,
            state: Mutex::new(state),
        })
    }

    /// Returns `true` if the flow received a shifted response that cannot be detected over HTTP/1.1.
    pub fn is_misled(&self, flow: u64) -> bool {
        self.state.lock().unwrap().misled.contains(&flow)
    }

    /// Returns the number of lists without a market that got the response to another request.
    #[allow(dead_code, reason = "lists of the perpetuals API prove no absence")]
    pub fn misled_lists(&self) -> usize {
        self.state.lock().unwrap().misled_lists
    }

    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.state.lock().unwrap().counts.clone()
    }

    /// Returns `true` if a connection is to be closed instead of reading its next request.
    pub fn closes_connection(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        let is_closed = state.random.u32(0..100) < 3;
        if is_closed {
            let name = "closed before a request".to_owned();
            *state.counts.entry(name).or_default() += 1;
        }
        is_closed
    }

    pub fn reply(&self, request: &Received) -> Reply {
        let own = if request.method == "GET" {
            self.read(request)
        } else {
            self.write(request)
        };
        let reply = self.shift(request, own);
        self.date(reply)
    }

    fn read(&self, request: &Received) -> Reply {
        let (chance, fault) = {
            let mut state = self.state.lock().unwrap();
            (
                state.random.u32(0..1000),
                state.random.choice(FAULTS).unwrap(),
            )
        };
        match chance {
            0..50 => self.fail(request, fault, self.model.handle(request)),
            50..60 => Reply::rate_limited(),
            60..63 => self.fail(request, Fault::Oversized, self.model.handle(request)),
            63..66 => self.fail(request, Fault::Endless, self.model.handle(request)),
            66..86 if request.path.ends_with("user_data_timestamp") => Reply::status(503),
            66..76 => self.corrupt_row(self.model.handle(request)),
            _ => self.model.handle(request),
        }
    }

    fn write(&self, request: &Received) -> Reply {
        // A busy machine may deliver a write long after the client timed out. No client could prove its outcome.
        if Utc::now().timestamp_millis() - request.timestamp() > LATEST_MS {
            *self
                .state
                .lock()
                .unwrap()
                .counts
                .entry("late write, not processed".to_owned())
                .or_default() += 1;
            return Reply::Drop;
        }
        let (chance, fault, rejection) = {
            let mut state = self.state.lock().unwrap();
            let random = &mut state.random;
            (
                random.u32(0..1000),
                random.choice(FAULTS).unwrap(),
                random.choice(REJECTIONS).unwrap(),
            )
        };
        match chance {
            // First a fault after processing, then one before.
            0..250 => self.fail(request, fault, self.model.handle(request)),
            250..350 => self.fail(request, fault, Reply::json(500, &json!({}))),
            350..420 => Reply::rate_limited(),
            420..450 => {
                let (status, code) = rejection;
                Reply::json(status, &json!({ "error": { "code": code } }))
            }
            450..455 => self.fail(request, Fault::Oversized, self.model.handle(request)),
            455..460 => self.fail(request, Fault::Endless, self.model.handle(request)),
            _ => self.model.handle(request),
        }
    }

    /// Injects a fault into the response to a request.
    fn fail(&self, request: &Received, fault: Fault, reply: Reply) -> Reply {
        let mut state = self.state.lock().unwrap();
        let is_write = request.method != "GET";
        let name = format!("{} {fault:?}", if is_write { "write" } else { "read" });
        *state.counts.entry(name).or_default() += 1;
        let random = &mut state.random;
        let Reply::Response(status, _, body) = reply else {
            return reply;
        };
        match fault {
            Fault::Drop => Reply::Drop,
            Fault::Reset => Reply::Reset,
            Fault::Half => Reply::Half(status, body),
            Fault::Short => Reply::Short(status, body),
            Fault::Hang => Reply::Hang,
            Fault::Slow => Reply::Slow(random.choice(DELAYS).unwrap(), status, body),
            Fault::Status => {
                let status = random.choice(STATUSES).unwrap();
                let reply = error_body(random, status, &json!({ "error": { "code": "failed" } }));
                match status {
                    301..309 => reply.with_header("location", "http://127.0.0.1:9/trade-api/v2/"),
                    _ => reply,
                }
            }
            Fault::ProxyError => {
                let status = random.choice(REJECTING).unwrap();
                // None of these bodies has the exchange's format, so the status does not prove a rejection.
                let body = random.choice([r#"{"message":"Not Found"}"#, "", NGINX, "{}", "null"]);
                Reply::Response(status, Vec::new(), body.unwrap().into())
            }
            Fault::UncertainCode => {
                let code = uncertain_code(random);
                let status = random
                    .choice([200, 201, 400, 404, 409, 422, 500, 504])
                    .unwrap();
                Reply::json(status, &json!({ "error": { "code": code } }))
            }
            Fault::UncertainItems => {
                let mut body: Value = serde_json::from_slice(&body).unwrap();
                let Some(items) = body["orders"].as_array_mut().filter(|_| is_write) else {
                    let code = uncertain_code(random);
                    return Reply::json(200, &json!({ "error": { "code": code } }));
                };
                for item in items {
                    if random.bool() {
                        let id = if request.method == "DELETE" {
                            item["order_id"].take()
                        } else {
                            Value::Null
                        };
                        *item = json!({
                            "order_id": id, "reduced_by": "0.00", "client_order_id": item["client_order_id"],
                            "error": { "code": uncertain_code(random) },
                        });
                    }
                }
                Reply::json(status, &body)
            }
            // These bodies do not have the exchange's error format either.
            Fault::ProxyLimit => {
                let body = random.choice([r#"{"message":"slow down"}"#, NGINX, ""]);
                Reply::Response(429, Vec::new(), body.unwrap().into())
            }
            Fault::Nonsense => Reply::json(status, &json!({ "order": "of a kind" })),
            Fault::Endless => {
                let status = random.choice([200, 400, 404, 502]).unwrap();
                Reply::Endless(
                    status,
                    br#"{"error":{"code":"not_found","message":""#.to_vec(),
                )
            }
            Fault::Oversized => {
                let status = random.choice([400, 404, 409, 500]).unwrap();
                let message = "x".repeat(80_000);
                Reply::json(
                    status,
                    &json!({ "error": { "code": "not_found", "message": message } }),
                )
            }
        }
    }

    /// Makes a random row of a list invalid.
    fn corrupt_row(&self, reply: Reply) -> Reply {
        let Reply::Response(status, _, body) = reply else {
            return reply;
        };
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        let mut state = self.state.lock().unwrap();
        let rows = body["orders"].as_array_mut();
        if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
            let index = state.random.usize(0..rows.len());
            rows[index][PRICE] = json!("cheap");
            *state.counts.entry("spoilt row".to_owned()).or_default() += 1;
        }
        Reply::json(status, &body)
    }

    /// Occasionally sends an extra response. Each later request on the connection gets the response to its predecessor.
    fn shift(&self, request: &Received, own: Reply) -> Reply {
        let mut state = self.state.lock().unwrap();
        let (kind, flow) = (kind(request), self.flow(request));
        let recent = state.recent.get(kind).cloned();
        if let Reply::Response(200 | 201, _, _) = &own {
            state.recent.insert(kind, (flow, own.clone()));
        }
        let delayed = state.delayed.remove(&request.connection);
        let Reply::Response(..) = &own else {
            return own;
        };
        let (given, is_new) = match delayed {
            Some(delayed) => (delayed, false),
            None if state.random.u32(0..1000) >= 25 => return own,
            None => match recent {
                _ if state.random.u32(0..4) == 0 => {
                    let (status, code) = state.random.choice(REJECTIONS).unwrap();
                    (
                        Reply::json(status, &json!({ "error": { "code": code } })),
                        true,
                    )
                }
                Some((of, reply)) if of != flow || flow.is_none() => (reply, true),
                _ => return own,
            },
        };
        state.delayed.insert(request.connection, own);
        let is_silent = is_unattributable(&given);
        if let (true, Some(flow)) = (is_silent, flow) {
            state.misled.insert(flow);
        }
        state.misled_lists += usize::from(flow.is_none() && ["archive", "list"].contains(&kind));
        let name = format!(
            "{} shifted {}",
            if is_new {
                "extra response,"
            } else {
                "response"
            },
            if is_silent {
                "error or empty list"
            } else {
                kind
            },
        );
        *state.counts.entry(name).or_default() += 1;
        given
    }

    /// Returns the number of the flow that a request belongs to.
    fn flow(&self, request: &Received) -> Option<u64> {
        let query = ["ticker", "market_ticker"].map(|name| request.query.get(name));
        let named = query.into_iter().flatten().find_map(|text| flow_of(text));
        let of_path = || {
            flow_of(
                request
                    .path
                    .split('/')
                    .find(|part| part.starts_with("order-"))?,
            )
        };
        let of_body = || {
            let body: Value = serde_json::from_slice(&request.body).ok()?;
            let first = body["orders"].get(0).unwrap_or(&body);
            ["ticker", "order_id"]
                .iter()
                .find_map(|name| flow_of(first[name].as_str()?))
        };
        named.or_else(of_path).or_else(of_body)
    }

    /// Adds a `Date` to half of the responses, and rarely a wrong one, because the client keeps each for the next 16 seconds.
    fn date(&self, reply: Reply) -> Reply {
        let mut state = self.state.lock().unwrap();
        let now = SystemTime::now();
        let date = match state.random.u32(0..10_000) {
            0 => now + Duration::from_secs(7200),
            1 => now - Duration::from_secs(7200),
            2..5_000 => now,
            _ => return reply,
        };
        if date != now {
            *state.counts.entry("wrong date".to_owned()).or_default() += 1;
        }
        reply.dated(date)
    }
}

pub const NGINX: &str = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n\
    <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

fn error_body(random: &mut Rng, status: u16, of_exchange: &Value) -> Reply {
    match random.u32(0..4) {
        0 => Reply::json(status, of_exchange),
        1 => Reply::Response(status, Vec::new(), NGINX.into()),
        2 => Reply::json(status, &json!({})),
        _ => Reply::status(status),
    }
}

fn uncertain_code(random: &mut Rng) -> String {
    let code = random.choice(UNCERTAIN_CODES).unwrap();
    if random.bool() {
        format!("{code}: upstream 7")
    } else {
        code.to_owned()
    }
}

fn kind(request: &Received) -> &'static str {
    let path = request.path.as_str();
    match request.method.as_str() {
        "GET" if path.ends_with("/historical/orders") => "archive",
        "GET" if path.ends_with("/orders") => "list",
        "GET" if path.ends_with("/user_data_timestamp") => "time",
        "GET" => "order",
        "DELETE" if path.ends_with("/batched") => "batch of cancels",
        "DELETE" => "cancel",
        _ if path.ends_with("/batched") => "batch of orders",
        _ if path.ends_with("/amend") => "amend",
        _ if path.ends_with("/decrease") => "decrease",
        _ => "placed order",
    }
}

/// Returns `true` if a response does not name an order, so it could belong to any request.
fn is_unattributable(reply: &Reply) -> bool {
    let Reply::Response(status, _, body) = reply else {
        return false;
    };
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let is_empty = body["orders"].as_array().is_some_and(Vec::is_empty);
    *status >= 300 || is_empty || body.get("error").is_some()
}

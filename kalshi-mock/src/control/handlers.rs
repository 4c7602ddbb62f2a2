//! Handlers of the control interface. Each calls the handle that a Rust test uses.

use std::time::Duration;

use chrono::{DateTime, Utc};
use kalshi_sdk::{Contracts, Dollars, auth::PublicKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlError, Handler, Input};
use crate::{FaultRule, Market, MockExchange, Settlement, User, sync::lock};

type Reply = Result<Value, ControlError>;

/// Everything that is served: method, path and handler.
pub(super) const ROUTES: &[(&str, &str, Handler)] = &[
    ("GET", "/mock/state", |exchange, _| {
        shown(exchange.snapshot())
    }),
    ("POST", "/mock/reset", |exchange, _| {
        exchange.reset();
        done()
    }),
    ("GET", "/mock/requests", requests),
    ("DELETE", "/mock/requests", |exchange, _| {
        exchange.clear_requests();
        done()
    }),
    ("GET", "/mock/time", |exchange, _| time(exchange)),
    ("POST", "/mock/time/stop", stop),
    ("POST", "/mock/time/advance", advance),
    ("POST", "/mock/time/resume", |exchange, _| {
        exchange.time().resume();
        time(exchange)
    }),
    ("PUT", "/mock/markets/{ticker}", put_market),
    ("GET", "/mock/markets/{ticker}", |exchange, input| {
        market(exchange, input).and_then(|market| show(exchange, &market))
    }),
    (
        "POST",
        "/mock/markets/{ticker}/quotes",
        |exchange, input| quote(exchange, input, true),
    ),
    (
        "DELETE",
        "/mock/markets/{ticker}/quotes",
        |exchange, input| act(exchange, input, Market::clear),
    ),
    (
        "POST",
        "/mock/markets/{ticker}/trades",
        |exchange, input| quote(exchange, input, false),
    ),
    ("POST", "/mock/markets/{ticker}/pause", |exchange, input| {
        act(exchange, input, Market::pause)
    }),
    (
        "POST",
        "/mock/markets/{ticker}/resume",
        |exchange, input| act(exchange, input, Market::resume),
    ),
    ("POST", "/mock/markets/{ticker}/close", |exchange, input| {
        act(exchange, input, Market::close)
    }),
    ("POST", "/mock/markets/{ticker}/settle", settle),
    ("POST", "/mock/users", add_user),
    ("POST", "/mock/users/{user_id}/deposits", deposit),
    ("POST", "/mock/faults", fault),
    ("DELETE", "/mock/faults", |exchange, _| {
        exchange.clear_faults();
        done()
    }),
    ("POST", "/mock/users/{user_id}/keys", add_key),
    ("PUT", "/mock/exchange", put_exchange),
    ("POST", "/mock/websocket/faults", websocket_fault),
    ("POST", "/mock/sign", sign),
];

fn done() -> Reply {
    Ok(json!({}))
}

fn shown(value: impl serde::Serialize) -> Reply {
    serde_json::to_value(value).map_err(|error| ControlError::bad(error.to_string()))
}

fn requests(exchange: &MockExchange, input: &Input) -> Reply {
    let value = |name: &str| {
        let pairs = &mut input.query.iter();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    };
    let limit = match value("limit") {
        None => 100,
        Some(limit) => limit
            .parse()
            .map_err(|_| ControlError::bad("limit is a number"))?,
    };
    let operation = value("operation");
    let log = lock(&exchange.shared.log);
    let last = log.last(limit, |request| {
        operation.is_none_or(|operation| request.is(operation))
    });
    let last: Vec<Value> = last.iter().map(|request| request.describe()).collect();
    Ok(json!({ "requests": last }))
}

fn time(exchange: &MockExchange) -> Reply {
    let time = exchange.time();
    let now = time
        .now()
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    Ok(json!({ "now": now, "stopped": time.is_stopped() }))
}

fn stop(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Stop {
        at: Option<DateTime<Utc>>,
    }
    match input.body::<Stop>()?.at {
        Some(at) => exchange.time().stop_at(at),
        None => exchange.time().stop(),
    }
    time(exchange)
}

fn advance(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Advance {
        milliseconds: u64,
    }
    let by = input.body::<Advance>()?.milliseconds;
    exchange.time().advance(Duration::from_millis(by));
    time(exchange)
}

fn put_market(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Terms {
        closes_at: Option<DateTime<Utc>>,
        mutually_exclusive: Option<bool>,
    }
    let (ticker, terms) = (input.parameter(), input.body::<Terms>()?);
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if ticker.is_empty() || ticker.len() > 100 || !ticker.bytes().all(is_valid) {
        return Err(ControlError::bad(
            "a ticker has up to 100 letters, digits, dots, dashes and underscores",
        ));
    }
    let market = exchange.market(ticker);
    if let Some(at) = terms.closes_at {
        market.closes_at(at);
    }
    if let Some(exclusive) = terms.mutually_exclusive {
        market.mutually_exclusive(exclusive);
    }
    show(exchange, &market)
}

/// Returns the market of the path, which must exist.
fn market(exchange: &MockExchange, input: &Input) -> Result<Market, ControlError> {
    let ticker = input.parameter();
    match exchange.market_snapshot(ticker) {
        Some(_) => Ok(exchange.market(ticker)),
        None => Err(ControlError::not_found(format!(
            "no market {ticker}: create it with PUT /mock/markets/{ticker}"
        ))),
    }
}

fn show(exchange: &MockExchange, market: &Market) -> Reply {
    shown(exchange.market_snapshot(market.ticker()))
}

fn act(exchange: &MockExchange, input: &Input, act: fn(&Market) -> Market) -> Reply {
    let market = act(&market(exchange, input)?);
    show(exchange, &market)
}

/// Places an order of the market maker, which rests or only trades.
fn quote(exchange: &MockExchange, input: &Input, rests: bool) -> Reply {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Side {
        Bid,
        Ask,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Quote {
        side: Side,
        price: Dollars,
        count: Contracts,
    }
    let market = market(exchange, input)?;
    let Quote { side, price, count } = input.body()?;
    if price <= Dollars::ZERO || price >= Dollars::ONE {
        return Err(ControlError::bad("price is between 0 and 1 dollars"));
    }
    if count <= Contracts::ZERO || count > crate::state::MAX_COUNT {
        return Err(ControlError::bad("count is above 0, and at most a billion"));
    }
    let status = exchange.market_snapshot(market.ticker());
    let status = status.map_or("", |market| market.status);
    if status != "active" {
        return Err(ControlError::conflict(format!(
            "the market is {status}: only an active market is quoted"
        )));
    }
    match (side, rests) {
        (Side::Bid, true) => market.bid(price, count),
        (Side::Ask, true) => market.ask(price, count),
        (Side::Bid, false) => market.buy(price, count),
        (Side::Ask, false) => market.sell(price, count),
    };
    show(exchange, &market)
}

fn settle(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settle {
        value: Dollars,
    }
    let market = market(exchange, input)?;
    let Settle { value } = input.body()?;
    if value < Dollars::ZERO || value > Dollars::ONE {
        return Err(ControlError::bad(
            "value is what YES pays, from 0 to 1 dollars",
        ));
    }
    market.settle(Settlement::Scalar(value));
    show(exchange, &market)
}

fn add_user(exchange: &MockExchange, _: &Input) -> Reply {
    let user = exchange.add_user().map_err(|error| ControlError {
        status: http::StatusCode::INTERNAL_SERVER_ERROR,
        code: "key_failed",
        message: error.to_string(),
    })?;
    Ok(json!({
        "user_id": user.id(),
        "key_id": user.credentials().key_id(),
        "private_key": user.private_key().to_pkcs8_pem().as_str(),
    }))
}

fn deposit(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Money {
        amount: Dollars,
        #[serde(default)]
        exchange_index: u32,
    }
    let user = user(exchange, input)?;
    let Money {
        amount,
        exchange_index,
    } = input.body()?;
    user.deposit(exchange_index, amount);
    done()
}

fn user(exchange: &MockExchange, input: &Input) -> Result<User, ControlError> {
    let id = input.parameter();
    let user = exchange.users().into_iter().find(|user| user.id() == id);
    user.ok_or_else(|| ControlError::not_found(format!("no user {id}: GET /mock/state lists them")))
}

fn add_key(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NewKey {
        key_id: String,
        public_key: String,
    }
    let user = user(exchange, input)?;
    let NewKey { key_id, public_key } = input.body()?;
    let public = PublicKey::from_pem(&public_key)
        .map_err(|error| ControlError::bad(format!("public_key: {error}")))?;
    let is_taken = exchange
        .users()
        .iter()
        .any(|user| user.credentials().key_id() == key_id);
    if key_id.is_empty() || is_taken {
        return Err(ControlError::conflict(
            "key_id is empty, or the first key of a user",
        ));
    }
    user.register_key(&key_id, public);
    Ok(json!({ "key_id": key_id }))
}

fn put_exchange(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Switches {
        exchange_active: Option<bool>,
        trading_active: Option<bool>,
    }
    let switches: Switches = input.body()?;
    if let Some(active) = switches.exchange_active {
        exchange.set_active(active);
    }
    match switches.trading_active {
        Some(true) => exchange.resume_trading(),
        Some(false) => exchange.pause_trading(),
        None => {}
    }
    done()
}

fn websocket_fault(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
    enum StreamFault {
        DropFrames { count: u32 },
        RepeatFrame {},
        SwapFrames {},
        SendRaw { text: String },
        Silence {},
        Resume {},
        Close { code: u16, reason: String },
        Reset {},
        ResetInFrame {},
        EndSubscriptions { code: u8 },
        RefuseHandshakes { status: u16, times: u32 },
    }
    let streams = exchange.streams();
    match input.body()? {
        StreamFault::DropFrames { count } => streams.drop_frames(count),
        StreamFault::RepeatFrame {} => streams.repeat_frame(),
        StreamFault::SwapFrames {} => streams.swap_frames(),
        StreamFault::SendRaw { text } => streams.send_raw(&text),
        StreamFault::Silence {} => streams.silence(),
        StreamFault::Resume {} => streams.resume(),
        StreamFault::Close { code, reason } => streams.close(code, &reason),
        StreamFault::Reset {} => streams.reset(),
        StreamFault::ResetInFrame {} => streams.reset_in_frame(),
        StreamFault::EndSubscriptions { code } => streams.end_subscriptions(code),
        StreamFault::RefuseHandshakes { status, times } => streams.refuse_handshakes(status, times),
    }
    Ok(json!({ "connections": streams.connections() }))
}

fn fault(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Text {
        fault: String,
    }
    let rule: Result<FaultRule, _> = input.body::<Text>()?.fault.parse();
    exchange.fault(rule.map_err(|error| ControlError::bad(error.to_string()))?);
    done()
}

fn sign(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ToSign {
        method: String,
        path: String,
        key_id: Option<String>,
    }
    let ToSign {
        method,
        path,
        key_id,
    } = input.body()?;
    let id = key_id.unwrap_or_else(|| exchange.credentials().key_id().to_owned());
    let now_ms = u64::try_from(exchange.time().micros() / 1000).unwrap_or_default();
    match exchange.shared.keys.sign(&id, (&method, &path), now_ms) {
        Some(Ok(signature)) => Ok(json!({ "headers": {
            "KALSHI-ACCESS-KEY": id,
            "KALSHI-ACCESS-TIMESTAMP": now_ms.to_string(),
            "KALSHI-ACCESS-SIGNATURE": signature,
        }})),
        Some(Err(error)) => Err(ControlError::bad(error.to_string())),
        None => Err(ControlError::not_found(format!(
            "no key {id} that the exchange generated: it signs with no other"
        ))),
    }
}

//! The exchange as a whole: clock, switches, schedule and faults.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{ControlError, Input, empty, routes::Reply};
use crate::{FaultRule, MockExchange, ScheduledEvent, Time};

/// Years that the clock can be set to.
const YEARS: std::ops::Range<i32> = 1970..2200;

pub(super) fn time(exchange: &MockExchange) -> Reply {
    let time = exchange.time();
    let now = time.now().to_rfc3339_opts(SecondsFormat::Micros, true);
    Ok(json!({ "now": now, "stopped": time.is_stopped() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
    at: Option<DateTime<Utc>>,
}

pub(super) fn stop(exchange: &MockExchange, input: &Input) -> Reply {
    match input.body::<Stop>()?.at {
        Some(at) => exchange.time().stop_at(check_year(at)?),
        None => exchange.time().stop(),
    }
    run_due_actions(exchange)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    milliseconds: u64,
}

pub(super) fn advance(exchange: &MockExchange, input: &Input) -> Reply {
    let by = input.body::<Advance>()?.milliseconds;
    let time: Time = exchange.time();
    let length = i64::try_from(by).ok().and_then(TimeDelta::try_milliseconds);
    let to = length.and_then(|length| time.now().checked_add_signed(length));
    check_year(to.unwrap_or(DateTime::<Utc>::MAX_UTC))?;
    time.advance(Duration::from_millis(by));
    run_due_actions(exchange)
}

/// Runs the actions that are due at the new time, so that the next request sees their effects.
fn run_due_actions(exchange: &MockExchange) -> Reply {
    drop(exchange.shared.state());
    time(exchange)
}

fn check_year(time: DateTime<Utc>) -> Result<DateTime<Utc>, ControlError> {
    use chrono::Datelike;
    match YEARS.contains(&time.year()) {
        true => Ok(time),
        false => Err(ControlError::bad_request(format!(
            "the clock can be set to the years from {} to {}",
            YEARS.start,
            YEARS.end - 1
        ))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switches {
    exchange_active: Option<bool>,
    trading_active: Option<bool>,
}

pub(super) fn put(exchange: &MockExchange, input: &Input) -> Reply {
    let switches: Switches = input.body()?;
    if let Some(active) = switches.exchange_active {
        exchange.set_active(active);
    }
    match switches.trading_active {
        Some(true) => exchange.resume_trading(),
        Some(false) => exchange.pause_trading(),
        None => {}
    }
    let state = exchange.shared.state();
    Ok(json!({
        "exchange_active": state.exchange_active,
        "trading_active": state.is_trading(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventBody {
    event: String,
}

pub(super) fn schedule(exchange: &MockExchange, input: &Input) -> Reply {
    let text = input.body::<EventBody>()?.event;
    let event: ScheduledEvent = text
        .parse()
        .map_err(|error| ControlError::bad_request(format!("event: {error}")))?;
    if let Some(ticker) = event.market()
        && exchange.market_snapshot(ticker).is_none()
    {
        return Err(ControlError::not_found(format!("no market {ticker}")));
    }
    exchange.schedule(&event);
    empty()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultBody {
    fault: String,
}

pub(super) fn fault(exchange: &MockExchange, input: &Input) -> Reply {
    let rule: Result<FaultRule, _> = input.body::<FaultBody>()?.fault.parse();
    exchange.fault(rule.map_err(|error| ControlError::bad_request(format!("fault: {error}")))?);
    empty()
}

#[derive(Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
enum WebSocketFault {
    DropFrames { count: u32 },
    RepeatFrame {},
    SwapFrames {},
    WithholdSnapshots { count: u32 },
    RejectAdditions { count: u32 },
    ResetSequences {},
    ResetClocks {},
    SendRaw { text: String },
    Silence {},
    Resume {},
    Close { code: u16, reason: String },
    Reset {},
    ResetInFrame {},
    EndSubscriptions { code: u8 },
    RejectHandshakes { status: u16, times: u32 },
    RejectHandshakesWithHtml { status: u16, times: u32 },
}

pub(super) fn websocket_fault(exchange: &MockExchange, input: &Input) -> Reply {
    let fault: WebSocketFault = input.body()?;
    let is_close = |code: u16| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    match &fault {
        WebSocketFault::Close { code, .. } if !is_close(*code) => {
            return Err(ControlError::bad_request(
                "code must be a close code that can be sent",
            ));
        }
        WebSocketFault::Close { reason, .. } if reason.len() > 123 => {
            return Err(ControlError::bad_request("reason must be up to 123 bytes"));
        }
        WebSocketFault::RejectHandshakes { status, .. }
        | WebSocketFault::RejectHandshakesWithHtml { status, .. }
            if !(200..600).contains(status) =>
        {
            return Err(ControlError::bad_request("status must be from 200 to 599"));
        }
        _ => {}
    }
    let websockets = exchange.websockets();
    match fault {
        WebSocketFault::DropFrames { count } => websockets.drop_frames(count),
        WebSocketFault::RepeatFrame {} => websockets.repeat_frame(),
        WebSocketFault::SwapFrames {} => websockets.swap_frames(),
        WebSocketFault::WithholdSnapshots { count } => websockets.withhold_snapshots(count),
        WebSocketFault::RejectAdditions { count } => websockets.reject_additions(count),
        WebSocketFault::ResetSequences {} => websockets.reset_sequences(),
        WebSocketFault::ResetClocks {} => websockets.reset_clocks(),
        WebSocketFault::SendRaw { text } => websockets.send_raw(&text),
        WebSocketFault::Silence {} => websockets.silence(),
        WebSocketFault::Resume {} => websockets.resume(),
        WebSocketFault::Close { code, reason } => websockets.close(code, &reason),
        WebSocketFault::Reset {} => websockets.reset(),
        WebSocketFault::ResetInFrame {} => websockets.reset_in_frame(),
        WebSocketFault::EndSubscriptions { code } => websockets.end_subscriptions(code),
        WebSocketFault::RejectHandshakes { status, times } => {
            websockets.reject_handshakes(status, times)
        }
        WebSocketFault::RejectHandshakesWithHtml { status, times } => {
            websockets.reject_handshakes_with_html(status, times);
        }
    }
    Ok(json!({ "connections": websockets.connections() }))
}

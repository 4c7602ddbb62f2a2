//! The exchange as a whole: clock, switches, schedule and faults.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{ControlError, Input, done, routes::Reply};
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
        Some(at) => exchange.time().stop_at(within(at)?),
        None => exchange.time().stop(),
    }
    act_now(exchange)
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
    within(to.unwrap_or(DateTime::<Utc>::MAX_UTC))?;
    time.advance(Duration::from_millis(by));
    act_now(exchange)
}

/// Runs the actions that are due at the new time, so that the next request sees their effects.
fn act_now(exchange: &MockExchange) -> Reply {
    drop(exchange.shared.state());
    time(exchange)
}

fn within(time: DateTime<Utc>) -> Result<DateTime<Utc>, ControlError> {
    use chrono::Datelike;
    match YEARS.contains(&time.year()) {
        true => Ok(time),
        false => Err(ControlError::bad(format!(
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
struct EventText {
    event: String,
}

pub(super) fn schedule(exchange: &MockExchange, input: &Input) -> Reply {
    let text = input.body::<EventText>()?.event;
    let event: ScheduledEvent = text
        .parse()
        .map_err(|error| ControlError::bad(format!("event: {error}")))?;
    if let Some(ticker) = event.market()
        && exchange.market_snapshot(ticker).is_none()
    {
        return Err(ControlError::not_found(format!("no market {ticker}")));
    }
    exchange.schedule(&event);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultText {
    fault: String,
}

pub(super) fn fault(exchange: &MockExchange, input: &Input) -> Reply {
    let rule: Result<FaultRule, _> = input.body::<FaultText>()?.fault.parse();
    exchange.fault(rule.map_err(|error| ControlError::bad(format!("fault: {error}")))?);
    done()
}

#[derive(Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
enum StreamFault {
    DropFrames { count: u32 },
    RepeatFrame {},
    SwapFrames {},
    WithholdSnapshots { count: u32 },
    RefuseAdditions { count: u32 },
    ResetSequences {},
    ResetClocks {},
    SendRaw { text: String },
    Silence {},
    Resume {},
    Close { code: u16, reason: String },
    Reset {},
    ResetInFrame {},
    EndSubscriptions { code: u8 },
    RefuseHandshakes { status: u16, times: u32 },
    RefuseHandshakesWithHtml { status: u16, times: u32 },
}

pub(super) fn websocket_fault(exchange: &MockExchange, input: &Input) -> Reply {
    let fault: StreamFault = input.body()?;
    let is_close = |code: u16| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    match &fault {
        StreamFault::Close { code, .. } if !is_close(*code) => {
            return Err(ControlError::bad(
                "code must be a close code that can be sent",
            ));
        }
        StreamFault::Close { reason, .. } if reason.len() > 123 => {
            return Err(ControlError::bad("reason must be up to 123 bytes"));
        }
        StreamFault::RefuseHandshakes { status, .. }
        | StreamFault::RefuseHandshakesWithHtml { status, .. }
            if !(200..600).contains(status) =>
        {
            return Err(ControlError::bad("status must be from 200 to 599"));
        }
        _ => {}
    }
    let streams = exchange.streams();
    match fault {
        StreamFault::DropFrames { count } => streams.drop_frames(count),
        StreamFault::RepeatFrame {} => streams.repeat_frame(),
        StreamFault::SwapFrames {} => streams.swap_frames(),
        StreamFault::WithholdSnapshots { count } => streams.withhold_snapshots(count),
        StreamFault::RefuseAdditions { count } => streams.refuse_additions(count),
        StreamFault::ResetSequences {} => streams.reset_sequences(),
        StreamFault::ResetClocks {} => streams.reset_clocks(),
        StreamFault::SendRaw { text } => streams.send_raw(&text),
        StreamFault::Silence {} => streams.silence(),
        StreamFault::Resume {} => streams.resume(),
        StreamFault::Close { code, reason } => streams.close(code, &reason),
        StreamFault::Reset {} => streams.reset(),
        StreamFault::ResetInFrame {} => streams.reset_in_frame(),
        StreamFault::EndSubscriptions { code } => streams.end_subscriptions(code),
        StreamFault::RefuseHandshakes { status, times } => streams.refuse_handshakes(status, times),
        StreamFault::RefuseHandshakesWithHtml { status, times } => {
            streams.refuse_handshakes_with_html(status, times);
        }
    }
    Ok(json!({ "connections": streams.connections() }))
}

//! Positions, and the risk of an account.

use kalshi_sdk::Contracts;
use serde_json::{Value, json};

use super::{HandlerResult, amount, object};
use crate::{
    call::{Call, decimal, without_nulls},
    state::{Account, Holding, INITIAL_TENTHS, Market, Perp, State},
};

/// A position that is visible to a read.
struct VisiblePosition<'a> {
    subaccount: u8,
    market: &'a Market,
    perp: &'a Perp,
    holding: Holding,
}

/// Returns the positions that are visible to a read.
fn visible_positions<'a>(state: &'a State, call: &Call<'_>) -> Vec<VisiblePosition<'a>> {
    let user = call.caller.user;
    let holdings = state.ledger.holdings_of_user(user);
    let rows = holdings.filter_map(|(subaccount, index, holding)| {
        let market = state.markets.get(index)?;
        let account = Account { user, subaccount };
        let holding = match call.as_of {
            Some(time) => state.holding_at(account, index, time),
            None => holding.clone(),
        };
        Some(VisiblePosition {
            subaccount,
            market,
            perp: market.perp.as_ref()?,
            holding,
        })
    });
    rows.filter(|position| position.holding.position != 0 && call.can_read(position.subaccount))
        .collect()
}

pub(super) fn positions(state: &State, call: &Call<'_>) -> HandlerResult {
    let only = call.only_subaccount(state)?;
    let rows = visible_positions(state, call)
        .into_iter()
        .filter(|position| {
            only.is_none_or(|only| position.subaccount == only)
                && call
                    .string("ticker")
                    .is_none_or(|ticker| position.market.ticker == ticker)
        });
    let positions = rows.map(|position| {
        let mark = state.mark(position.market);
        let unrealized = position.holding.unrealized(mark);
        let margin = position.perp.maintenance(position.holding.notional(mark));
        // Percent of the margin, in billionths.
        let roe = i128::from(unrealized) * 100_000_000_000 / i128::from(margin.max(1));
        json!({
            "subaccount": position.subaccount,
            "market_ticker": position.market.ticker,
            "position": Contracts::from_hundredths(position.holding.position),
            "entry_price": position.holding.entry_price(),
            "unrealized_pnl": amount(unrealized),
            "margin_used": amount(margin),
            "fees": amount(position.holding.fees),
            "roe": decimal(i64::try_from(roe).unwrap_or_default(), 9),
            "is_portfolio": false,
        })
    });
    Ok(json!({ "positions": positions.collect::<Vec<_>>() }))
}

pub(super) fn risk(state: &State, call: &Call<'_>) -> HandlerResult {
    let (mut notionals, mut margins): (i64, i64) = (0, 0);
    let rows: Vec<Value> = visible_positions(state, call)
        .into_iter()
        .map(|position| {
            let mark = state.mark(position.market);
            let notional = position.holding.notional(mark);
            let margin = position.perp.maintenance(notional);
            notionals = notionals.saturating_add(notional);
            margins = margins.saturating_add(margin);
            json!({
                "subaccount": position.subaccount,
                "market_ticker": position.market.ticker,
                "position": Contracts::from_hundredths(position.holding.position),
                "mark_price": mark,
                "position_notional": amount(notional),
                "maintenance_margin_required": amount(margin),
                "position_leverage": leverage(notional, margin),
                "is_portfolio": false,
            })
        })
        .collect();
    Ok(without_nulls(json!({
        "account_leverage": leverage(notionals, margins),
        "total_position_notional": amount(notionals),
        "total_maintenance_margin": amount(margins),
        "positions": rows,
    })))
}

/// Returns the notional value over the maintenance margin to four decimals, or null without margin.
fn leverage(notional: i64, margin: i64) -> Value {
    if margin == 0 {
        return Value::Null;
    }
    let leverage = i128::from(notional) * 10_000 / i128::from(margin);
    decimal(i64::try_from(leverage).unwrap_or_default(), 4)
}

pub(super) fn parameters(state: &State) -> Value {
    let multipliers = state
        .markets
        .iter()
        .map(|market| (market.ticker.clone(), decimal(INITIAL_TENTHS, 1)));
    json!({
        "liquidation_margin_ratio_threshold": 1,
        "queue_entry_margin_ratio_threshold": decimal(91, 2),
        "initial_margin_multiplier": object(multipliers),
    })
}

pub(super) fn notional_limit(state: &State, call: &Call<'_>) -> Value {
    let user = call.caller.user;
    // Users who may not trade have a limit of zero.
    let limit = match (&state.margin, state.is_enabled(user)) {
        (Some(margin), true) => margin.notional_limit,
        _ => 0,
    };
    let used = state
        .markets
        .iter()
        .enumerate()
        .filter_map(|(index, market)| {
            let usage = state.notional_usage(user, Some(index));
            (usage != 0).then(|| (market.ticker.clone(), amount(usage)))
        });
    json!({
        "default_notional_value_risk_limit": amount(limit),
        "notional_value_risk_limits_by_market_ticker": {},
        "total_current_usage": amount(state.notional_usage(user, None)),
        "current_usage_by_market_ticker": object(used),
    })
}

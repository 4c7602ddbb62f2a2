//! Draws the screen of `watch`.

use chrono::{DateTime, TimeDelta, Utc};
use kalshi_sdk::{OutcomeSide, PriceLevel, ws::OrderBook};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span, Text},
    widgets::{Block, Cell, Paragraph, Row, Table},
};

use super::screen::{Market, Screen, State};
use crate::{
    market_data,
    output::{self, sanitize},
};

const STALE: Style = Style::new().fg(Color::DarkGray).add_modifier(Modifier::DIM);

pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let markets = u16::try_from(screen.markets.len()).unwrap_or(u16::MAX);
    let [title, list, detail, log, help] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(markets.saturating_add(3)),
        Constraint::Min(4),
        Constraint::Length(5),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(title_line(screen), title);
    frame.render_widget(market_list(screen), list);
    if let Some(market) = screen.markets.get(screen.selected) {
        draw_market(frame, detail, market, screen.now);
    }
    let lines = screen
        .log
        .iter()
        .map(|(time, text)| Line::from(format!("{} {text}", time.format("%H:%M:%S"))));
    let log_text = Paragraph::new(Text::from_iter(lines));
    frame.render_widget(log_text.block(Block::bordered().title(" connection ")), log);
    frame.render_widget(Line::from(" q quit   ↑ ↓ choose a market").dim(), help);
}

fn title_line(screen: &Screen) -> Line<'_> {
    let name = Span::from(format!(" kalshi watch, {} ", sanitize(&screen.exchange))).bold();
    let name = match screen.exchange.starts_with("PRODUCTION") {
        true => name.fg(Color::White).bg(Color::Red),
        false => name,
    };
    let connection = match &screen.outage {
        None => Span::from(" connected").fg(Color::Green),
        Some(reason) => Span::from(format!(" RECONNECTING: {reason}"))
            .fg(Color::Red)
            .bold(),
    };
    let time = Span::from(format!("  {} UTC", screen.now.format("%H:%M:%S")));
    Line::from(vec![name, connection, time])
}

fn market_list(screen: &Screen) -> Table<'_> {
    let header = [
        "", "market", "state", "bids", "bid", "ask", "asks", "spread", "last", "count", "taker",
    ];
    let rows = screen.markets.iter().enumerate().map(|(index, market)| {
        let book = market.book.as_ref();
        let bid = book.and_then(|book| book.best_bid(OutcomeSide::Yes));
        let ask = book.and_then(|book| book.best_ask(OutcomeSide::Yes));
        let trade = market.trades.front();
        let style = match market.state {
            State::Live => Style::new(),
            _ => STALE,
        };
        let quote = |text: String| Cell::from(text).style(style);
        Row::new([
            Cell::from(if index == screen.selected { "▶" } else { " " }),
            Cell::from(sanitize(&market.ticker)),
            state_cell(market, screen.now),
            quote(or_dash(bid.map(|level| level.count))),
            quote(or_dash(bid.map(|level| level.price))),
            quote(or_dash(ask.map(|level| level.price))),
            quote(or_dash(ask.map(|level| level.count))),
            quote(or_dash(book.and_then(OrderBook::spread))),
            Cell::from(or_dash(trade.map(|trade| trade.yes_price_dollars))),
            Cell::from(or_dash(trade.map(|trade| trade.count_fp))),
            Cell::from(
                trade
                    .map(|trade| market_data::taker_side(trade).to_text())
                    .unwrap_or_default(),
            ),
        ])
    });
    let widths = [
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(11),
        Constraint::Length(9),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(9),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(9),
        Constraint::Length(5),
    ];
    Table::new(rows, widths)
        .header(Row::new(header).style(Style::new().bold()))
        .block(Block::bordered().title(" markets, prices of YES "))
}

/// Returns the state, with the time since the book was last live if it is not live now.
fn state_cell(market: &Market, now: DateTime<Utc>) -> Cell<'static> {
    let since = market.live_at.map(|at| age(now - at)).unwrap_or_default();
    match &market.state {
        State::Live => Cell::from("LIVE").fg(Color::Green),
        State::Waiting => Cell::from("WAITING").fg(Color::Yellow),
        State::Crossed => Cell::from("CROSSED").fg(Color::Yellow),
        State::Stale(_) => Cell::from(format!("STALE {since}"))
            .style(Style::new().fg(Color::White).bg(Color::Red).bold()),
    }
}

fn age(age: TimeDelta) -> String {
    match age.num_seconds().max(0) {
        seconds @ ..100 => format!("{seconds}s"),
        seconds @ ..6_000 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 3_600),
    }
}

fn draw_market(frame: &mut Frame<'_>, area: Rect, market: &Market, now: DateTime<Utc>) {
    let [bids, asks, trades] = Layout::horizontal([
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Fill(3),
    ])
    .areas(area);
    let is_live = market.state == State::Live;
    let state = match &market.state {
        State::Stale(reason) => format!(" STALE: {reason} "),
        State::Waiting => " waiting for a snapshot ".to_owned(),
        _ if market.yes_means.is_empty() => String::new(),
        _ => format!(" YES means: {} ", market.yes_means),
    };
    let book = market.book.as_ref();
    let level_rows = |levels: Vec<PriceLevel>| {
        let rows = levels.into_iter().take(area.height.into());
        let rows: Vec<_> = rows
            .map(|level| Row::new([level.price.to_string(), level.count.to_string()]))
            .collect();
        rows
    };
    let bid_levels = book.map(|book| book.bids(OutcomeSide::Yes).collect());
    let ask_levels = book.map(|book| book.asks(OutcomeSide::Yes).collect());
    let sides = [
        (bids, "bids", bid_levels, Color::Green),
        (asks, "asks", ask_levels, Color::Red),
    ];
    for (area, side, levels, color) in sides {
        let style = if is_live {
            Style::new().fg(color)
        } else {
            STALE
        };
        let title = format!(" {side} of {} ", sanitize(&market.ticker));
        let table = Table::new(
            level_rows(levels.unwrap_or_default()),
            [Constraint::Length(8), Constraint::Fill(1)],
        )
        .style(style);
        frame.render_widget(table.block(Block::bordered().title(title)), area);
    }
    let rows = market.trades.iter().map(|trade| {
        let time = market_data::traded_time(trade).unwrap_or(now);
        Row::new([
            time.format("%H:%M:%S").to_string(),
            trade.yes_price_dollars.to_string(),
            trade.count_fp.to_string(),
            market_data::taker_side(trade).to_text(),
        ])
    });
    let widths = [
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Length(10),
        Constraint::Fill(1),
    ];
    let mut block = Block::bordered().title(" trades ");
    if !state.is_empty() {
        block = block.title_bottom(output::sanitize(&state));
    }
    frame.render_widget(Table::new(rows, widths).block(block), trades);
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

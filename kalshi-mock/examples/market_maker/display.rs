//! What the market maker shows: a screen in a terminal, lines elsewhere.

use std::io::{self, Write};

use kalshi_sdk::{Contracts, Dollars, PriceLevel};
use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    text::Line,
    widgets::{Block, Paragraph, Row, Sparkline, Table},
};

/// How things stand after a step.
pub(crate) struct View {
    pub(crate) step: u32,
    /// The best price first, on both sides.
    pub(crate) bids: Vec<PriceLevel>,
    pub(crate) asks: Vec<PriceLevel>,
    /// The maker's own bid and ask.
    pub(crate) own: [Option<Dollars>; 2],
    pub(crate) position: Contracts,
    pub(crate) profit: Dollars,
    /// In dollars, step by step.
    pub(crate) profits: Vec<f64>,
    /// Whether the order group takes orders.
    pub(crate) armed: bool,
    pub(crate) balance: Dollars,
}

/// A way to show it.
pub(crate) trait Show {
    /// Shows a step, and tells whether the user has had enough.
    fn show(&mut self, view: &View) -> io::Result<bool>;
}

/// A line a step.
pub(crate) struct Lines;

impl Show for Lines {
    fn show(&mut self, view: &View) -> io::Result<bool> {
        let price = |price: Option<Dollars>| {
            price.map_or_else(|| "-".to_owned(), |price| price.to_string())
        };
        let best = |levels: &[PriceLevel]| price(levels.first().map(|level| level.price));
        writeln!(
            io::stdout(),
            "step {:>3}  book {} / {}  quotes {} / {}  position {:>7}  profit {:>8}  {}",
            view.step,
            best(&view.bids),
            best(&view.asks),
            price(view.own[0]),
            price(view.own[1]),
            view.position.to_string(),
            view.profit.to_string(),
            group(view),
        )?;
        Ok(false)
    }
}

fn group(view: &View) -> &'static str {
    if view.armed {
        "group armed"
    } else {
        "group triggered: standing aside"
    }
}

/// A screen, which is given back when this is dropped.
pub(crate) struct Screen(DefaultTerminal);

impl Screen {
    pub(crate) fn new() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

impl Show for Screen {
    fn show(&mut self, view: &View) -> io::Result<bool> {
        self.0.draw(|frame| draw(frame, view))?;
        while event::poll(std::time::Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                let interrupted =
                    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if interrupted || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn draw(frame: &mut Frame<'_>, view: &View) {
    let [head, body] =
        Layout::vertical([Constraint::Length(4), Constraint::Min(8)]).areas(frame.area());
    let [book, chart] =
        Layout::horizontal([Constraint::Length(34), Constraint::Min(20)]).areas(body);
    draw_head(frame, head, view);
    draw_book(frame, book, view);
    draw_chart(frame, chart, view);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let state = if view.armed {
        group(view).green()
    } else {
        group(view).red().bold()
    };
    let lines = vec![
        Line::from(vec![
            format!(
                "step {}   position {}   profit {}   began with {}   ",
                view.step, view.position, view.profit, view.balance
            )
            .into(),
            state,
        ]),
        Line::from("q ends it").dim(),
    ];
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title("Market maker on a local exchange")),
        area,
    );
}

fn draw_book(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let row = |level: &PriceLevel, own: Option<Dollars>, color: Color| {
        let mark = if own == Some(level.price) {
            "<- quote"
        } else {
            ""
        };
        let cells = [
            level.price.to_string(),
            format!("{:>8}", level.count.to_string()),
            mark.to_owned(),
        ];
        Row::new(cells).style(Style::new().fg(color))
    };
    let depth = usize::from(area.height.saturating_sub(2) / 2);
    let asks = view
        .asks
        .iter()
        .take(depth)
        .rev()
        .map(|level| row(level, view.own[1], Color::Red));
    let bids = view
        .bids
        .iter()
        .take(depth)
        .map(|level| row(level, view.own[0], Color::Green));
    let widths = [
        Constraint::Length(8),
        Constraint::Length(10),
        Constraint::Length(9),
    ];
    frame.render_widget(
        Table::new(asks.chain(bids), widths).block(Block::bordered().title("Book, YES")),
        area,
    );
}

fn draw_chart(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let width = usize::from(area.width.saturating_sub(2)).max(1);
    let shown = &view.profits[view.profits.len().saturating_sub(width)..];
    let lowest = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Bars begin at the lowest; in cents, as bars are whole numbers.
    let bars: Vec<u64> = shown
        .iter()
        .map(|profit| ((profit - lowest) * 100.0) as u64 + 1)
        .collect();
    let title = format!("Profit, {lowest:.2} to {highest:.2} dollars");
    frame.render_widget(
        Sparkline::default()
            .data(&bars)
            .block(Block::bordered().title(title))
            .cyan(),
        area,
    );
}

//! Output of the market maker: a screen in a terminal, lines otherwise.

use std::{
    collections::VecDeque,
    io::{self, Write},
    time::Duration,
};

use kalshi_sdk::{Contracts, Dollars};
use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout, Rect},
    style::Stylize,
    text::Line,
    widgets::{Block, Paragraph, Row, Sparkline, Table},
};

/// Maximum number of notes on the screen.
const MAX_NOTES: usize = 6;

/// The state of the maker after a decision.
pub(crate) struct View {
    pub(crate) step: u32,
    pub(crate) markets: Vec<MarketView>,
    /// Profit after each decision, in millionths of a dollar.
    pub(crate) profits: Vec<i64>,
    /// Activity of the maker, such as `quoting`.
    pub(crate) state: &'static str,
    /// Notes since the last decision.
    pub(crate) notes: Vec<String>,
}

/// The state of one market. Prices are YES prices; `None` for an empty side.
pub(crate) struct MarketView {
    pub(crate) ticker: String,
    pub(crate) bid: Option<Dollars>,
    pub(crate) ask: Option<Dollars>,
    pub(crate) own_bid: Option<Dollars>,
    pub(crate) own_ask: Option<Dollars>,
    pub(crate) position: Contracts,
}

impl View {
    fn profit(&self) -> Dollars {
        Dollars::from_micros(self.profits.last().copied().unwrap_or_default())
    }
}

/// Formats a price, or `-` if there is none.
fn text(price: Option<Dollars>) -> String {
    price.map_or_else(|| "-".to_owned(), |price| price.to_string())
}

/// An output for states.
pub(crate) trait Output {
    /// Renders a state. Returns `true` if the user quits.
    fn render(&mut self, view: &View) -> io::Result<bool>;
}

/// A line for each decision, and one for each note.
pub(crate) struct Lines;

impl Output for Lines {
    fn render(&mut self, view: &View) -> io::Result<bool> {
        match self.write(view) {
            // The reader has closed the pipe.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
            result => result.map(|()| false),
        }
    }
}

impl Lines {
    fn write(&self, view: &View) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for note in &view.notes {
            writeln!(out, "          {note}")?;
        }
        write!(out, "step {:>4}", view.step)?;
        for market in &view.markets {
            write!(
                out,
                "  {} / {} {:>7}",
                text(market.own_bid),
                text(market.own_ask),
                market.position.to_string()
            )?;
        }
        writeln!(
            out,
            "  profit {:>8}  {}",
            view.profit().to_string(),
            view.state
        )
    }
}

/// A full-screen view. Dropping it restores the terminal.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    notes: VecDeque<String>,
}

impl Screen {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminal: ratatui::try_init()?,
            notes: VecDeque::new(),
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

impl Output for Screen {
    fn render(&mut self, view: &View) -> io::Result<bool> {
        let notes = view
            .notes
            .iter()
            .map(|note| format!("{:>4}  {note}", view.step));
        self.notes.extend(notes);
        while self.notes.len() > MAX_NOTES {
            self.notes.pop_front();
        }
        let notes = &self.notes;
        self.terminal.draw(|frame| draw(frame, view, notes))?;
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                // Ctrl-C sends no signal in raw mode.
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

fn draw(frame: &mut Frame<'_>, view: &View, notes: &VecDeque<String>) {
    let [head, markets, chart, log] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(6),
        Constraint::Min(4),
        Constraint::Length(8),
    ])
    .areas(frame.area());
    draw_head(frame, head, view);
    draw_markets(frame, markets, view);
    draw_chart(frame, chart, view);
    let notes: Vec<_> = notes.iter().map(|note| Line::from(note.as_str())).collect();
    frame.render_widget(
        Paragraph::new(notes).block(Block::bordered().title("Events")),
        log,
    );
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let state = match view.state {
        "quoting" => view.state.green(),
        other => other.red().bold(),
    };
    let lines = vec![
        Line::from(vec![
            format!("step {}   profit {}   ", view.step, view.profit()).into(),
            state,
        ]),
        Line::from("press q to quit").dim(),
    ];
    let block = Block::bordered().title("Market maker on a local exchange");
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_markets(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let head = Row::new(["market", "bid", "ask", "own bid", "own ask", "position"]).bold();
    let row = |market: &MarketView| {
        let prices = [market.bid, market.ask, market.own_bid, market.own_ask].map(text);
        let position = format!("{:>9}", market.position.to_string());
        Row::new([vec![market.ticker.clone()], prices.into(), vec![position]].concat())
    };
    let widths = [20, 8, 8, 8, 8, 10].map(Constraint::Length);
    let table = Table::new(view.markets.iter().map(row), widths).header(head);
    frame.render_widget(table.block(Block::bordered().title("YES prices")), area);
}

fn draw_chart(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let width = usize::from(area.width.saturating_sub(2)).max(1);
    let visible = &view.profits[view.profits.len().saturating_sub(width)..];
    let min = visible.iter().copied().min().unwrap_or_default();
    let max = visible.iter().copied().max().unwrap_or_default();
    // The height of a bar is an integer: cents above the lowest profit shown.
    let bars: Vec<u64> = visible
        .iter()
        .map(|profit| (profit - min).unsigned_abs() / 10_000 + 1)
        .collect();
    let (min, max) = (Dollars::from_micros(min), Dollars::from_micros(max));
    let title = format!("Profit, {min} to {max} dollars");
    let chart = Sparkline::default().data(&bars).cyan();
    frame.render_widget(chart.block(Block::bordered().title(title)), area);
}

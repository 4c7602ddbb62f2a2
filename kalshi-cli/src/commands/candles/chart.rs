//! Candlesticks in braille: two by four dots in each character.

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};
use kalshi_sdk::Dollars;

/// Prices of the trades in a period.
#[derive(Clone, Copy)]
pub(super) struct Bar {
    pub(super) end: DateTime<Utc>,
    pub(super) open: Dollars,
    pub(super) high: Dollars,
    pub(super) low: Dollars,
    pub(super) close: Dollars,
}

/// Columns left of the chart: a price and the axis.
const LABEL_WIDTH: usize = 9;
/// Maximum width of a candlestick in dots.
const MAX_BAR_WIDTH: usize = 8;

/// Draws the bars in lines of this width, from the highest price to the lowest.
pub(super) fn draw(bars: Vec<Bar>, width: u16, height: u16) -> Vec<String> {
    let columns = usize::from(width).saturating_sub(LABEL_WIDTH).max(1);
    let lines = usize::from(height).max(1);
    let bars = merge(bars, columns * 2);
    let scale = Scale::new(&bars, lines * 4);
    let bar_width = (columns * 2 / bars.len().max(1)).clamp(1, MAX_BAR_WIDTH);
    let mut dots = Dots::new(columns, lines);
    for (index, bar) in bars.iter().enumerate() {
        let left = index * bar_width;
        let rises = bar.close >= bar.open;
        let wick = left + bar_width.saturating_sub(1) / 2;
        dots.column(wick, scale.row(bar.high), scale.row(bar.low), rises);
        let (top, bottom) = (bar.open.max(bar.close), bar.open.min(bar.close));
        // A column of dots between two bodies is left empty.
        for x in left..left + bar_width.saturating_sub(1).max(1) {
            dots.column(x, scale.row(top), scale.row(bottom), rises);
        }
    }
    let label_interval = (lines / 4).max(1);
    (0..lines)
        .map(|line| {
            let label = match line + 1 == lines {
                true => scale.price(lines * 4 - 1).to_string(),
                false if line % label_interval == 0 => scale.price(line * 4).to_string(),
                false => String::new(),
            };
            format!("{label:>7} ┤{}", dots.line(line))
        })
        .collect()
}

/// Returns the line below the chart.
pub(super) fn time_axis(first: DateTime<Utc>, last: DateTime<Utc>, width: u16) -> String {
    let text = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M").to_string();
    let chart_width = usize::from(width).saturating_sub(LABEL_WIDTH).max(36);
    format!(
        "{:LABEL_WIDTH$}{}{:>rest$}",
        "",
        text(first),
        text(last),
        rest = chart_width - 16
    )
}

/// Merges neighbours until there are at most `max_bars`.
fn merge(bars: Vec<Bar>, max_bars: usize) -> Vec<Bar> {
    let size = bars.len().div_ceil(max_bars).max(1);
    bars.chunks(size)
        .filter_map(|chunk| {
            let (first, last) = (chunk.first()?, chunk.last()?);
            Some(Bar {
                end: last.end,
                open: first.open,
                high: chunk.iter().map(|bar| bar.high).max()?,
                low: chunk.iter().map(|bar| bar.low).min()?,
                close: last.close,
            })
        })
        .collect()
}

/// Scale between prices and rows of dots.
struct Scale {
    highest: i64,
    lowest: i64,
    rows: i64,
}

impl Scale {
    fn new(bars: &[Bar], rows: usize) -> Self {
        let highest = bars.iter().map(|bar| bar.high.micros()).max();
        let lowest = bars.iter().map(|bar| bar.low.micros()).min();
        let (mut highest, mut lowest) = (highest.unwrap_or_default(), lowest.unwrap_or_default());
        if highest == lowest {
            highest = highest.saturating_add(Dollars::from_cents(1).micros());
            lowest = lowest.saturating_sub(Dollars::from_cents(1).micros());
        }
        Self {
            highest,
            lowest,
            rows: i64::try_from(rows).unwrap_or(i64::MAX),
        }
    }

    fn row(&self, price: Dollars) -> usize {
        let range = i128::from(self.highest) - i128::from(self.lowest);
        let below = i128::from(self.highest) - i128::from(price.micros());
        usize::try_from(below * i128::from(self.rows - 1) / range.max(1)).unwrap_or_default()
    }

    /// Returns the price of a row, to a hundredth of a cent.
    fn price(&self, row: usize) -> Dollars {
        let range = i128::from(self.highest) - i128::from(self.lowest);
        let below = range * row as i128 / i128::from(self.rows - 1).max(1);
        let micros = (i128::from(self.highest) - below) / 100 * 100;
        Dollars::from_micros(i64::try_from(micros).unwrap_or_default())
    }
}

/// Canvas of dots, as braille characters from the top left.
struct Dots {
    columns: usize,
    /// Bits of each braille character, and `true` if its latest bar rises.
    cells: Vec<(u8, bool)>,
}

impl Dots {
    fn new(columns: usize, lines: usize) -> Self {
        Self {
            columns,
            cells: vec![(0, true); columns * lines],
        }
    }

    /// Sets the dots of a column from a row to a row below.
    fn column(&mut self, x: usize, top: usize, bottom: usize, rises: bool) {
        const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
        if x / 2 >= self.columns {
            return;
        }
        for y in top..=bottom {
            if let Some(cell) = self.cells.get_mut(y / 4 * self.columns + x / 2) {
                cell.0 |= BITS[x % 2][y % 4];
                cell.1 = rises;
            }
        }
    }

    fn line(&self, line: usize) -> String {
        let cells = &self.cells[line * self.columns..(line + 1) * self.columns];
        let last_used = cells.iter().rposition(|(bits, _)| *bits != 0);
        let mut text = String::new();
        for (bits, rises) in &cells[..last_used.map_or(0, |last| last + 1)] {
            if *bits == 0 {
                text.push(' ');
                continue;
            }
            let color = if *rises {
                AnsiColor::Green
            } else {
                AnsiColor::Red
            };
            let style = Style::new().fg_color(Some(color.into()));
            let dots = char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' ');
            text.push_str(&format!("{style}{dots}{style:#}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use kalshi_sdk::Dollars;

    use super::{Bar, draw};

    fn bar(prices: [i64; 4]) -> Bar {
        let [open, high, low, close] = prices.map(Dollars::from_cents);
        Bar {
            end: DateTime::UNIX_EPOCH,
            open,
            high,
            low,
            close,
        }
    }

    fn plain(bars: &[Bar], width: u16, height: u16) -> Vec<String> {
        let lines = draw(bars.to_vec(), width, height);
        let strip = |line: &String| anstream::adapter::strip_str(line).to_string();
        lines.iter().map(strip).collect()
    }

    #[test]
    fn highest_price_is_at_the_top_and_lowest_at_the_bottom() {
        let lines = plain(&[bar([40, 40, 40, 40]), bar([60, 60, 60, 60])], 13, 2);
        assert_eq!(lines, [" 0.6000 ┤  ⠉⠁", " 0.4000 ┤⣀⡀"]);
    }

    #[test]
    fn more_bars_than_dots_are_merged() {
        let bars: Vec<_> = (1..=99)
            .map(|cents| bar([cents, cents, cents, cents]))
            .collect();
        let lines = plain(&bars, 19, 4);
        let drawn = [
            " 0.9900 ┤       ⣠⠔⠋",
            " 0.7286 ┤    ⢀⡴⠚⠁",
            " 0.4673 ┤  ⣠⠖⠉",
            " 0.0100 ┤⡴⠋",
        ];
        assert_eq!(lines, drawn);
    }

    #[test]
    fn one_price_and_extreme_prices_are_drawn() {
        assert_eq!(plain(&[bar([50, 50, 50, 50])], 20, 3).len(), 3);
        let mut extreme = bar([1, 1, 1, 1]);
        extreme.high = Dollars::from_micros(i64::MAX);
        extreme.low = Dollars::from_micros(i64::MIN);
        assert_eq!(plain(&[extreme], 0, 1).len(), 1);
    }
}

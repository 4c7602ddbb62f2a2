//! `kalshi candles`: draws the candlesticks of a market.

mod chart;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use kalshi_sdk::types::MarketCandlestick;

use self::chart::Bar;
use crate::{
    commands::time_args,
    context::Context,
    failure::{Exit, Failure},
    output::{Cell, Format, Table, sanitize, terminal_width},
};

#[derive(Args)]
pub(crate) struct Candles {
    /// Ticker of the market.
    ticker: String,
    /// Length of a candlestick.
    #[arg(long, value_enum, default_value = "1h", value_name = "PERIOD")]
    period: Period,
    /// Start of the chart: a duration before now such as 6h, a date, or a time in RFC 3339 [default: 100 periods].
    #[arg(long, value_name = "TIME", value_parser = time_args::past_time)]
    since: Option<DateTime<Utc>>,
    /// End of the chart, in the same formats [default: now].
    #[arg(long, value_name = "TIME", value_parser = time_args::past_time)]
    until: Option<DateTime<Utc>>,
    /// Height of the chart in lines.
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=200))]
    height: u16,
}

#[derive(Clone, Copy, ValueEnum)]
enum Period {
    #[value(name = "1m")]
    Minute,
    #[value(name = "1h")]
    Hour,
    #[value(name = "1d")]
    Day,
}

impl Period {
    fn minutes(self) -> u16 {
        match self {
            Self::Minute => 1,
            Self::Hour => 60,
            Self::Day => 1_440,
        }
    }
}

/// Number of periods without `--since`.
const DEFAULT_PERIODS: i64 = 100;
/// Width of the chart if the output is not a terminal.
const DEFAULT_WIDTH: u16 = 80;

impl Candles {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.public_client()?;
        let minutes = self.period.minutes();
        // The latest candlestick ends with its period, in the future.
        let now = || Utc::now() + TimeDelta::minutes(minutes.into());
        let end = self.until.unwrap_or_else(now);
        let length = TimeDelta::minutes(i64::from(minutes) * DEFAULT_PERIODS);
        let since = match self.since {
            Some(since) => since,
            None => end
                .checked_sub_signed(length)
                .ok_or_else(|| Failure::usage("--until is out of range"))?,
        };
        // Unlike the operation for a single market, this one does not require the series.
        let response = client
            .batch_get_market_candlesticks()
            .market_tickers([&self.ticker])
            .start_ts(since)
            .end_ts(end)
            .period_interval(minutes)
            .send()
            .await?
            .into_inner();
        let candles: Vec<_> = response
            .markets
            .into_iter()
            .filter(|market| market.market_ticker == self.ticker)
            .flat_map(|market| market.candlesticks)
            .collect();
        if context.output.format != Format::Text {
            context.output.print([table(&candles)])?;
            return Ok(Exit::Success);
        }
        let bars: Vec<_> = candles.iter().filter_map(bar).collect();
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
            context.output.line("no trades in this period")?;
            return Ok(Exit::Success);
        };
        let ends = (first.end, last.end);
        let title = format!("{}, YES in dollars", sanitize(&self.ticker));
        let width = terminal_width().unwrap_or(DEFAULT_WIDTH);
        context.output.line(&title)?;
        for line in chart::draw(bars, width, self.height) {
            context.output.line(&line)?;
        }
        context
            .output
            .line(&chart::time_axis(ends.0, ends.1, width))?;
        Ok(Exit::Success)
    }
}

/// Returns the prices of a candlestick, or `None` if nothing was traded.
fn bar(candle: &MarketCandlestick) -> Option<Bar> {
    Some(Bar {
        end: DateTime::from_timestamp_secs(candle.end_period_ts)?,
        open: candle.price.open_dollars?,
        high: candle.price.high_dollars?,
        low: candle.price.low_dollars?,
        close: candle.price.close_dollars?,
    })
}

fn table(candles: &[MarketCandlestick]) -> Table {
    let mut table = Table::new(
        "candles",
        [
            "end_time",
            "open",
            "high",
            "low",
            "close",
            "mean",
            "volume",
            "open_interest",
            "yes_bid_close",
            "yes_ask_close",
        ],
    );
    for candle in candles {
        table.push([
            DateTime::from_timestamp_secs(candle.end_period_ts).map_or(Cell::Absent, Cell::Time),
            candle.price.open_dollars.into(),
            candle.price.high_dollars.into(),
            candle.price.low_dollars.into(),
            candle.price.close_dollars.into(),
            candle.price.mean_dollars.into(),
            candle.volume_fp.into(),
            candle.open_interest_fp.into(),
            candle.yes_bid.close_dollars.into(),
            candle.yes_ask.close_dollars.into(),
        ]);
    }
    table
}

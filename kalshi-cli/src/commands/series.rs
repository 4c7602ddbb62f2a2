//! `kalshi series`: lists series.

use clap::Args;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::Table,
};

#[derive(Args)]
pub(crate) struct Series {
    /// Only series whose ticker or title contains this.
    search: Option<String>,
    /// Only series of this category, such as Politics.
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Only series with these tags.
    #[arg(long, value_name = "TAGS")]
    tags: Option<String>,
    /// List at most this many.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// List all series, with progress.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Series {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.public_client()?;
        let mut request = client.get_series_list().include_volume(true);
        if let Some(category) = self.category {
            request = request.category(category);
        }
        if let Some(tags) = self.tags {
            request = request.tags(tags);
        }
        let limit = if self.all { usize::MAX } else { self.limit };
        let search = self.search.unwrap_or_default().to_lowercase();
        let progress = context.output.progress("series");
        // The exchange returns all series in one page.
        let response = request.send().await?.into_inner();
        progress.finish();
        let mut table = Table::new(
            "series",
            [
                "ticker",
                "title",
                "category",
                "frequency",
                "fee_type",
                "fee_multiplier",
                "volume",
            ],
        )
        .flexible("title");
        let matching = response.series.into_iter().filter(|series| {
            series.ticker.to_lowercase().contains(&search)
                || series.title.to_lowercase().contains(&search)
        });
        for series in matching.take(limit) {
            table.push([
                series.ticker.into(),
                series.title.into(),
                series.category.into(),
                series.frequency.into(),
                series.fee_type.as_str().into(),
                series.fee_multiplier.into(),
                series.volume_fp.into(),
            ]);
        }
        context.output.print([table])?;
        Ok(Exit::Success)
    }
}

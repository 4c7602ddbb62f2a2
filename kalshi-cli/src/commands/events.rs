//! `kalshi events`: lists events.

use clap::Args;
use futures_util::TryStreamExt;
use kalshi_sdk::types::GetEventsStatus;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::Table,
};

#[derive(Args)]
pub(crate) struct Events {
    /// Only events whose ticker or title contains this.
    search: Option<String>,
    /// Only events of this series.
    #[arg(long, value_name = "TICKER")]
    series: Option<String>,
    /// Only events in this status: unopened, open, closed, settled or any.
    #[arg(long, default_value = "open", value_parser = ["unopened", "open", "closed", "settled", "any"])]
    status: String,
    /// List at most this many.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// List all events, with progress.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Events {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.public_client()?;
        let mut request = client.get_events().limit(200);
        if let Some(series) = self.series {
            request = request.series_ticker(series);
        }
        if self.status != "any" {
            request = request.status(GetEventsStatus::from(self.status.as_str()));
        }
        let limit = if self.all { usize::MAX } else { self.limit };
        let search = self.search.unwrap_or_default().to_lowercase();
        let progress = context.output.progress("events");
        let mut events = request.by_event().with_prefetch();
        let mut table = Table::new(
            "events",
            ["ticker", "title", "subtitle", "series", "exclusive"],
        )
        .flexible("title")
        .flexible("subtitle");
        while table.len() < limit
            && let Some(event) = events.try_next().await?
        {
            progress.increment();
            if !event.event_ticker.to_lowercase().contains(&search)
                && !event.title.to_lowercase().contains(&search)
            {
                continue;
            }
            table.push([
                event.event_ticker.into(),
                event.title.into(),
                event.sub_title.into(),
                event.series_ticker.into(),
                event.mutually_exclusive.into(),
            ]);
        }
        progress.finish();
        context.output.print([table])?;
        Ok(Exit::Success)
    }
}

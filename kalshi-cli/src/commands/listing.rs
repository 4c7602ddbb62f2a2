//! Length of lists: a limit, or all pages.

use clap::Args;
use futures_util::{Stream, TryStreamExt};
use kalshi_sdk::{Dollars, Error, orders::Unresolved, types::Order};

use crate::{context::Context, failure::Failure};

/// Options of every list.
#[derive(Args)]
pub(super) struct ListOptions {
    /// List at most this many rows.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// List all rows, with progress.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// Maximum number of rows in a page.
const MAX_PAGE: usize = 1_000;

impl ListOptions {
    /// Returns a length without a limit.
    pub(super) fn unlimited() -> Self {
        Self {
            limit: 0,
            all: true,
        }
    }

    /// Returns the number of rows to request per page.
    pub(super) fn page_size(&self) -> i64 {
        let rows = match self.all {
            true => MAX_PAGE,
            // One row more than is listed, to detect that the list was truncated.
            false => self.limit.saturating_add(1).min(MAX_PAGE),
        };
        i64::try_from(rows).unwrap_or(i64::MAX)
    }

    /// Reads rows with progress, and prints a note if the list was truncated.
    pub(super) async fn read<T>(
        &self,
        context: &Context,
        name: &'static str,
        mut rows: impl Stream<Item = Result<T, Error>> + Unpin,
    ) -> Result<Vec<T>, Failure> {
        let progress = context.output.progress(name);
        let mut read = Vec::new();
        let mut is_truncated = false;
        while let Some(row) = rows.try_next().await? {
            if !self.all && read.len() >= self.limit {
                is_truncated = true;
                break;
            }
            progress.increment();
            read.push(row);
        }
        progress.finish();
        if is_truncated {
            context.output.note(&format!(
                "there are more {name}: pass --all to list and total all of them"
            ));
        }
        Ok(read)
    }
}

/// Describes why the resting orders are unknown.
pub(super) fn describe_unresolved(unresolved: &Unresolved) -> String {
    match unresolved.error() {
        Some(error) => format!("the resting orders cannot be read: {error}"),
        None => "reads of the exchange are not up to date".to_owned(),
    }
}

/// Returns the resting orders that were read and, if others may rest, the reason why these are unknown.
pub(super) fn split_unresolved(
    listed: Result<Vec<Order>, Unresolved>,
) -> (Vec<Order>, Option<String>) {
    match listed {
        Ok(orders) => (orders, None),
        Err(unresolved) => {
            let reason = describe_unresolved(&unresolved);
            (unresolved.candidates().to_vec(), Some(reason))
        }
    }
}

/// Returns the sum of amounts, or `None` if one is absent or the sum overflows.
pub(super) fn sum(amounts: impl IntoIterator<Item = Option<Dollars>>) -> Option<Dollars> {
    amounts
        .into_iter()
        .try_fold(Dollars::ZERO, |sum, amount| sum.checked_add(amount?))
}

//! `kalshi operations`: lists the operations of the three APIs.

use clap::Args;

use super::call::{NamedOperation, OPERATIONS, bucket_name};
use crate::{
    api::Api,
    context::Context,
    failure::{Exit, Failure},
    output::Table,
};

#[derive(Args)]
pub(crate) struct Operations {
    /// Only operations whose name, path, tag or summary contains this.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only operations of this API.
    #[arg(long, value_enum)]
    api: Option<Api>,
}

impl Operations {
    #[allow(clippy::unused_async, reason = "same signature as other commands")]
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let search = self.search.unwrap_or_default().to_lowercase();
        let mut table = Table::new(
            "operations",
            [
                "operation",
                "api",
                "method",
                "path",
                "summary",
                "signed",
                "cost",
                "cost_per_item",
                "bucket",
                "paginated",
            ],
        )
        .flexible("path")
        .flexible("summary");
        for named in OPERATIONS.iter() {
            let &NamedOperation {
                ref name,
                api,
                operation,
                ..
            } = named;
            let texts = [
                name,
                operation.id,
                operation.path,
                operation.tag,
                operation.summary,
            ];
            let is_found = |text: &&str| text.to_lowercase().contains(&search);
            if self.api.is_some_and(|only| only != api) || !texts.iter().any(is_found) {
                continue;
            }
            table.push([
                name.as_str().into(),
                api.name().into(),
                operation.method.as_str().into(),
                operation.path.into(),
                operation.summary.into(),
                operation.auth.into(),
                operation.token_cost.into(),
                operation.token_cost_per_item.into(),
                bucket_name(operation.bucket).into(),
                operation.paging.is_some().into(),
            ]);
        }
        context.output.print([table])?;
        Ok(Exit::Success)
    }
}

//! Order group or subaccount to guard, and the checks before the bot starts.

use std::collections::BTreeSet;

use kalshi_sdk::{Client, OrderGroupId, SubaccountNumber, orders::OrderGroupRef};

use super::Guard;
use crate::{context::Context, failure::Failure};

/// The order group to trigger, or the subaccount whose orders are cancelled.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Group(OrderGroupRef),
    Subaccount(SubaccountNumber),
}

/// A target that has passed the checks, with notes for the user.
pub(super) struct CheckedTarget {
    pub(super) target: Target,
    pub(super) notes: Vec<String>,
}

impl Target {
    /// Reads the target. Anything that would prevent guard from cancelling is an error.
    pub(super) async fn check(
        guard: &Guard,
        client: &Client,
        context: &Context,
    ) -> Result<CheckedTarget, Failure> {
        // The default limits are those of the lowest tier, which would slow down many cancels. They remain in effect if this fails.
        let _ = client.discover_limits().await;
        let locked_to = check_key(client, context).await?;
        match (&guard.group, guard.subaccount) {
            (Some(id), _) => check_group(client, id.as_str().into()).await,
            (None, subaccount) => {
                let subaccount = SubaccountNumber::from(subaccount.unwrap_or_default());
                if locked_to.is_some_and(|locked_to| subaccount != locked_to) {
                    return Err(Failure::usage(format!(
                        "the key is locked to a subaccount other than {subaccount}: use a key of subaccount {subaccount}"
                    )));
                }
                check_subaccount(client, subaccount).await
            }
        }
    }
}

/// Checks that the key works and may cancel. Returns the subaccount that it is locked to, if any.
async fn check_key(
    client: &Client,
    context: &Context,
) -> Result<Option<SubaccountNumber>, Failure> {
    let credentials = context.credentials()?;
    let keys = client.get_api_keys().send().await?;
    let key = keys
        .api_keys
        .iter()
        .find(|key| key.api_key_id == credentials.key_id());
    // If the scopes cannot be read, the reads that follow test the key.
    let Some(key) = key else { return Ok(None) };
    let may_cancel = |scope: &str| matches!(scope, "write" | "write::trade");
    if !key.scopes.iter().any(|scope| may_cancel(scope.as_str())) {
        return Err(Failure::usage(
            "the key may not cancel orders: create a key with the scope `write` or `write::trade`",
        ));
    }
    Ok(key.subaccount)
}

async fn check_subaccount(
    client: &Client,
    subaccount: SubaccountNumber,
) -> Result<CheckedTarget, Failure> {
    let existing = subaccounts(client).await?;
    if !existing.contains(&subaccount) {
        let existing: Vec<_> = existing.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(format!(
            "there is no subaccount {subaccount}; there are: {}",
            existing.join(", ")
        )));
    }
    let resting = client
        .get_orders()
        .subaccount(subaccount)
        .status("resting")
        .limit(1000)
        .send()
        .await?;
    let mut notes = Vec::new();
    if !resting.orders.is_empty() {
        notes.push(format!(
            "{} orders rest in subaccount {subaccount} before the bot starts; they will be cancelled too",
            row_count(resting.orders.len(), resting.cursor.is_empty()),
        ));
    }
    Ok(CheckedTarget {
        target: Target::Subaccount(subaccount),
        notes,
    })
}

/// Formats the number of rows in the first page, with "or more" if there are further pages.
fn row_count(rows: usize, is_last_page: bool) -> String {
    match is_last_page {
        true => rows.to_string(),
        false => format!("{rows} or more"),
    }
}

async fn check_group(client: &Client, id: OrderGroupId) -> Result<CheckedTarget, Failure> {
    let group = match client.get_order_group().order_group_id(&id).send().await {
        Ok(group) => group,
        Err(error) if error.is_not_found() => {
            return Err(Failure::usage(format!(
                "there is no order group {id} on this exchange: check the id and the exchange"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let mut notes = Vec::new();
    if !group.is_auto_cancel_enabled {
        notes.push(
            "the order group has been triggered: the exchange rejects its orders until it is reset"
                .to_owned(),
        );
    }
    if !group.orders.is_empty() {
        notes.push(format!(
            "{} orders of the group rest before the bot starts; they will be cancelled too",
            group.orders.len()
        ));
    }
    let shard = group.exchange_index.as_ref().map_or(0, |shard| shard.0);
    // The group does not name its subaccount, which the trigger requires.
    for subaccount in subaccounts(client).await? {
        let request = client.get_order_group().order_group_id(&id);
        match request.subaccount(subaccount).send().await {
            Ok(_) => {
                let group = OrderGroupRef::new(id)
                    .with_exchange_index(shard)
                    .with_subaccount(subaccount);
                let target = Target::Group(group);
                return Ok(CheckedTarget { target, notes });
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err("the order group is in no subaccount that the key may read: use a key for the group's subaccount".into())
}

async fn subaccounts(client: &Client) -> Result<BTreeSet<SubaccountNumber>, Failure> {
    let balances = client.get_subaccount_balances().send().await?;
    let numbers = balances.subaccount_balances.iter();
    Ok(numbers.map(|balance| balance.subaccount_number).collect())
}

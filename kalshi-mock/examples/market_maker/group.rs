//! The order group that contains all quotes and serves as kill switch.
//!
//! The exchange triggers the group when too many contracts trade within 15 seconds, and the maker when fills may be missing. In either
//! case, all orders of the group are cancelled, and new ones are rejected until the group is reset.

use std::time::Duration;

use kalshi_sdk::{Client, Contracts, OrderGroupId};

use super::Error;

/// Maximum number of contracts that trade in any 15 seconds.
const MAX_CONTRACTS: i32 = 60;

/// Number of decisions without quotes after the exchange triggered the group.
const COOLDOWN: u32 = 20;

/// Number of decisions between two reads of the group.
const READ_INTERVAL: u32 = 5;

/// Maximum number of attempts of a request.
const MAX_ATTEMPTS: u32 = 10;

pub(crate) struct Group {
    id: OrderGroupId,
    /// `true` if the group accepts orders, by the last response.
    is_armed: bool,
    /// `true` while a request is in flight. There is one at a time.
    is_busy: bool,
    /// Decisions until the group is reset.
    cooldown: u32,
    /// Decisions until the group is read.
    steps_until_read: u32,
}

/// A request for the group. Each is idempotent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupRequest {
    Read,
    Trigger,
    Reset,
}

impl Group {
    pub(crate) async fn create(client: &Client) -> Result<Self, Error> {
        let limit = Contracts::from(MAX_CONTRACTS);
        let created = client
            .create_order_group()
            .body_map(|body| body.contracts_limit_fp(limit))
            .send()
            .await?;
        Ok(Self {
            id: created.into_inner().order_group_id,
            is_armed: true,
            is_busy: false,
            cooldown: 0,
            steps_until_read: READ_INTERVAL,
        })
    }

    pub(crate) fn id(&self) -> &OrderGroupId {
        &self.id
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.is_armed
    }

    /// Counts a decision.
    pub(crate) fn tick(&mut self) {
        self.cooldown = self.cooldown.saturating_sub(1);
        self.steps_until_read = self.steps_until_read.saturating_sub(1);
    }

    /// Returns the next request, or `None` if there is nothing to do.
    pub(crate) fn next_request(&self, may_be_missing_messages: bool) -> Option<GroupRequest> {
        match (may_be_missing_messages, self.is_armed) {
            _ if self.is_busy => None,
            (true, true) => Some(GroupRequest::Trigger),
            (true, false) => None,
            (false, false) if self.cooldown == 0 => Some(GroupRequest::Reset),
            _ => (self.steps_until_read == 0).then_some(GroupRequest::Read),
        }
    }

    /// Returns a future that sends the request and returns `true` if the group then accepts orders.
    pub(crate) fn send(
        &mut self,
        client: &Client,
        request: GroupRequest,
    ) -> impl Future<Output = Result<bool, kalshi_sdk::Error>> + Send + use<> {
        self.is_busy = true;
        let (client, id) = (client.clone(), self.id.clone());
        async move {
            match request {
                GroupRequest::Read => {
                    let group = client.get_order_group().order_group_id(id).send().await?;
                    Ok(group.is_auto_cancel_enabled)
                }
                GroupRequest::Trigger => {
                    client
                        .trigger_order_group()
                        .order_group_id(id)
                        .send()
                        .await?;
                    Ok(false)
                }
                GroupRequest::Reset => {
                    client.reset_order_group().order_group_id(id).send().await?;
                    Ok(true)
                }
            }
        }
    }

    /// Records the result of a request, and returns a note for the user. A failed request is repeated.
    pub(crate) fn finish(
        &mut self,
        request: GroupRequest,
        result: Result<bool, kalshi_sdk::Error>,
    ) -> Option<String> {
        self.is_busy = false;
        let was_armed = self.is_armed;
        match result {
            Ok(is_armed) => self.is_armed = is_armed,
            Err(error) => return Some(format!("order group request failed: {error}")),
        }
        self.steps_until_read = READ_INTERVAL;
        match request {
            GroupRequest::Read if was_armed && !self.is_armed => {
                self.cooldown = COOLDOWN;
                Some(format!(
                    "more than {MAX_CONTRACTS} contracts traded in 15 s: not quoting"
                ))
            }
            GroupRequest::Reset => Some("order group reset: quoting".to_owned()),
            _ => None,
        }
    }

    /// Triggers the group: its orders are cancelled, and later ones are rejected.
    pub(crate) async fn trigger(&mut self, client: &Client) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            match self.send(client, GroupRequest::Trigger).await {
                Ok(_) => return Ok(()),
                Err(error) if attempt == MAX_ATTEMPTS => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
            attempt += 1;
        }
    }

    /// Deletes the group. A group that does not exist is not an error.
    pub(crate) async fn delete(&self, client: &Client) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            match client
                .delete_order_group()
                .order_group_id(&self.id)
                .send()
                .await
            {
                Ok(_) => return Ok(()),
                // The response to an earlier attempt was lost.
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) if attempt == MAX_ATTEMPTS => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
            attempt += 1;
        }
    }
}

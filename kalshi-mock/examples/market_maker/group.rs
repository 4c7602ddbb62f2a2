//! The order group: the kill switch of all quotes.
//!
//! Every quote is in the group. The exchange triggers it when too many contracts trade in 15 seconds, and the maker triggers it when
//! fills may be missing. Either cancels all orders in it and rejects new ones until it is reset.

use std::time::Duration;

use kalshi_sdk::{Client, Contracts, OrderGroupId};

use super::Error;

/// Contracts that may trade in any 15 seconds.
const LIMIT: i32 = 60;

/// Decisions to wait after the exchange triggered the group.
const REST: u32 = 20;

/// Decisions between two reads of the group.
const READ_INTERVAL: u32 = 5;

/// Attempts of a request that may be repeated.
const ATTEMPTS: u32 = 10;

pub(crate) struct Group {
    id: OrderGroupId,
    /// `true` if the group takes orders, as far as is known.
    is_armed: bool,
    /// One request is in flight at a time.
    is_busy: bool,
    /// Decisions until the group is reset.
    rest: u32,
    /// Decisions until the group is read.
    until_read: u32,
}

/// A request about the group. Each may be repeated: doing it twice is the same as doing it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupRequest {
    Read,
    Trigger,
    Reset,
}

impl Group {
    pub(crate) async fn create(client: &Client) -> Result<Self, Error> {
        let limit = Contracts::from(LIMIT);
        let created = client
            .create_order_group()
            .body_map(|body| body.contracts_limit_fp(limit))
            .send()
            .await?;
        Ok(Self {
            id: created.into_inner().order_group_id,
            is_armed: true,
            is_busy: false,
            rest: 0,
            until_read: READ_INTERVAL,
        })
    }

    pub(crate) fn id(&self) -> &OrderGroupId {
        &self.id
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.is_armed
    }

    /// A decision has passed.
    pub(crate) fn rest(&mut self) {
        self.rest = self.rest.saturating_sub(1);
        self.until_read = self.until_read.saturating_sub(1);
    }

    /// Returns the request that is due.
    pub(crate) fn next_request(&self, is_blind: bool) -> Option<GroupRequest> {
        match (is_blind, self.is_armed) {
            _ if self.is_busy => None,
            (true, true) => Some(GroupRequest::Trigger),
            (true, false) => None,
            (false, false) if self.rest == 0 => Some(GroupRequest::Reset),
            _ => (self.until_read == 0).then_some(GroupRequest::Read),
        }
    }

    /// Returns a request as a future that says if the group is armed after it.
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

    /// Records the result of a request. A failed request is due again. Returns a note for the user.
    pub(crate) fn finish(
        &mut self,
        request: GroupRequest,
        result: Result<bool, kalshi_sdk::Error>,
    ) -> Option<String> {
        self.is_busy = false;
        let was_armed = self.is_armed;
        match result {
            Ok(is_armed) => self.is_armed = is_armed,
            Err(error) => return Some(format!("the order group request failed: {error}")),
        }
        self.until_read = READ_INTERVAL;
        match request {
            GroupRequest::Read if was_armed && !self.is_armed => {
                self.rest = REST;
                Some(format!(
                    "more than {LIMIT} contracts traded in 15 s: standing aside"
                ))
            }
            GroupRequest::Reset => Some("the order group is reset: quoting".to_owned()),
            _ => None,
        }
    }

    /// Cancels all orders of the group and rejects later ones.
    pub(crate) async fn trigger(&mut self, client: &Client) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            match self.send(client, GroupRequest::Trigger).await {
                Ok(_) => return Ok(()),
                Err(error) if attempt == ATTEMPTS => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
            attempt += 1;
        }
    }

    /// Deletes the group.
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
                Err(error) if attempt == ATTEMPTS => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
            attempt += 1;
        }
    }
}

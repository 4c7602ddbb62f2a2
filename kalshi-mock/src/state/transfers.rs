//! Deposits, and transfers of money between subaccounts, shards and exchange instances.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Account, Shard, State, insert_bounded};
use crate::{Rejection, time::Micros};

/// An exchange instance, as source or destination of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Instance {
    EventContract,
    Margined,
}

/// A deposit of a user.
#[derive(Clone, Debug)]
pub(crate) struct Deposit {
    pub(crate) id: Uuid,
    pub(crate) user: u32,
    pub(crate) cents: i64,
    pub(crate) at: Micros,
}

/// A transfer between two subaccounts of a user.
#[derive(Clone, Debug)]
pub(crate) struct SubaccountTransfer {
    pub(crate) id: Uuid,
    pub(crate) user: u32,
    pub(crate) from: u8,
    pub(crate) to: u8,
    pub(crate) shard: Shard,
    pub(crate) cents: i64,
    pub(crate) at: Micros,
}

/// A transfer between two shards or exchange instances.
#[derive(Clone, Debug)]
pub(crate) struct ShardTransfer {
    pub(crate) id: Uuid,
    pub(crate) client_transfer_id: Option<Uuid>,
    pub(crate) user: u32,
    /// Source subaccount and shard.
    pub(crate) from: (u8, Shard),
    pub(crate) to: (u8, Shard),
    /// Instances of the source and the destination.
    pub(crate) instances: (Instance, Instance),
    /// Amount in hundredths of a cent.
    pub(crate) centi_cents: i64,
    pub(crate) at: Micros,
}

impl State {
    pub(crate) fn transfer_to_subaccount(
        &mut self,
        id: Uuid,
        (from, to): (Account, Account),
        shard: Shard,
        cents: i64,
    ) -> Result<(), Rejection> {
        if from == to {
            return Err(Rejection::invalid(
                "from_subaccount, to_subaccount: must differ",
            ));
        }
        let is_same =
            |transfer: &SubaccountTransfer| transfer.user == from.user && transfer.id == id;
        reject_duplicate(self.subaccount_transfers.values().any(is_same))?;
        self.move_cash((from, shard), (to, shard), (cents, 10_000))?;
        let (number, at) = (self.next_number(), self.now);
        let (from, to, user) = (from.subaccount, to.subaccount, from.user);
        let transfer = SubaccountTransfer {
            id,
            user,
            from,
            to,
            shard,
            cents,
            at,
        };
        insert_bounded(&mut self.subaccount_transfers, number, transfer);
        Ok(())
    }

    pub(crate) fn transfer_to_shard(
        &mut self,
        client_transfer_id: Option<Uuid>,
        (from, from_shard): (Account, Shard),
        (to, to_shard): (Account, Shard),
        centi_cents: i64,
    ) -> Result<Uuid, Rejection> {
        let instances = (Instance::EventContract, Instance::EventContract);
        self.reject_repeated_transfer(client_transfer_id, (from, from_shard), instances)?;
        self.move_cash((from, from_shard), (to, to_shard), (centi_cents, 100))?;
        let id = self.record_transfer(
            client_transfer_id,
            ((from, from_shard), (to, to_shard)),
            instances,
            centi_cents,
        );
        if from_shard == to_shard {
            let (number, at) = (self.next_number(), self.now);
            // The subaccount history is in cents. A fraction of a cent is moved but not shown.
            let transfer = SubaccountTransfer {
                id,
                user: from.user,
                from: from.subaccount,
                to: to.subaccount,
                shard: from_shard,
                cents: centi_cents / 100,
                at,
            };
            insert_bounded(&mut self.subaccount_transfers, number, transfer);
        }
        Ok(id)
    }

    /// Moves money from this exchange to the margin exchange.
    pub(crate) fn transfer_to(
        &mut self,
        margin: &mut Self,
        id: Option<Uuid>,
        from: (Account, Shard),
        to: (Account, Shard),
        centi_cents: i64,
    ) -> Result<Uuid, Rejection> {
        let instances = (Instance::EventContract, Instance::Margined);
        self.reject_repeated_transfer(id, from, instances)?;
        let micros = self.withdraw(from, (centi_cents, 100))?;
        margin.deposit_cash(to, micros);
        Ok(self.record_transfer(id, (from, to), instances, centi_cents))
    }

    /// Moves money from the margin exchange to this one.
    pub(crate) fn transfer_from(
        &mut self,
        margin: &mut Self,
        id: Option<Uuid>,
        from: (Account, Shard),
        to: (Account, Shard),
        centi_cents: i64,
    ) -> Result<Uuid, Rejection> {
        let instances = (Instance::Margined, Instance::EventContract);
        self.reject_repeated_transfer(id, from, instances)?;
        let micros = margin.withdraw(from, (centi_cents, 100))?;
        self.deposit_cash(to, micros);
        Ok(self.record_transfer(id, (from, to), instances, centi_cents))
    }

    fn reject_repeated_transfer(
        &self,
        id: Option<Uuid>,
        (from, shard): (Account, Shard),
        instances: (Instance, Instance),
    ) -> Result<(), Rejection> {
        let is_same = |transfer: &ShardTransfer| {
            transfer.user == from.user
                && transfer.from.1 == shard
                && transfer.instances.0 == instances.0
                && transfer.client_transfer_id == id
        };
        reject_duplicate(id.is_some() && self.shard_transfers.values().any(is_same))
    }

    fn record_transfer(
        &mut self,
        client_transfer_id: Option<Uuid>,
        (from, to): ((Account, Shard), (Account, Shard)),
        instances: (Instance, Instance),
        centi_cents: i64,
    ) -> Uuid {
        let (id, number, at) = (self.new_id(), self.next_number(), self.now);
        let transfer = ShardTransfer {
            id,
            client_transfer_id,
            user: from.0.user,
            from: (from.0.subaccount, from.1),
            to: (to.0.subaccount, to.1),
            instances,
            centi_cents,
            at,
        };
        insert_bounded(&mut self.shard_transfers, number, transfer);
        id
    }

    fn deposit_cash(&mut self, (account, shard): (Account, Shard), micros: i64) {
        self.ledger.pay(account, shard, micros, self.now);
        self.ledger.paid_in += micros;
    }

    /// Takes money out of an account and returns it in millionths of a dollar.
    fn withdraw(
        &mut self,
        from: (Account, Shard),
        (amount, micros): (i64, i64),
    ) -> Result<i64, Rejection> {
        let micros = self.require_cash(from, (amount, micros))?;
        self.deposit_cash(from, -micros);
        Ok(micros)
    }

    /// Returns the money of an account that can be moved.
    pub(super) fn withdrawable_cash(&self, (account, shard): (Account, Shard)) -> i64 {
        match &self.margin {
            Some(_) => self.withdrawable(account),
            None => self.ledger.available(account, shard),
        }
    }

    /// Returns an amount in millionths of a dollar, or rejects it if the account has less.
    fn require_cash(
        &self,
        from: (Account, Shard),
        (amount, micros): (i64, i64),
    ) -> Result<i64, Rejection> {
        let micros = amount.checked_mul(micros).filter(|micros| *micros > 0);
        let micros = micros.ok_or_else(|| Rejection::invalid("amount: must be gte 1"))?;
        match self.withdrawable_cash(from) < micros {
            true => Err(Rejection::bad_request(
                "insufficient_balance",
                "not enough is available",
            )),
            false => Ok(micros),
        }
    }

    fn move_cash(
        &mut self,
        from: (Account, Shard),
        to: (Account, Shard),
        (amount, micros): (i64, i64),
    ) -> Result<(), Rejection> {
        let micros = self.require_cash(from, (amount, micros))?;
        let now = self.now;
        self.ledger.pay(from.0, from.1, -micros, now);
        self.ledger.pay(to.0, to.1, micros, now);
        Ok(())
    }
}

fn reject_duplicate(is_duplicate: bool) -> Result<(), Rejection> {
    match is_duplicate {
        true => Err(Rejection::conflict(
            "already_exists",
            "a transfer with this client_transfer_id already exists",
        )),
        false => Ok(()),
    }
}

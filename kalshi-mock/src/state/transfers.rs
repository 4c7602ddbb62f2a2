//! Money that moves: paid in, between subaccounts, between shards.

use uuid::Uuid;

use super::{Account, Shard, State, remember};
use crate::{Rejection, time::Micros};

/// Money that a user paid in.
#[derive(Clone, Debug)]
pub(crate) struct Deposit {
    pub(crate) id: Uuid,
    pub(crate) user: u32,
    pub(crate) cents: i64,
    pub(crate) at: Micros,
}

/// Money that went from one subaccount to another.
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

/// Money that went from one shard to another.
#[derive(Clone, Debug)]
pub(crate) struct ShardTransfer {
    pub(crate) id: Uuid,
    pub(crate) client_transfer_id: Option<Uuid>,
    pub(crate) user: u32,
    /// Subaccount and shard.
    pub(crate) from: (u8, Shard),
    pub(crate) to: (u8, Shard),
    /// Hundredths of a cent.
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
        let known = |transfer: &SubaccountTransfer| transfer.user == from.user && transfer.id == id;
        refuse_repeat(self.subaccount_transfers.values().any(known))?;
        self.move_cash((from, shard), (to, shard), (cents, 10_000))?;
        let (number, at) = (self.next(), self.now);
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
        remember(&mut self.subaccount_transfers, number, transfer);
        Ok(())
    }

    pub(crate) fn transfer_to_shard(
        &mut self,
        client_transfer_id: Option<Uuid>,
        (from, from_shard): (Account, Shard),
        (to, to_shard): (Account, Shard),
        centi_cents: i64,
    ) -> Result<Uuid, Rejection> {
        let known = |transfer: &ShardTransfer| {
            transfer.user == from.user
                && transfer.from.1 == from_shard
                && transfer.client_transfer_id == client_transfer_id
        };
        refuse_repeat(client_transfer_id.is_some() && self.shard_transfers.values().any(known))?;
        self.move_cash((from, from_shard), (to, to_shard), (centi_cents, 100))?;
        let (id, number, at) = (self.id(), self.next(), self.now);
        if from_shard == to_shard {
            // The history of subaccounts is in cents: a smaller remainder is moved but not shown.
            let transfer = SubaccountTransfer {
                id,
                user: from.user,
                from: from.subaccount,
                to: to.subaccount,
                shard: from_shard,
                cents: centi_cents / 100,
                at,
            };
            remember(&mut self.subaccount_transfers, number, transfer);
        }
        let transfer = ShardTransfer {
            id,
            client_transfer_id,
            user: from.user,
            from: (from.subaccount, from_shard),
            to: (to.subaccount, to_shard),
            centi_cents,
            at,
        };
        remember(&mut self.shard_transfers, number, transfer);
        Ok(id)
    }

    fn move_cash(
        &mut self,
        from: (Account, Shard),
        to: (Account, Shard),
        (amount, micros): (i64, i64),
    ) -> Result<(), Rejection> {
        let micros = amount.checked_mul(micros).filter(|micros| *micros > 0);
        let micros = micros.ok_or_else(|| Rejection::invalid("amount: must be gte 1"))?;
        if self.ledger.available(from.0, from.1) < micros {
            return Err(Rejection::bad(
                "insufficient_balance",
                "less than that is available",
            ));
        }
        let now = self.now;
        self.ledger.pay(from.0, from.1, -micros, now);
        self.ledger.pay(to.0, to.1, micros, now);
        Ok(())
    }
}

fn refuse_repeat(is_repeat: bool) -> Result<(), Rejection> {
    match is_repeat {
        true => Err(Rejection::conflict(
            "already_exists",
            "there is a transfer of that client_transfer_id",
        )),
        false => Ok(()),
    }
}

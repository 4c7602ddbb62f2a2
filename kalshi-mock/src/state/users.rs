//! Users: rate limits, subaccounts and deposits.

use std::collections::BTreeMap;

use kalshi_sdk::limits::{AccountLimits, BucketLimit, Tier};
use uuid::Uuid;

use super::{Account, Deposit, Shard, State};
use crate::{Rejection, buckets::Buckets, time::Micros};

/// Maximum cash of a user, in cents. Sums of such amounts fit into 64 bits.
const MAX_CASH: i64 = 10_000_000_000;

/// Highest number of a subaccount.
pub(crate) const LAST_SUBACCOUNT: u8 = 63;

/// A user of the exchange.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    /// Id that other users see in requests for quote.
    pub(crate) communications_id: String,
    pub(crate) tier: Tier,
    /// Token buckets, or `None` if requests are not limited.
    pub(crate) limits: Option<AccountLimits>,
    pub(crate) buckets: Option<Buckets>,
    /// True if the user may trade. Only the margin exchange has users who may not.
    pub(crate) enabled: bool,
    /// Subaccounts by number, with true if netting is enabled.
    pub(crate) subaccounts: BTreeMap<u8, bool>,
    /// Target allocation of cash in percent by shard, and the treatment of resting orders.
    pub(crate) allocation: (Vec<(Shard, u32)>, String),
}

impl User {
    pub(super) fn market_maker() -> Self {
        Self {
            id: Uuid::nil(),
            communications_id: String::new(),
            tier: Tier::Basic,
            limits: None,
            buckets: None,
            enabled: true,
            subaccounts: BTreeMap::from([(0, false)]),
            allocation: (Vec::new(), "sum".to_owned()),
        }
    }
}

/// Returns the token buckets of a tier on the margin exchange. The buckets of Basic were recorded, and the read bucket of
/// Advanced is documented. All others are those of the Trade API.
pub(crate) fn margin_limits(tier: Tier) -> AccountLimits {
    let limits = AccountLimits::from_tier(tier);
    match tier {
        Tier::Basic => limits
            .with_read(BucketLimit::new(400, 400))
            .with_write(BucketLimit::new(100, 100)),
        Tier::Advanced => limits.with_read(BucketLimit::new(600, 600)),
        _ => limits,
    }
}

impl State {
    /// Adds a user with money on shard 0.
    pub(crate) fn add_user(&mut self, tier: Tier, limited: bool, cents: i64) -> u32 {
        let limits = limited.then(|| AccountLimits::from_tier(tier));
        let user = User {
            id: self.new_id(),
            communications_id: self.hexadecimal(32),
            tier,
            limits,
            buckets: limits.map(|limits| Buckets::new(limits, self.now)),
            ..User::market_maker()
        };
        self.users.push(user);
        let user = u32::try_from(self.users.len() - 1).unwrap_or(u32::MAX);
        self.deposit(user, 0, cents);
        user
    }

    /// Adds a user of the event exchange to the margin exchange, with the same id.
    pub(crate) fn add_margin_user(&mut self, id: Uuid, (tier, limited): (Tier, bool), cents: i64) {
        let user = self.add_user(tier, limited, cents);
        let now = self.now;
        if let Some(user) = self.user_mut(user) {
            user.id = id;
            user.limits = limited.then(|| margin_limits(tier));
            user.buckets = user.limits.map(|limits| Buckets::new(limits, now));
        }
    }

    pub(crate) fn user(&self, user: u32) -> &User {
        // Users are never removed, and only `add_user` assigns numbers.
        self.users.get(user as usize).unwrap_or(&self.users[0])
    }

    pub(crate) fn user_mut(&mut self, user: u32) -> Option<&mut User> {
        self.users.get_mut(user as usize)
    }

    /// Deposits money, or withdraws it if `cents` is negative. The amount is limited to what can be withdrawn, and to the maximum
    /// cash of a user.
    pub(crate) fn deposit(&mut self, user: u32, shard: Shard, cents: i64) {
        let account = Account {
            user,
            subaccount: 0,
        };
        let held: i64 = self
            .ledger
            .cash_of_user(user)
            .map(|(.., cash)| cash.amount)
            .sum();
        let max_deposit = (MAX_CASH - held / 10_000).max(0);
        let cents = cents
            .max(-self.withdrawable_cash((account, shard)).max(0) / 10_000)
            .min(max_deposit);
        let (now, amount) = (self.now, cents * 10_000);
        self.ledger.pay(account, shard, amount, now);
        self.ledger.paid_in += amount;
        if cents > 0 {
            let (number, id) = (self.next_number(), self.new_id());
            self.deposits.insert(
                number,
                Deposit {
                    id,
                    user,
                    cents,
                    at: now,
                },
            );
        }
    }

    /// Returns a subaccount of a user, or a rejection if it does not exist.
    pub(crate) fn account(&self, user: u32, subaccount: u8) -> Result<Account, Rejection> {
        let account = Account { user, subaccount };
        match self.user(user).subaccounts.contains_key(&subaccount) {
            true => Ok(account),
            false => Err(Rejection::not_found(format!(
                "no subaccount {subaccount}: create it first"
            ))),
        }
    }

    pub(crate) fn create_subaccount(&mut self, user: u32, shard: Shard) -> Result<u8, Rejection> {
        let now: Micros = self.now;
        let subaccounts = self.user_mut(user).map(|user| &mut user.subaccounts);
        let number = subaccounts.and_then(|subaccounts| {
            let number = subaccounts.last_key_value().map_or(0, |(last, _)| last + 1);
            (number <= LAST_SUBACCOUNT).then(|| {
                subaccounts.insert(number, false);
                number
            })
        });
        let number = number.ok_or_else(|| {
            Rejection::bad_request(
                "too_many_subaccounts",
                format!("the user already has {LAST_SUBACCOUNT}"),
            )
        })?;
        self.ledger.pay(
            Account {
                user,
                subaccount: number,
            },
            shard,
            0,
            now,
        );
        Ok(number)
    }
}

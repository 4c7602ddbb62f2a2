//! Operations on requests for quote and quotes: create, accept, confirm, execute.

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::{
    MAX_RECORDS, MarketIndex, State, Timer,
    account::Account,
    event::Event,
    order::{MAX_COUNT, Order},
    quote::{Quote, QuoteStatus, Rfq},
    side::Side,
};
use crate::{
    Rejection,
    time::{Micros, SECOND},
};

/// Delay between the confirmation of a quote and its trade.
pub(crate) const EXECUTE_AFTER: Micros = 15 * SECOND;
/// Maximum number of open requests per user.
const MAX_OPEN: usize = 100;

impl State {
    pub(crate) fn create_rfq(
        &mut self,
        mut rfq: Rfq,
        replaces: impl Fn(&Rfq) -> bool,
    ) -> Result<Uuid, Rejection> {
        let is_open_rfq = |other: &Rfq| other.open && other.creator.user == rfq.creator.user;
        let count = rfq.contracts.unwrap_or_default();
        if count > MAX_COUNT {
            return Err(Rejection::invalid(format!(
                "contracts_fp: must be lte {MAX_COUNT}"
            )));
        }
        let ticker = self
            .markets
            .get(rfq.market)
            .map(|market| market.ticker.clone());
        self.tradable_market(ticker.as_deref().unwrap_or_default())?;
        let is_replaced = |(number, other): &(&u64, &Rfq)| {
            is_open_rfq(other) && replaces(other) && !self.is_accepted(**number)
        };
        let replaced: Vec<u64> = self
            .rfqs
            .iter()
            .filter(is_replaced)
            .map(|(number, _)| *number)
            .collect();
        for number in replaced {
            self.close_rfq(number);
        }
        if self
            .rfqs
            .values()
            .filter(|other| is_open_rfq(other))
            .count()
            >= MAX_OPEN
        {
            return Err(Rejection::bad_request(
                "too_many_rfqs",
                format!("{MAX_OPEN} RFQs are already open"),
            ));
        }
        rfq.id = self.new_id();
        let (id, number) = (rfq.id, self.next_number());
        self.emit(|_| Some(Event::RfqCreated(rfq.clone())));
        self.rfqs.insert(number, rfq);
        self.remove_old_rfqs();
        Ok(id)
    }

    /// Drops the oldest closed request and its quotes if there are more than [`MAX_RECORDS`].
    fn remove_old_rfqs(&mut self) {
        if self.rfqs.len() <= MAX_RECORDS {
            return;
        }
        let is_removable = |(number, rfq): &(&u64, &Rfq)| !rfq.open && !self.is_accepted(**number);
        let oldest = self
            .rfqs
            .iter()
            .find(is_removable)
            .map(|(number, _)| *number);
        if let Some(number) = oldest {
            self.rfqs.remove(&number);
            let quotes: Vec<u64> = self.quotes.of_rfq(number).map(|(quote, _)| quote).collect();
            for quote in quotes {
                self.quotes.remove(quote);
            }
        }
    }

    /// Returns a request and its number.
    pub(crate) fn rfq(&self, id: Uuid) -> Result<(u64, &Rfq), Rejection> {
        self.rfqs
            .iter()
            .rev()
            .find(|(_, rfq)| rfq.id == id)
            .map(|(number, rfq)| (*number, rfq))
            .ok_or_else(|| Rejection::not_found("no such RFQ"))
    }

    /// Returns true if a quote on a request has been or can still be confirmed.
    pub(crate) fn is_accepted(&self, number: u64) -> bool {
        let mut quotes = self.quotes.of_rfq(number);
        quotes.any(|(_, quote)| quote.is_pending(self.now))
    }

    /// Closes a request and cancels its open quotes.
    pub(crate) fn close_rfq(&mut self, number: u64) {
        let now = self.now;
        if let Some(rfq) = self.rfqs.get_mut(&number) {
            rfq.open = false;
            rfq.updated = now;
            let rfq = rfq.clone();
            self.emit(|_| Some(Event::RfqDeleted(rfq)));
        }
        self.cancel_quotes(number, "rfq_closed", |_| true);
    }

    /// Cancels the open quotes on a request that `is_cancelled` selects.
    fn cancel_quotes(
        &mut self,
        rfq: u64,
        reason: &'static str,
        is_cancelled: impl Fn(&Quote) -> bool,
    ) {
        let quotes = self.quotes.of_rfq(rfq);
        let is_affected = |quote: &Quote| quote.status == QuoteStatus::Open && is_cancelled(quote);
        let numbers: Vec<u64> = quotes
            .filter(|(_, quote)| is_affected(quote))
            .map(|(number, _)| number)
            .collect();
        for number in numbers {
            if let Some(quote) = self.quotes.get_mut(number) {
                quote.cancel(reason, self.now);
            }
        }
    }

    pub(crate) fn create_quote(&mut self, mut quote: Quote) -> Result<Uuid, Rejection> {
        let rfq = self
            .rfqs
            .get(&quote.rfq)
            .ok_or_else(|| Rejection::not_found("no such RFQ"))?;
        if !rfq.open {
            return Err(Rejection::conflict("rfq_closed", "the RFQ is closed"));
        }
        if rfq.creator.user == quote.creator.user {
            return Err(Rejection::bad_request(
                "own_rfq",
                "users cannot quote their own RFQs",
            ));
        }
        let (yes, no) = (quote.yes_bid.micros(), quote.no_bid.micros());
        let is_valid = |bid: i64| (0..Dollars::ONE.micros()).contains(&bid) && bid % 100 == 0;
        if !is_valid(yes) || !is_valid(no) || yes + no > Dollars::ONE.micros() || yes + no == 0 {
            return Err(Rejection::invalid(
                "yes_bid, no_bid: must each be gte 0 and lt 1 with up to 4 decimals, together lte 1 and not 0",
            ));
        }
        let ticker = self
            .markets
            .get(rfq.market)
            .map(|market| market.ticker.as_str());
        let (_, market) = self.tradable_market(ticker.unwrap_or_default())?;
        let can_pay = |side: Side| {
            let bid = quote.bid(side);
            let price = if side == Side::Bid {
                bid
            } else {
                bid.complement()
            };
            let count = rfq.contracts_at(bid, &market.fees);
            bid.is_zero() || self.can_trade(quote.creator, (side, price, count), rfq.market, false)
        };
        if !can_pay(Side::Bid) || !can_pay(Side::Ask) {
            return Err(Rejection::bad_request(
                "insufficient_balance",
                format!("not enough is available on shard {}", market.shard),
            ));
        }
        let user = quote.creator.user;
        self.cancel_quotes(quote.rfq, "replaced", |other| other.creator.user == user);
        quote.id = self.new_id();
        let (id, number) = (quote.id, self.next_number());
        self.quotes.insert(number, quote);
        self.emit_quote(number, "quote_created");
        self.remove_old_quotes();
        Ok(id)
    }

    /// Drops the oldest quote that can no longer trade if there are more than [`MAX_RECORDS`].
    fn remove_old_quotes(&mut self) {
        if self.quotes.len() <= MAX_RECORDS {
            return;
        }
        let can_trade =
            |quote: &Quote| quote.status == QuoteStatus::Open || quote.is_pending(self.now);
        let oldest = self
            .quotes
            .iter()
            .find(|(_, quote)| !can_trade(quote))
            .map(|(number, _)| number);
        if let Some(number) = oldest {
            self.quotes.remove(number);
        }
    }

    /// Returns a quote and its number.
    pub(crate) fn quote(&self, id: Uuid) -> Result<(u64, &Quote), Rejection> {
        self.quotes
            .find(id)
            .ok_or_else(|| Rejection::not_found("no such quote"))
    }

    /// Cancels an open quote.
    pub(crate) fn delete_quote(&mut self, number: u64) -> Result<(), Rejection> {
        let now = self.now;
        let quote = self
            .quotes
            .get_mut(number)
            .filter(|quote| quote.status == QuoteStatus::Open);
        let quote = quote.ok_or_else(|| Rejection::not_found("no such open quote"))?;
        quote.cancel("deleted", now);
        Ok(())
    }

    pub(crate) fn accept_quote(&mut self, number: u64, side: Side) -> Result<(), Rejection> {
        let now = self.now;
        let quote = self
            .quotes
            .get(number)
            .filter(|quote| quote.status == QuoteStatus::Open);
        let quote = quote.ok_or_else(|| Rejection::not_found("no such open quote"))?;
        if quote.bid(side).is_zero() {
            return Err(Rejection::invalid(
                "accepted_side: the quote has no bid on that side",
            ));
        }
        // Only one quote can be accepted at a time, until its confirmation times out.
        if self.is_accepted(quote.rfq) {
            return Err(Rejection::bad_request(
                "already_accepted",
                "another quote on the RFQ has been accepted",
            ));
        }
        if let Some(quote) = self.quotes.get_mut(number) {
            quote.status = QuoteStatus::Accepted;
            quote.accepted = Some(side);
            quote.accepted_at = Some(now);
            quote.updated = now;
        }
        self.emit_quote(number, "quote_accepted");
        Ok(())
    }

    pub(crate) fn confirm_quote(&mut self, number: u64) -> Result<(), Rejection> {
        let now = self.now;
        let quote = self
            .quotes
            .get_mut(number)
            .filter(|quote| quote.status == QuoteStatus::Accepted);
        let quote = quote.ok_or_else(|| {
            Rejection::bad_request("not_accepted", "the quote is not awaiting confirmation")
        })?;
        if !quote.can_be_confirmed(now) {
            return Err(Rejection::bad_request(
                "expired",
                "the time to confirm the quote has passed",
            ));
        }
        quote.status = QuoteStatus::Confirmed;
        quote.confirmed_at = Some(now);
        quote.updated = now;
        self.set_timer(now + EXECUTE_AFTER, Timer::ExecuteQuote(number));
        Ok(())
    }

    /// Executes a confirmed quote, or cancels it if a party cannot pay.
    pub(super) fn execute_quote(&mut self, number: u64) {
        let now = self.now;
        let Some(quote) = self.quotes.get(number).cloned() else {
            return;
        };
        let (Some(rfq), Some(side)) = (self.rfqs.get(&quote.rfq).cloned(), quote.accepted) else {
            return;
        };
        let bid = quote.bid(side);
        // The maker buys the outcome it bid for; the requester buys the other one.
        let price = if side == Side::Bid {
            bid
        } else {
            bid.complement()
        };
        let market = self
            .markets
            .get(rfq.market)
            .map(|market| (market.fees, market.ticker.clone()));
        let (count, is_open) = market.map_or((Contracts::ZERO, false), |(fees, ticker)| {
            (
                rfq.contracts_at(bid, &fees),
                self.tradable_market(&ticker).is_ok(),
            )
        });
        let can = self.can_trade(quote.creator, (side, price, count), rfq.market, false)
            && self.can_trade(
                rfq.creator,
                (side.opposite(), price, count),
                rfq.market,
                true,
            );
        let reason = match (is_open, can && !count.is_zero()) {
            (true, true) => None,
            (false, _) => Some("market_not_active"),
            (true, false) => Some("insufficient_balance"),
        };
        if let Some(reason) = reason {
            if let Some(quote) = self.quotes.get_mut(number) {
                quote.cancel(reason, now);
            }
            return;
        }
        let trade = self.new_id();
        let maker = self.create_quote_order(quote.creator, side, price, count, rfq.market);
        let taker = self.create_quote_order(rfq.creator, side.opposite(), price, count, rfq.market);
        self.fill(maker, false, trade, price, count);
        self.fill(taker, true, trade, price, count);
        self.cancel(taker);
        self.record_trade(trade, rfq.market, price, count, side.opposite());
        if let Some(quote) = self.quotes.get_mut(number) {
            quote.status = QuoteStatus::Executed;
            quote.executed_at = Some(now);
            quote.updated = now;
            quote.orders = Some((maker, taker));
        }
        self.emit_quote(number, "quote_executed");
        if let Some(rfq) = self.rfqs.get_mut(&quote.rfq) {
            rfq.executed = true;
        }
        self.close_rfq(quote.rfq);
    }

    /// Returns true if an account can pay its side of a trade.
    fn can_trade(
        &self,
        account: Account,
        (side, price, count): (Side, Dollars, Contracts),
        index: MarketIndex,
        is_taker: bool,
    ) -> bool {
        let Some(market) = self.markets.get(index) else {
            return false;
        };
        let unit_price = side.unit_price(price);
        let held = self.position(account, index);
        let fee = if is_taker {
            market.fees.taker(unit_price, count)
        } else {
            market.fees.maker(unit_price, count)
        };
        let paid = fee - super::ledger::cash_change(held, side, unit_price, count);
        let change = super::ledger::Hypothetical {
            position: side.signed(count),
            ..Default::default()
        };
        self.ledger
            .available_after(account, (index, market.shard), paid, change)
            >= 0
    }

    /// Creates the order for one side of an executed quote.
    fn create_quote_order(
        &mut self,
        account: Account,
        side: Side,
        price: Dollars,
        count: Contracts,
        market: MarketIndex,
    ) -> Uuid {
        let (id, number, now) = (self.new_id(), self.next_number(), self.now);
        let order = Order::new((id, number), (account, market), (side, price, count), now);
        self.listed.insert((account.user, number), id);
        *self.resting.entry(account.user).or_default() += 1;
        self.orders.insert(id, order);
        id
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use kalshi_sdk::limits::Tier;

    use super::*;

    #[test]
    fn ended_quotes_are_dropped_while_their_request_is_open() {
        let mut state = State::new(1, 1_000 * SECOND);
        let users = [(); 2].map(|()| state.add_user(Tier::Basic, false, 100_000));
        let [requester, maker] = users.map(|user| Account {
            user,
            subaccount: 0,
        });
        let market = state.add_market_of("KXA-26-X", "KXA-26");
        let rfq = Rfq::new(requester, market, Some(Contracts::from(1)), state.now);
        let rfq = state.create_rfq(rfq, |_| false).unwrap();
        let (rfq, _) = state.rfq(rfq).unwrap();
        let bid = Dollars::from_micros(400_000);
        let quote = Quote::new(rfq, maker, (bid, bid), state.now);
        let kept = state.create_quote(quote.clone()).unwrap();
        let (number, _) = state.quote(kept).unwrap();
        state.accept_quote(number, Side::Bid).unwrap();
        for _ in 0..MAX_RECORDS {
            let (id, number) = (state.new_id(), state.next_number());
            let mut quote = Quote {
                id,
                ..quote.clone()
            };
            quote.cancel("replaced", state.now);
            state.quotes.insert(number, quote);
        }
        let newest = state.create_quote(quote).unwrap();
        assert_eq!(state.quotes.len(), MAX_RECORDS + 1);
        assert!(state.is_accepted(rfq));
        assert!(state.quote(kept).is_ok() && state.quote(newest).is_ok());
    }
}

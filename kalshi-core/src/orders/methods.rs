//! Methods that the order types of several API crates share. They are macros because the types are defined in the API crates, and only
//! the defining crate can implement methods on a type.

/// Implements the setters of a new order that mean the same in every API. The type has a field `request`; `$time_in_force` and
/// `$self_trade_prevention` are enums of that request.
#[doc(hidden)]
#[macro_export]
macro_rules! new_order_setters {
    ($order:ident, $time_in_force:ident, $self_trade_prevention:ident) => {
        impl $order {
            /// Fills what matches immediately and cancels the rest. Defaults to `good_till_canceled`.
            pub fn immediate_or_cancel(mut self) -> Self {
                self.request.time_in_force = $time_in_force::ImmediateOrCancel;
                self
            }

            /// Fills the whole order immediately, or none of it. Defaults to `good_till_canceled`.
            pub fn fill_or_kill(mut self) -> Self {
                self.request.time_in_force = $time_in_force::FillOrKill;
                self
            }

            /// Sets the time at which the resting part of the order is cancelled: Unix seconds, a `DateTime` or a `SystemTime`. The
            /// exchange accepts whole seconds, so a fraction is dropped. Placing an order returns an error if the expiry is in the past, even
            /// allowing for the uncertainty of the clocks.
            pub fn expires_at(mut self, seconds: impl Into<$crate::UnixSeconds>) -> Self {
                self.request.expiration_time = Some(seconds.into().get());
                self
            }

            /// Adds the order to an order group.
            pub fn group(mut self, order_group_id: impl Into<$crate::OrderGroupId>) -> Self {
                self.request.order_group_id = Some(order_group_id.into());
                self
            }

            /// Sets the subaccount. Defaults to the primary account.
            pub fn subaccount(mut self, subaccount: impl Into<$crate::SubaccountNumber>) -> Self {
                self.request.subaccount = Some(subaccount.into());
                self
            }

            /// Sets which order is cancelled if this order would trade with one of your own. Defaults to `taker_at_cross`.
            pub fn self_trade_prevention(mut self, kind: $self_trade_prevention) -> Self {
                self.request.self_trade_prevention_type = kind;
                self
            }

            /// Cancels the order if trading in its market is paused.
            pub fn cancel_on_pause(mut self) -> Self {
                self.request.cancel_order_on_pause = Some(true);
                self
            }
        }
    };
}

/// Implements the setters of an amendment that mean the same in every API. The type has a field `request`.
#[doc(hidden)]
#[macro_export]
macro_rules! amendment_setters {
    ($amendment:ident) => {
        impl $amendment {
            /// Sets the order's current client order id. If the response is about an order with another id, the outcome is unknown.
            pub fn client_order_id(mut self, id: impl Into<$crate::ClientOrderId>) -> Self {
                self.request.client_order_id = Some(id.into());
                self
            }

            /// Sets a new client order id for the order. Defaults to the current one.
            pub fn updated_client_order_id(mut self, id: impl Into<$crate::ClientOrderId>) -> Self {
                self.request.updated_client_order_id = Some(id.into());
                self
            }
        }
    };
}

/// Implements the setters of a lookup by client order id and `IntoFuture`, so that awaiting the lookup runs it. The type has the fields
/// `ticker` and `timeout` and a method `run`.
#[doc(hidden)]
#[macro_export]
macro_rules! find_order_methods {
    ($find:ident -> $lookup:ident) => {
        impl $find {
            /// Searches one market only. Without it, the orders of all markets are read, which may take many pages.
            pub fn ticker(mut self, ticker: impl Into<String>) -> Self {
                self.ticker = Some(ticker.into());
                self
            }

            /// Sets the timeout of the lookup. Defaults to 30 s.
            pub fn timeout(mut self, timeout: ::std::time::Duration) -> Self {
                self.timeout = timeout;
                self
            }
        }

        impl ::std::future::IntoFuture for $find {
            type Output = $lookup;
            type IntoFuture = ::std::pin::Pin<Box<dyn Future<Output = $lookup> + Send>>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.run())
            }
        }
    };
}

/// Implements the accessors of a change whose outcome is unknown. The type has the fields `key` (the reference to the order), `wanted`
/// and `error`.
#[doc(hidden)]
#[macro_export]
macro_rules! unknown_change_methods {
    ($change:ident, $order_ref:ident) => {
        impl $change {
            /// Returns the reference to the order that was to be changed.
            #[must_use]
            pub fn order(&self) -> &$order_ref {
                &self.key
            }

            /// Returns the exchange's id of the order that was to be changed.
            #[must_use]
            pub fn order_id(&self) -> &str {
                &self.key.order_id
            }

            /// Returns the error that left the outcome unknown.
            #[must_use]
            pub fn error(&self) -> &$crate::Error {
                &self.error
            }
        }

        impl ::std::fmt::Debug for $change {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($change))
                    .field("order_id", &self.key.order_id)
                    .field("wanted", &self.wanted)
                    .field("error", &self.error)
                    .finish_non_exhaustive()
            }
        }
    };
}

/// Implements the accessors of an order whose outcome is unknown. The type has the fields `order` (the order as it was sent), `error` and
/// `candidates`.
#[doc(hidden)]
#[macro_export]
macro_rules! unknown_order_methods {
    ($unknown:ident, $request:ident, $order:ident) => {
        impl $unknown {
            /// Returns the order as it was sent.
            #[must_use]
            pub fn request(&self) -> &$request {
                &self.order.request
            }

            /// Returns the client order id, by which the order can be found.
            #[must_use]
            pub fn client_order_id(&self) -> &str {
                &self.order.client_order_id
            }

            /// Returns the error that left the outcome unknown.
            #[must_use]
            pub fn error(&self) -> &$crate::Error {
                &self.error
            }

            /// Returns the orders with the client order id, one of which may be this order. Empty unless a lookup found some.
            #[must_use]
            pub fn candidates(&self) -> &[$order] {
                &self.candidates
            }
        }

        impl ::std::fmt::Debug for $unknown {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($unknown))
                    .field("client_order_id", &self.client_order_id())
                    .field("ticker", &self.order.request.ticker)
                    .field("error", &self.error)
                    .field("candidates", &self.candidates.len())
                    .finish_non_exhaustive()
            }
        }
    };
}

/// Implements `Client::orders`.
#[doc(hidden)]
#[macro_export]
macro_rules! orders_method {
    ($client:ident -> $orders:ident) => {
        /// # Orders
        impl $client {
            /// Returns the methods that place, change and find orders safely: a request that may have taken effect is never sent again,
            /// and each outcome is proven or unknown.
            #[must_use]
            pub fn orders(&self) -> $orders {
                $orders {
                    client: self.clone(),
                }
            }
        }
    };
}

/// Implements the conversions from generated types to the runtime's: from the requests for, and the responses to, a new order and an
/// amendment. Their fields have the same names in every API.
#[doc(hidden)]
#[macro_export]
macro_rules! order_messages {
    ($create:ident, $created:ident, $amend:ident, $amended:ident) => {
        #[doc(hidden)]
        impl<'a> From<&'a $create> for $crate::rt::orders::PlaceTerms<'a> {
            fn from(request: &'a $create) -> Self {
                Self {
                    count: request.count,
                    time_in_force: request.time_in_force.as_str(),
                }
            }
        }

        #[doc(hidden)]
        impl<'a> From<&'a $created> for $crate::rt::orders::Identity<'a> {
            fn from(response: &'a $created) -> Self {
                Self {
                    order_id: &response.order_id,
                    client_order_id: response.client_order_id.as_deref(),
                    fill_count: response.fill_count,
                    remaining_count: response.remaining_count,
                }
            }
        }

        #[doc(hidden)]
        impl From<&$amend> for $crate::rt::orders::AmendTerms {
            fn from(request: &$amend) -> Self {
                Self {
                    price: request.price,
                    count: request.count,
                    expiry: request.expiration_time,
                    client_order_id: request.client_order_id.clone(),
                    updated_client_order_id: request.updated_client_order_id.clone(),
                }
            }
        }

        #[doc(hidden)]
        impl<'a> From<&'a $amended> for $crate::rt::orders::Amended<'a> {
            fn from(response: &'a $amended) -> Self {
                Self {
                    order_id: &response.order_id,
                    client_order_id: response.client_order_id.as_ref(),
                    fill_count: response.fill_count,
                    remaining_count: response.remaining_count,
                }
            }
        }
    };
}

/// Evaluates to `true` unless the order differs from the request in its order group, self-trade prevention or `cancel_order_on_pause`.
#[doc(hidden)]
#[macro_export]
macro_rules! settings_agree {
    ($request:ident, $order:ident) => {
        $crate::rt::orders::agree(
            $request.order_group_id.as_deref().unwrap_or_default(),
            $order.order_group_id.as_deref(),
        ) && $crate::rt::orders::agree(
            &$request.self_trade_prevention_type,
            $order.self_trade_prevention_type.as_ref(),
        ) && $crate::rt::orders::agree(
            &$request.cancel_order_on_pause.unwrap_or_default(),
            $order.cancel_order_on_pause.as_ref(),
        )
    };
}

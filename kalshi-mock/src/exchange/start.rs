//! Start and shutdown of a [`MockExchange`].

use std::sync::Arc;

use tokio::{net::TcpListener, sync::watch};

#[cfg(feature = "klear")]
use crate::klear::KlearAccess;
use crate::{
    MockExchange, MockExchangeBuilder, ScheduledEvent, StartError, Time, User,
    control::{Access, Control},
    keys::Keys,
    requests::Log,
    server,
    shared::{Instances, Shared, StartSettings},
    state::State,
    user::KeySettings,
    websocket::{self, Hub},
};

/// Shuts down the exchange when it is dropped.
pub(super) struct Running {
    shared: Arc<Shared>,
    /// The sender is dropped when the server has ended.
    pub(super) server: watch::Receiver<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}

/// # Start
impl MockExchangeBuilder {
    /// Starts the exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if the address is in use or does not suit the control interface, the file cannot be written, a scheduled
    /// event is about a market that does not exist, or no key can be generated.
    pub async fn start(self) -> Result<MockExchange, StartError> {
        let ip = self.address.ip().to_canonical();
        let is_local = ip.is_loopback() || ip.is_unspecified();
        if matches!(self.control, Some(Access::Loopback)) && !is_local {
            return Err(StartError::Control {
                address: self.address,
            });
        }
        let log = Log::new(self.max_requests, self.record.as_deref()).map_err(|source| {
            StartError::Record {
                path: self.record.clone().unwrap_or_default(),
                source,
            }
        })?;
        let bind_error = |source| StartError::Address {
            address: self.address,
            source,
        };
        let listener = TcpListener::bind(self.address).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        #[cfg(feature = "tls")]
        let tls = self.tls.then(|| crate::tls::Tls::generate(address.ip()));
        #[cfg(feature = "tls")]
        let tls = tls.transpose()?;
        let time = Time::default();
        if let Some(at) = self.time {
            time.stop_at(at);
        }
        let settings = StartSettings {
            seed: self.seed.unwrap_or(0),
            rate_limited: self.rate_limited,
            initial_markets: self.initial_markets,
            activity: self.activity,
            time: self.time,
            schedule: self.schedule,
        };
        #[cfg_attr(
            not(feature = "klear"),
            allow(unused_mut, reason = "used by the clearing API")
        )]
        let mut instances = Instances::new(&settings, time.micros());
        #[cfg(feature = "klear")]
        let klear = KlearAccess::new(&mut instances.event);
        for ticker in settings.schedule.iter().filter_map(ScheduledEvent::market) {
            if instances.event.market(ticker).is_none() {
                return Err(StartError::Schedule {
                    ticker: ticker.to_owned(),
                    tickers: tickers(&instances.event),
                });
            }
        }
        let mut shared = Shared::new(
            instances,
            time,
            log,
            Hub::new(self.websocket),
            settings,
            Keys::new(self.window),
            #[cfg(feature = "klear")]
            klear,
        );
        shared.legacy_fields = self.legacy_fields;
        #[cfg(feature = "tls")]
        {
            shared.tls = tls;
        }
        let shared = Arc::new(shared);
        let user = User::add(
            &shared,
            address,
            (self.tier, self.rate_limited),
            self.balances,
            KeySettings {
                algorithm: self.algorithm,
                seed: self.seed,
            },
            self.key,
        )?;
        tokio::spawn(websocket::run_timer(Arc::clone(&shared)));
        tokio::spawn(websocket::send_prices(Arc::clone(&shared)));
        #[cfg(feature = "perps")]
        tokio::spawn(websocket::send_tickers(Arc::clone(&shared)));
        let (ended, server) = watch::channel(());
        let mut exchange = MockExchange {
            shared: Arc::clone(&shared),
            address,
            user,
            running: None,
        };
        let control = self
            .control
            .map(|access| Control::new(exchange.clone(), access));
        exchange.running = Some(Arc::new(Running {
            shared: Arc::clone(&shared),
            server,
        }));
        tokio::spawn(async move {
            // The result does not matter: the server has stopped.
            _ = server::serve(listener, shared, control).await;
            drop(ended);
        });
        Ok(exchange)
    }
}

fn tickers(state: &State) -> Vec<String> {
    let markets = state.markets.iter();
    markets.map(|market| market.ticker.clone()).collect()
}

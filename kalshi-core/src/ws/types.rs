//! The WebSocket types of an API, which are those of the runtime with parameters.

/// Names the runtime's WebSocket types for an API, of which its marker, its channels and its error message are named. It is used in the
/// module `ws` of the API crate, where `Client`, `Message`, `BookStream` and `Connection` are in scope.
#[doc(hidden)]
#[macro_export]
macro_rules! websocket_types {
    ($api:ident, $channel:path, $error_reply:path) => {
        #[doc(inline)]
        pub use $crate::{
            ladder::Sweep,
            ws::{
                Backpressure, CommandError, ConnectionError, ListedSubscription, MalformedMessage,
                RawFrame, ReconnectPolicy, SnapshotRequest, SubscriptionId, UnknownMessage,
                books::{BookError, BookEvent, BookEvents, StaleReason},
            },
        };

        /// What a [`BookStream`] reports.
        pub type BookUpdate = $crate::ws::books::BookUpdate<Message>;
        /// Updates since the last call of [`BookStream::changed`].
        pub type Changes = $crate::ws::books::Changes<Message>;
        /// A channel of the WebSocket.
        pub type Channel = $channel;
        /// Configures a [`Connection`].
        pub type ConnectionBuilder = $crate::ws::ConnectionBuilder<$api>;
        /// Sends commands to a [`Connection`].
        pub type ConnectionHandle = $crate::ws::ConnectionHandle<$api>;
        /// Something that a [`Connection`] reports.
        pub type Event = $crate::ws::Event<Received>;
        /// One frame of a [`Connection`].
        pub type Frame = $crate::ws::Frame<Message>;
        /// A message as received.
        pub type Received = $crate::ws::Received<Message>;
        /// Configures a [`Subscription`].
        pub type SubscribeBuilder = $crate::ws::SubscribeBuilder<$api>;
        /// A subscription to a channel.
        pub type Subscription = $crate::ws::Subscription<$api>;
        /// The messages of one [`Subscription`].
        pub type SubscriptionStream = $crate::ws::SubscriptionStream<$api>;

        /// # WebSocket
        impl Client {
            /// Configures a WebSocket connection: choose channels and markets, then [`connect`](ConnectionBuilder::connect).
            ///
            /// The handshake is signed and uses this client's TLS and proxy, or its own HTTP client, which then has to speak HTTP/1.1
            /// to the exchange. Middleware does not see the handshake, and it takes no tokens.
            pub fn websocket(&self) -> ConnectionBuilder {
                ConnectionBuilder::new(self)
            }
        }

        impl From<&$error_reply> for CommandError {
            fn from(error: &$error_reply) -> Self {
                let error = error.clone();
                Self::from_reply(
                    error.code,
                    error.msg,
                    error.market_ticker,
                    error.market_tickers,
                )
            }
        }
    };
}

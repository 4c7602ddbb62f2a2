//! The macro that defines an API crate's aliases of the runtime's WebSocket types.

/// Defines aliases of the runtime's WebSocket types for an API, and `Client::websocket`. `$api` is the API's marker type, `$channel` its
/// enum of channels and `$error_reply` its error message. For the module `ws` of the API crate, in which `Client`, `Message`,
/// `BookStream` and `Connection` must be in scope.
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

        /// An item of a [`BookStream`]: an event of a book or of the connection.
        pub type BookUpdate = $crate::ws::books::BookUpdate<Message>;
        /// The updates since the last call of [`BookStream::changed`], which returns them.
        pub type Changes = $crate::ws::books::Changes<Message>;
        /// A channel of the WebSocket: a kind of message to subscribe to. The [module](crate::ws#channels) lists them.
        pub type Channel = $channel;
        /// A builder of a [`Connection`], returned by [`Client::websocket`].
        pub type ConnectionBuilder = $crate::ws::ConnectionBuilder<$api>;
        /// Sends commands to a [`Connection`] while it is read elsewhere: subscribes, changes subscriptions by their id, requests
        /// snapshots. Returned by [`Connection::handle`].
        pub type ConnectionHandle = $crate::ws::ConnectionHandle<$api>;
        /// A message of a [`Connection`], or an event of the connection itself.
        pub type Event = $crate::ws::Event<Received>;
        /// A decoded frame of a [`Connection`]: one message and its envelope. [`Frame::parse`] decodes a recorded one.
        pub type Frame = $crate::ws::Frame<Message>;
        /// A received message, with its subscription and time of arrival: the content of [`Event::Message`].
        pub type Received = $crate::ws::Received<Message>;
        /// A builder of a [`Subscription`] of an open [`Connection`], returned by [`Connection::subscribe`].
        pub type SubscribeBuilder = $crate::ws::SubscribeBuilder<$api>;
        /// A subscription of a [`Connection`] to a channel. It adds and removes markets and requests snapshots. The subscription lasts across
        /// reconnects, until it is ended.
        pub type Subscription = $crate::ws::Subscription<$api>;
        /// The messages of one [`Subscription`], as a stream of its own. Made by [`SubscribeBuilder::open`].
        pub type SubscriptionStream = $crate::ws::SubscriptionStream<$api>;

        /// # WebSocket
        impl Client {
            /// Configures a WebSocket connection: choose channels and markets, then [`connect`](ConnectionBuilder::connect).
            ///
            /// The handshake is signed and uses this client's TLS and proxy, or its own HTTP client, which must then use HTTP/1.1.
            /// The handshake bypasses middleware and takes no rate limit tokens.
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

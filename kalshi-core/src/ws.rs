//! WebSocket connections that reconnect and resubscribe, with typed messages.
//!
//! [`ConnectionBuilder::connect`] opens a [`Connection`]. A lost connection is re-established according to its [`ReconnectPolicy`], and all
//! subscriptions are made again. State changes of the connection are reported as [`Event`]s between the messages.
//!
//! [`books`] maintains order books from the messages of a connection. [`sequence`] documents the rules that keep a local book correct.
//!
//! The types are generic in the API, which implements [`WebSocketApi`]. Applications use the aliases in the module `ws` of an API crate.

// One task owns the socket (`driver`). `session` assigns messages to subscriptions; it does no I/O and parses only envelopes and control
// frames. Messages are decoded on the reader's side.

mod api;
mod backoff;
pub mod books;
mod closing;
mod command;
mod connection;
mod control;
mod driver;
mod envelope;
mod error;
mod event;
pub(crate) mod frame;
mod handshake;
mod message;
mod options;
mod queue;
mod reconnect;
pub mod sequence;
mod session;
mod subscription;
mod types;

pub use api::{Targets, WebSocketApi};
pub use connection::{Connection, ConnectionBuilder};
pub use control::ListedSubscription;
pub use error::{CommandError, ConnectionError};
pub use event::{Event, RawFrame, Received, SubscriptionId};
pub use frame::Frame;
pub use message::{MalformedMessage, Message, UnknownMessage};
pub use queue::Backpressure;
pub use reconnect::ReconnectPolicy;
pub use subscription::{
    ConnectionHandle, SnapshotRequest, SubscribeBuilder, Subscription, SubscriptionStream,
};

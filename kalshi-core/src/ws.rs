//! WebSocket connections that reconnect and resubscribe, with typed messages.
//!
//! [`ConnectionBuilder::connect`] opens a [`Connection`]. A lost connection is established again, as a [`ReconnectPolicy`] says, and
//! everything is subscribed to again; what happens to the connection is reported as an [`Event`] between the messages.
//!
//! [`books`] keeps order books by the messages of a connection. [`sequence`] has the rules by which a local book is known to be right.
//!
//! One task owns the socket (`driver`). Which message belongs to which subscription is decided by `session`, which does no input or
//! output and reads envelopes and control frames only; the messages of an API are decoded where they are read, into the types that
//! [`WebSocketApi`] names.

mod api;
mod backoff;
pub mod books;
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

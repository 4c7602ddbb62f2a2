//! The messages of the WebSocket, generated from `perps_asyncapi.yaml`.
//!
//! [`Message`] has a variant for each message. Its content is usually the struct of the same name, such as [`Fill`]. The structs that end in
//! `Params` are the parameters of commands, and those that end in `Reply` the replies to commands: a connection sends and reads them itself.

include!(concat!(env!("OUT_DIR"), "/websocket.rs"));

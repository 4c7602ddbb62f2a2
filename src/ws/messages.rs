//! The messages of the WebSocket, generated from `asyncapi.yaml`.

include!(concat!(env!("OUT_DIR"), "/websocket.rs"));

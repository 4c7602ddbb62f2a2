//! WebSocket messages, generated from `asyncapi.yaml`.

include!(concat!(env!("OUT_DIR"), "/websocket.rs"));

//! The messages of the WebSocket, generated from `perps_asyncapi.yaml`.

include!(concat!(env!("OUT_DIR"), "/websocket.rs"));

//! A crate around the messages of a single AsyncAPI spec.
#![allow(warnings, reason = "the flags of the build around it may deny them")]

pub mod messages {
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/websocket.rs"));
}

pub type Frame = kalshi_core::ws::Frame<messages::Message>;

#[cfg(test)]
mod tests {
    use super::{Frame, messages::Message};

    #[test]
    fn every_sample_decodes_as_its_message() {
        let samples = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples.jsonl"));
        let mut decoded = 0;
        for text in samples.lines() {
            let frame = Frame::parse(text);
            assert!(
                !matches!(frame.message, Message::Unknown(_) | Message::Malformed(_)),
                "{text}: {frame:?}"
            );
            decoded += 1;
        }
        assert!(decoded > 5, "{decoded}");
    }
}

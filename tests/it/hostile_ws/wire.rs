//! WebSocket frames as bytes, so that they can be cut, joined and corrupted.

use std::time::Duration;

use fastrand::Rng;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const COMPRESSED: u8 = 0x40;

/// The way in which the next messages are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Trickle,
    Fragments,
    OneSegment,
    Binary,
}

/// Returns an unmasked frame. `first` is the first byte of its header.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(u8::try_from(length).unwrap()),
        length @ ..0x1_0000 => {
            bytes.push(126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

pub fn text(text: &str) -> Vec<u8> {
    frame(FIN | TEXT, text.as_bytes())
}

pub fn ping() -> Vec<u8> {
    frame(FIN | PING, b"heartbeat")
}

pub fn pong() -> Vec<u8> {
    frame(FIN | PONG, b"heartbeat")
}

/// Returns a close frame, with a code if there is one.
pub fn close(code: Option<u16>) -> Vec<u8> {
    let mut payload = Vec::new();
    if let Some(code) = code {
        payload.extend(code.to_be_bytes());
        payload.extend(b"because");
    }
    frame(FIN | CLOSE, &payload)
}

fn fragments(text: &str, random: &mut Rng) -> Vec<u8> {
    let (mut rest, mut first) = (text.as_bytes(), TEXT);
    let mut bytes = Vec::new();
    while rest.len() > 40 {
        let (part, after) = rest.split_at(random.usize(0..40));
        bytes.extend(frame(first, part));
        bytes.extend(ping());
        (rest, first) = (after, CONTINUATION);
    }
    bytes.extend(frame(FIN | first, rest));
    bytes
}

/// Writes messages. Returns an error if the client has closed the connection.
pub async fn write(
    tcp: &mut TcpStream,
    style: Style,
    texts: &[String],
    random: &mut Rng,
) -> std::io::Result<()> {
    match style {
        Style::Plain => {
            for message in texts {
                tcp.write_all(&text(message)).await?;
            }
        }
        Style::OneSegment => {
            let bytes: Vec<_> = texts.iter().flat_map(|message| text(message)).collect();
            tcp.write_all(&bytes).await?;
        }
        Style::Binary => {
            for message in texts {
                let bytes = frame(FIN | BINARY, message.as_bytes());
                tcp.write_all(&bytes).await?;
            }
        }
        Style::Fragments => {
            for message in texts {
                tcp.write_all(&fragments(message, random)).await?;
            }
        }
        Style::Trickle => {
            for message in texts {
                for byte in text(message) {
                    tcp.write_all(&[byte]).await?;
                    if random.u8(..16) == 0 {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Frames that violate the protocol or exceed a limit.
pub mod broken {
    use super::*;

    /// Returns the header of a frame of one gigabyte, and the first bytes of its payload.
    pub fn giant_frame() -> Vec<u8> {
        let mut bytes = vec![FIN | TEXT, 127];
        bytes.extend((1_u64 << 30).to_be_bytes());
        bytes.extend([b' '; 100]);
        bytes
    }

    pub fn giant_message(max: usize) -> Vec<u8> {
        let part = vec![b' '; max / 2 + 1];
        let mut bytes = frame(TEXT, &part);
        bytes.extend(frame(CONTINUATION, &part));
        bytes.extend(frame(FIN | CONTINUATION, &part));
        bytes
    }

    pub fn invalid_utf8() -> Vec<u8> {
        frame(FIN | TEXT, b"{\"type\":\"\xff\xfe\"}")
    }

    pub fn compressed(text: &str) -> Vec<u8> {
        frame(FIN | COMPRESSED | TEXT, text.as_bytes())
    }

    pub fn unknown_opcode() -> Vec<u8> {
        frame(FIN | 0x5, b"?")
    }

    pub fn masked(text: &str) -> Vec<u8> {
        let mut bytes = frame(FIN | TEXT, text.as_bytes());
        let header = bytes.len() - text.len();
        bytes[1] |= 0x80;
        bytes.splice(header..header, [0; 4]);
        bytes
    }

    pub fn long_ping() -> Vec<u8> {
        frame(FIN | PING, &[b'x'; 126])
    }

    pub fn lone_continuation() -> Vec<u8> {
        frame(FIN | CONTINUATION, b"alone")
    }
}

/// Resets a connection after writing part of a frame.
pub async fn reset(mut tcp: TcpStream, part_of_a_frame: &[u8]) {
    // The client may have closed it already.
    _ = tcp.write_all(part_of_a_frame).await;
    #[allow(deprecated, reason = "a zero linger does not block")]
    tcp.set_linger(Some(Duration::ZERO)).unwrap();
}

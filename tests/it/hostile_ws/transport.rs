//! Faults in the bytes of a connection.

use tokio::time::Instant;

use super::{
    kind::Kind,
    oracle::MAX_MESSAGE_BYTES,
    peer::Mute,
    server::Server,
    wire::{self, Style, broken},
};

impl Server {
    pub async fn break_transport(&mut self, kind: Kind) {
        match kind {
            Kind::Reset => self.reset(&[]).await,
            Kind::ResetInFrame => self.reset(&[0x81, 126, 1]).await,
            Kind::EndOfStream => self.peer = None,
            Kind::CloseWithoutCode => self.close(None).await,
            Kind::Close1000 => self.close(Some(1000)).await,
            Kind::Close1001 => self.close(Some(1001)).await,
            Kind::Close1006 => self.close(Some(1006)).await,
            Kind::Close1008 => self.close(Some(1008)).await,
            Kind::Close1011 => self.close(Some(1011)).await,
            Kind::Close1012 => self.close(Some(1012)).await,
            Kind::Close4000 => self.close(Some(4000)).await,
            Kind::HalfOpen => self.mute(Mute::Everything),
            Kind::PingsOnly => {
                self.mute(Mute::Messages);
                self.mute_until = Some(Instant::now() + self.random_ms(500..12_000));
            }
            Kind::NoPings => {
                self.no_pings_until = Some(Instant::now() + self.random_ms(500..9_000))
            }
            Kind::PingFlood => self.write_raw(&wire::ping().repeat(500)).await,
            Kind::UnsolicitedPongs => self.write_raw(&wire::pong().repeat(3)).await,
            Kind::Trickle => self.write_as(Style::Trickle),
            Kind::Fragments => self.write_as(Style::Fragments),
            Kind::OneSegment => self.write_as(Style::OneSegment),
            Kind::BinaryFrames => self.write_as(Style::Binary),
            Kind::GiantFrame => self.write_raw(&broken::giant_frame()).await,
            Kind::GiantMessage => {
                self.write_raw(&broken::giant_message(MAX_MESSAGE_BYTES))
                    .await
            }
            Kind::InvalidUtf8 => self.write_raw(&broken::invalid_utf8()).await,
            Kind::Compressed => {
                let bytes = broken::compressed(&self.change_alone());
                self.write_raw(&bytes).await;
            }
            Kind::UnknownOpcode => self.write_raw(&broken::unknown_opcode()).await,
            Kind::Masked => {
                let bytes = broken::masked(&self.change_alone());
                self.write_raw(&bytes).await;
            }
            Kind::LongPing => self.write_raw(&broken::long_ping()).await,
            Kind::LoneContinuation => self.write_raw(&broken::lone_continuation()).await,
            _ => unreachable!("{kind:?}"),
        }
    }

    async fn reset(&mut self, part_of_a_frame: &[u8]) {
        if let Some(peer) = self.peer.take() {
            wire::reset(peer.socket.into_inner(), part_of_a_frame).await;
        }
    }

    async fn close(&mut self, code: Option<u16>) {
        self.write_raw(&wire::close(code)).await;
        // Nothing may follow a close frame.
        self.mute(Mute::Everything);
    }

    fn mute(&mut self, mute: Mute) {
        if let Some(peer) = &mut self.peer {
            peer.mute = mute;
            peer.texts.clear();
        }
    }

    /// Sends some changes in a style.
    fn write_as(&mut self, style: Style) {
        let model = &mut *self.shared.model.borrow_mut();
        let Some(peer) = &mut self.peer else { return };
        peer.style = style;
        for _ in 0..6 {
            if let Some(market) = peer.some_market(model) {
                peer.act(model, market);
            }
        }
    }

    /// Returns a numbered change without queueing it.
    fn change_alone(&mut self) -> String {
        let model = &mut *self.shared.model.borrow_mut();
        let market = self.peer.as_ref().and_then(|peer| peer.some_market(model));
        let (Some(peer), Some(market)) = (&mut self.peer, market) else {
            return String::new();
        };
        let change = model.single(market);
        peer.send_change(&change);
        peer.texts.pop().unwrap_or_default()
    }
}

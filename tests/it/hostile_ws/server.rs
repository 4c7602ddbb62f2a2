//! A hostile server: one exchange, one client, and a plan of faults.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures_util::StreamExt;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::UnboundedSender,
    time::{Instant, sleep, sleep_until},
};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{
    kind::{Kind, Occasion},
    model::{EXTRA, FIRST, Model},
    peer::{Mute, Peer},
    wire::{self, Style},
};

const PING_INTERVAL: Duration = Duration::from_secs(3);

/// An instruction to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    AddMarket,
    RemoveMarket,
}

/// State shared by the server, the reader and the clock.
pub struct Shared {
    pub model: RefCell<Model>,
    /// Time at which the last fault ended.
    pub calm_since: std::cell::Cell<Option<Instant>>,
    /// `true` if bytes were sent or received.
    pub is_busy: std::cell::Cell<bool>,
}

pub struct Server {
    pub listener: TcpListener,
    pub shared: Rc<Shared>,
    pub peer: Option<Peer>,
    /// Silent connections that are kept open.
    pub abandoned: Vec<TcpStream>,
    /// Remaining faults, the next one last.
    plan: Vec<Kind>,
    /// Faults that are waiting for their occasion.
    pub armed: Vec<Kind>,
    next_fault: Instant,
    next_step: Instant,
    next_ping: Instant,
    /// Time at which messages and pings are sent again.
    pub mute_until: Option<Instant>,
    pub no_pings_until: Option<Instant>,
    /// A crossed market, and the time until which it stays crossed.
    pub crossing: Option<(usize, Instant)>,
    /// The market of a change that follows after a pause with the same clock.
    pub second_half: Option<usize>,
    /// Number of snapshots at once above which the queue overflows. It stays in effect after the last fault.
    pub max_burst: usize,
    instructions: UnboundedSender<Instruction>,
    has_extra: bool,
    /// `true` if markets keep changing after the last fault.
    is_busy_when_calm: bool,
}

impl Server {
    pub fn new(
        listener: TcpListener,
        shared: Rc<Shared>,
        plan: Vec<Kind>,
        instructions: UnboundedSender<Instruction>,
    ) -> Self {
        let now = Instant::now();
        let is_busy_when_calm = shared.model.borrow_mut().random.bool();
        Self {
            listener,
            shared,
            peer: None,
            abandoned: Vec::new(),
            plan,
            armed: Vec::new(),
            next_fault: now,
            next_step: now,
            next_ping: now + PING_INTERVAL,
            mute_until: None,
            no_pings_until: None,
            crossing: None,
            second_half: None,
            max_burst: usize::MAX,
            instructions,
            has_extra: false,
            is_busy_when_calm,
        }
    }

    pub fn random_ms(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.shared.model.borrow_mut().random.u64(range))
    }

    pub fn is_calm(&self) -> bool {
        self.shared.calm_since.get().is_some()
    }

    /// Serves until it is dropped.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (tcp, _) = accepted.unwrap();
                    self.greet(tcp).await;
                }
                message = receive(&mut self.peer) => self.receive(message).await,
                () = sleep_until(self.next_step) => self.step().await,
            }
            self.shared.is_busy.set(true);
        }
    }

    async fn receive(&mut self, message: Option<Result<Message, Error>>) {
        match message {
            Some(Ok(Message::Text(text))) => {
                let command = serde_json::from_str(&text).unwrap();
                self.command(&command);
                self.flush().await;
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => self.peer = None,
            Some(Ok(_)) => {}
        }
    }

    async fn step(&mut self) {
        let now = Instant::now();
        let quick = self.random_ms(0..2).is_zero();
        let pause = self.random_ms(5..if quick { 60 } else { 900 });
        self.next_step = now + pause;
        self.end_of_faults(now);
        self.ping(now).await;
        self.change_markets();
        self.flush().await;
        if now >= self.next_fault {
            self.next_fault = now + self.random_ms(0..3_000);
            self.next_kind().await;
        }
        // No snapshot is made during the pause.
        if self.second_half.is_some() {
            sleep(self.random_ms(5..150)).await;
            self.send_second_half();
            self.flush().await;
        }
    }

    /// Ends temporary faults that have expired.
    fn end_of_faults(&mut self, now: Instant) {
        let is_over = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        if is_over(self.mute_until) {
            self.mute_until = None;
            if let Some(peer) = &mut self.peer
                && peer.mute == Mute::Messages
            {
                peer.mute = Mute::Nothing;
            }
        }
        if is_over(self.no_pings_until) {
            self.no_pings_until = None;
        }
        if let Some((market, until)) = self.crossing
            && until <= now
        {
            self.crossing = None;
            let model = &mut *self.shared.model.borrow_mut();
            let changes = model.end_crossing(market);
            if let Some(peer) = &mut self.peer {
                peer.send(&changes);
            }
        }
    }

    async fn ping(&mut self, now: Instant) {
        if now < self.next_ping || self.no_pings_until.is_some() {
            return;
        }
        self.next_ping = now + PING_INTERVAL;
        if self
            .peer
            .as_ref()
            .is_some_and(|peer| peer.mute != Mute::Everything)
        {
            self.write_raw(&wire::ping()).await;
        }
    }

    fn change_markets(&mut self) {
        let is_quiet = self.is_calm() && !self.is_busy_when_calm;
        let model = &mut *self.shared.model.borrow_mut();
        for _ in 0..model.random.usize(..3) {
            let market = model.random.usize(..=EXTRA);
            if is_quiet {
                continue;
            }
            let changes = model.act(market);
            if let Some(peer) = &mut self.peer {
                peer.send(&changes);
            }
        }
        if let Some(peer) = &mut self.peer
            && model.random.bool()
            && !peer.late.is_empty()
        {
            let text = peer.late.remove(0);
            peer.texts.push(text);
        }
    }

    /// Injects the next fault of the plan, if it is possible now.
    async fn next_kind(&mut self) {
        if self.is_calm() {
            return;
        }
        if self.plan.is_empty() {
            // Faults whose occasion never came are planned again.
            self.plan.append(&mut self.armed);
        }
        let is_over = self.mute_until.or(self.no_pings_until).is_none() && self.crossing.is_none();
        if self.plan.is_empty() && is_over {
            return self.become_calm();
        }
        let is_subscribed = self.peer.as_ref().is_some_and(|peer| {
            let markets = peer.markets();
            peer.mute == Mute::Nothing && (0..FIRST).all(|market| markets.contains(&market))
        });
        let Some(kind) = self.plan.pop_if(|_| is_subscribed) else {
            return;
        };
        match kind.occasion() {
            Occasion::Clock | Occasion::ClockReply | Occasion::ClockSubscribe
                if !self.shared.model.borrow().has_clock => {}
            Occasion::Handshake => {
                self.armed.push(kind);
                self.peer = None;
            }
            Occasion::Transport => {
                self.shared.model.borrow_mut().count(kind);
                self.break_transport(kind).await;
            }
            Occasion::Frames | Occasion::Clock => {
                self.shared.model.borrow_mut().count(kind);
                self.break_frames(kind);
            }
            Occasion::Subscribe | Occasion::ClockSubscribe => {
                self.armed.push(kind);
                if let Some(peer) = &mut self.peer {
                    peer.fail(None, true, 10);
                }
            }
            Occasion::Reply | Occasion::ClockReply => {
                self.armed.push(kind);
                self.lose_and_show();
            }
            Occasion::Addition => {
                self.armed.push(kind);
                if self.has_extra {
                    self.instruct(Instruction::RemoveMarket);
                }
                self.instruct(Instruction::AddMarket);
            }
        }
        self.flush().await;
    }

    fn instruct(&mut self, instruction: Instruction) {
        self.has_extra = instruction == Instruction::AddMarket;
        // The reader may be reconnecting. It gets the last instruction afterwards.
        _ = self.instructions.send(instruction);
    }

    /// Loses a change and sends another one.
    pub fn lose_and_show(&mut self) {
        let model = &mut *self.shared.model.borrow_mut();
        if let Some(peer) = &mut self.peer
            && let Some(market) = peer.some_market(model)
        {
            _ = model.act(market);
            peer.lose();
            peer.reveal_losses(model);
        }
    }

    fn become_calm(&mut self) {
        if self.has_extra && self.random_ms(0..2).is_zero() {
            self.instruct(Instruction::RemoveMarket);
        }
        let model = &mut *self.shared.model.borrow_mut();
        if let Some(peer) = &mut self.peer {
            // A reply would not reveal the loss.
            peer.reveal_losses(model);
        }
        self.shared.calm_since.set(Some(Instant::now()));
    }

    /// Takes a fault that is waiting for one of these occasions.
    pub fn take(&mut self, occasions: &[Occasion]) -> Option<Kind> {
        let is_due = |kind: &Kind| occasions.contains(&kind.occasion());
        let at = self.armed.iter().position(is_due)?;
        let kind = self.armed.remove(at);
        self.shared.model.borrow_mut().count(kind);
        Some(kind)
    }

    /// Writes the queued messages, usually followed by a mark.
    pub async fn flush(&mut self) {
        let Some(peer) = &mut self.peer else { return };
        let mut texts = std::mem::take(&mut peer.texts);
        if peer.mute != Mute::Nothing {
            return;
        }
        let mut random = {
            let model = &mut *self.shared.model.borrow_mut();
            if !peer.has_hidden_loss
                && (self.shared.calm_since.get().is_some() || model.random.bool())
            {
                texts.push(model.mark());
            }
            model.random.fork()
        };
        let tcp = peer.socket.get_mut();
        if wire::write(tcp, peer.style, &texts, &mut random)
            .await
            .is_err()
        {
            self.peer = None;
        } else {
            peer.style = Style::Plain;
        }
    }

    /// Writes bytes between frames.
    pub async fn write_raw(&mut self, bytes: &[u8]) {
        use tokio::io::AsyncWriteExt;
        if let Some(peer) = &mut self.peer
            && peer.socket.get_mut().write_all(bytes).await.is_err()
        {
            self.peer = None;
        }
    }
}

/// Returns the next message of the client. Pending without a connection.
async fn receive(peer: &mut Option<Peer>) -> Option<Result<Message, Error>> {
    match peer {
        // Messages of the client are ignored on a mute connection.
        Some(peer) if peer.mute == Mute::Everything => std::future::pending().await,
        Some(peer) => peer.socket.next().await,
        None => std::future::pending().await,
    }
}

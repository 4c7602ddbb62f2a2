//! Signals that guard handles.

use std::io;

use rustix::process::Signal;
use tokio::{
    select,
    signal::unix::{self, SignalKind},
};

/// Handlers of the signals. While they exist, no handled signal ends or suspends guard.
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    quit: unix::Signal,
    hangup: unix::Signal,
    user_1: unix::Signal,
    user_2: unix::Signal,
    /// SIGTSTP (ctrl-Z), which is ignored: a stopped guard protects nothing.
    suspend: unix::Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            quit: unix::signal(SignalKind::quit())?,
            hangup: unix::signal(SignalKind::hangup())?,
            user_1: unix::signal(SignalKind::user_defined1())?,
            user_2: unix::signal(SignalKind::user_defined2())?,
            suspend: unix::signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?,
        })
    }

    /// Returns the next signal to pass on.
    pub(super) async fn next(&mut self) -> Signal {
        loop {
            select! {
                _ = self.interrupt.recv() => return Signal::INT,
                _ = self.terminate.recv() => return Signal::TERM,
                _ = self.quit.recv() => return Signal::QUIT,
                _ = self.hangup.recv() => return Signal::HUP,
                _ = self.user_1.recv() => return Signal::USR1,
                _ = self.user_2.recv() => return Signal::USR2,
                _ = self.suspend.recv() => {}
            }
        }
    }

    /// Returns the next termination signal.
    pub(super) async fn next_termination(&mut self) -> Signal {
        loop {
            let signal = self.next().await;
            if is_termination(signal) {
                return signal;
            }
        }
    }
}

/// Returns `true` for termination signals.
pub(super) fn is_termination(signal: Signal) -> bool {
    [Signal::INT, Signal::TERM, Signal::QUIT].contains(&signal)
}

/// Returns the name of a signal for messages.
pub(super) fn name(signal: Signal) -> String {
    let names = [
        (Signal::INT, "SIGINT"),
        (Signal::TERM, "SIGTERM"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::HUP, "SIGHUP"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::USR2, "SIGUSR2"),
    ];
    match names.iter().find(|(known, _)| *known == signal) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("signal {}", signal.as_raw()),
    }
}

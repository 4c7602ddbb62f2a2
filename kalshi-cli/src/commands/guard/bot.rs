//! Processes of the bot, including those that have left its process group.

use std::{fmt, io, os::unix::process::CommandExt, process::Command, time::Duration};

use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group,
        test_kill_process_group, wait,
    },
};
use tokio::{
    select,
    signal::unix::{self, SignalKind},
    time::{Instant, sleep, timeout},
};

use super::signals::Signals;

/// Maximum wait for processes to end after SIGKILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval at which remaining processes are checked.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Exit status of the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BotExit {
    Exited(i32),
    Killed(i32),
    /// The exit status is unknown.
    Unknown,
}

impl From<WaitStatus> for BotExit {
    fn from(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Killed(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for BotExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with {code}"),
            Self::Killed(signal) => write!(f, "was killed by signal {signal}"),
            Self::Unknown => f.write_str("ended with an unknown status"),
        }
    }
}

/// The bot as a process group.
///
/// On Linux, guard adopts processes whose parent has ended. It can therefore find processes that have left the group.
pub(super) struct Bot {
    group: Pid,
    exit: Option<BotExit>,
    /// No process is left, and the system may reuse the id of the group.
    has_ended: bool,
    child_signals: unix::Signal,
}

impl Bot {
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let child_signals = unix::signal(SignalKind::child())?;
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let process = command.process_group(0).spawn()?;
        Ok(Self {
            group: Pid::from_child(&process),
            exit: None,
            has_ended: false,
            child_signals,
        })
    }

    pub(super) fn exit(&self) -> Option<BotExit> {
        self.exit
    }

    /// Waits until the bot has ended. Processes that it started may still run.
    pub(super) async fn wait_for_exit(&mut self) -> BotExit {
        loop {
            self.reap();
            if let Some(exit) = self.exit {
                return exit;
            }
            // A signal can be lost when others arrive at the same time.
            let _ = timeout(Duration::from_secs(1), self.child_signals.recv()).await;
        }
    }

    /// Sends a signal to the process group.
    pub(super) fn signal(&self, signal: Signal) {
        // An error means that the group is empty.
        let _ = kill_process_group(self.group, signal);
    }

    /// Ends all processes with `first`, then SIGTERM, then SIGKILL, and waits up to `grace` after each. A termination signal to guard
    /// skips a wait. Returns `false` if processes are left.
    pub(super) async fn stop(
        &mut self,
        first: Option<Signal>,
        grace: Duration,
        signals: &mut Signals,
    ) -> bool {
        if !self.is_running() {
            return true;
        }
        let first_signal = first.filter(|signal| *signal != Signal::TERM);
        for signal in first_signal.into_iter().chain([Signal::TERM]) {
            self.signal_all(signal);
            // A stopped process handles signals only after SIGCONT.
            self.signal_all(Signal::CONT);
            let has_ended = select! {
                ended = self.wait_until_ended(grace, None) => ended,
                _ = signals.next_termination() => false,
            };
            if has_ended {
                return true;
            }
        }
        self.wait_until_ended(KILL_TIMEOUT, Some(Signal::KILL))
            .await
    }

    /// Waits until all processes have ended, and sends them `repeat` at each check. Returns `false` after `limit`.
    async fn wait_until_ended(&mut self, limit: Duration, repeat: Option<Signal>) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if !self.is_running() {
                return true;
            }
            if let Some(signal) = repeat {
                self.signal_all(signal);
            }
            if Instant::now() >= deadline {
                return !self.is_running();
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    fn is_running(&mut self) -> bool {
        self.reap();
        self.has_ended = self.has_ended
            || test_kill_process_group(self.group) == Err(Errno::SRCH)
                && escaped_processes(self.group).is_empty();
        !self.has_ended
    }

    fn signal_all(&self, signal: Signal) {
        self.signal(signal);
        // Each process gets a signal once: a second SIGINT or SIGTERM often means that it must not finish its work.
        for process in escaped_processes(self.group) {
            let _ = kill_process(process, signal);
        }
    }

    /// Reaps processes that have ended.
    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((process, status))) if process == self.group => {
                    self.exit = Some(status.into());
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return,
                Err(_) => {
                    // No children are left.
                    self.exit.get_or_insert(BotExit::Unknown);
                    return;
                }
            }
        }
    }
}

/// Kills remaining processes, so that the bot never runs unguarded.
impl Drop for Bot {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal_all(Signal::KILL);
        }
    }
}

/// Returns the processes of the bot that have left its process group: descendants of guard in other groups.
#[cfg(target_os = "linux")]
fn escaped_processes(group: Pid) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes: Vec<_> = entries
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            Process::parse(
                id,
                &std::fs::read_to_string(entry.path().join("stat")).ok()?,
            )
        })
        .collect();
    let guard_pid = rustix::process::getpid().as_raw_pid();
    descendants(guard_pid, &processes)
        .filter(|process| process.group != group.as_raw_pid())
        .filter_map(|process| Pid::from_raw(process.id))
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn escaped_processes(_group: Pid) -> Vec<Pid> {
    Vec::new()
}

/// A running process, as listed in `/proc`.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    id: i32,
    parent: i32,
    group: i32,
}

#[cfg(target_os = "linux")]
impl Process {
    /// Parses `/proc/PID/stat`. Returns `None` if the process has ended. The name of the program may contain any character.
    fn parse(id: i32, stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?;
        let process = Self {
            id,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        };
        (!["Z", "X", "x"].contains(&state)).then_some(process)
    }
}

/// Returns all descendants of a process.
#[cfg(target_os = "linux")]
fn descendants(root: i32, processes: &[Process]) -> impl Iterator<Item = Process> {
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for process in processes.iter().filter(|process| process.parent == parent) {
            found.push(*process);
            parents.push(process.id);
        }
    }
    found.into_iter()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn process(id: i32, parent: i32, group: i32) -> Process {
        Process { id, parent, group }
    }

    #[test]
    fn stat_is_parsed_for_any_program_name() {
        let stat = "7 (a) S 1 7) S 42 8 7";
        assert_eq!(Process::parse(7, stat), Some(process(7, 42, 8)));
        assert_eq!(Process::parse(7, "7 (sh) Z 42 7 7"), None);
        assert_eq!(Process::parse(7, "7"), None);
    }

    #[test]
    fn descendants_are_found_and_others_are_not() {
        let bot = process(10, 5, 10);
        let child = process(11, 10, 10);
        let daemon = process(12, 11, 12);
        let other = process(13, 1, 13);
        let found: Vec<_> = descendants(5, &[daemon, other, child, bot]).collect();
        assert_eq!(found, [bot, child, daemon]);
    }
}

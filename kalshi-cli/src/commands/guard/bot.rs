//! The processes of the bot: its process group, and those that have left the group.

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

/// Time in which the kernel must end processes after SIGKILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two looks at the processes.
const PAUSE: Duration = Duration::from_millis(20);

/// Exit status of the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exited(i32),
    Killed(i32),
    /// The exit status is unknown.
    Unknown,
}

impl From<WaitStatus> for End {
    fn from(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Killed(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for End {
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
/// On Linux guard is also the parent of processes whose own parent has ended, so that it finds what has left the group.
pub(super) struct Bot {
    group: Pid,
    end: Option<End>,
    /// No process is left. From then on the system may give the id of the group to others.
    is_gone: bool,
    children: unix::Signal,
}

impl Bot {
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let children = unix::signal(SignalKind::child())?;
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let child = command.process_group(0).spawn()?;
        Ok(Self {
            group: Pid::from_child(&child),
            end: None,
            is_gone: false,
            children,
        })
    }

    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    /// Waits until the process of the bot has ended. Processes that it started may be left.
    pub(super) async fn ended(&mut self) -> End {
        loop {
            self.reap();
            if let Some(end) = self.end {
                return end;
            }
            // A signal can be lost when others arrive at the same time.
            let _ = timeout(Duration::from_secs(1), self.children.recv()).await;
        }
    }

    /// Sends a signal to the process group.
    pub(super) fn signal(&self, signal: Signal) {
        // The group is empty if this fails.
        let _ = kill_process_group(self.group, signal);
    }

    /// Ends all processes: by `first`, then by SIGTERM, then by SIGKILL, and each has `grace` to work. A signal to guard that asks
    /// for an end skips a wait. Returns `false` if processes are left.
    pub(super) async fn stop(
        &mut self,
        first: Option<Signal>,
        grace: Duration,
        signals: &mut Signals,
    ) -> bool {
        if !self.is_running() {
            return true;
        }
        let gentle = first.filter(|signal| *signal != Signal::TERM);
        for signal in gentle.into_iter().chain([Signal::TERM]) {
            self.signal_all(signal);
            // A process that is stopped handles signals only after it is continued.
            self.signal_all(Signal::CONT);
            let gone = select! {
                gone = self.gone(grace, None) => gone,
                _ = signals.next_end() => false,
            };
            if gone {
                return true;
            }
        }
        self.gone(KILL_TIMEOUT, Some(Signal::KILL)).await
    }

    /// Waits until no process is left, and sends `repeat` to those that are. Returns `false` after `limit`.
    async fn gone(&mut self, limit: Duration, repeat: Option<Signal>) -> bool {
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
            sleep(PAUSE).await;
        }
    }

    fn is_running(&mut self) -> bool {
        self.reap();
        self.is_gone = self.is_gone
            || test_kill_process_group(self.group) == Err(Errno::SRCH)
                && processes_outside(self.group).is_empty();
        !self.is_gone
    }

    fn signal_all(&self, signal: Signal) {
        self.signal(signal);
        // Each process gets a signal once: a second SIGINT or SIGTERM often means that it must not finish its work.
        for process in processes_outside(self.group) {
            let _ = kill_process(process, signal);
        }
    }

    /// Takes the status of processes that have ended.
    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((process, status))) if process == self.group => {
                    self.end = Some(status.into());
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return,
                Err(_) => {
                    // No children are left.
                    self.end.get_or_insert(End::Unknown);
                    return;
                }
            }
        }
    }
}

/// Kills what is left, so that no bot runs without guard.
impl Drop for Bot {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal_all(Signal::KILL);
        }
    }
}

/// Returns the processes of the bot that have left its process group: those below guard in any other group.
#[cfg(target_os = "linux")]
fn processes_outside(group: Pid) -> Vec<Pid> {
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
    let own = rustix::process::getpid().as_raw_pid();
    below(own, &processes)
        .filter(|process| process.group != group.as_raw_pid())
        .filter_map(|process| Pid::from_raw(process.id))
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn processes_outside(_group: Pid) -> Vec<Pid> {
    Vec::new()
}

/// A living process.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    id: i32,
    parent: i32,
    group: i32,
}

#[cfg(target_os = "linux")]
impl Process {
    /// Parses `/proc/PID/stat`. Returns `None` if the process has ended. The name of the program, in parentheses, may hold anything.
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

/// Returns the children of a process, their children, and so on.
#[cfg(target_os = "linux")]
fn below(root: i32, processes: &[Process]) -> impl Iterator<Item = Process> {
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
    fn fields_are_found_behind_any_name() {
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
        let found: Vec<_> = below(5, &[daemon, other, child, bot]).collect();
        assert_eq!(found, [bot, child, daemon]);
    }
}

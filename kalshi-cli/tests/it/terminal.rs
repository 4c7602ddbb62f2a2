//! The program in a pseudo-terminal.

use std::error::Error;

use pty_process::{Command, Pty, Size};
use rustix::termios::{LocalModes, tcgetattr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Child,
};

use crate::harness::Setup;

const ROWS: u16 = 30;
const COLUMNS: u16 = 110;

/// The program in a pseudo-terminal, with an emulated screen.
pub(crate) struct Terminal {
    pty: Pty,
    child: Child,
    screen: vt100::Parser,
    written: Vec<u8>,
}

impl Terminal {
    /// Starts the program with these arguments, separated by spaces.
    pub(crate) fn start(setup: &Setup, arguments: &str) -> Result<Self, Box<dyn Error>> {
        let (pty, slave) = pty_process::open()?;
        pty.resize(Size::new(ROWS, COLUMNS))?;
        let child = Command::new(env!("CARGO_BIN_EXE_kalshi"))
            .args(arguments.split_whitespace())
            .env_clear()
            .env("TERM", "xterm-256color")
            .env("KALSHI_CONFIG", setup.config_path())
            .kill_on_drop(true)
            .spawn(slave)?;
        Ok(Self {
            pty,
            child,
            screen: vt100::Parser::new(ROWS, COLUMNS, 0),
            written: Vec::new(),
        })
    }

    /// Returns the contents of the screen.
    pub(crate) fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Returns everything that the program wrote to the terminal.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.written).into_owned()
    }

    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Reads until the screen satisfies a condition. Returns an error if the program ends first.
    pub(crate) async fn wait_for(
        &mut self,
        condition: impl Fn(&str) -> bool,
    ) -> Result<(), Box<dyn Error>> {
        while !condition(&self.text()) {
            if !self.read().await {
                return Err(format!("the program has ended:\n{}", self.text()).into());
            }
        }
        Ok(())
    }

    /// Reads what the program wrote. Returns `false` once it has ended.
    async fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.pty.read(&mut bytes).await {
            // Linux reports an error once the last process has closed the terminal.
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.screen.process(&bytes[..count]);
                self.written.extend(&bytes[..count]);
                true
            }
        }
    }

    /// Sends keys to the program.
    pub(crate) async fn type_keys(&mut self, keys: &str) -> Result<(), Box<dyn Error>> {
        Ok(self.pty.write_all(keys.as_bytes()).await?)
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> Option<rustix::process::Pid> {
        rustix::process::Pid::from_raw(self.child.id()?.try_into().ok()?)
    }

    /// Returns `true` if the terminal is in line mode with echo, as outside full-screen programs.
    pub(crate) fn is_cooked(&self) -> Result<bool, Box<dyn Error>> {
        let modes = tcgetattr(&self.pty)?.local_modes;
        Ok(modes.contains(LocalModes::ICANON | LocalModes::ECHO))
    }

    /// Waits for the end of the program, and returns its exit code.
    pub(crate) async fn end(&mut self) -> Result<Option<i32>, Box<dyn Error>> {
        while self.read().await {}
        Ok(self.child.wait().await?.code())
    }
}

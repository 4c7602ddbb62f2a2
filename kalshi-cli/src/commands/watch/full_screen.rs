//! Full-screen mode of the terminal, which is restored however the program ends.

use std::{io, thread};

use ratatui::{
    DefaultTerminal, Frame,
    crossterm::{
        event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
        style,
    },
};
use tokio::sync::mpsc;

/// A key that the screen handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Quit,
    /// Ctrl-C, which does not raise SIGINT in this mode.
    Interrupt,
    Up,
    Down,
}

/// The terminal in full-screen mode. It is restored on drop, and before the message of a panic is printed.
pub(super) struct FullScreen {
    terminal: DefaultTerminal,
}

impl FullScreen {
    /// Enters full-screen mode, and returns a channel of the keys pressed.
    pub(super) fn open(has_colors: bool) -> io::Result<(Self, mpsc::UnboundedReceiver<Input>)> {
        style::force_color_output(has_colors);
        let terminal = ratatui::try_init().inspect_err(|_| ratatui::restore())?;
        Ok((Self { terminal }, inputs()))
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        ratatui::restore();
        // An error means that the terminal is gone.
        _ = self.terminal.show_cursor();
    }
}

/// Reads the keyboard on a separate thread, which ends with the process because a read from a terminal cannot be cancelled.
fn inputs() -> mpsc::UnboundedReceiver<Input> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if let Some(input) = input(&event)
                && sender.send(input).is_err()
            {
                break;
            }
        }
    });
    receiver
}

fn input(event: &Event) -> Option<Input> {
    let Event::Key(key) = event else {
        return None;
    };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            Some(Input::Interrupt)
        }
        KeyCode::Char('q') | KeyCode::Esc => Some(Input::Quit),
        KeyCode::Up | KeyCode::Char('k') => Some(Input::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Input::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use rustix::termios::{LocalModes, tcgetattr};
    use tokio::io::AsyncReadExt;

    use super::FullScreen;

    /// Variable that makes the test process panic.
    const PANICS: &str = "TEST_PANICS_IN_FULL_SCREEN";

    /// Panics if it runs in the process that the test below starts.
    #[test]
    #[allow(
        clippy::panic,
        clippy::unwrap_used,
        reason = "a panic is what is tested"
    )]
    fn panics_in_full_screen() {
        if std::env::var_os(PANICS).is_none() {
            return;
        }
        let (mut screen, _inputs) = FullScreen::open(true).unwrap();
        screen.draw(|_| panic!("while drawing")).unwrap();
    }

    #[tokio::test]
    async fn terminal_is_restored_by_a_panic() -> Result<(), Box<dyn Error>> {
        let (mut terminal, slave) = pty_process::open()?;
        terminal.resize(pty_process::Size::new(24, 80))?;
        let mut child = pty_process::Command::new(std::env::current_exe()?)
            .args(["--exact", "--nocapture"])
            .arg("commands::watch::full_screen::tests::panics_in_full_screen")
            .env(PANICS, "1")
            // A backtrace would scroll the message out of the screen.
            .env("RUST_BACKTRACE", "0")
            .spawn(slave)?;
        let mut screen = vt100::Parser::new(24, 80, 0);
        let (mut bytes, mut was_full) = ([0; 4096], false);
        // Reading fails once the child has gone.
        while let Ok(count @ 1..) = terminal.read(&mut bytes).await {
            for byte in &bytes[..count] {
                screen.process(&[*byte]);
                was_full |= screen.screen().alternate_screen();
            }
        }
        assert!(!child.wait().await?.success());
        assert!(was_full, "{}", screen.screen().contents());
        assert!(!screen.screen().alternate_screen());
        assert!(!screen.screen().hide_cursor());
        let modes = tcgetattr(&terminal)?.local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO));
        let text = screen.screen().contents();
        assert!(text.contains("while drawing"), "{text}");
        Ok(())
    }
}

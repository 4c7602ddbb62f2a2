//! Exit codes and errors of the program.

use std::{
    error::Error,
    fmt, io,
    process::{ExitCode, Termination},
};

use crate::output;

/// Exit codes. MANUAL.md documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    /// The command failed, or the user declined. Nothing was written to the exchange.
    Failure = 1,
    /// The command line or the config file is invalid.
    Usage = 2,
    /// The write was not executed: the exchange rejected it, or reads prove that it had no effect.
    Rejected = 10,
    /// The write may have taken effect, and its outcome is unknown.
    Unknown = 11,
    /// The order was not filled and does not rest.
    Unfilled = 12,
    /// `guard` could not prove that the orders are cancelled.
    #[cfg_attr(not(unix), allow(dead_code, reason = "guard needs Unix"))]
    Unproven = 20,
    /// The command was interrupted by ctrl-C.
    Interrupted = 130,
    /// The command was ended by SIGTERM or SIGHUP.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

/// An error that ends the program.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// Returns a failure caused by the command line or the config file.
    pub(crate) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            exit: Exit::Usage,
            error: error.into(),
        }
    }

    /// Returns a failure of a write that the exchange rejected.
    pub(crate) fn rejected(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            exit: Exit::Rejected,
            error: error.into(),
        }
    }

    /// Returns a failure of a write that may have taken effect.
    pub(crate) fn unknown(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            exit: Exit::Unknown,
            error: UnknownEffect(error.into()).into(),
        }
    }

    /// Returns a failure to write to standard output. It counts as success if the reader, such as `head`, has exited.
    pub(crate) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self {
                exit: Exit::Success,
                error: error.into(),
            },
            _ => error.into(),
        }
    }

    /// Prints the error with its sources to standard error, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if self.exit != Exit::Success {
            output::print_error(&self.to_string());
        }
        self.exit.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let mut source = self.error.source();
        while let Some(error) = source {
            write!(f, "\n  because: {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            exit: Exit::Failure,
            error: error.into(),
        }
    }
}

/// A write that may have taken effect.
#[derive(Debug)]
struct UnknownEffect(Box<dyn Error + Send + Sync>);

impl fmt::Display for UnknownEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the effect of the request is unknown: read the state of the account before you send it again",
        )
    }
}

impl Error for UnknownEffect {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_pipe_is_success_only_for_the_output() {
        let broken_pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::output(broken_pipe()).exit, Exit::Success);
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(Failure::output(full).exit, Exit::Failure);
        // A connection to the exchange breaks in the same way.
        assert_eq!(Failure::from(broken_pipe()).exit, Exit::Failure);
    }
}

//! Exit codes and errors of the program.

use std::{
    error::Error,
    fmt, io,
    process::{ExitCode, Termination},
};

use crate::output;

/// Exit codes, which are documented in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    /// Something failed before or apart from an order.
    Failure = 1,
    /// The command line or the config file is invalid.
    Usage = 2,
    /// No order was placed or changed: the exchange rejected it, or reads prove that it has not done it.
    Rejected = 10,
    /// An order may have been placed or changed, or another write may have taken effect, and it is unknown whether it has.
    Unknown = 11,
    /// Nothing of the order was filled, and nothing of it rests.
    Unfilled = 12,
    /// `guard` could not prove that the orders are cancelled.
    #[cfg_attr(not(unix), allow(dead_code, reason = "guard needs Unix"))]
    Unproven = 20,
    /// Interrupted by ctrl-C.
    Interrupted = 130,
    /// Ended by SIGTERM or SIGHUP.
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
    /// Returns a failure of the command line or the config file.
    pub(crate) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            exit: Exit::Usage,
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

    /// Prints the error with its sources to standard error, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if self.is_broken_pipe() {
            return Exit::Success.into();
        }
        output::print_error(&self.to_string());
        self.exit.into()
    }

    /// Returns `true` if the reader of the output, such as `head`, has gone.
    fn is_broken_pipe(&self) -> bool {
        let mut error: Option<&(dyn Error + 'static)> = Some(&*self.error);
        while let Some(current) = error {
            if let Some(error) = current.downcast_ref::<io::Error>()
                && error.kind() == io::ErrorKind::BrokenPipe
            {
                return true;
            }
            error = current.source();
        }
        false
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

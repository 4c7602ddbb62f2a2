//! Errors when starting an exchange.

use std::{fmt, io, net::SocketAddr, path::PathBuf};

use kalshi_sdk::auth::{CredentialsError, KeyError};

/// Error when starting an exchange.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be used.
    Address {
        /// Address to listen on.
        address: SocketAddr,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The control interface is for programs on this machine, but they cannot reach it on the address, which is not a loopback address:
    /// use [`control_token`](crate::MockExchangeBuilder::control_token).
    Control {
        /// The address.
        address: SocketAddr,
    },
    /// The request file cannot be written.
    Record {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A scheduled event is about a market that does not exist at the start.
    Schedule {
        /// Ticker of the event.
        ticker: String,
        /// Tickers of the markets that exist.
        tickers: Vec<String>,
    },
    /// No key could be generated.
    Key(KeyError),
    /// No certificate could be generated.
    #[cfg(feature = "tls")]
    Certificate(Box<dyn std::error::Error + Send + Sync>),
    /// The key could not be turned into credentials.
    Credentials(CredentialsError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "{address} is in use: choose another port, or 0 for any that is free"
                )
            }
            Self::Address { address, .. } => write!(f, "cannot listen on {address}"),
            Self::Control { address } => write!(
                f,
                "the control interface needs a token on {address}: use a control token, or listen on a loopback address"
            ),
            Self::Record { path, .. } => {
                write!(f, "cannot write the requests to {}", path.display())
            }
            Self::Schedule { ticker, tickers } if tickers.is_empty() => {
                write!(f, "no market {ticker}: there are no markets at the start")
            }
            Self::Schedule { ticker, tickers } => {
                write!(f, "no market {ticker}: there are {}", tickers.join(", "))
            }
            Self::Key(_) => f.write_str("cannot generate a key"),
            #[cfg(feature = "tls")]
            Self::Certificate(_) => f.write_str("cannot generate a certificate"),
            Self::Credentials(_) => f.write_str("cannot create credentials"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Control { .. } | Self::Schedule { .. } => None,
            Self::Address { source, .. } if source.kind() == io::ErrorKind::AddrInUse => None,
            Self::Address { source, .. } | Self::Record { source, .. } => Some(source),
            Self::Key(source) => Some(source),
            #[cfg(feature = "tls")]
            Self::Certificate(source) => Some(source.as_ref()),
            Self::Credentials(source) => Some(source),
        }
    }
}

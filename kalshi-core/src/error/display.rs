//! `Display`, `Debug` and the sources of [`Error`].

use std::{error::Error as StdError, fmt};

use kalshi_auth::SigningMiddlewareError;

use super::{Endless, Error, Kind};
use crate::server_time;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.subject())?;
        match &self.0.kind {
            Kind::Invalid(message) => f.write_str(message),
            Kind::NoCredentials if self.0.route.is_some() => f.write_str(
                "the request needs credentials and the client has none; set them with `Client::builder().credentials(..)`, or send it with `unsigned()`",
            ),
            Kind::NoCredentials => f.write_str(
                "the operation needs credentials and the client has none; set them with `Client::builder().credentials(..)`",
            ),
            Kind::Signing(
                SigningMiddlewareError::OtherOrigin { .. }
                | SigningMiddlewareError::Plaintext { .. },
            ) => f.write_str("the request was not sent"),
            Kind::Signing(_) => f.write_str("the request could not be signed"),
            Kind::Transport(error) if error.is_builder() => f.write_str("the request could not be built"),
            Kind::Transport(error) if error.is_connect() && error.is_timeout() => {
                f.write_str("the connection was not established in time")
            }
            Kind::Transport(error) if error.is_connect() => f.write_str("no connection to the exchange"),
            Kind::Transport(error) if error.is_timeout() => f.write_str("no response in time"),
            Kind::Transport(_) => f.write_str("incomplete response"),
            Kind::Timeout(timeout) => write!(f, "not finished within {timeout:?}"),
            Kind::RateLimit(error) => error.fmt(f),
            Kind::BodyTooLarge { max, .. } => write!(
                f,
                "the response body is longer than {max} bytes; raise the limit with `Client::builder().max_body_bytes(..)`"
            ),
            Kind::EndlessList(Endless::RepeatedCursor) => {
                f.write_str("the exchange returned the same cursor twice; the list would never end")
            }
            Kind::EndlessList(Endless::EmptyPages(pages)) => write!(
                f,
                "{pages} consecutive pages had a cursor and no items; the list may be endless, call `resume` to continue"
            ),
            Kind::Middleware(_) => f.write_str("a middleware failed"),
            Kind::Api(error) => error.fmt(f),
            Kind::Decode(error) => error.fmt(f),
            #[cfg(feature = "testing")]
            Kind::Simulated(error) => error.fmt(f),
        }?;
        match &self.0.kind {
            Kind::Transport(_)
            | Kind::Timeout(_)
            | Kind::Middleware(_)
            | Kind::BodyTooLarge { .. }
                if self.0.arrived =>
            {
                f.write_str("; the exchange may have acted on the request")
            }
            Kind::Transport(_) | Kind::Timeout(_) => f.write_str("; nothing was sent"),
            _ => Ok(()),
        }?;
        if let Some(behind) = self.0.clock_behind_ms {
            write!(
                f,
                "; this machine's clock is {}",
                server_time::describe_skew(behind)
            )?;
        }
        if let Some(timeout) = self.0.lookup_timeout {
            write!(
                f,
                "; the lookup of the order did not end within lookup_timeout, {} ms",
                timeout.as_millis()
            )?;
        }
        match self.0.attempts {
            0 | 1 => Ok(()),
            attempts => write!(
                f,
                " ({attempts} attempts in {} ms)",
                self.0.elapsed.as_millis()
            ),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("operation", &self.subject())
            .field("message", &self.to_string());
        let mut sources = Vec::new();
        let mut next = self.source();
        while let Some(source) = next {
            sources.push(source.to_string());
            next = source.source();
        }
        out.field("sources", &sources).finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.kind {
            Kind::Signing(error) => Some(error),
            Kind::Transport(error) => Some(error),
            Kind::Middleware(error) => Some(error.as_ref()),
            // The messages of the other kinds are complete.
            Kind::Decode(_)
            | Kind::Api(_)
            | Kind::Invalid(_)
            | Kind::NoCredentials
            | Kind::Timeout(_)
            | Kind::RateLimit(_)
            | Kind::BodyTooLarge { .. }
            | Kind::EndlessList(_) => None,
            #[cfg(feature = "testing")]
            Kind::Simulated(_) => None,
        }
    }
}

//! Guide to the local exchange: setup, coverage and differences from the real exchange, faults, and the program.
//!
//! | Page | Content |
//! |---|---|
//! | [`setup`] | The initial markets, control by a test, the clock, simulated activity |
//! | [`coverage`] | Implemented operations, and known and possible differences from the exchange |
//! | [`perpetual_futures`] | The margin exchange and its differences (feature `perps`) |
//! | [`faults`] | Faults of requests and of WebSocket connections |
//! | [`control`] | The control interface, for tests in other languages |
//! | [`program`] | The program `kalshi-mock`: its output, its key, its performance |

#[doc = include_str!("guide/control.md")]
pub mod control {}
#[doc = include_str!("guide/coverage.md")]
pub mod coverage {}
#[doc = include_str!("guide/faults.md")]
pub mod faults {}
#[doc = include_str!("guide/perpetual_futures.md")]
pub mod perpetual_futures {}
#[doc = include_str!("guide/program.md")]
pub mod program {}
#[doc = include_str!("guide/setup.md")]
pub mod setup {}

//! `libGameNetworkingSockets.so`: ISteamNetworkingSockets for C and C++, with the symbols, vtables
//! and layouts that Valve's public headers name (abi.md).
//!
//! Every method is one exported flat function; the vtables list the same functions. What they do is
//! the business of the crate `gamewire`. Here pointers become values and back, and nothing a caller
//! passes may be believed: null, dead handles and numbers out of range get the documented answer,
//! and a panic ends at `boundary::guard`.
//!
//! Names are Valve's in this crate, and in no other.

#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

mod boundary;
mod callbacks;
mod debug_output;
pub mod flat;
pub mod gamewire_functions;
mod identity;
mod instance;
mod memory;
mod message;
mod options;
mod results;
pub mod signaling;
mod status;
pub mod types;
pub mod vtables;

#[cfg(test)]
mod tests;

//! Our shared library in the place of Valve's: programs of our own, compiled once against Valve's
//! public headers, run with the one library and with the other and must print the same.
//!
//! The programs lie in `interop/abi/programs` and print one [`observations`] line for each thing that
//! they see. [`libraries`] finds the two libraries, [`programs`] lists what is compiled and run,
//! [`differences`] declares where the two are meant to differ. Beside them stand the exported
//! [`symbols`], a run under [`valgrind`], and a foreign [`binding`] with its own tests.
//!
//! This module never decides whether a difference is acceptable: it is declared, with the row of
//! `docs/parity.md` that explains it, or it is a failure. One that is declared and does not show is a
//! failure too.

pub mod binding;
pub mod checks;
pub mod commands;
pub mod compiler;
pub mod differences;
pub mod libraries;
pub mod observations;
pub mod programs;
pub mod report;
pub mod symbols;
pub mod valgrind;

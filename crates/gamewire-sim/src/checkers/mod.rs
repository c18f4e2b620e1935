//! What must hold in every run, judged from outside of the machines.
//!
//! Safety is checked as a run goes on: [`DeliveryChecker`] hears what applications sent and got,
//! [`WireChecker`] reads what passes on the wire. Liveness and the end of life are the business of
//! [`crate::scenario`], which knows when they are due.

mod delivery;
mod ranges;
mod wire;

pub use self::{
    delivery::{DeliveryChecker, DeliveryRules, Outstanding},
    wire::{WireChecker, WireRules},
};

use gamewire_proto::Time;

/// Most violations kept of one run: the first ones tell the most.
pub const MAX_VIOLATIONS: usize = 20;

/// Something that must never happen, and did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {} µs: {what}", at.as_micros() - crate::world::START.as_micros())]
pub struct Violation {
    /// When.
    pub at: Time,
    /// What.
    pub what: String,
}

/// The violations of a run.
#[derive(Clone, Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Notes one, unless there are enough.
    pub fn add(&mut self, at: Time, what: impl Into<String>) {
        if self.0.len() < MAX_VIOLATIONS {
            self.0.push(Violation { at, what: what.into() });
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those noted since the last call.
    pub fn take(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.0)
    }
}

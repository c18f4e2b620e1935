//! Scenarios: what happens in a world, and what must come of it.
//!
//! [`Scenario::run`] plays one. Faults rage until [`Scenario::heal_after`]; all along nothing unsafe
//! may happen, and once the network is well again, everything that must happen does so within
//! [`Scenario::patience`].

mod ends;
mod fixed;
mod generate;
pub(crate) mod run;
mod seeds;

use std::time::Duration;

use gamewire_proto::{config::ConnectionConfig, lane::LaneConfig};

pub use self::{
    fixed::{COUNTER_STARTS, fixed, fixed_names},
    generate::generate,
    run::Report,
    seeds::{KeptSeed, kept_seeds},
};
use crate::{
    content::Side,
    host::{ClosePlan, Plan},
    network::LinkConfig,
};

/// How one side is set up.
#[derive(Clone, Debug, Default)]
pub struct SideSetup {
    /// Configuration of its connections.
    pub config: ConnectionConfig,
    /// What its applications do.
    pub plan: Plan,
    /// Extension bits that it offers.
    pub features: u64,
    /// Datagrams in a batch; 0 stands for 1.
    pub max_batch: usize,
    /// How late its timers fire.
    pub timer_slack: Duration,
}

/// Nothing passes for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Only datagrams of this side are lost; `None`: those of both.
    pub from: Option<Side>,
    /// When it starts.
    pub start: Duration,
    /// When it ends.
    pub end: Duration,
}

/// How connections come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Start {
    /// By a handshake over the network.
    #[default]
    Handshake,
    /// Made in one place, as a socket pair, with this first packet number.
    Established {
        /// At least 2.
        first_packet_number: u64,
    },
}

/// What must come of a scenario. No violation of safety is ever allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Expectation {
    /// No connection ends by itself, everything reliable arrives; then the director closes them.
    #[default]
    Delivery,
    /// The plans close the connections; what lingers is delivered.
    Closure,
    /// The peers lose sight of each other: both sides end with a timeout.
    Timeout,
    /// Nothing in particular.
    SafetyOnly,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// Decides everything random.
    pub seed: u64,
    /// The links, by the side that sends over them.
    pub links: [LinkConfig; 2],
    /// Partitions, whenever they are.
    pub cuts: Vec<Cut>,
    /// Lanes, alike on both sides; none: one.
    pub lanes: Vec<LaneConfig>,
    /// The sides: initiator, acceptor.
    pub sides: [SideSetup; 2],
    /// How long the acceptor's application takes to accept.
    pub accept_after: Duration,
    /// Connections between the two hosts.
    pub connections: u32,
    /// How they come to be.
    pub start: Start,
    /// When links stop to lose, repeat, swap and alter.
    pub heal_after: Duration,
    /// How long after that, and after the plans are through, it may take.
    pub patience: Duration,
    /// What must come of it.
    pub expect: Expectation,
}

impl Scenario {
    /// A clean link without delay and nobody who says anything.
    pub fn new(name: impl Into<String>, seed: u64) -> Self {
        let side = SideSetup { max_batch: 8, ..SideSetup::default() };
        Self {
            name: name.into(),
            seed,
            links: [LinkConfig::default(); 2],
            cuts: Vec::new(),
            lanes: Vec::new(),
            sides: [side.clone(), side],
            accept_after: Duration::ZERO,
            connections: 1,
            start: Start::Handshake,
            heal_after: Duration::from_secs(30),
            patience: Duration::from_secs(60),
            expect: Expectation::Delivery,
        }
    }

    /// Both links alike.
    pub fn with_link(mut self, link: LinkConfig) -> Self {
        self.links = [link; 2];
        self
    }

    /// The configuration of both sides changed alike.
    pub fn with_config(mut self, change: impl Fn(&mut ConnectionConfig)) -> Self {
        self.sides.iter_mut().for_each(|side| change(&mut side.config));
        self
    }

    /// Whether any datagram may fail to arrive.
    fn is_lossy(&self) -> bool {
        let lossy = |link: &LinkConfig| {
            link.loss.0 > 0 || link.corrupt.0 > 0 || link.bursts.is_some() || link.rate.is_some()
        };
        !self.cuts.is_empty() || self.links.iter().any(lossy)
    }

    /// Whether the sides may lose sight of each other.
    fn may_time_out(&self) -> bool {
        let heavy = |link: &LinkConfig| link.loss.0 > 250_000 || link.bursts.is_some();
        !self.cuts.is_empty() || self.links.iter().any(heavy)
    }

    /// When all plans are through, if nobody has to wait.
    fn plans_end(&self) -> Duration {
        let plans = self.sides.iter().map(|side| &side.plan);
        let longest = plans.map(|plan| {
            let sending = plan.traffic.iter().map(crate::host::Traffic::duration).max();
            let closing = match plan.close {
                ClosePlan::At { after, .. } => after,
                ClosePlan::OnRequest | ClosePlan::WhenSent { .. } => Duration::ZERO,
            };
            sending.unwrap_or_default().max(closing)
        });
        longest.max().unwrap_or_default()
    }
}

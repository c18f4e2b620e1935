//! What the application at one end of a connection does.

use std::time::Duration;

/// A run of messages of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// Their lane.
    pub lane: u16,
    /// Whether they must arrive.
    pub reliable: bool,
    /// How many.
    pub count: u32,
    /// Smallest and largest size, bytes.
    pub size: (usize, usize),
    /// When the first ones are sent, from the start of the connection.
    pub start: Duration,
    /// Messages sent at once; a refused one stops the rest until there is room.
    pub burst: u32,
    /// Time between bursts.
    pub every: Duration,
    /// `no_nagle` of each.
    pub no_nagle: bool,
    /// `no_delay` of each.
    pub no_delay: bool,
    /// After how long each is of no more use.
    pub deadline: Option<Duration>,
}

impl Traffic {
    /// Reliable messages of one size on lane 0, all at once.
    pub fn reliable(count: u32, size: usize) -> Self {
        Self {
            lane: 0,
            reliable: true,
            count,
            size: (size, size),
            start: Duration::ZERO,
            burst: count.max(1),
            every: Duration::ZERO,
            no_nagle: false,
            no_delay: false,
            deadline: None,
        }
    }

    /// Unreliable messages of one size on lane 0, one per `every`.
    pub fn unreliable(count: u32, size: usize, every: Duration) -> Self {
        Self { reliable: false, burst: 1, every, ..Self::reliable(count, size) }
    }

    /// The same on another lane.
    pub fn on_lane(self, lane: u16) -> Self {
        Self { lane, ..self }
    }

    /// How long the plan takes if nothing is refused.
    pub fn duration(&self) -> Duration {
        let bursts = self.count.div_ceil(self.burst.max(1));
        self.start + self.every * bursts
    }

    /// The most bytes that it sends.
    pub fn bytes(&self) -> u64 {
        u64::from(self.count) * self.size.1 as u64
    }
}

/// How the application takes messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consumption {
    /// At once.
    #[default]
    Immediate,
    /// So many at a time.
    Slow {
        /// Messages each time.
        messages: usize,
        /// Time in between.
        every: Duration,
    },
    /// At once, but for a while not at all.
    Stall {
        /// From when, since the start of the connection,
        from: Duration,
        /// until when.
        until: Duration,
    },
}

/// When the application closes a connection by itself. When the peer ends it, or it breaks, the
/// application reads what is left and then closes it in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClosePlan {
    /// When the scenario's director says so.
    #[default]
    OnRequest,
    /// At a moment after the start.
    At {
        /// The moment.
        after: Duration,
        /// Whether reliable messages are delivered first.
        linger: bool,
    },
    /// As soon as the connection is up and all messages are sent, as the application sees it.
    WhenSent {
        /// Whether reliable messages are delivered first.
        linger: bool,
    },
}

/// See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What it sends.
    pub traffic: Vec<Traffic>,
    /// How it takes what the other side sends.
    pub consumption: Consumption,
    /// How it ends.
    pub close: ClosePlan,
    /// Whether the application breaks a promise on purpose, for canaries.
    pub sabotage: Option<Sabotage>,
}

/// A fault of the receiving application that the checkers must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// It throws its nth message away, unseen.
    DropMessage(u64),
    /// It sees its nth message twice.
    RepeatMessage(u64),
    /// It sees its nth message after the next one.
    SwapMessages(u64),
    /// It never tells that it took messages.
    NeverConsume,
}

//! Cells: what must work, in which role, and whether it does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::stage::{Role, Setup, Stage};

/// How long a cell may take unless it says otherwise. Far more than it needs on an idle machine.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(25);

/// What a cell does. It returns figures worth showing.
pub type Body = Arc<dyn Fn(&mut Stage) -> anyhow::Result<String> + Send + Sync>;

/// Whether others may run beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Company {
    /// It measures nothing that others could disturb.
    Welcome,
    /// It measures time or rates.
    Unwelcome,
}

/// Something that must work in both roles.
#[derive(Clone)]
pub struct Case {
    /// Unique; `group: what`.
    pub name: String,
    /// How both sides are made.
    pub setup: Setup,
    /// How long it may take.
    pub limit: Duration,
    /// Whether others may run beside it.
    pub company: Company,
    body: Body,
}

impl Case {
    /// A case with the usual limit.
    pub fn new(
        name: impl Into<String>,
        setup: Setup,
        body: impl Fn(&mut Stage) -> anyhow::Result<String> + Send + Sync + 'static,
    ) -> Self {
        let (name, body) = (name.into(), Arc::new(body));
        Self { name, setup, limit: DEFAULT_LIMIT, company: Company::Welcome, body }
    }

    /// With another limit.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// With nothing else running.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { company: Company::Unwelcome, ..self }
    }

    /// The cell of one role.
    pub fn in_role(&self, role: Role) -> Cell {
        Cell { case: self.clone(), role }
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A case in one role.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What.
    pub case: Case,
    /// Who opens the connection.
    pub role: Role,
}

/// How a cell went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It works.
    Passed {
        /// What was measured.
        figures: String,
    },
    /// It does not, or could not be tried.
    Failed {
        /// Why, in one line.
        reason: String,
        /// What both sides knew.
        diagnosis: String,
    },
}

/// A cell with its verdict.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case.
    pub name: String,
    /// The role.
    pub role: Role,
    /// How it went.
    pub verdict: Verdict,
    /// How long it took.
    pub elapsed: Duration,
}

impl Outcome {
    /// Whether it passed.
    pub fn passed(&self) -> bool {
        matches!(self.verdict, Verdict::Passed { .. })
    }
}

impl Cell {
    /// Name and role.
    pub fn title(&self) -> String {
        format!("{} ({})", self.case.name, self.role.name())
    }

    /// Runs it.
    pub fn run(&self) -> Outcome {
        let start = Instant::now();
        // A cell that panics has failed like any other; the rest must still be tried.
        let run = catch_unwind(AssertUnwindSafe(|| self.verdict(start + self.case.limit)));
        let verdict = run.unwrap_or_else(|_| Verdict::Failed {
            reason: "panicked; see standard error".to_owned(),
            diagnosis: String::new(),
        });
        let elapsed = start.elapsed();
        Outcome { name: self.case.name.clone(), role: self.role, verdict, elapsed }
    }

    fn verdict(&self, deadline: Instant) -> Verdict {
        let failed = |error: &anyhow::Error, diagnosis| Verdict::Failed {
            reason: format!("{error:#}"),
            diagnosis,
        };
        let mut stage = match Stage::open(&self.case.setup, self.role, deadline) {
            Ok(stage) => stage,
            Err(error) => return failed(&error, String::new()),
        };
        match (self.case.body)(&mut stage) {
            Ok(figures) => Verdict::Passed { figures },
            Err(error) => failed(&error, stage.diagnosis()),
        }
    }
}

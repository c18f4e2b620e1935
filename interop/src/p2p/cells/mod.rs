//! The cells of the matrix of connections by identity, group by group.

mod connecting;
mod ending;
mod routes;
mod users;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::{
    meeting::{Meeting, SideSetup, options},
    post::Weather,
    report::{Cell, Failure, Verdict},
};
use crate::{
    driver::Library,
    lab::{Families, Home, Nat, PublicNetwork, SERVERS, Servers},
    runs::{Plan, Run},
};

/// How long a cell may take unless it says otherwise.
const DEFAULT_LIMIT: Duration = Duration::from_secs(25);
/// What may be missing of unreliable messages: they come in one burst behind a megabyte, through a
/// relay in some cells, and on a machine that is shared.
const TOLERATED_LOSS: f64 = 0.6;
/// Who asks.
pub(super) const INITIATOR: &str = "str:anna";
/// Who is asked.
pub(super) const ACCEPTOR: &str = "str:bert";

/// The network and the servers that all cells share.
#[derive(Debug)]
pub struct Lab {
    /// Where peers live.
    pub network: PublicNetwork,
    /// STUN and TURN.
    pub servers: Servers,
}

impl Lab {
    /// Builds it; call [`crate::namespace::enter`] first.
    ///
    /// # Errors
    /// We may not, or a program is missing.
    pub fn new() -> anyhow::Result<Self> {
        let network = PublicNetwork::new(&SERVERS)?;
        Ok(Self { network, servers: Servers::start()? })
    }
}

/// Where the two sides live.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the public network.
    Public(Families),
    /// Each behind a home router.
    BehindRouters,
}

/// Something that must work between any two libraries.
#[derive(Clone, Debug)]
struct Case {
    name: &'static str,
    place: Place,
    /// Of the initiator and the acceptor.
    options: [Map<String, Value>; 2],
    weather: Weather,
    limit: Duration,
    body: fn(&mut Meeting) -> anyhow::Result<String>,
    shortcoming: Option<Shortcoming>,
}

/// What Valve's library cannot do: those cells must fail in just this way, so that the day it can is
/// noticed.
#[derive(Clone, Copy, Debug)]
struct Shortcoming {
    where_it_shows: Where,
    /// Part of the reason.
    says: &'static str,
    /// For the table.
    what: &'static str,
}

/// In which pairs a shortcoming of Valve's library shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Where {
    /// Wherever it is asked.
    Acceptor,
    /// Wherever it takes part.
    AnySide,
}

impl Where {
    fn covers(self, pair: [Library; 2]) -> bool {
        let valve = pair.map(|library| library == Library::Valve);
        match self {
            Self::Acceptor => valve[1],
            Self::AnySide => valve.contains(&true),
        }
    }
}

impl Case {
    fn new(name: &'static str, body: fn(&mut Meeting) -> anyhow::Result<String>) -> Self {
        let (place, weather) = (Place::Public(Families::V4), Weather::FAIR);
        // Fast enough that no cell waits for Valve's default of 256 KiB/s.
        let common = options(&json!({"SendRateMin": 4 << 20, "SendRateMax": 4 << 20}));
        let options = [common.clone(), common];
        Self { name, place, options, weather, limit: DEFAULT_LIMIT, body, shortcoming: None }
    }

    fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    fn in_weather(self, weather: Weather) -> Self {
        Self { weather, ..self }
    }

    fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Which Valve's library cannot do: the reason then contains `says`, and `what` is for the
    /// table.
    fn beyond_valve(self, where_it_shows: Where, says: &'static str, what: &'static str) -> Self {
        let shortcoming = Shortcoming { where_it_shows, says, what };
        Self { shortcoming: Some(shortcoming), ..self }
    }

    /// With further options on both sides.
    fn with(self, further: &Value) -> Self {
        self.with_each([further, further])
    }

    /// With further options of the initiator and of the acceptor.
    fn with_each(mut self, further: [&Value; 2]) -> Self {
        for (options_of, further) in self.options.iter_mut().zip(further) {
            options_of.extend(options(further));
        }
        self
    }
}

/// A case between two libraries.
#[derive(Debug)]
pub struct PairCell {
    case: Case,
    /// Initiator and acceptor.
    pair: [Library; 2],
    lab: Arc<Lab>,
}

/// The columns of the table. The last one is the control: what fails there is not ours to mend.
const PAIRS: [[Library; 2]; 4] = [
    [Library::Ours, Library::Valve],
    [Library::Valve, Library::Ours],
    [Library::Ours, Library::Ours],
    [Library::Valve, Library::Valve],
];

/// All cells.
pub fn all(lab: &Arc<Lab>) -> Vec<PairCell> {
    let groups = [connecting::cases, routes::cases, ending::cases, users::cases];
    let cases = groups.into_iter().flat_map(|group| group());
    let of_case =
        |case: Case| PAIRS.map(|pair| PairCell { case: case.clone(), pair, lab: lab.clone() });
    cases.flat_map(of_case).collect()
}

/// The titles of all cells, for who wants to choose.
pub fn titles() -> Vec<String> {
    let groups = [connecting::cases, routes::cases, ending::cases, users::cases];
    let cases = groups.into_iter().flat_map(|group| group());
    cases.flat_map(|case| PAIRS.map(|pair| title(case.name, pair))).collect()
}

fn title(name: &str, pair: [Library; 2]) -> String {
    format!("{name} ({})", column(pair))
}

fn column([initiator, acceptor]: [Library; 2]) -> String {
    let name = |library| match library {
        Library::Ours => "ours",
        Library::Valve => "Valve",
    };
    format!("{} → {}", name(initiator), name(acceptor))
}

impl PairCell {
    /// Row and column.
    pub fn title(&self) -> String {
        title(self.case.name, self.pair)
    }

    fn homes(&self) -> anyhow::Result<(Home, Home)> {
        let network = &self.lab.network;
        let home = || match self.case.place {
            Place::Public(families) => network.public_home(families),
            Place::BehindRouters => network.home_behind(&[Nat::PORT_RESTRICTED]),
        };
        Ok((home()?, home()?))
    }

    fn setups(&self) -> [SideSetup; 2] {
        let [first, second] = self.case.options.clone();
        [
            SideSetup { library: self.pair[0], identity: INITIATOR, options: first },
            SideSetup { library: self.pair[1], identity: ACCEPTOR, options: second },
        ]
    }
}

impl Cell for PairCell {
    fn row(&self) -> String {
        self.case.name.to_owned()
    }

    fn column(&self) -> String {
        column(self.pair)
    }

    fn run(&self) -> Verdict {
        let homes = self.homes()?;
        let deadline = Instant::now() + self.case.limit;
        let mut meeting = Meeting::open(self.setups(), homes, self.case.weather, deadline)?;
        let run = (self.case.body)(&mut meeting);
        let shortcoming = self.case.shortcoming.filter(|it| it.where_it_shows.covers(self.pair));
        let run = match shortcoming {
            None => run.and_then(|shown| meeting.no_signal_was_refused().map(|()| shown)),
            Some(shortcoming) => as_expected(run, shortcoming),
        };
        run.map_err(|error| Failure {
            reason: format!("{error:#}"),
            diagnosis: meeting.diagnosis(),
        })
    }
}

fn as_expected(run: anyhow::Result<String>, shortcoming: Shortcoming) -> anyhow::Result<String> {
    match run {
        Ok(shown) => anyhow::bail!("Valve's library can do it now: {shown}"),
        Err(error) if format!("{error:#}").contains(shortcoming.says) => {
            Ok(format!("Valve's: {}", shortcoming.what))
        }
        Err(error) => Err(error.context("in another way than is known of Valve's library")),
    }
}

/// Small, large and unreliable messages.
fn everything() -> Plan {
    Plan::new(&[Run::reliable(&[1, 1200, 5000, 150_000], 8), Run::unreliable(&[20, 500, 1100], 60)])
}

/// Connects and says something both ways. The routes.
fn talk(meeting: &mut Meeting) -> anyhow::Result<String> {
    meeting.dial()?;
    meeting.connected()?;
    meeting.exchange(&everything(), TOLERATED_LOSS)?;
    meeting.describe_routes()
}

/// The usual server lists.
fn with_stun() -> Value {
    json!({"P2P_STUN_ServerList": Servers::stun(0, Families::V4).to_string()})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn titles_are_unique() {
        let titles = super::titles();
        let unique: BTreeSet<&String> = titles.iter().collect();
        assert_eq!(unique.len(), titles.len());
    }
}

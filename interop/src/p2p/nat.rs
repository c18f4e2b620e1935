//! The NAT lab: two of our peers behind routers of every kind, with a STUN and a TURN server in
//! public, and the kind of route that each pair must find.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    cells::{ACCEPTOR, INITIATOR, Lab},
    meeting::{Meeting, Route, SideSetup, options},
    post::Weather,
    report::{Cell, Failure, Verdict},
};
use crate::{
    driver::Library,
    lab::{Families, Filtering, Home, Mapping, Nat, Servers, TURN_PASSWORD, TURN_USER},
    runs::{Plan, Run},
};

/// How long one cell may take: checks that cannot succeed take their time to fail.
const LIMIT: Duration = Duration::from_secs(40);
/// Time for the two sides to agree on the best route.
const PATIENCE: Duration = Duration::from_secs(15);

/// `ESteamNetConnectionEnd_Misc_P2P_NAT_Firewall`.
const NO_ROUTE: i32 = 5009;

/// Behind what a peer lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Public,
    FullCone,
    AddressRestricted,
    PortRestricted,
    Persistent,
    Symmetric,
    FullyRandom,
    CarrierGrade,
    UdpBlocked,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Public,
        Self::FullCone,
        Self::AddressRestricted,
        Self::PortRestricted,
        Self::Persistent,
        Self::Symmetric,
        Self::FullyRandom,
        Self::CarrierGrade,
        Self::UdpBlocked,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Public => "no NAT",
            Self::FullCone => "full cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Persistent => "persistent",
            Self::Symmetric => "symmetric",
            Self::FullyRandom => "fully random",
            Self::CarrierGrade => "CGNAT",
            Self::UdpBlocked => "UDP blocked",
        }
    }

    /// The routers, outermost first.
    fn routers(self) -> Vec<Nat> {
        let usual = Nat::PORT_RESTRICTED;
        match self {
            Self::Public => vec![],
            Self::FullCone => vec![Nat { filtering: Filtering::EndpointIndependent, ..usual }],
            Self::AddressRestricted => {
                vec![Nat { filtering: Filtering::AddressDependent, ..usual }]
            }
            Self::PortRestricted => vec![usual],
            Self::Persistent => vec![Nat { mapping: Mapping::Persistent, ..usual }],
            Self::Symmetric => vec![Nat { mapping: Mapping::Random, ..usual }],
            Self::FullyRandom => vec![Nat { mapping: Mapping::FullyRandom, ..usual }],
            Self::CarrierGrade => vec![usual, usual],
            Self::UdpBlocked => vec![Nat { forwards_udp: false, ..usual }],
        }
    }

    fn home(self, lab: &Lab) -> anyhow::Result<Home> {
        match self {
            Self::Public => lab.network.public_home(Families::V4),
            other => lab.network.home_behind(&other.routers()),
        }
    }
}

/// What theory says of two kinds (RFC 4787, RFC 5128 §3.3).
///
/// A datagram from one side gets through to the other if that side's filter lets it in, for which it
/// must have sent to where the datagram comes from. What comes from a mapping that depends on the
/// destination comes from a port that nobody can know before: it passes only filters that do not
/// look at ports.
fn expected(one: Kind, other: Kind) -> Option<Route> {
    if one == Kind::UdpBlocked || other == Kind::UdpBlocked {
        // A TURN server can be had by TCP; our driver does not carry such streams yet, and says so.
        return None;
    }
    let unpredictable =
        |kind: Kind| kind.routers().iter().any(|nat| !nat.mapping.is_endpoint_independent());
    let looks_at_ports = |kind: Kind| {
        let strict = |nat: &Nat| nat.filtering == Filtering::AddressAndPortDependent;
        kind.routers().iter().any(strict)
    };
    let never = |from: Kind, to: Kind| unpredictable(from) && looks_at_ports(to);
    let route = if never(one, other) || never(other, one) { Route::Relayed } else { Route::Direct };
    Some(route)
}

/// Where the two peers of a cell live.
#[derive(Clone, Copy, Debug)]
enum Setting {
    Apart(Kind, Kind),
    SharedHome,
    Neighbours { hairpin: bool },
}

/// One cell.
#[derive(Debug)]
pub struct NatCell {
    setting: Setting,
    lab: Arc<Lab>,
}

/// All cells. In every pair of kinds either one is the initiator once.
pub fn all(lab: &Arc<Lab>) -> Vec<NatCell> {
    settings().into_iter().map(|setting| NatCell { setting, lab: lab.clone() }).collect()
}

/// The titles of all cells.
pub fn titles() -> Vec<String> {
    settings().iter().map(|it| format!("{} ({})", it.row(), it.column())).collect()
}

fn settings() -> Vec<Setting> {
    let pairs = Kind::ALL
        .into_iter()
        .flat_map(|one| Kind::ALL.into_iter().map(move |other| Setting::Apart(one, other)));
    let further = [
        Setting::SharedHome,
        Setting::Neighbours { hairpin: true },
        Setting::Neighbours { hairpin: false },
    ];
    pairs.chain(further).collect()
}

impl Setting {
    fn row(self) -> String {
        match self {
            Self::Apart(one, _) => one.name().to_owned(),
            Self::SharedHome => "one home".to_owned(),
            Self::Neighbours { hairpin: true } => "one carrier, hairpin".to_owned(),
            Self::Neighbours { hairpin: false } => "one carrier, no hairpin".to_owned(),
        }
    }

    fn column(self) -> String {
        match self {
            Self::Apart(_, other) => other.name().to_owned(),
            // Beside the first column, to save a column of its own.
            _ => Kind::Public.name().to_owned(),
        }
    }

    /// `None`: there is no route.
    fn expected(self) -> Option<Route> {
        match self {
            Self::Apart(one, other) => expected(one, other),
            Self::SharedHome => Some(Route::Local),
            Self::Neighbours { hairpin: true } => Some(Route::Direct),
            Self::Neighbours { hairpin: false } => Some(Route::Relayed),
        }
    }

    fn homes(self, lab: &Lab) -> anyhow::Result<(Home, Home)> {
        match self {
            Self::Apart(one, other) => Ok((one.home(lab)?, other.home(lab)?)),
            Self::SharedHome => lab.network.shared_home(Nat::PORT_RESTRICTED),
            Self::Neighbours { hairpin } => lab.network.neighbours(hairpin),
        }
    }
}

impl Cell for NatCell {
    fn row(&self) -> String {
        self.setting.row()
    }

    fn column(&self) -> String {
        self.setting.column()
    }

    fn run(&self) -> Verdict {
        let homes = self.setting.homes(&self.lab)?;
        let side =
            |identity| SideSetup { library: Library::Ours, identity, options: options(&servers()) };
        let deadline = Instant::now() + LIMIT;
        let sides = [side(INITIATOR), side(ACCEPTOR)];
        let mut meeting = Meeting::open(sides, homes, Weather::FAIR, deadline)?;
        let wanted = self.setting.expected();
        let run = match wanted {
            Some(wanted) => meet(&mut meeting, wanted),
            None => fail_to_meet(&mut meeting),
        };
        let failure =
            |error| Failure { reason: format!("{error:#}"), diagnosis: meeting.diagnosis() };
        let name = wanted.map_or("no route", Route::name);
        run.map(|()| name.to_owned()).map_err(failure)
    }
}

/// Connects, settles on the expected route and uses it both ways.
fn meet(meeting: &mut Meeting, wanted: Route) -> anyhow::Result<()> {
    meeting.dial()?;
    meeting.connected()?;
    meeting.settles_on(wanted, PATIENCE)?;
    let plan =
        Plan::new(&[Run::reliable(&[1, 1200, 20_000], 12), Run::unreliable(&[20, 1000], 40)]);
    meeting.exchange(&plan, 0.3)?;
    meeting.settles_on(wanted, Duration::ZERO)?;
    meeting.no_signal_was_refused()
}

/// Finds no route, and says why in time.
fn fail_to_meet(meeting: &mut Meeting) -> anyhow::Result<()> {
    meeting.dial()?;
    let event = meeting.initiator.peer.event("the end", |event| {
        event["event"] == "state"
            && ["connected", "closed_by_peer", "problem_detected_locally"]
                .iter()
                .any(|state| event["new"] == *state)
    })?;
    anyhow::ensure!(event["end_reason"] == NO_ROUTE, "ended otherwise: {event}");
    Ok(())
}

/// The TURN server by UDP and, for who has none, by TCP.
fn servers() -> serde_json::Value {
    let server = Servers::turn(0, Families::V4);
    json!({
        "P2P_STUN_ServerList": Servers::stun(0, Families::V4).to_string(),
        "P2P_TURN_ServerList": format!("turn:{server},turn:{server}?transport=tcp"),
        "P2P_TURN_UserList": format!("{TURN_USER},{TURN_USER}"),
        "P2P_TURN_PassList": format!("{TURN_PASSWORD},{TURN_PASSWORD}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn theory_of_the_classic_kinds() {
        let cases = [
            (Kind::PortRestricted, Kind::PortRestricted, Route::Direct),
            (Kind::Symmetric, Kind::FullCone, Route::Direct),
            (Kind::Symmetric, Kind::AddressRestricted, Route::Direct),
            (Kind::Symmetric, Kind::PortRestricted, Route::Relayed),
            (Kind::Symmetric, Kind::FullyRandom, Route::Relayed),
            (Kind::Public, Kind::Symmetric, Route::Direct),
            (Kind::CarrierGrade, Kind::PortRestricted, Route::Direct),
        ];
        for (one, other, route) in cases {
            assert_eq!(expected(one, other), Some(route), "{one:?} and {other:?}");
            assert_eq!(expected(other, one), Some(route), "{other:?} and {one:?}");
        }
    }
}

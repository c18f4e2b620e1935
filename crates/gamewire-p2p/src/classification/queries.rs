//! The requests of a classification, and what their answers mean.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use gamewire_proto::Time;

use super::{Answer, FamilyReport, Filtering, Mapping, ServerReport};
use crate::{
    ice::SocketId,
    stun::{Class, Message, TransactionId, attribute},
};

/// Most requests, all tests together.
pub const MAX_QUERIES: usize = 48;

/// How often a request is sent, and how long each is waited for.
const SENDS: u32 = 3;
const WAIT: Duration = Duration::from_millis(600);

/// What a request is to find out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Test {
    /// What a configured server sees.
    Server,
    /// What a server sees at its other address and port (RFC 5780 §4.3).
    Mapping,
    /// Whether an answer from the server's other address comes through (RFC 5780 §4.4).
    FilterAddress,
    /// Whether one from its other port does.
    FilterPort,
    /// Whether our own outer address leads back to us.
    Hairpin,
}

impl Test {
    /// The flags of CHANGE-REQUEST (RFC 5780 §7.2): 4 for the address, 2 for the port.
    pub(super) fn change_request(self) -> Option<u8> {
        match self {
            Self::FilterAddress => Some(6),
            Self::FilterPort => Some(2),
            Self::Server | Self::Mapping | Self::Hairpin => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Asked { sends: u32, due: Time },
    Answered(Answer),
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    test: Test,
    socket: SocketId,
    server: SocketAddr,
    id: TransactionId,
    started: Time,
    state: State,
}

impl Query {
    pub(super) fn new(
        test: Test,
        socket: SocketId,
        server: SocketAddr,
        id: TransactionId,
        now: Time,
    ) -> Self {
        let state = State::Asked { sends: 1, due: now + WAIT };
        Self { test, socket, server, id, started: now, state }
    }

    fn mapped(&self) -> Option<SocketAddr> {
        match self.state {
            State::Answered(Answer::Mapped { address, .. }) => Some(address),
            State::Answered(Answer::Refused(_) | Answer::Silent) | State::Asked { .. } => None,
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Asked { .. })
    }

    /// Where the answer comes from.
    fn answers_from(&self, from: SocketAddr, other: Option<SocketAddr>) -> bool {
        match self.test {
            Test::Server | Test::Mapping => from == self.server,
            Test::FilterAddress => Some(from) == other,
            Test::FilterPort => {
                Some(from) == other.map(|other| SocketAddr::new(self.server.ip(), other.port()))
            }
            Test::Hairpin => false,
        }
    }
}

/// All requests.
#[derive(Debug, Default)]
pub(super) struct Queries {
    queries: Vec<Query>,
    /// A server of each family that has another address: both.
    others: Vec<(SocketAddr, SocketAddr)>,
}

impl Queries {
    /// False: there are too many.
    pub(super) fn add(&mut self, query: Query) -> bool {
        let room = self.queries.len() < MAX_QUERIES;
        if room {
            self.queries.push(query);
        }
        room
    }

    pub(super) fn has(&self, test: Test, v4: bool) -> bool {
        self.queries.iter().any(|query| query.test == test && query.server.is_ipv4() == v4)
    }

    /// Whether something was sent there, so that a filter lets it in.
    pub(super) fn knows_address(&self, ip: IpAddr) -> bool {
        self.queries.iter().any(|query| query.server.ip() == ip)
    }

    pub(super) fn note_other(&mut self, server: SocketAddr, other: SocketAddr) {
        self.others.push((server, other));
    }

    fn other(&self, server: SocketAddr) -> Option<SocketAddr> {
        self.others.iter().find(|(known, _)| *known == server).map(|(_, other)| *other)
    }

    pub(super) fn on_hairpin(&mut self, id: TransactionId) {
        let ours = |query: &&mut Query| query.test == Test::Hairpin && query.id == id;
        if let Some(query) = self.queries.iter_mut().find(ours) {
            query.state = State::Answered(Answer::Mapped { address: query.server, rtt: None });
        }
    }

    /// A response came: which test it answers.
    pub(super) fn on_response(
        &mut self,
        now: Time,
        socket: SocketId,
        from: SocketAddr,
        message: &Message<'_>,
    ) -> Option<Test> {
        let id = message.transaction_id();
        let index = self.queries.iter().position(|query| {
            query.socket == socket
                && query.id == id
                && query.is_open()
                && query.answers_from(from, self.other(query.server))
        })?;
        let mapped = message
            .xor_address(attribute::XOR_MAPPED_ADDRESS)
            .or_else(|| message.address(attribute::MAPPED_ADDRESS))
            .filter(|_| message.class() == Class::Success);
        let query = &mut self.queries[index];
        let once = matches!(query.state, State::Asked { sends: 1, .. });
        let rtt = once.then(|| now.since(query.started));
        query.state = State::Answered(match mapped {
            Some(address) => Answer::Mapped { address, rtt },
            None => Answer::Refused(message.error_code().unwrap_or_default()),
        });
        Some(query.test)
    }

    /// What is to be sent again.
    pub(super) fn on_due(
        &mut self,
        now: Time,
    ) -> Option<(Test, SocketId, SocketAddr, TransactionId)> {
        for query in &mut self.queries {
            let State::Asked { sends, due } = &mut query.state else {
                continue;
            };
            if *due > now {
                continue;
            }
            if *sends < SENDS {
                *sends += 1;
                *due = now + WAIT;
                return Some((query.test, query.socket, query.server, query.id));
            }
            query.state = State::Answered(Answer::Silent);
        }
        None
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let due = |query: &Query| match query.state {
            State::Asked { due, .. } => Some(due),
            State::Answered(_) => None,
        };
        self.queries.iter().filter_map(due).min()
    }

    /// A test that an earlier one allows now. Filters are looked at before anything is sent to where
    /// their answers come from.
    pub(super) fn next_test(&self) -> Option<(Test, SocketId, SocketAddr)> {
        if self.queries.len() >= MAX_QUERIES {
            return None;
        }
        for &(server, other) in &self.others {
            let v4 = server.is_ipv4();
            let of = |test| {
                self.queries
                    .iter()
                    .find(move |query: &&Query| query.test == test && query.server.is_ipv4() == v4)
            };
            let Some(address) = of(Test::FilterAddress) else {
                continue;
            };
            if address.is_open() {
                continue;
            }
            let port = of(Test::FilterPort);
            if address.mapped().is_none() && port.is_none() {
                return Some((Test::FilterPort, address.socket, server));
            }
            if port.is_some_and(Query::is_open) {
                continue;
            }
            for at in [SocketAddr::new(other.ip(), server.port()), other] {
                let asked = |query: &&Query| query.test == Test::Mapping && query.server == at;
                if !self.queries.iter().any(|query| asked(&query)) {
                    return (self.queries.len() < MAX_QUERIES).then_some((
                        Test::Mapping,
                        address.socket,
                        at,
                    ));
                }
            }
        }
        None
    }

    pub(super) fn is_done(&self) -> bool {
        !self.queries.iter().any(Query::is_open) && self.next_test().is_none()
    }

    pub(super) fn servers(&self) -> Vec<ServerReport> {
        let report = |query: &Query| match query.state {
            State::Answered(answer) if query.test == Test::Server => {
                Some(ServerReport { server: query.server, answer })
            }
            State::Answered(_) | State::Asked { .. } => None,
        };
        self.queries.iter().filter_map(report).collect()
    }

    pub(super) fn family(&self, v4: bool, local: Option<SocketAddr>) -> FamilyReport {
        let of_family: Vec<&Query> =
            self.queries.iter().filter(|query| query.server.is_ipv4() == v4).collect();
        let seen: Vec<(SocketAddr, SocketAddr)> = of_family
            .iter()
            .filter(|query| matches!(query.test, Test::Server | Test::Mapping))
            .filter_map(|query| Some((query.server, query.mapped()?)))
            .collect();
        let test = |test| of_family.iter().find(|query| query.test == test);
        let came = |test_: Test| test(test_).map(|query| query.mapped().is_some());
        let filtering = match (came(Test::FilterAddress), came(Test::FilterPort)) {
            (Some(true), _) => Filtering::EndpointIndependent,
            (Some(false), Some(true)) => Filtering::AddressDependent,
            (Some(false), Some(false)) => Filtering::AddressAndPortDependent,
            (Some(false), None) | (None, _) => Filtering::Unknown,
        };
        let mapping = mapping(&seen, local);
        FamilyReport {
            local,
            mapped: seen.first().map(|(_, mapped)| *mapped),
            udp: (!of_family.is_empty()).then_some(!seen.is_empty()),
            mapping,
            filtering,
            hairpin: came(Test::Hairpin).filter(|_| mapping != Mapping::None),
        }
    }
}

/// What servers saw, compared with each other.
fn mapping(seen: &[(SocketAddr, SocketAddr)], local: Option<SocketAddr>) -> Mapping {
    let Some(&(first_server, first)) = seen.first() else {
        return Mapping::Unknown;
    };
    if local == Some(first) {
        return Mapping::None;
    }
    let pairs = || {
        seen.iter()
            .enumerate()
            .flat_map(|(index, one)| seen[index + 1..].iter().map(move |other| (one, other)))
    };
    let differs = pairs().any(|(one, other)| one.1 != other.1);
    // Two ports of one address, seen alike or not.
    let ports = |alike: bool| {
        pairs().any(|(one, other)| one.0.ip() == other.0.ip() && (one.1 == other.1) == alike)
    };
    if differs {
        return match (ports(false), ports(true)) {
            (true, _) => Mapping::AddressAndPortDependent,
            (false, true) => Mapping::AddressDependent,
            (false, false) => Mapping::Dependent,
        };
    }
    let several = seen.iter().any(|(server, _)| server.ip() != first_server.ip());
    if several { Mapping::EndpointIndependent } else { Mapping::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_servers_see_tells_the_mapping() {
        let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let local = Some(address("10.0.0.1:5"));
        for (seen, expected) in [
            (&[][..], Mapping::Unknown),
            (&[("1.1.1.1:1", "9.9.9.9:1")], Mapping::Unknown),
            (&[("1.1.1.1:1", "9.9.9.9:1"), ("1.1.1.1:2", "9.9.9.9:1")], Mapping::Unknown),
            (&[("1.1.1.1:1", "10.0.0.1:5")], Mapping::None),
            (
                &[("1.1.1.1:1", "9.9.9.9:1"), ("2.2.2.2:1", "9.9.9.9:1")],
                Mapping::EndpointIndependent,
            ),
            (&[("1.1.1.1:1", "9.9.9.9:1"), ("2.2.2.2:1", "9.9.9.9:2")], Mapping::Dependent),
            (
                &[
                    ("1.1.1.1:1", "9.9.9.9:1"),
                    ("2.2.2.2:1", "9.9.9.9:2"),
                    ("2.2.2.2:2", "9.9.9.9:2"),
                ],
                Mapping::AddressDependent,
            ),
            (
                &[
                    ("1.1.1.1:1", "9.9.9.9:1"),
                    ("2.2.2.2:1", "9.9.9.9:2"),
                    ("2.2.2.2:2", "9.9.9.9:3"),
                ],
                Mapping::AddressAndPortDependent,
            ),
        ] {
            let seen: Vec<_> =
                seen.iter().map(|(server, mapped)| (address(server), address(mapped))).collect();
            assert_eq!(mapping(&seen, local), expected, "{seen:?}");
        }
    }
}

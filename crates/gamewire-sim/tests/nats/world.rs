//! Two peers, the networks around them, a STUN server and a TURN server.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use gamewire_p2p::ice::{
    AgentConfig, Credentials, Role, RouteKind, TurnServer as IceTurnServer, TurnTransport, ufrag_of,
};
use gamewire_sim::{
    internet::{
        Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent},
        HostId, Internet, Machine, NatConfig, NetworkId, PUBLIC, Peer, SignalWeather, TurnServer,
        TurnServerConfig,
    },
    rng::PerMillion,
};

pub(crate) const STUN: &str = "198.51.100.10:3478";
pub(crate) const TURN: &str = "198.51.100.20:3478";

/// Where a peer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Public,
    /// Endpoint-independent mapping and filtering: "full cone".
    Open,
    /// Filters by address: "restricted cone".
    Restricted,
    /// Filters by address and port: "port-restricted cone".
    PortRestricted,
    /// Maps by address and filters by address and port.
    PerAddress,
    /// Maps and filters by address and port: "symmetric".
    Symmetric,
    /// A port-restricted NAT behind a carrier's that is one too.
    Carrier,
    /// Only streams get out.
    Blocked,
}

pub(crate) use Place::{
    Blocked, Carrier, Open, PerAddress, PortRestricted, Public, Restricted, Symmetric,
};

pub(crate) const PLACES: [Place; 8] =
    [Public, Open, Restricted, PortRestricted, PerAddress, Symmetric, Carrier, Blocked];

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) struct World {
    pub(crate) internet: Internet<Machine>,
    pub(crate) peers: [HostId; 2],
    pub(crate) turn: HostId,
    homes: [Option<NetworkId>; 2],
}

pub(crate) fn signals() -> SignalWeather {
    SignalWeather {
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(300),
        loss: PerMillion::percent(30),
        duplicated: PerMillion::percent(50),
    }
}

pub(crate) fn config(side: usize, place: Place) -> AgentConfig {
    let role = [Role::Controlling, Role::Controlled][side];
    let names = [ufrag_of(0x1234_5678), ufrag_of(0x0abc_def0)];
    let credentials = Credentials {
        local_ufrag: names[side].clone(),
        local_password: ["AbCdE", "12+/z"][side].to_owned(),
        remote_ufrag: names[1 - side].clone(),
    };
    let mut config = AgentConfig::new(role, credentials);
    config.stun_servers = vec![address(STUN)];
    let transport = if place == Blocked { TurnTransport::Tcp } else { TurnTransport::Udp };
    config.turn_servers = vec![IceTurnServer {
        address: address(TURN),
        transport,
        username: "user".to_owned(),
        password: "password".to_owned(),
    }];
    config
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut internet = Internet::new(seed);
        let mut server = |text: &str, relays| {
            let config = TurnServerConfig { relays, ..TurnServerConfig::new(address(text)) };
            let id = internet.add_host(Machine::Server(TurnServer::new(config)));
            internet.connect(id, PUBLIC, address(text).ip());
            id
        };
        server(STUN, false);
        let turn = server(TURN, true);
        let nobody = turn;
        Self { internet, peers: [nobody; 2], turn, homes: [None; 2] }
    }

    pub(crate) fn of(seed: u64, places: [Place; 2]) -> Self {
        let mut world = Self::new(seed);
        for (side, place) in places.into_iter().enumerate() {
            world.add_peer(seed, side, config(side, place));
            world.put(side, place);
        }
        world
    }

    pub(crate) fn add_peer(&mut self, seed: u64, side: usize, config: AgentConfig) {
        let peer = Peer::new(config, signals(), seed * 2 + side as u64);
        self.peers[side] = self.internet.add_host(Machine::Peer(Box::new(peer)));
    }

    /// Builds the networks around a peer and gives it a socket.
    pub(crate) fn put(&mut self, side: usize, place: Place) {
        let outer = ip(&format!("203.0.113.{}", 10 + side));
        let inner = ip(&format!("192.168.{}.2", 1 + side));
        let config = |mapping, filtering| NatConfig::new(mapping, filtering);
        let per_port = AddressAndPortDependent;
        let nat = match place {
            Public => {
                self.plug(side, 0, PUBLIC, outer);
                return;
            }
            Open => config(EndpointIndependent, EndpointIndependent),
            Restricted => config(EndpointIndependent, AddressDependent),
            PortRestricted | Carrier => config(EndpointIndependent, per_port),
            PerAddress => config(AddressDependent, per_port),
            Symmetric => config(per_port, per_port),
            Blocked => NatConfig { udp_blocked: true, ..config(per_port, per_port) },
        };
        let (parent, outer) = if place == Carrier {
            let carrier = self.internet.add_network(PUBLIC, nat, outer);
            (carrier, ip(&format!("100.64.0.{}", 10 + side)))
        } else {
            (PUBLIC, outer)
        };
        let home = self.internet.add_network(parent, nat, outer);
        self.homes[side] = Some(home);
        self.plug(side, 0, home, inner);
    }

    pub(crate) fn plug(&mut self, side: usize, number: u8, network: NetworkId, ip: IpAddr) {
        self.internet.connect(self.peers[side], network, ip);
        let socket = SocketAddr::new(ip, 27_000 + u16::from(number));
        let id = self.peers[side];
        self.internet
            .with(id, |machine, now| machine.peer_mut().unwrap().add_socket(now, number, socket));
    }

    /// Does something with the TURN server.
    pub(crate) fn turn_server<R>(&mut self, act: impl FnOnce(&mut TurnServer) -> R) -> R {
        self.internet.with(self.turn, |machine, _| act(machine.server_mut().unwrap()))
    }

    /// The NAT of a peer forgets everything.
    pub(crate) fn reset_nat(&mut self, side: usize) {
        let network = self.homes[side].unwrap();
        self.internet.nat_mut(network).unwrap().reset();
    }

    pub(crate) fn start(&mut self) {
        let [one, other] = self.peers;
        self.internet.with(one, |machine, now| machine.peer_mut().unwrap().start(now, other));
        self.internet.with(other, |machine, now| machine.peer_mut().unwrap().start(now, one));
    }

    pub(crate) fn peer(&self, side: usize) -> &Peer {
        self.internet.host(self.peers[side]).peer().unwrap()
    }

    pub(crate) fn routes(&self) -> [Option<RouteKind>; 2] {
        [0, 1].map(|side| self.peer(side).agent().selected().map(|path| path.kind))
    }

    /// Runs until both have a route and hear each other.
    pub(crate) fn connect(&mut self, limit: Duration) -> Option<Duration> {
        let start = self.internet.now();
        while self.internet.now().since(start) < limit {
            self.internet.run_for(Duration::from_millis(50));
            let heard = (0..2).all(|side| self.peer(side).received().0 > 0);
            if heard && self.routes().iter().all(Option::is_some) {
                return Some(self.internet.now().since(start));
            }
        }
        None
    }

    pub(crate) fn explain(&self) -> String {
        let mut text = String::new();
        for side in 0..2 {
            text.push_str(&format!("peer {side}\n"));
            for entry in self.peer(side).agent().trace() {
                let at = entry.time.since(gamewire_sim::world::START);
                text.push_str(&format!("  {at:?} {:?}\n", entry.step));
            }
        }
        text
    }
}

//! Listening and connecting.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::ensure;
use bench_protocol::{Endpoint, Plan};

use crate::{
    crowd::Group,
    link::Connection,
    side::{Client, Server},
};

/// How long a connection may take to come to stand.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks meanwhile.
const TURN: Duration = Duration::from_millis(5);
/// The one client.
const CLIENT_ID: u64 = 1;

/// See the module.
pub(crate) struct Instance {
    server: Server,
    urgent: bool,
}

/// There is one kind of settings.
fn check(plan: &Plan) -> anyhow::Result<()> {
    ensure!(plan.settings == "busy", "no settings are called {}", plan.settings);
    Ok(())
}

impl Endpoint for Instance {
    type Link = Connection;
    type Crowd = Group;

    fn listen(plan: &Plan) -> anyhow::Result<(Self, SocketAddr)> {
        check(plan)?;
        let server = Server::new(plan.connections)?;
        let address = server.address()?;
        Ok((Self { server, urgent: plan.workload.is_urgent() }, address))
    }

    fn accept(self) -> anyhow::Result<Connection> {
        let Self { mut server, urgent } = self;
        let start = Instant::now();
        while server.connected() == 0 {
            server.wait(TURN)?;
            server.update()?;
            server.flush();
            ensure!(start.elapsed() < PATIENCE, "nobody came");
        }
        Ok(Connection::server(server, urgent))
    }

    fn connect(address: SocketAddr, plan: &Plan) -> anyhow::Result<Connection> {
        check(plan)?;
        let mut client = Client::new(address, CLIENT_ID)?;
        let start = Instant::now();
        while !client.is_connected() {
            client.wait(TURN)?;
            client.update()?;
            ensure!(start.elapsed() < PATIENCE, "no answer");
        }
        Ok(Connection::client(client, plan.workload.is_urgent()))
    }

    fn serve_crowd(self) -> anyhow::Result<Group> {
        Ok(Group::server(self.server))
    }

    fn join_crowd(address: SocketAddr, plan: &Plan) -> anyhow::Result<Group> {
        check(plan)?;
        Ok(Group::client(address))
    }
}

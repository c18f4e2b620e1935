//! Listening and connecting.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use bench_protocol::{Endpoint, Plan};

use crate::{
    crowd::Group,
    host::{Event, Host},
    link::Connection,
};

/// How long a connection may take to come to stand.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait in one call.
const TURN: Duration = Duration::from_millis(100);

/// See the module.
pub(crate) struct Instance {
    host: Host,
    plan: Plan,
}

/// There is one kind of settings.
fn check(plan: &Plan) -> anyhow::Result<()> {
    ensure!(plan.settings == "plain", "no settings are called {}", plan.settings);
    Ok(())
}

impl Endpoint for Instance {
    type Link = Connection;
    type Crowd = Group;

    fn listen(plan: &Plan) -> anyhow::Result<(Self, SocketAddr)> {
        check(plan)?;
        let host = Host::new(plan.connections, true)?;
        let address = host.address()?;
        Ok((Self { host, plan: plan.clone() }, address))
    }

    fn accept(self) -> anyhow::Result<Connection> {
        connected(self.host, &self.plan)
    }

    fn connect(address: SocketAddr, plan: &Plan) -> anyhow::Result<Connection> {
        check(plan)?;
        let mut host = Host::new(1, false)?;
        host.connect(address)?;
        connected(host, plan)
    }

    fn serve_crowd(self) -> anyhow::Result<Group> {
        Ok(Group::new(self.host, None))
    }

    fn join_crowd(address: SocketAddr, plan: &Plan) -> anyhow::Result<Group> {
        check(plan)?;
        Ok(Group::new(Host::new(plan.connections, false)?, Some(address)))
    }
}

fn connected(mut host: Host, plan: &Plan) -> anyhow::Result<Connection> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(Event::Connected(peer)) = host.service(TURN)? {
            return Ok(Connection::new(host, peer, plan.workload));
        }
    }
    bail!("no connection came to stand")
}

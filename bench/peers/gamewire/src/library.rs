//! One instance of the library: listening, connecting.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, bail};
use bench_protocol::{Endpoint, Plan};
use gamewire::{ConnectionHandle, ConnectionState, Event, Options, Sockets, StatusChanged};

use crate::{crowd::Group, link::Connection, settings};

/// How long a connection may take to come to stand.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
pub(crate) struct Library {
    sockets: Sockets,
    urgent: bool,
}

impl Endpoint for Library {
    type Link = Connection;
    type Crowd = Group;

    fn listen(plan: &Plan) -> anyhow::Result<(Self, SocketAddr)> {
        let sockets = Sockets::new(Options::default())?;
        // The library wants to be told a port; this one was free a moment ago.
        let address = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        sockets.create_listen_socket_ip(address, &settings::options(&plan.settings)?)?;
        Ok((Self { sockets, urgent: plan.workload.is_urgent() }, address))
    }

    fn accept(self) -> anyhow::Result<Connection> {
        let Self { sockets, urgent } = self;
        let connection = connected(&sockets)?;
        Ok(Connection::new(sockets, connection, urgent))
    }

    fn connect(address: SocketAddr, plan: &Plan) -> anyhow::Result<Connection> {
        let sockets = Sockets::new(Options::default())?;
        sockets.connect_by_ip_address(address, &settings::options(&plan.settings)?)?;
        let connection = connected(&sockets)?;
        Ok(Connection::new(sockets, connection, plan.workload.is_urgent()))
    }

    fn serve_crowd(self) -> anyhow::Result<Group> {
        Group::new(self.sockets, None)
    }

    fn join_crowd(address: SocketAddr, plan: &Plan) -> anyhow::Result<Group> {
        let sockets = Sockets::new(Options::default())?;
        Group::new(sockets, Some((address, settings::options(&plan.settings)?)))
    }
}

/// Waits for the first connection to stand, accepting what comes.
fn connected(sockets: &Sockets) -> anyhow::Result<ConnectionHandle> {
    loop {
        let event = sockets.wait_event(Some(PATIENCE)).context("no connection came to stand")?;
        if let Event::ConnectionStatusChanged(change) = event
            && on_status(sockets, &change)?
        {
            return Ok(change.connection);
        }
    }
}

/// Accepts, and says whether a connection stands from now on.
pub(crate) fn on_status(sockets: &Sockets, change: &StatusChanged) -> anyhow::Result<bool> {
    match change.info.state {
        ConnectionState::Connecting if change.info.listen_socket.is_some() => {
            sockets.accept_connection(change.connection)?;
            Ok(false)
        }
        ConnectionState::Connected => Ok(true),
        ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
            bail!("the connection ended: {} {}", change.info.end_reason, change.info.end_debug)
        }
        ConnectionState::None | ConnectionState::Connecting | ConnectionState::FindingRoute => {
            Ok(false)
        }
    }
}

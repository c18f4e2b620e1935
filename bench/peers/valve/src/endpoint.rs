//! Listening and connecting.

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use bench_protocol::{Endpoint, Plan};

use crate::{
    crowd::Group,
    library::{Change, Library, State},
    link::Connection,
    settings,
};

/// How long a connection may take to come to stand.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
pub(crate) struct Instance {
    library: Library,
    urgent: bool,
}

fn start(plan: &Plan) -> anyhow::Result<Library> {
    Library::start(&settings::values(&plan.settings, plan.workload)?)
}

impl Endpoint for Instance {
    type Link = Connection;
    type Crowd = Group;

    fn listen(plan: &Plan) -> anyhow::Result<(Self, SocketAddr)> {
        let library = start(plan)?;
        // The library wants to be told a port; this one was free a moment ago.
        let address = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        library.listen(address)?;
        Ok((Self { library, urgent: plan.workload.is_urgent() }, address))
    }

    fn accept(self) -> anyhow::Result<Connection> {
        let connection = connected(&self.library)?;
        Ok(Connection::new(self.library, connection, self.urgent))
    }

    fn connect(address: SocketAddr, plan: &Plan) -> anyhow::Result<Connection> {
        let library = start(plan)?;
        library.connect(address)?;
        let connection = connected(&library)?;
        Ok(Connection::new(library, connection, plan.workload.is_urgent()))
    }

    fn serve_crowd(self) -> anyhow::Result<Group> {
        Ok(Group::new(self.library, None))
    }

    fn join_crowd(address: SocketAddr, plan: &Plan) -> anyhow::Result<Group> {
        Ok(Group::new(start(plan)?, Some(address)))
    }
}

/// Waits for the first connection to stand, accepting what comes.
fn connected(library: &Library) -> anyhow::Result<u32> {
    let start = Instant::now();
    loop {
        library.poll(1);
        while let Some(change) = library.next_change() {
            if on_change(library, &change)? {
                return Ok(change.connection);
            }
        }
        ensure!(start.elapsed() < PATIENCE, "no connection came to stand");
    }
}

/// Accepts, and says whether a connection stands from now on.
pub(crate) fn on_change(library: &Library, change: &Change) -> anyhow::Result<bool> {
    match change.state {
        State::k_ESteamNetworkingConnectionState_Connecting if change.is_incoming => {
            library.accept(change.connection)?;
            Ok(false)
        }
        State::k_ESteamNetworkingConnectionState_Connected => {
            library.join_poll_group(change.connection);
            Ok(true)
        }
        State::k_ESteamNetworkingConnectionState_ClosedByPeer
        | State::k_ESteamNetworkingConnectionState_ProblemDetectedLocally => {
            bail!("the connection ended for reason {}", change.end_reason)
        }
        _ => Ok(false),
    }
}

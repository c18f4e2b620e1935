//! Listening and connecting, on a runtime of one thread.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use bench_protocol::{Endpoint, Plan};
use quinn::{ClientConfig, EndpointConfig, ServerConfig, TokioRuntime};
use tokio::{runtime::Runtime, time::timeout};

use crate::{
    crowd::Group,
    link::{Connection, Mode},
    settings, trust,
};

/// How long a connection may take to come to stand.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
pub(crate) struct Instance {
    runtime: Runtime,
    endpoint: quinn::Endpoint,
    mode: Mode,
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// An endpoint on a free port, with a socket that holds enough.
fn bind(runtime: &Runtime, server: Option<ServerConfig>) -> anyhow::Result<quinn::Endpoint> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let reference = socket2::SockRef::from(&socket);
    reference.set_recv_buffer_size(settings::SOCKET_BYTES)?;
    reference.set_send_buffer_size(settings::SOCKET_BYTES)?;
    let _inside = runtime.enter();
    let config = EndpointConfig::default();
    Ok(quinn::Endpoint::new(config, server, socket, Arc::new(TokioRuntime))?)
}

fn client(plan: &Plan) -> anyhow::Result<(Runtime, quinn::Endpoint)> {
    let runtime = runtime()?;
    let mut endpoint = bind(&runtime, None)?;
    let mut config = ClientConfig::new(Arc::new(trust::client()?));
    config.transport_config(settings::transport(&plan.settings)?);
    endpoint.set_default_client_config(config);
    Ok((runtime, endpoint))
}

impl Endpoint for Instance {
    type Link = Connection;
    type Crowd = Group;

    fn listen(plan: &Plan) -> anyhow::Result<(Self, SocketAddr)> {
        let runtime = runtime()?;
        let mut config = ServerConfig::with_crypto(Arc::new(trust::server()?));
        config.transport_config(settings::transport(&plan.settings)?);
        let endpoint = bind(&runtime, Some(config))?;
        let address = endpoint.local_addr()?;
        let mode = settings::mode(&plan.settings, plan.workload);
        Ok((Self { runtime, endpoint, mode }, address))
    }

    fn accept(self) -> anyhow::Result<Connection> {
        let Self { runtime, endpoint, mode } = self;
        let (connection, stream) = runtime.block_on(async {
            let incoming = timeout(PATIENCE, endpoint.accept()).await.context("nobody came")?;
            let connection = incoming.context("the endpoint is closed")?.await?;
            let (send, mut receive) = connection.accept_bi().await?;
            receive.read_exact(&mut [0]).await?;
            anyhow::Ok((connection, (send, receive)))
        })?;
        Ok(Connection::new(runtime, endpoint, connection, stream, mode))
    }

    fn connect(address: SocketAddr, plan: &Plan) -> anyhow::Result<Connection> {
        let (runtime, endpoint) = client(plan)?;
        let (connection, stream) = runtime.block_on(async {
            let connecting = endpoint.connect(address, trust::SERVER_NAME)?;
            let connection = timeout(PATIENCE, connecting).await.context("no answer")??;
            // The other side learns of a stream only from its first byte.
            let (mut send, receive) = connection.open_bi().await?;
            send.write_all(&[0]).await?;
            anyhow::Ok((connection, (send, receive)))
        })?;
        let mode = settings::mode(&plan.settings, plan.workload);
        Ok(Connection::new(runtime, endpoint, connection, stream, mode))
    }

    fn serve_crowd(self) -> anyhow::Result<Group> {
        Ok(Group::server(self.runtime, self.endpoint))
    }

    fn join_crowd(address: SocketAddr, plan: &Plan) -> anyhow::Result<Group> {
        let (runtime, endpoint) = client(plan)?;
        Ok(Group::client(runtime, endpoint, address))
    }
}

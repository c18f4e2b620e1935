//! Listening and connecting, as far as there is such a thing.

use std::net::SocketAddr;

use anyhow::bail;
use bench_protocol::{Delivery, Endpoint, Plan};

use crate::{
    assembly::Framing,
    crowd::Echoes,
    link::{Pair, Shape},
    packets::{Cipher, LARGE_PACKET_BYTES, PACKET_BYTES, Side},
    port::{Offload, Port},
};

/// See the module.
pub(crate) struct Library {
    port: Port,
    shape: Shape,
}

/// - `gso`: batches of 64 KiB that the kernel cuts and joins; lone messages go by blocking calls.
/// - `gso_large`: packets of almost 64 KiB, which need no cutting.
/// - `single`: a blocking call for each packet.
fn offload(plan: &Plan) -> anyhow::Result<Offload> {
    Ok(match plan.settings.as_str() {
        "gso" if plan.workload.is_urgent() => Offload::Single,
        "gso" | "gso_large" => Offload::Gso,
        "single" => Offload::Single,
        name => bail!("no settings are called {name}"),
    })
}

fn shape(plan: &Plan) -> Shape {
    let framing = match plan.workload.delivery() {
        Delivery::Reliable => Framing::Stream,
        Delivery::Unreliable => Framing::Datagram,
    };
    let message_bytes = plan.workload.message_bytes();
    let large = plan.settings == "gso_large";
    let packet_bytes = if large { LARGE_PACKET_BYTES } else { PACKET_BYTES };
    Shape { packet_bytes, framing, urgent: plan.workload.is_urgent(), message_bytes }
}

impl Endpoint for Library {
    type Link = Pair;
    type Crowd = Echoes;

    fn listen(plan: &Plan) -> anyhow::Result<(Self, SocketAddr)> {
        let port = Port::bind(offload(plan)?)?;
        let address = port.address()?;
        Ok((Self { port, shape: shape(plan) }, address))
    }

    fn accept(self) -> anyhow::Result<Pair> {
        Ok(Pair::new(self.port, None, Cipher::new(Side::Server)?, self.shape))
    }

    fn connect(address: SocketAddr, plan: &Plan) -> anyhow::Result<Pair> {
        let port = Port::bind(offload(plan)?)?;
        Ok(Pair::new(port, Some(address), Cipher::new(Side::Client)?, shape(plan)))
    }

    fn serve_crowd(self) -> anyhow::Result<Echoes> {
        Ok(Echoes::new(self.port, None, Cipher::new(Side::Server)?))
    }

    fn join_crowd(address: SocketAddr, plan: &Plan) -> anyhow::Result<Echoes> {
        let port = Port::bind(offload(plan)?)?;
        Ok(Echoes::new(port, Some(address), Cipher::new(Side::Client)?))
    }
}

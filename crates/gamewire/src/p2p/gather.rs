//! The sockets of a connection: one for each address of this machine.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use gamewire_p2p::ice::SocketId;

use super::MAX_PEER_SOCKETS;
use crate::{
    core::Core,
    io::UdpSocket,
    slot::{Machine, Slot},
    worker::Binding,
};

/// Addresses of this machine that routes may begin at. Those of the loopback interface count only
/// where there is nothing else.
fn local_addresses() -> Vec<IpAddr> {
    let interfaces = match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces,
        Err(error) => {
            tracing::warn!(%error, "cannot ask for the addresses of this machine");
            Vec::new()
        }
    };
    let mut addresses: Vec<IpAddr> = interfaces
        .into_iter()
        .filter(|interface| interface.is_oper_up())
        .map(|interface| interface.ip())
        .filter(|address| !is_link_local(*address))
        .collect();
    if addresses.iter().any(|address| !address.is_loopback()) {
        addresses.retain(|address| !address.is_loopback());
    }
    addresses.truncate(MAX_PEER_SOCKETS / 2);
    addresses
}

/// Such an address means nothing without the interface that it is on.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Whether loopback addresses are all that this machine has.
pub(super) fn only_loopback() -> bool {
    local_addresses().iter().all(IpAddr::is_loopback)
}

impl Core {
    /// Binds sockets on all addresses of this machine and hands them to the connection.
    pub(super) fn gather(&self, slot: &Arc<Slot>) {
        let Some(side) = &slot.peer_side else { return };
        let known: Vec<IpAddr> =
            side.links().map(|(_, link)| link.socket.local_addr().ip()).collect();
        let new = local_addresses().into_iter().filter(|address| !known.contains(address));
        let mut bound: Vec<(SocketId, SocketAddr)> = Vec::new();
        for address in new {
            let Some(number) = side.links.iter().position(|link| link.get().is_none()) else {
                break;
            };
            let socket = match UdpSocket::bind(SocketAddr::new(address, 0)) {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::info!(%error, "an address gives no candidate");
                    continue;
                }
            };
            let link = self.link_to(socket, &side.worker);
            let id = SocketId(u8::try_from(number).expect("fewer than 256 sockets"));
            bound.push((id, link.socket.local_addr()));
            if side.links[number].set(link.clone()).is_ok() {
                side.worker.bind(Binding::of_peer(link, slot.clone(), id));
            }
        }
        self.drive_machine(slot, |machine, now| {
            if let Machine::Peer(peer) = machine {
                for (socket, address) in bound {
                    peer.add_socket(now, socket, address);
                }
            }
        });
    }
}

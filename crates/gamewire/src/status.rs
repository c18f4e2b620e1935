//! What the application may know about a connection: who is at the other end, how it does, and
//! everything for people.

mod detailed;
mod flags;
mod link;
mod real_time;
mod route;
mod text;

use std::{net::SocketAddr, sync::atomic::Ordering};

use gamewire_p2p::{ice::RouteKind, rendezvous::PeerConnection};
use gamewire_proto::{connection::Connection, end::EndInfo, event::ConnectionState};
use gamewire_wire::identity::Identity;

pub use self::{
    detailed::{
        ConfigInForce, CongestionStatus, DetailedStatus, DropCount, ProtocolStatus, ReceiveQueue,
    },
    flags::ConnectionFlags,
    link::{Distribution, LinkReport, LinkStatus, RecentStats, SequenceCounts, WholeTimeStats},
    real_time::{LaneStatus, PathEstimate, QuickStatus, RealTimeStatus},
    route::{PairStatus, RouteStatus, RouteStep},
};
use crate::{
    handle::ListenSocketHandle,
    slot::{Machine, Slot, SlotState},
};

/// Longest description in bytes (`k_cchSteamNetworkingMaxConnectionDescription` less NUL).
pub const MAX_DESCRIPTION_BYTES: usize = 127;

/// Who is at the other end of a connection, and how it stands (api.md §3.7).
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[doc(alias = "SteamNetConnectionInfo_t")]
pub struct ConnectionInfo {
    /// Who the peer is, or says it is: see [`ConnectionFlags::UNAUTHENTICATED`].
    #[cfg_attr(feature = "serde", serde(serialize_with = "text::serialize"))]
    pub identity_remote: Identity,
    /// The application's own number; −1 if it never set one.
    pub user_data: i64,
    /// The listen socket that it came in through.
    #[cfg_attr(feature = "serde", serde(serialize_with = "text::serialize_handle"))]
    pub listen_socket: Option<ListenSocketHandle>,
    /// The peer's address; `None` within the process.
    pub address_remote: Option<SocketAddr>,
    /// The PoP near the peer; 0, since no relay is in use.
    pub pop_remote: u32,
    /// The PoP of the relay in use; 0, since none is.
    pub pop_relay: u32,
    /// Where it stands.
    #[cfg_attr(feature = "serde", serde(serialize_with = "text::serialize_state"))]
    pub state: ConnectionState,
    /// Why it ended; 0 while it has not (api.md §3.4).
    pub end_reason: i32,
    /// The same for people; at most 127 bytes, perhaps written by the peer.
    pub end_debug: String,
    /// Which connection this is, for logs.
    pub description: String,
    /// What else is true of it.
    pub flags: ConnectionFlags,
}

impl ConnectionInfo {
    pub(crate) fn of(slot: &Slot, state: &SlotState) -> Self {
        let identity_remote = Identity::clone(&slot.peer.load());
        let subject = match &state.machine {
            Machine::Udp(machine) => Subject {
                address: Some(machine.remote()),
                state: machine.state(),
                end: machine.end().cloned(),
                description: describe_udp(machine, &identity_remote, &state.name),
                flags: flags_of(machine, &identity_remote),
            },
            Machine::Peer(peer) => Subject {
                address: direct_address(peer),
                state: peer.connection().state(),
                end: peer.connection().end().cloned(),
                description: describe_peer(peer, &identity_remote, &state.name),
                flags: flags_of_peer(peer, &identity_remote),
            },
            Machine::Pipe(pipe) => Subject {
                address: None,
                state: pipe.state(),
                end: pipe.end(),
                description: describe_pipe(slot.handle.to_raw(), &identity_remote, &state.name),
                flags: ConnectionFlags::LOOPBACK_BUFFERS | ConnectionFlags::FAST,
            },
        };
        let (end_reason, end_debug) =
            subject.end.map_or((0, String::new()), |end| (end.reason.0, end.debug));
        Self {
            identity_remote,
            user_data: slot.user_data.load(Ordering::Relaxed),
            listen_socket: slot.listen_socket,
            address_remote: subject.address,
            pop_remote: 0,
            pop_relay: 0,
            state: subject.state,
            end_reason,
            end_debug,
            description: subject.description,
            flags: subject.flags,
        }
    }
}

/// What differs between the kinds of connection.
struct Subject {
    address: Option<SocketAddr>,
    state: ConnectionState,
    end: Option<EndInfo>,
    description: String,
    flags: ConnectionFlags,
}

fn flags_of(machine: &Connection, identity: &Identity) -> ConnectionFlags {
    let peer = machine.peer();
    let mut flags = ConnectionFlags::default();
    let is_nobody = matches!(identity, Identity::Invalid | Identity::IpAddress(_));
    if !peer.authenticated || is_nobody {
        flags = flags | ConnectionFlags::UNAUTHENTICATED;
    }
    // Until a cipher is agreed nothing is.
    if !peer.encrypted || machine.state() == ConnectionState::Connecting {
        flags = flags | ConnectionFlags::UNENCRYPTED;
    }
    if machine.remote().ip().to_canonical().is_loopback() {
        flags = flags | ConnectionFlags::FAST;
    }
    flags
}

/// Where packets go, if that is the peer and not a relay.
fn direct_address(peer: &PeerConnection) -> Option<SocketAddr> {
    let path = peer.route()?;
    (path.kind != RouteKind::Relayed).then_some(path.remote)
}

fn flags_of_peer(peer: &PeerConnection, identity: &Identity) -> ConnectionFlags {
    let flags = flags_of(peer.connection(), identity);
    match peer.route().map(|path| path.kind) {
        Some(RouteKind::Local) => flags | ConnectionFlags::FAST,
        Some(RouteKind::Relayed) => flags | ConnectionFlags::RELAYED,
        Some(RouteKind::Direct) | None => flags,
    }
}

/// `#id P2P identity vport n 'name'`.
fn describe_peer(peer: &PeerConnection, identity: &Identity, name: &str) -> String {
    let whom = match peer.ports().remote {
        Some(port) => format!("{identity} vport {port}"),
        None => identity.to_string(),
    };
    describe(peer.connection().local_id(), "P2P", &whom, name)
}

/// `#id UDP identity@address 'name'`; without the identity where that is only the address.
fn describe_udp(machine: &Connection, identity: &Identity, name: &str) -> String {
    let (id, remote) = (machine.local_id(), machine.remote());
    let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
    let whom = match identity {
        Identity::Invalid | Identity::IpAddress(_) => remote.to_string(),
        Identity::GenericString(_)
        | Identity::GenericBytes(_)
        | Identity::Unknown(_)
        | Identity::SteamId(_)
        | Identity::XboxPairwiseId(_)
        | Identity::SonyPsn(_) => format!("{identity}@{remote}"),
    };
    describe(id, "UDP", &whom, name)
}

fn describe_pipe(id: u32, identity: &Identity, name: &str) -> String {
    describe(id, "pipe", &identity.to_string(), name)
}

fn describe(id: u32, kind: &str, whom: &str, name: &str) -> String {
    let mut text = format!("#{id} {kind} {whom}");
    if !name.is_empty() {
        text = format!("{text} '{name}'");
    }
    text.truncate(text.floor_char_boundary(MAX_DESCRIPTION_BYTES));
    text
}

#[cfg(test)]
mod tests;

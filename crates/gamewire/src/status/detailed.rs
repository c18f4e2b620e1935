//! Everything that is known about a connection.

use gamewire_proto::{
    Time,
    connection::{Connection, RecoveryStatus, SessionStatus},
};

use super::{
    ConnectionInfo, LaneStatus, LinkStatus, PathEstimate, RealTimeStatus, RouteStatus, text::micros,
};
use crate::{
    config::{ConfigId, ConfigType, ScopeValues},
    slot::{Machine, Slot, SlotState},
};

/// Everything that is known about a connection; `Display` makes a text for people of it.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[doc(alias = "GetDetailedConnectionStatus")]
pub struct DetailedStatus {
    /// Who is at the other end, and how the connection stands.
    pub info: ConnectionInfo,
    /// The name that the application gave it; may be empty.
    pub name: String,
    /// How long it has existed; `None` within the process.
    pub age_us: Option<u64>,
    /// What the two ends agreed on; `None` within the process.
    pub protocol: Option<ProtocolStatus>,
    /// Statistics of both ends; `None` before the handshake is done, and within the process.
    pub link: Option<LinkStatus>,
    /// How the route to a peer by identity was found; `None` for other connections.
    pub route: Option<RouteStatus>,
    /// What may be in flight; `None` as for `link`.
    pub congestion: Option<CongestionStatus>,
    /// Bytes per second at which data may leave; `None`: no limit.
    pub send_rate_bytes_per_s: Option<u64>,
    /// The queues, one per lane.
    pub lanes: Vec<LaneStatus>,
    /// What waits for the application; `None` within the process.
    pub received: Option<ReceiveQueue>,
    /// Datagrams that were dropped, by reason, without reasons that never occurred.
    pub drops: Vec<DropCount>,
    /// Configuration values in force. Secrets are not shown.
    pub config: Vec<ConfigInForce>,
}

/// What the two ends agreed on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ProtocolStatus {
    /// Our id of the connection.
    pub local_connection_id: u32,
    /// The peer's; 0 while it is unknown.
    pub remote_connection_id: u32,
    /// Version that the peer speaks; 0 while it is unknown.
    pub version: u32,
    /// Bits of Gamewire's extensions in force ([`gamewire_wire::extensions`]).
    pub features: u64,
    /// Number of the last packet sent.
    pub last_sent_packet: u64,
    /// Number of the newest packet received.
    pub newest_received_packet: u64,
}

/// Round-trip times and what may be in flight (RFC 9002).
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CongestionStatus {
    /// Name of the controller.
    pub controller: &'static str,
    /// Smoothed round-trip time; a guess before the first sample.
    pub smoothed_rtt_us: u64,
    /// Its mean deviation.
    pub rttvar_us: u64,
    /// Shortest round trip seen.
    pub min_rtt_us: Option<u64>,
    /// Bytes in flight.
    pub bytes_in_flight: u64,
    /// How many there may be; `None`: no limit.
    pub congestion_window: Option<u64>,
    /// Bytes of UDP payload that the path is known to carry in one packet.
    pub path_mtu: usize,
    /// What the controller believes about the path; `None` at a fixed rate.
    pub path: Option<PathEstimate>,
}

/// What waits for the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ReceiveQueue {
    /// Bytes of messages unread, unfinished or ahead of a gap.
    pub buffered_bytes: usize,
    /// Messages unread.
    pub unread_messages: usize,
}

/// A reason for drops, with how often it occurred.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DropCount {
    /// Name of the [`gamewire_proto::drops::DropReason`].
    pub reason: &'static str,
    /// How often.
    pub count: u64,
}

/// A configuration value in force.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ConfigInForce {
    /// Its name.
    pub name: &'static str,
    /// The value as text; `(set)` for a secret.
    pub value: String,
    /// Whether it is the default of its row.
    pub is_default: bool,
}

impl DetailedStatus {
    pub(crate) fn of(slot: &Slot, state: &mut SlotState, now: Time) -> Self {
        let info = ConnectionInfo::of(slot, state);
        let name = state.name.clone();
        let config = config_in_force(&slot.options);
        match &state.machine {
            Machine::Udp(machine) => Self::of_udp(info, name, config, machine, now),
            Machine::Peer(peer) => {
                let status = Self::of_udp(info, name, config, peer.connection(), now);
                Self { route: Some(RouteStatus::of(peer)), ..status }
            }
            Machine::Pipe(pipe) => {
                let real_time = RealTimeStatus::of_pipe(info.state);
                Self {
                    info,
                    name,
                    age_us: None,
                    protocol: None,
                    link: None,
                    route: None,
                    congestion: None,
                    send_rate_bytes_per_s: real_time.send_rate_bytes_per_s,
                    lanes: vec![LaneStatus::default(); pipe.lanes()],
                    received: None,
                    drops: Vec::new(),
                    config,
                }
            }
        }
    }

    fn of_udp(
        info: ConnectionInfo,
        name: String,
        config: Vec<ConfigInForce>,
        machine: &Connection,
        now: Time,
    ) -> Self {
        let session = machine.session_status(now);
        let recovery = session.as_ref().map(|session| &session.recovery);
        let lanes = (0..machine.lane_count()).filter_map(|lane| u16::try_from(lane).ok());
        let received = machine.receive_status();
        let drops = machine.drops();
        let drops = drops.iter().filter(|&(_, count)| count > 0);
        Self {
            info,
            name,
            age_us: Some(micros(machine.age(now))),
            protocol: Some(ProtocolStatus::of(machine, session.as_ref())),
            route: None,
            congestion: recovery.map(CongestionStatus::of),
            send_rate_bytes_per_s: machine.send_rate(),
            lanes: lanes.filter_map(|lane| machine.lane_status(lane)).map(Into::into).collect(),
            received: Some(ReceiveQueue {
                buffered_bytes: received.buffered_bytes,
                unread_messages: received.unread_messages,
            }),
            drops: drops
                .map(|(reason, count)| DropCount { reason: reason.name(), count })
                .collect(),
            link: session.map(|session| LinkStatus::new(session.link, now)),
            config,
        }
    }
}

impl ProtocolStatus {
    fn of(machine: &Connection, session: Option<&SessionStatus>) -> Self {
        let recovery = session.map(|session| &session.recovery);
        Self {
            local_connection_id: machine.local_id(),
            remote_connection_id: machine.remote_id(),
            version: machine.peer().protocol_version,
            features: machine.peer().features,
            last_sent_packet: recovery.map_or(0, |recovery| recovery.last_sent),
            newest_received_packet: recovery.map_or(0, |recovery| recovery.newest_received),
        }
    }
}

impl CongestionStatus {
    fn of(recovery: &RecoveryStatus) -> Self {
        Self {
            controller: recovery.controller,
            smoothed_rtt_us: micros(recovery.smoothed_rtt),
            rttvar_us: micros(recovery.rttvar),
            min_rtt_us: recovery.min_rtt.map(micros),
            bytes_in_flight: recovery.bytes_in_flight,
            congestion_window: recovery.congestion_window,
            path_mtu: recovery.path_mtu,
            path: PathEstimate::of(&recovery.estimate, recovery.congestion_window),
        }
    }
}

/// All values of the connection, but pointers and the user data, which `info` has.
fn config_in_force(options: &ScopeValues) -> Vec<ConfigInForce> {
    let shown = |id: &ConfigId| {
        let is_pointer = id.info().data_type() == ConfigType::Pointer;
        !is_pointer && *id != ConfigId::ConnectionUserData
    };
    let readings = ConfigId::ALL.iter().copied().filter(shown).filter_map(|id| {
        let (data, _) = options.get(id).ok()?;
        let is_default = data == id.default_data();
        let is_secret = matches!(id, ConfigId::P2pTurnPassList | ConfigId::P2pTurnUserList);
        let value = if is_secret && !is_default { "(set)".to_owned() } else { data.to_string() };
        Some(ConfigInForce { name: id.name(), value, is_default })
    });
    readings.collect()
}

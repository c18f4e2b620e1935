//! Message ids: the first byte of a control message (relay-network.md §4.14).
//!
//! Those up to 34 are facts of the public protocol, those from 40 on Gamewire's own
//! (`docs/wire/relay.md`).

/// Client to relay: a [`PingRequest`](super::PingRequest), no protobuf.
pub const ROUTER_PING_REQUEST: u8 = 1;
/// Relay to client: `RouterPingReply`.
pub const ROUTER_PING_REPLY: u8 = 2;
/// Relay to server: `GameserverPingRequestEnvelope`.
pub const GAMESERVER_PING_REQUEST: u8 = 3;
/// Client to relay: `GameserverSessionRequest`.
pub const GAMESERVER_SESSION_REQUEST: u8 = 5;
/// Relay to client: `GameserverSessionEstablished`.
pub const GAMESERVER_SESSION_ESTABLISHED: u8 = 6;
/// Relay to client: `NoSessionRelayToClient`; relay to server: `NoSessionRelayToPeer`.
pub const NO_SESSION: u8 = 7;
/// Any direction: `Diagnostic`.
pub const DIAGNOSTIC: u8 = 8;
/// All legs of a hosted session: the four `ConnectionStats…` bodies, by direction.
pub const STATS: u8 = 13;
/// Relay to client: `ClientPingSampleRequest`.
pub const CLIENT_PING_SAMPLE_REQUEST: u8 = 14;
/// Client to relay: `ClientPingSampleReply`.
pub const CLIENT_PING_SAMPLE_REPLY: u8 = 15;
/// Client to relay: `ClientSwitchedPrimary`.
pub const SWITCHED_PRIMARY: u8 = 16;
/// Client to relay to server: `ConnectRequest`.
pub const CONNECT_REQUEST: u8 = 18;
/// Server to relay to client: `ConnectOk`.
pub const CONNECT_OK: u8 = 19;
/// Any direction: `ConnectionClosed`.
pub const CONNECTION_CLOSED: u8 = 20;
/// Any direction: `NoConnection`.
pub const NO_CONNECTION: u8 = 21;
/// Client to relay: `P2pSessionRequest`.
pub const P2P_SESSION_REQUEST: u8 = 24;
/// Relay to client: `P2pSessionEstablished`.
pub const P2P_SESSION_ESTABLISHED: u8 = 25;
/// Client to relay and back: the two `ConnectionStatsP2p…` bodies.
pub const P2P_STATS_CLIENT: u8 = 26;
/// Relay to client: `P2pBadRouteRouterToClient`.
pub const P2P_BAD_ROUTE: u8 = 28;
/// Server to relay: `SignedMessageGeneric` around `GameserverPingReplyData`.
pub const GAMESERVER_PING_REPLY: u8 = 29;
/// Client to relay: `SetSecondaryAddressRequest`.
pub const SET_SECONDARY_ADDRESS_REQUEST: u8 = 31;
/// Relay to client: `SetSecondaryAddressResult`.
pub const SET_SECONDARY_ADDRESS_RESULT: u8 = 32;

/// Relay to relay: a sealed datagram of Gamewire's own form (`docs/wire/relay.md`).
pub const INTERIOR: u8 = 40;

/// The highest id there is room for.
pub const MAX: u8 = 63;

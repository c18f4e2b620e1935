//! The part of ENet's C interface that is used, written down from its public header.

use std::ffi::{c_int, c_void};

/// `ENetSocketOption`.
pub(crate) const SOCKOPT_RCVBUF: c_int = 3;
pub(crate) const SOCKOPT_SNDBUF: c_int = 4;
/// `ENetEventType`.
pub(crate) const EVENT_CONNECT: c_int = 1;
pub(crate) const EVENT_DISCONNECT: c_int = 2;
pub(crate) const EVENT_RECEIVE: c_int = 3;
/// `ENetPacketFlag`.
pub(crate) const PACKET_RELIABLE: u32 = 1;
pub(crate) const PACKET_NO_ALLOCATE: u32 = 4;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    /// In network byte order.
    pub(crate) host: u32,
    pub(crate) port: u16,
}

/// The start of `ENetHost`.
#[repr(C)]
pub(crate) struct Host {
    pub(crate) socket: c_int,
}

/// `ENetPeer`, of which nothing is touched.
#[repr(C)]
pub(crate) struct Peer {
    opaque: [u8; 0],
}

#[repr(C)]
pub(crate) struct Packet {
    pub(crate) reference_count: usize,
    pub(crate) flags: u32,
    pub(crate) data: *mut u8,
    pub(crate) data_length: usize,
    pub(crate) free_callback: Option<unsafe extern "C" fn(*mut Self)>,
    pub(crate) user_data: *mut c_void,
}

#[repr(C)]
pub(crate) struct Event {
    pub(crate) kind: c_int,
    pub(crate) peer: *mut Peer,
    pub(crate) channel: u8,
    pub(crate) data: u32,
    pub(crate) packet: *mut Packet,
}

unsafe extern "C" {
    pub(crate) fn enet_initialize() -> c_int;
    pub(crate) fn enet_socket_get_address(socket: c_int, address: *mut Address) -> c_int;
    pub(crate) fn enet_socket_set_option(socket: c_int, option: c_int, value: c_int) -> c_int;
    pub(crate) fn enet_packet_create(data: *const c_void, length: usize, flags: u32)
    -> *mut Packet;
    pub(crate) fn enet_packet_destroy(packet: *mut Packet);
    pub(crate) fn enet_host_create(
        address: *const Address,
        peers: usize,
        channels: usize,
        incoming_bps: u32,
        outgoing_bps: u32,
    ) -> *mut Host;
    pub(crate) fn enet_host_destroy(host: *mut Host);
    pub(crate) fn enet_host_connect(
        host: *mut Host,
        address: *const Address,
        channels: usize,
        data: u32,
    ) -> *mut Peer;
    pub(crate) fn enet_host_service(host: *mut Host, event: *mut Event, timeout_ms: u32) -> c_int;
    pub(crate) fn enet_host_check_events(host: *mut Host, event: *mut Event) -> c_int;
    pub(crate) fn enet_host_flush(host: *mut Host);
    pub(crate) fn enet_peer_send(peer: *mut Peer, channel: u8, packet: *mut Packet) -> c_int;
    pub(crate) fn enet_peer_throttle_configure(
        peer: *mut Peer,
        interval_ms: u32,
        acceleration: u32,
        deceleration: u32,
    );
}

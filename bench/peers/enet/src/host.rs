//! An ENet host as safe calls.

use std::{
    ffi::c_int,
    net::{Ipv4Addr, SocketAddr},
    ptr, slice,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{bail, ensure};
use bench_protocol::Delivery;
use bytes::Bytes;

use crate::ffi;

/// What the socket may hold, in bytes.
const SOCKET_BYTES: c_int = 4 << 20;
/// Channels of a connection.
const CHANNELS: usize = 1;
/// Full speed in the units of ENet's throttle.
const FULL_THROTTLE: u32 = 32;
/// How often the throttle would be looked at, in milliseconds: ENet's default.
const THROTTLE_INTERVAL_MS: u32 = 5000;

/// Messages that ENet still holds: unsent, or sent and not yet acknowledged.
static HELD: AtomicUsize = AtomicUsize::new(0);
static INITIALIZED: Once = Once::new();

/// The other end of a connection, valid as long as its host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PeerId(*mut ffi::Peer);

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    Connected(PeerId),
    Ended,
    Received(PeerId, Packet),
}

/// A received message.
#[derive(Debug)]
pub(crate) struct Packet(*mut ffi::Packet);

impl Packet {
    /// The content.
    pub(crate) fn payload(&self) -> &[u8] {
        // SAFETY: we own the packet, whose data has the length that it says.
        unsafe { slice::from_raw_parts((*self.0).data, (*self.0).data_length) }
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        // SAFETY: we own the packet and give it up here.
        unsafe { ffi::enet_packet_destroy(self.0) };
    }
}

/// See the module.
pub(crate) struct Host(*mut ffi::Host);

impl Host {
    /// A host for so many connections; `listens` on a free port of the loopback interface.
    pub(crate) fn new(connections: usize, listens: bool) -> anyhow::Result<Self> {
        INITIALIZED.call_once(|| {
            // SAFETY: called once, before anything else.
            let result = unsafe { ffi::enet_initialize() };
            assert_eq!(result, 0, "ENet starts on every Unix");
        });
        let any = ffi::Address { host: u32::from_ne_bytes([127, 0, 0, 1]), port: 0 };
        let address = if listens { ptr::from_ref(&any) } else { ptr::null() };
        // SAFETY: the address is null or outlives the call.
        let host = unsafe { ffi::enet_host_create(address, connections, CHANNELS, 0, 0) };
        ensure!(!host.is_null(), "ENet makes no host");
        let host = Self(host);
        for option in [ffi::SOCKOPT_RCVBUF, ffi::SOCKOPT_SNDBUF] {
            // SAFETY: the socket belongs to the host, which lives.
            unsafe { ffi::enet_socket_set_option((*host.0).socket, option, SOCKET_BYTES) };
        }
        Ok(host)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let mut address = ffi::Address { host: 0, port: 0 };
        // SAFETY: the socket belongs to the host, which lives; the address is writable.
        let result = unsafe { ffi::enet_socket_get_address((*self.0).socket, &raw mut address) };
        ensure!(result == 0, "ENet does not say where it listens");
        Ok((Ipv4Addr::from(address.host.to_ne_bytes()), address.port).into())
    }

    /// Starts to connect.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let SocketAddr::V4(address) = address else {
            bail!("ENet knows IPv4 only");
        };
        let address =
            ffi::Address { host: u32::from_ne_bytes(address.ip().octets()), port: address.port() };
        // SAFETY: the host lives; the address outlives the call.
        let peer = unsafe { ffi::enet_host_connect(self.0, &raw const address, CHANNELS, 0) };
        ensure!(!peer.is_null(), "ENet makes no connection");
        Ok(())
    }

    /// Queues a message without copying it.
    pub(crate) fn send(
        &mut self,
        to: PeerId,
        message: Bytes,
        delivery: Delivery,
    ) -> anyhow::Result<()> {
        let reliable = if delivery == Delivery::Reliable { ffi::PACKET_RELIABLE } else { 0 };
        let flags = reliable | ffi::PACKET_NO_ALLOCATE;
        let message = Box::new(message);
        // SAFETY: the data lives in the box, which is dropped when ENet frees the packet.
        let packet =
            unsafe { ffi::enet_packet_create(message.as_ptr().cast(), message.len(), flags) };
        ensure!(!packet.is_null(), "ENet makes no packet");
        // SAFETY: the packet is fresh and ours; the peer belongs to this host.
        let result = unsafe {
            (*packet).free_callback = Some(on_freed);
            (*packet).user_data = Box::into_raw(message).cast();
            HELD.fetch_add(1, Ordering::Relaxed);
            let result = ffi::enet_peer_send(to.0, 0, packet);
            if result < 0 {
                ffi::enet_packet_destroy(packet);
            }
            result
        };
        ensure!(result == 0, "ENet does not take a message");
        Ok(())
    }

    /// How many messages ENet still holds.
    pub(crate) fn held() -> usize {
        HELD.load(Ordering::Relaxed)
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self) {
        // SAFETY: the host lives.
        unsafe { ffi::enet_host_flush(self.0) };
    }

    /// Sends, receives, and waits for an event, at most `timeout`.
    pub(crate) fn service(&mut self, timeout: Duration) -> anyhow::Result<Option<Event>> {
        let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: the host lives; the event is writable.
        self.event(|host, event| unsafe { ffi::enet_host_service(host, event, timeout_ms) })
    }

    /// The next event that waits already.
    pub(crate) fn next_event(&mut self) -> anyhow::Result<Option<Event>> {
        // SAFETY: the host lives; the event is writable.
        self.event(|host, event| unsafe { ffi::enet_host_check_events(host, event) })
    }

    fn event(
        &mut self,
        call: impl FnOnce(*mut ffi::Host, *mut ffi::Event) -> c_int,
    ) -> anyhow::Result<Option<Event>> {
        let mut event = ffi::Event {
            kind: 0,
            peer: ptr::null_mut(),
            channel: 0,
            data: 0,
            packet: ptr::null_mut(),
        };
        let result = call(self.0, &raw mut event);
        ensure!(result >= 0, "ENet fails");
        let peer = PeerId(event.peer);
        Ok(match event.kind {
            ffi::EVENT_CONNECT => {
                // SAFETY: the peer belongs to this host. Nothing is dropped on purpose any more.
                unsafe {
                    ffi::enet_peer_throttle_configure(
                        event.peer,
                        THROTTLE_INTERVAL_MS,
                        FULL_THROTTLE,
                        0,
                    );
                }
                Some(Event::Connected(peer))
            }
            ffi::EVENT_DISCONNECT => Some(Event::Ended),
            ffi::EVENT_RECEIVE => Some(Event::Received(peer, Packet(event.packet))),
            _ => None,
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: the host lives until here.
        unsafe { ffi::enet_host_destroy(self.0) };
    }
}

/// Called by ENet when it needs a packet of ours no more.
unsafe extern "C" fn on_freed(packet: *mut ffi::Packet) {
    // SAFETY: the user data is the box that `send` put there, and ENet frees a packet once.
    drop(unsafe { Box::from_raw((*packet).user_data.cast::<Bytes>()) });
    HELD.fetch_sub(1, Ordering::Relaxed);
}

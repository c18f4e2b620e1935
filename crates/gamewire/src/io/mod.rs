//! Sockets, the clock and readiness: the only part of the library that talks to the operating
//! system about packets.
//!
//! It moves datagrams and keeps time. It knows nothing of connections, interprets no payload byte but
//! as [`Steering`] says, never retries on its own behalf later, and never decides what is sent next.
//!
//! # Platform seam
//!
//! What differs between operating systems (error numbers, how a socket is watched, the precise
//! timer) lives in the private module `os`; nothing else in the crate names an operating system.
//! Batching itself comes from `quinn-udp`. A port replaces `os` and keeps the rest.
//!
//! # Use by a service thread
//!
//! ```text
//! poller.registrar().register(&socket, token, Interest::Read)
//! loop {
//!     for ready in poller.wait(&clock, machine.poll_timeout())? {
//!         Ready::Woken                  → take the queued commands
//!         Ready::Socket { writable }    → go on with what was refused; back to Interest::Read
//!         Ready::Socket { readable }    → socket.recv(&mut batch, &clock, |remote, meta, datagram| …)
//!     }
//!     … socket.try_send(&transmit) …    → on WouldBlock keep the rest and ask for Interest::ReadWrite
//! }
//! ```

mod clock;
mod counters;
mod os;
mod poller;
mod recv;
mod send;
mod udp_socket;

pub use clock::{CLOCK_ORIGIN_US, Clock};
pub use counters::{IoCounters, SendDrops};
pub use mio::Token;
pub use poller::{Interest, Poller, Ready, Registrar, Waker};
pub use recv::{
    DatagramMeta, MAX_RECV_QUEUE_AGE_US, RECV_SLOT_BYTES, RECV_SLOTS, RECV_SYSCALLS_PER_CALL,
    Received, RecvBatch, RecvEnd,
};
pub use send::{DropReason, MAX_BATCH_BYTES, NO_BUFFERS_PAUSE_US, SendOutcome, SendWait, Transmit};
pub use udp_socket::{
    BindError, REOPEN_INTERVAL_US, Reopened, SOCKET_BUFFER_BYTES, Steering, UdpSocket,
};

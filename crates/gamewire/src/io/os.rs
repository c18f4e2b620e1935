//! The platform seam: everything in this crate that depends on the operating system.
//!
//! Written for Unix, tested on Linux. For Windows: WSA error numbers in [`classify`], and
//! [`register`] and its siblings through `mio::net::UdpSocket`, as there is no raw descriptor to
//! watch.

use mio::{Interest, Registry, Token, unix::SourceFd};
use std::{io, os::fd::AsRawFd};

/// What an error of a send or receive call means for the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// Nothing to receive, or the socket's send buffer is full.
    WouldBlock,
    /// The interface's queue is full or memory is short; readiness will not tell when it is over.
    NoBuffers,
    /// A datagram sent earlier met a closed port (ICMP); this call did nothing.
    Refused,
    /// No route, host or network down; may also be a late ICMP error as above.
    Unreachable,
    /// Larger than the path or the protocol allows.
    TooLarge,
    /// A local firewall or policy said no.
    Forbidden,
    /// The arguments do not fit: a strange destination, or a batch that cannot be offloaded.
    Invalid,
    /// The socket is gone for good.
    Lost,
    /// Anything else.
    Other,
}

/// Sorts an error of a socket call.
pub(super) fn classify(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::WouldBlock {
        return Failure::WouldBlock;
    }
    match error.raw_os_error() {
        Some(libc::ENOBUFS | libc::ENOMEM) => Failure::NoBuffers,
        // The second line: ICMP "protocol unreachable" and what other systems make of it.
        Some(libc::ECONNREFUSED | libc::ECONNRESET | libc::ECONNABORTED)
        | Some(libc::ENOPROTOOPT | libc::EPROTO) => Failure::Refused,
        Some(libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EHOSTDOWN | libc::ENETDOWN)
        | Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT) => Failure::Unreachable,
        Some(libc::EMSGSIZE) => Failure::TooLarge,
        Some(libc::EPERM | libc::EACCES) => Failure::Forbidden,
        Some(libc::EINVAL | libc::EIO) => Failure::Invalid,
        // The last line: what sockets report after a mobile system suspended the process.
        Some(libc::EBADF | libc::ENOTSOCK | libc::ENODEV | libc::ENXIO)
        | Some(libc::EPIPE | libc::ENOTCONN | libc::ESHUTDOWN) => Failure::Lost,
        _ => Failure::Other,
    }
}

/// Whether opening an IPv6 socket failed because this machine has no IPv6.
pub(super) fn no_ipv6(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::EADDRNOTAVAIL)
    )
}

/// Whether a receive call that filled fewer slots than offered has emptied the queue, so that
/// asking again only to hear "nothing there" may be skipped. True where `recvmmsg` is one call: it
/// stops early on an empty queue alone, and what arrives later raises readiness anew.
pub(super) const SHORT_RECV_MEANS_DRAINED: bool =
    cfg!(any(target_os = "linux", target_os = "android"));

pub(super) fn register(
    registry: &Registry,
    socket: &impl AsRawFd,
    token: Token,
    interest: Interest,
) -> io::Result<()> {
    registry.register(&mut SourceFd(&socket.as_raw_fd()), token, interest)
}

pub(super) fn reregister(
    registry: &Registry,
    socket: &impl AsRawFd,
    token: Token,
    interest: Interest,
) -> io::Result<()> {
    registry.reregister(&mut SourceFd(&socket.as_raw_fd()), token, interest)
}

pub(super) fn deregister(registry: &Registry, socket: &impl AsRawFd) -> io::Result<()> {
    registry.deregister(&mut SourceFd(&socket.as_raw_fd()))
}

pub(super) use sharding::{SHARES_PORTS, share_port, steer};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod sharding {
    use crate::io::Steering;
    use socket2::Socket;
    use std::{io, os::fd::AsRawFd};

    /// Whether several sockets can share one address and the system can be told which of them gets
    /// what.
    pub(in crate::io) const SHARES_PORTS: bool = true;

    /// Lets other sockets of this user be bound to the same address.
    pub(in crate::io) fn share_port(socket: &Socket) -> io::Result<()> {
        socket.set_reuse_port(true)
    }

    /// Steers what arrives at the address of `socket`, which `count` sockets share.
    ///
    /// The program is classic BPF, which needs no privilege. It sees the datagram from its payload
    /// on, and returns the number of a socket in the order of binding; a number that no socket has
    /// leaves the choice to a hash of the addresses.
    pub(in crate::io) fn steer(
        socket: &Socket,
        steering: Steering,
        count: usize,
    ) -> io::Result<()> {
        const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
        const IF_ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
        const MODULO: u32 = libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K;
        const RETURN_IT: u32 = libc::BPF_RET | libc::BPF_A;
        const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
        let count = u32::try_from(count).map_err(io::Error::other)?;
        let instruction =
            |code: u32, k: u32, jf: u8| libc::sock_filter { code: code as u16, jt: 0, jf, k };
        let mut program = [
            instruction(LOAD_BYTE, 0, 0),
            instruction(IF_ANY_BIT, steering.first_byte_mask.into(), 3),
            instruction(LOAD_BYTE, steering.offset.into(), 0),
            instruction(MODULO, count, 0),
            instruction(RETURN_IT, 0, 0),
            instruction(RETURN, u32::MAX, 0),
        ];
        let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        // SAFETY: the descriptor is open; `program` and the instructions it points to outlive the
        // call, which copies them, and the length given is that of the structure.
        let rc = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_REUSEPORT_CBPF,
                (&raw const program).cast(),
                size_of::<libc::sock_fprog>() as libc::socklen_t,
            )
        };
        if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod sharding {
    use crate::io::Steering;
    use socket2::Socket;
    use std::io;

    pub(in crate::io) const SHARES_PORTS: bool = false;

    pub(in crate::io) fn share_port(_: &Socket) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::io) fn steer(_: &Socket, _: Steering, _: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(super) use timer::Timer;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod timer {
    use super::{Interest, Registry, Token, register};
    use std::{
        io,
        os::fd::{AsRawFd, FromRawFd, OwnedFd},
        ptr,
        time::Duration,
    };

    /// A timer that ends a wait with microsecond precision, where waiting itself counts whole
    /// milliseconds.
    #[derive(Debug)]
    pub(in crate::io) struct Timer {
        fd: OwnedFd,
    }

    impl Timer {
        /// A timer that makes `token` ready in `registry` when it expires; `None` where the system
        /// offers none.
        pub(in crate::io) fn new(registry: &Registry, token: Token) -> io::Result<Option<Self>> {
            let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
            // SAFETY: no pointers are passed.
            let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
            if fd < 0 {
                return Ok(None);
            }
            // SAFETY: the descriptor was just made, is valid, and nobody else owns it.
            let fd = unsafe { OwnedFd::from_raw_fd(fd) };
            register(registry, &fd, token, Interest::READABLE)?;
            Ok(Some(Self { fd }))
        }

        /// Lets the timer expire `after` from now, and forgets any earlier setting.
        pub(in crate::io) fn arm(&self, after: Duration) -> io::Result<()> {
            let setting = libc::itimerspec {
                it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: libc::timespec {
                    tv_sec: libc::time_t::try_from(after.as_secs()).unwrap_or(libc::time_t::MAX),
                    // Zero would disarm it.
                    tv_nsec: libc::c_long::from(after.subsec_nanos().max(1).cast_signed()),
                },
            };
            // SAFETY: the descriptor is open, `setting` outlives the call, and a null pointer for
            // the old setting is allowed.
            let rc = unsafe {
                libc::timerfd_settime(self.fd.as_raw_fd(), 0, &raw const setting, ptr::null_mut())
            };
            if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod timer {
    use super::{Registry, Token};
    use std::{io, time::Duration};

    /// Stands where the system has no timer to watch: waits end within a millisecond of the
    /// deadline.
    #[derive(Debug)]
    pub(in crate::io) enum Timer {}

    impl Timer {
        pub(in crate::io) fn new(_: &Registry, _: Token) -> io::Result<Option<Self>> {
            Ok(None)
        }

        pub(in crate::io) fn arm(&self, _: Duration) -> io::Result<()> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_they_mean_for_the_socket() {
        let table = [
            (libc::EAGAIN, Failure::WouldBlock),
            (libc::ENOBUFS, Failure::NoBuffers),
            (libc::ECONNREFUSED, Failure::Refused),
            (libc::EHOSTUNREACH, Failure::Unreachable),
            (libc::ENETUNREACH, Failure::Unreachable),
            (libc::EMSGSIZE, Failure::TooLarge),
            (libc::EPERM, Failure::Forbidden),
            (libc::EINVAL, Failure::Invalid),
            (libc::EIO, Failure::Invalid),
            (libc::EBADF, Failure::Lost),
            (libc::ENODEV, Failure::Lost),
            (libc::EDOM, Failure::Other),
        ];
        for (errno, expected) in table {
            assert_eq!(classify(&io::Error::from_raw_os_error(errno)), expected, "errno {errno}");
        }
        assert_eq!(classify(&io::Error::other("made up")), Failure::Other);
    }
}

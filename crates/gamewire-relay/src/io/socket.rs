//! Sockets, and waiting for them.

use std::{
    io, mem,
    net::{SocketAddr, UdpSocket},
    os::fd::{AsRawFd, FromRawFd},
    time::Duration,
};

use gamewire_wire::address::Address;

/// Bytes that the kernel may keep for us, each way.
const BUFFER_BYTES: libc::c_int = 8 * 1024 * 1024;

/// A UDP socket that does not block.
#[derive(Debug)]
pub struct Socket {
    udp: UdpSocket,
    pub(super) is_v6: bool,
}

impl Socket {
    /// Binds an address; with `shared` others may bind it too, and the kernel spreads who sends
    /// over them by addresses and ports. An IPv6 socket takes IPv4 as well.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn bind(address: SocketAddr, shared: bool) -> io::Result<Self> {
        let is_v6 = address.is_ipv6();
        let family = if is_v6 { libc::AF_INET6 } else { libc::AF_INET };
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers.
        let fd = check(unsafe { libc::socket(family, kind, 0) })?;
        // SAFETY: a fresh descriptor that nobody else has.
        let udp = unsafe { UdpSocket::from_raw_fd(fd) };
        if shared {
            set_option(&udp, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        }
        if is_v6 {
            set_option(&udp, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0)?;
        }
        // Less is taken where the system allows no more.
        set_option(&udp, libc::SOL_SOCKET, libc::SO_RCVBUF, BUFFER_BYTES)?;
        set_option(&udp, libc::SOL_SOCKET, libc::SO_SNDBUF, BUFFER_BYTES)?;
        let (raw, length) = to_raw(address.into(), is_v6);
        // SAFETY: an address of the length that is told.
        check(unsafe { libc::bind(fd, (&raw const raw).cast(), length) })?;
        Ok(Self { udp, is_v6 })
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_address(&self) -> io::Result<Address> {
        self.udp.local_addr().map(Address::from)
    }

    pub(super) fn fd(&self) -> libc::c_int {
        self.udp.as_raw_fd()
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn set_option(
    udp: &UdpSocket,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let size = mem::size_of::<libc::c_int>() as libc::socklen_t;
    let place = (&raw const value).cast();
    // SAFETY: the value and its size.
    check(unsafe { libc::setsockopt(udp.as_raw_fd(), level, name, place, size) }).map(|_| ())
}

/// An address as the system calls take it: the larger of both forms, and how much of it counts.
pub(super) fn to_raw(address: Address, is_v6: bool) -> (libc::sockaddr_in6, libc::socklen_t) {
    // SAFETY: plain numbers, for which zero is a value.
    let mut raw: libc::sockaddr_in6 = unsafe { mem::zeroed() };
    if is_v6 {
        raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
        raw.sin6_port = address.port().to_be();
        raw.sin6_addr.s6_addr = address.octets();
        return (raw, mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t);
    }
    let [.., a, b, c, d] = address.octets();
    let v4 = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([a, b, c, d]) },
        sin_zero: [0; 8],
    };
    // SAFETY: the IPv4 form is the shorter one, and both are plain bytes.
    unsafe { (&raw mut raw).cast::<libc::sockaddr_in>().write_unaligned(v4) };
    (raw, mem::size_of::<libc::sockaddr_in>() as libc::socklen_t)
}

/// The address in what a system call wrote.
pub(super) fn from_raw(raw: &libc::sockaddr_in6) -> Address {
    if libc::c_int::from(raw.sin6_family) == libc::AF_INET6 {
        return Address::from_v6(raw.sin6_addr.s6_addr.into(), u16::from_be(raw.sin6_port));
    }
    // SAFETY: the kernel wrote the IPv4 form, which is the shorter one.
    let v4 = unsafe { (&raw const *raw).cast::<libc::sockaddr_in>().read_unaligned() };
    let ip = v4.sin_addr.s_addr.to_ne_bytes();
    Address::from_v4(ip.into(), u16::from_be(v4.sin_port))
}

/// Waits until one of two sockets has something to read, at most `timeout`. Which of them.
///
/// # Errors
/// What the operating system says; a signal is no error, and wakes.
pub fn wait(sockets: [&Socket; 2], timeout: Duration) -> io::Result<[bool; 2]> {
    let mut polled =
        sockets.map(|socket| libc::pollfd { fd: socket.fd(), events: libc::POLLIN, revents: 0 });
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    };
    let count = polled.len() as libc::nfds_t;
    // SAFETY: an array with its length, a time, and no signal mask.
    let ready =
        unsafe { libc::ppoll(polled.as_mut_ptr(), count, &raw const timeout, std::ptr::null()) };
    match check(ready) {
        Ok(_) => Ok(polled.map(|entry| entry.revents != 0)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok([false; 2]),
        Err(error) => Err(error),
    }
}

/// What the calling thread has used of the processor.
pub fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the result.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_through_the_system() {
        for text in ["1.2.3.4:5", "255.0.0.1:65535"] {
            let address: Address = text.parse().unwrap();
            for is_v6 in [false, true] {
                let (raw, _) = to_raw(address, is_v6);
                assert_eq!(from_raw(&raw), address, "{text}");
            }
        }
        let address: Address = "[2001:db8::7]:9".parse().unwrap();
        assert_eq!(from_raw(&to_raw(address, true).0), address);
    }
}

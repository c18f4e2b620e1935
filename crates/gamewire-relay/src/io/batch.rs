//! Many datagrams with one system call.

use std::{io, mem};

use gamewire_wire::address::Address;

use super::socket::{Socket, from_raw, to_raw};

/// Most datagrams of one system call.
pub const BATCH: usize = 64;
/// Room for each: more than any datagram of the protocol, so that longer ones show as too long.
const ROOM: usize = 2048;

/// Takes datagrams in.
pub struct Receiver {
    buffer: Box<[[u8; ROOM]; BATCH]>,
    from: Box<[libc::sockaddr_in6; BATCH]>,
    lengths: [usize; BATCH],
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiver {
    /// With room for a batch.
    pub fn new() -> Self {
        Self {
            buffer: Box::new([[0; ROOM]; BATCH]),
            // SAFETY: plain numbers, for which zero is a value.
            from: Box::new(unsafe { mem::zeroed() }),
            lengths: [0; BATCH],
        }
    }

    /// Takes what is there, at most a batch. How many; 0 if there is nothing.
    ///
    /// # Errors
    /// What the operating system says; what ICMP says of earlier datagrams is no error.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        // SAFETY: plain numbers and pointers, for which zero is a value.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        // SAFETY: the same.
        let mut slices: [libc::iovec; BATCH] = unsafe { mem::zeroed() };
        let places = self.buffer.iter_mut().zip(self.from.iter_mut());
        for ((header, slice), (place, from)) in headers.iter_mut().zip(&mut slices).zip(places) {
            slice.iov_base = place.as_mut_ptr().cast();
            slice.iov_len = ROOM;
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = (&raw mut *from).cast();
            header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t;
        }
        // SAFETY: as many headers as told, each with one slice and room for an address, all of
        // which outlive the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable => Ok(0),
                _ => Err(error),
            };
        };
        for (length, header) in self.lengths.iter_mut().zip(&headers).take(count) {
            *length = (header.msg_len as usize).min(ROOM);
        }
        Ok(count)
    }

    /// A datagram of the last batch: from where, and its bytes, which may be changed.
    pub fn datagram(&mut self, index: usize) -> (Address, &mut [u8]) {
        let length = self.lengths[index];
        (from_raw(&self.from[index]), &mut self.buffer[index][..length])
    }
}

/// Sends datagrams out.
pub struct Sender {
    to: Box<[libc::sockaddr_in6; BATCH]>,
    lengths: [libc::socklen_t; BATCH],
    slices: [libc::iovec; BATCH],
    count: usize,
}

// SAFETY: the pointers in the slices are set and used within one call of `send_all`.
unsafe impl Send for Sender {}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

impl Sender {
    /// With nothing to send.
    pub fn new() -> Self {
        Self {
            // SAFETY: plain numbers, for which zero is a value.
            to: Box::new(unsafe { mem::zeroed() }),
            lengths: [0; BATCH],
            // SAFETY: plain numbers and null pointers.
            slices: unsafe { mem::zeroed() },
            count: 0,
        }
    }

    /// Sends all datagrams; returns how many the system did not take. They are lost, as packets may be.
    pub fn send_all<'a>(
        &mut self,
        socket: &Socket,
        datagrams: impl Iterator<Item = (Address, &'a [u8])>,
    ) -> u64 {
        let mut refused = 0;
        for (to, bytes) in datagrams {
            if !socket.is_v6 && !to.is_v4() {
                refused += 1;
                continue;
            }
            let (raw, length) = to_raw(to, socket.is_v6);
            (self.to[self.count], self.lengths[self.count]) = (raw, length);
            self.slices[self.count] =
                libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            self.count += 1;
            if self.count == BATCH {
                refused += self.flush(socket);
            }
        }
        refused + self.flush(socket)
    }

    /// Sends what was collected. The datagrams outlive this, as `send_all` borrows them.
    fn flush(&mut self, socket: &Socket) -> u64 {
        // SAFETY: plain numbers and pointers, for which zero is a value.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for (index, header) in headers.iter_mut().enumerate().take(self.count) {
            header.msg_hdr.msg_name = (&raw mut self.to[index]).cast();
            header.msg_hdr.msg_namelen = self.lengths[index];
            header.msg_hdr.msg_iov = &raw mut self.slices[index];
            header.msg_hdr.msg_iovlen = 1;
        }
        let (mut next, mut refused) = (0, 0);
        while next < self.count {
            let rest = &mut headers[next..self.count];
            let count = rest.len() as libc::c_uint;
            // SAFETY: as many headers as told; addresses and bytes outlive the call, and the kernel
            // only reads them.
            let sent = unsafe {
                libc::sendmmsg(socket.fd(), rest.as_mut_ptr(), count, libc::MSG_DONTWAIT)
            };
            match usize::try_from(sent) {
                Ok(sent) if sent > 0 => next += sent,
                // The first one is refused: a full buffer, or an address nobody can be reached at.
                Ok(_) | Err(_) => {
                    next += 1;
                    refused += 1;
                }
            }
        }
        self.count = 0;
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn batches_between_two_sockets() {
        let a = Socket::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let b = Socket::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let (from, to) = (a.local_address().unwrap(), b.local_address().unwrap());
        let datagrams: Vec<Vec<u8>> = (0..150u8).map(|n| vec![n; usize::from(n) * 8]).collect();
        let unreachable: Address = "[2001:db8::1]:9".parse().unwrap();
        let all = datagrams.iter().map(|bytes| (to, bytes.as_slice()));
        let all = all.chain([(unreachable, &b"x"[..])]);
        assert_eq!(Sender::new().send_all(&a, all), 1, "IPv6 from an IPv4 socket");
        let mut receiver = Receiver::new();
        let mut received = Vec::new();
        while received.len() < datagrams.len() {
            wait_for(&b);
            for index in 0..receiver.receive(&b).unwrap() {
                let (source, bytes) = receiver.datagram(index);
                assert_eq!(source, from);
                received.push(bytes.to_vec());
            }
        }
        assert_eq!(received, datagrams);
        assert_eq!(receiver.receive(&b).unwrap(), 0);
    }

    fn wait_for(socket: &Socket) {
        let ready = super::super::wait([socket, socket], Duration::from_secs(10)).unwrap();
        assert!(ready[0], "nothing came");
    }
}

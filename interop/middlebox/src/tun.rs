//! A TUN device: IP packets to and from the kernel.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd, RawFd},
        unix::fs::OpenOptionsExt as _,
    },
    path::PathBuf,
};

use anyhow::{Context as _, ensure};

/// Where a device is made, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A process whose network namespace it is; `None`: our own.
    pub process: Option<u32>,
    /// The name of the device, at most 15 bytes.
    pub name: String,
}

/// See the module's documentation. Never blocks. The device goes with its owner.
#[derive(Debug)]
pub struct Tun {
    file: File,
}

impl Tun {
    /// Makes a device. It has no address yet and is down.
    ///
    /// # Errors
    /// No TUN in the kernel, no right to use it, a bad name, no such process.
    pub fn open(place: &Place) -> anyhow::Result<Self> {
        let own = File::open("/proc/thread-self/ns/net").context("our network namespace")?;
        if let Some(process) = place.process {
            let path = PathBuf::from(format!("/proc/{process}/ns/net"));
            let other = File::open(&path).with_context(|| path.display().to_string())?;
            enter(&other).with_context(|| format!("cannot enter {}", path.display()))?;
        }
        let opened = Self::open_here(&place.name);
        enter(&own).context("cannot get back into our network namespace")?;
        opened.with_context(|| format!("cannot make the TUN device {}", place.name))
    }

    fn open_here(name: &str) -> anyhow::Result<Self> {
        ensure!(name.len() < libc::IFNAMSIZ, "the name is too long");
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
        let file = options.open("/dev/net/tun").context("/dev/net/tun")?;
        // SAFETY: a plain structure of the kernel's, for which zeros are valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *slot = byte.cast_signed();
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: the descriptor is open and `request` outlives the call, which reads and writes it.
        let rc = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        ensure!(rc == 0, "{}", io::Error::last_os_error());
        Ok(Self { file })
    }

    /// Takes the next packet that the kernel routed here; `None`: none waits.
    ///
    /// # Errors
    /// The device is gone.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        match (&self.file).read(buffer) {
            Ok(length) => Ok(Some(&buffer[..length])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // The device is down, which it is until somebody brings it up.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hands a packet to the kernel. One that it does not want is lost, as on any network.
    pub(crate) fn send(&self, packet: &[u8]) {
        let _ = (&self.file).write(packet);
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Moves this thread into a network namespace.
fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open; the call changes this thread alone.
    let rc = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

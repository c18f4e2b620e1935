//! STUN and TURN servers in the public network.
//!
//! TURN is coturn, as Debian has it. STUN is a responder of our own: Valve's client puts a
//! MAPPED-ADDRESS into its first request (wire.md §9), which coturn answers with error 420 and other
//! servers ignore, as this one does.

use std::{
    env, fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::network::{Families, server_address};

/// The numbers of the servers in the public network. Nobody listens at the last one.
pub const SERVERS: [u16; 3] = [1, 2, 3];
/// The user of all TURN servers.
pub const TURN_USER: &str = "anna";
/// His password.
pub const TURN_PASSWORD: &str = "correct horse";
/// Where TURN servers listen.
const TURN_PORT: u16 = 3478;
/// Where STUN servers listen; coturn takes 3479 too.
const STUN_PORT: u16 = 3500;
/// How long a server may take to answer after its start.
const START_TIME: Duration = Duration::from_secs(10);
/// What every STUN message has at byte 4 (RFC 8489 §5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// The smallest Binding request: no attributes, an arbitrary transaction.
const BINDING_REQUEST: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xa4\x42gamewire lab";

/// Two servers that answer and one that does not.
#[derive(Debug)]
pub struct Servers {
    processes: Vec<Child>,
    folder: PathBuf,
}

impl Servers {
    /// Starts them, and waits until they answer.
    ///
    /// # Errors
    /// coturn is not installed, or does not start.
    pub fn start() -> anyhow::Result<Self> {
        let folder = env::temp_dir().join(format!("gamewire-lab-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let mut servers = Self { processes: Vec::new(), folder };
        for number in &SERVERS[..2] {
            let process = servers.command(*number).spawn();
            servers.processes.push(process.context("`turnserver` of the Debian package coturn")?);
        }
        for number in &SERVERS[..2] {
            for families in [Families::V4, Families::V6] {
                let ip = server_address(*number, families);
                wait_for_answer(SocketAddr::new(ip, TURN_PORT))?;
                let socket = UdpSocket::bind((ip, STUN_PORT)).context("a STUN server")?;
                thread::spawn(move || answer_bindings(&socket));
            }
        }
        Ok(servers)
    }

    fn command(&self, number: u16) -> Command {
        let mut command = Command::new("turnserver");
        for families in [Families::V4, Families::V6] {
            let address = server_address(number, families).to_string();
            command.args(["--listening-ip", &address, "--relay-ip", &address]);
        }
        let file = |kind: &str| self.folder.join(format!("{kind}-{number}")).display().to_string();
        command
            .args(["-n", "--listening-port", &TURN_PORT.to_string()])
            .args(["--lt-cred-mech", "--realm", "gamewire.test"])
            .args(["--user", &format!("{TURN_USER}:{TURN_PASSWORD}")])
            .args(["--no-tls", "--no-dtls", "--no-cli", "--simple-log"])
            .args(["--log-file", &file("log"), "--pidfile", &file("pid"), "--userdb", &file("db")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The TURN server with this index of [`SERVERS`].
    pub fn turn(index: usize, families: Families) -> SocketAddr {
        SocketAddr::new(server_address(SERVERS[index], families), TURN_PORT)
    }

    /// The STUN server with this index of [`SERVERS`].
    pub fn stun(index: usize, families: Families) -> SocketAddr {
        SocketAddr::new(server_address(SERVERS[index], families), STUN_PORT)
    }

    /// The end of a server's log, for whoever asks what went wrong.
    pub fn log(&self, index: usize) -> String {
        let path = self.folder.join(format!("log-{}", SERVERS[index]));
        fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Fails only for one that has ended already.
            let _ended = process.kill();
            let _status = process.wait();
        }
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

fn wait_for_answer(server: SocketAddr) -> anyhow::Result<()> {
    let unspecified = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(unspecified)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let deadline = Instant::now() + START_TIME;
    let mut answer = [0; 512];
    while Instant::now() < deadline {
        socket.send_to(&BINDING_REQUEST, server)?;
        match socket.recv(&mut answer) {
            Ok(len) if len >= 20 => return Ok(()),
            // Refused at once while nobody listens: do not spin.
            _ => thread::sleep(Duration::from_millis(10)),
        }
    }
    bail!("no answer from coturn at {server}")
}

/// Answers Binding requests with where they came from (RFC 8489 §6.3.1), for as long as the process
/// lives.
fn answer_bindings(socket: &UdpSocket) {
    let mut request = [0; 1500];
    while let Ok((len, from)) = socket.recv_from(&mut request) {
        let Some(header) = request.get(..20).filter(|_| len >= 20) else { continue };
        if header[..2] == [0, 1] && header[4..8] == MAGIC_COOKIE {
            // The network of a peer that is gone takes no answer.
            let _sent = socket.send_to(&binding_response(&header[4..20], from), from);
        }
    }
}

/// XOR-MAPPED-ADDRESS (RFC 8489 §14.2); `id` is the magic cookie and the transaction.
fn binding_response(id: &[u8], from: SocketAddr) -> Vec<u8> {
    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
    let (family, octets) = match from.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let mut value = vec![0, family];
    value.extend(from.port().to_be_bytes().iter().zip(id).map(|(byte, mask)| byte ^ mask));
    value.extend(octets.iter().zip(id).map(|(byte, mask)| byte ^ mask));
    let len = u8::try_from(value.len()).expect("20 bytes at most");
    let mut response = vec![1, 1, 0, len + 4];
    response.extend_from_slice(id);
    response.extend_from_slice(&[0, 0x20, 0, len]);
    response.extend_from_slice(&value);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_as_in_rfc_5769() {
        // RFC 5769 §2.2 and §2.3: the attributes of its sample responses.
        let id = *b"\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";
        let v4 = binding_response(&id, "192.0.2.1:32853".parse().unwrap());
        assert_eq!(v4[20..], *b"\0\x20\0\x08\0\x01\xa1\x47\xe1\x12\xa6\x43");
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let v6 = binding_response(&id, v6);
        let expected = b"\0\x20\0\x14\0\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\
                         \xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9";
        assert_eq!(v6[20..], *expected);
        assert_eq!(v6.len(), 20 + usize::from(v6[3]));
    }
}

//! STUN and TURN servers in the public network: coturn, as Debian has it.

use std::{
    env, fs,
    net::{SocketAddr, UdpSocket},
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
/// Where STUN and TURN servers listen.
const PORT: u16 = 3478;
/// How long a server may take to answer after its start.
const START_TIME: Duration = Duration::from_secs(10);
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
                wait_for_answer(SocketAddr::new(server_address(*number, families), PORT))?;
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
            .args(["-n", "--listening-port", &PORT.to_string()])
            .args(["--lt-cred-mech", "--realm", "gamewire.test"])
            .args(["--user", &format!("{TURN_USER}:{TURN_PASSWORD}")])
            .args(["--no-tls", "--no-dtls", "--no-cli", "--simple-log"])
            .args(["--log-file", &file("log"), "--pidfile", &file("pid"), "--userdb", &file("db")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The server with this index of [`SERVERS`], as configuration lists want it.
    pub fn address(index: usize, families: Families) -> SocketAddr {
        SocketAddr::new(server_address(SERVERS[index], families), PORT)
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

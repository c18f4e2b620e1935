//! What the two processes do.

use std::{
    io::{BufRead as _, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    network::SERVER_IP,
    record::{Seen, now_us},
};
use anyhow::{Context as _, bail, ensure};
use gamewire::{
    Config, ConnectionHandle, ConnectionState, Event, LaneConfig, Options, Outgoing, SendError,
    SendFlags, Sockets,
};

const PORT: u16 = 27_015;
const TCP_PORT: u16 = 27_016;
const BULK_BYTES: usize = 16 * 1024;
/// An urgent message: a letter and the time at which it was sent.
const URGENT_BYTES: usize = 100;
const URGENT_MARK: u8 = b'u';
const URGENT_EVERY: Duration = Duration::from_millis(20);
/// Nothing takes so long here.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the client does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// How long.
    pub seconds: u64,
    /// With small urgent messages on a lane of their own beside the bulk.
    pub urgent: bool,
    /// With a TCP flow that begins some seconds before.
    pub tcp_first: Option<u64>,
    /// At this fixed rate, in bytes per second, instead of what the path takes.
    pub fixed_rate: Option<i32>,
}

impl Load {
    /// As arguments of the program.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--seconds={}", self.seconds)];
        if self.urgent {
            arguments.push("--urgent".to_owned());
        }
        arguments.extend(self.tcp_first.map(|seconds| format!("--tcp-first={seconds}")));
        arguments.extend(self.fixed_rate.map(|rate| format!("--fixed-rate={rate}")));
        arguments
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::new(SERVER_IP.parse().expect("a literal address"), port)
}

fn wait_for_go() -> anyhow::Result<()> {
    println!("started");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    ensure!(line == "go\n", "told {line:?}");
    Ok(())
}

/// The server's part: takes what comes until the input ends, then prints what it saw.
///
/// # Errors
/// Whatever keeps it from listening.
pub fn serve() -> anyhow::Result<()> {
    wait_for_go()?;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let sockets = Sockets::new(Options::default())?;
    sockets.create_listen_socket_ip(address(PORT), &[])?;
    let listener = TcpListener::bind(address(TCP_PORT))?;
    let of_tcp = seen.clone();
    thread::spawn(move || take_tcp(&listener, &of_tcp));
    let of_messages = seen.clone();
    thread::spawn(move || take_messages(&sockets, &of_messages));
    println!("listening");
    std::io::stdin().lock().read_to_end(&mut Vec::new())?;
    println!("{}", seen.lock().unwrap_or_else(PoisonError::into_inner).to_json());
    Ok(())
}

fn take_tcp(listener: &TcpListener, seen: &Mutex<Seen>) {
    let Ok((mut stream, _)) = listener.accept() else { return };
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        seen.lock().unwrap_or_else(PoisonError::into_inner).tcp.add(length);
    }
}

fn take_messages(sockets: &Sockets, seen: &Mutex<Seen>) {
    let group = sockets.create_poll_group().expect("the first group");
    loop {
        while let Some(event) = sockets.poll_event() {
            let Event::ConnectionStatusChanged(change) = event else { continue };
            match change.info.state {
                ConnectionState::Connecting => {
                    let _ = sockets.accept_connection(change.connection);
                    sockets.set_connection_poll_group(change.connection, Some(group));
                }
                ConnectionState::ProblemDetectedLocally => {
                    let why = format!("{} {}", change.info.end_reason, change.info.end_debug);
                    seen.lock().unwrap_or_else(PoisonError::into_inner).broken.push(why);
                }
                _ => {}
            }
        }
        let wait = Some(Duration::from_millis(5));
        let messages = sockets.wait_messages_on_poll_group(group, 256, wait).unwrap_or_default();
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        for message in messages {
            match sent_at(&message) {
                Some(sent) => seen.urgent_us.push(now_us().saturating_sub(sent)),
                None => seen.bulk.add(message.len()),
            }
        }
    }
}

fn sent_at(message: &[u8]) -> Option<u64> {
    let (&mark, rest) = message.split_first()?;
    let urgent = message.len() == URGENT_BYTES && mark == URGENT_MARK;
    urgent.then_some(u64::from_le_bytes(*rest.first_chunk()?))
}

/// The client's part: prints `done`, or why the connection broke.
///
/// # Errors
/// It comes to no connection.
pub fn load(load: Load) -> anyhow::Result<()> {
    wait_for_go()?;
    let over = Arc::new(AtomicBool::new(false));
    if let Some(seconds) = load.tcp_first {
        let over = over.clone();
        let stream = TcpStream::connect_timeout(&address(TCP_PORT), PATIENCE)?;
        thread::spawn(move || send_tcp(stream, &over));
        thread::sleep(Duration::from_secs(seconds));
    }
    let sockets = Sockets::new(Options::default())?;
    let mut options = Vec::new();
    if let Some(rate) = load.fixed_rate {
        options.extend([Config::SendRateMin(rate), Config::SendRateMax(rate)]);
    }
    let connection = sockets.connect_by_ip_address(address(PORT), &options)?;
    await_connection(&sockets)?;
    let lanes = [LaneConfig { priority: 1, ..LaneConfig::default() }, LaneConfig::default()];
    sockets.configure_connection_lanes(connection, &lanes)?;
    let end = Instant::now() + Duration::from_secs(load.seconds);
    thread::scope(|scope| {
        if load.urgent {
            scope.spawn(|| send_urgent(&sockets, connection, end));
        }
        send_bulk(&sockets, connection, end)
    })?;
    over.store(true, Ordering::Release);
    ensure!(sockets.state(connection) == Some(ConnectionState::Connected), "no longer connected");
    if let Ok((status, _)) = sockets.real_time_status(connection, 0) {
        eprintln!("         the sender believes {:?}", status.path);
    }
    println!("done");
    sockets.close_connection(connection, 0, "done", false);
    Ok(())
}

fn await_connection(sockets: &Sockets) -> anyhow::Result<()> {
    loop {
        let event = sockets.wait_event(Some(PATIENCE)).context("no connection came to stand")?;
        let Event::ConnectionStatusChanged(change) = event else { continue };
        match change.info.state {
            ConnectionState::Connected => return Ok(()),
            ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                bail!("{} {}", change.info.end_reason, change.info.end_debug)
            }
            _ => {}
        }
    }
}

fn send_bulk(sockets: &Sockets, connection: ConnectionHandle, end: Instant) -> anyhow::Result<()> {
    let content = bytes::Bytes::from(vec![b'b'; BULK_BYTES]);
    while Instant::now() < end {
        let message = Outgoing::new(connection, content.clone(), SendFlags::RELIABLE);
        match sockets.send_wait(message, Some(Duration::from_millis(100))) {
            Ok(_) | Err(SendError::LimitExceeded(_)) => {}
            Err(error) => bail!("the connection broke: {error}"),
        }
    }
    Ok(())
}

fn send_urgent(sockets: &Sockets, connection: ConnectionHandle, end: Instant) {
    while Instant::now() < end {
        let mut content = vec![URGENT_MARK; URGENT_BYTES];
        content[1..9].copy_from_slice(&now_us().to_le_bytes());
        let message = Outgoing::new(connection, content, SendFlags::RELIABLE_NO_NAGLE);
        let _ = sockets.send(Outgoing { lane: 1, ..message });
        thread::sleep(URGENT_EVERY);
    }
}

fn send_tcp(mut stream: TcpStream, over: &AtomicBool) {
    let content = vec![b't'; 1 << 16];
    while !over.load(Ordering::Acquire) && stream.write_all(&content).is_ok() {}
}

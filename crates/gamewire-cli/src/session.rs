//! What every command does with connections: make them, wait for them, say how they ended.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::bail;
use gamewire::{
    Config, ConnectError, ConnectionHandle, ConnectionInfo, ConnectionState, Event, Identity,
    ListenError, ListenSocketHandle, Options, Sockets,
};

use crate::address;

/// How long the last messages of a connection may take before it is given up.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// What to do where trusted authorities are named and this command has no certificate of them.
const NO_CERTIFICATE: &str = "this command shows none; unset GAMEWIRE_ROOTS to go without";
/// How often it is looked whether all has arrived: no event tells.
const DRAIN_POLL: Duration = Duration::from_millis(2);

/// An instance that goes by `identity`, with what the environment says.
pub(crate) fn sockets(identity: Option<Identity>) -> anyhow::Result<Sockets> {
    let mut options = Options::from_environment()?;
    if let Some(identity) = identity {
        options.identity = identity;
    }
    Ok(Sockets::new(options)?)
}

/// Listens and says where, on standard output.
pub(crate) fn listen(
    sockets: &Sockets,
    wanted: SocketAddr,
    options: &[Config],
) -> anyhow::Result<ListenSocketHandle> {
    let address = address::with_port(wanted)?;
    let listen =
        sockets.create_listen_socket_ip(address, options).map_err(|error| match error {
            ListenError::NoCertificate => anyhow::anyhow!("{error}; {NO_CERTIFICATE}"),
            error => anyhow::Error::new(error).context(address::cannot_listen(address)),
        })?;
    let bound = sockets.listen_socket_address(listen).unwrap_or(address);
    print_line(&format!("listening on {bound}"))?;
    Ok(listen)
}

/// Prints a line at once, also into a pipe.
pub(crate) fn print_line(line: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Connects and waits until the connection stands. Takes the instance's events meanwhile.
pub(crate) fn connect(
    sockets: &Sockets,
    address: SocketAddr,
    options: &[Config],
) -> anyhow::Result<ConnectionHandle> {
    let connection =
        sockets.connect_by_ip_address(address, options).map_err(|error| match error {
            ConnectError::NoCertificate => anyhow::anyhow!("{error}; {NO_CERTIFICATE}"),
            error => anyhow::Error::new(error).context(format!("cannot connect to {address}")),
        })?;
    // The library gives up by itself (TimeoutInitial) and says so.
    while let Some(event) = sockets.wait_event(None) {
        let Event::ConnectionStatusChanged(change) = event else {
            continue;
        };
        match change.info.state {
            ConnectionState::Connected => return Ok(connection),
            ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                sockets.close_connection(connection, 0, "", false);
                bail!(
                    "no connection to {address}: {}; is the other side listening there?",
                    ending(&change.info)
                );
            }
            ConnectionState::None | ConnectionState::Connecting | ConnectionState::FindingRoute => {
            }
        }
    }
    bail!("no connection to {address}")
}

/// Why a connection ended, for people.
pub(crate) fn ending(info: &ConnectionInfo) -> String {
    let who = match info.state {
        ConnectionState::ClosedByPeer => "closed by the peer",
        ConnectionState::None
        | ConnectionState::Connecting
        | ConnectionState::FindingRoute
        | ConnectionState::Connected
        | ConnectionState::ProblemDetectedLocally => "it broke",
    };
    if info.end_debug.is_empty() {
        format!("{who} (reason {})", info.end_reason)
    } else {
        format!("{who} ({}, reason {})", printable(&info.end_debug), info.end_reason)
    }
}

/// Who is at the other end, for people.
pub(crate) fn peer(info: &ConnectionInfo) -> String {
    let address = info
        .address_remote
        .map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()).to_string());
    let address = address.unwrap_or_else(|| "?".to_owned());
    match &info.identity_remote {
        Identity::IpAddress(_) | Identity::Invalid => address,
        identity => format!("{} at {address}", printable(&identity.to_string())),
    }
}

/// Text of a stranger without characters that command the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Waits until the peer has acknowledged every reliable message, then closes the connection.
pub(crate) fn drain_and_close(sockets: &Sockets, connection: ConnectionHandle) {
    let give_up = Instant::now() + DRAIN_LIMIT;
    // Not connected any more: nothing can be waited for.
    let _ended = sockets.flush_messages(connection);
    while sockets.state(connection) == Some(ConnectionState::Connected)
        && unacknowledged(sockets, connection) > 0
    {
        if Instant::now() > give_up {
            tracing::warn!("the last messages were not acknowledged in time");
            break;
        }
        std::thread::sleep(DRAIN_POLL);
    }
    sockets.close_connection(connection, 0, "done", false);
}

/// Reliable bytes that wait or are on their way.
fn unacknowledged(sockets: &Sockets, connection: ConnectionHandle) -> u64 {
    let status = sockets.real_time_status(connection, 0);
    status.map_or(0, |(status, _)| status.pending_reliable + status.sent_unacked_reliable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_command_the_terminal() {
        assert_eq!(printable("grüße 👋"), "grüße 👋");
        assert_eq!(printable("a\x1b[2Jb\nc\u{9b}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    }
}

//! What every command does with connections: make them, wait for them, say how they ended.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::Args;
use gamewire::{
    Config, ConnectError, ConnectionFlags, ConnectionHandle, ConnectionInfo, ConnectionState,
    Event, HubState, Identity, ListenError, ListenSocketHandle, Options, P2pError, Sockets,
};
use gamewire_crypto::{Entropy as _, SystemEntropy};

use crate::address;

/// How long the last messages of a connection may take before it is given up.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// How long the hub may take to let us in.
const HUB_LIMIT: Duration = Duration::from_secs(10);
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

/// Who a command is and where peers are found.
#[derive(Args, Clone, Debug)]
pub(crate) struct HubArgs {
    /// The identity to go by, such as str:alice; by default one that nobody else has
    #[arg(long, value_name = "ID", value_parser = parse_identity)]
    pub(crate) identity: Option<Identity>,
    /// The hub where peers find each other, such as ws://127.0.0.1:27080; by default GAMEWIRE_HUB
    #[arg(long, value_name = "URL")]
    pub(crate) hub: Option<String>,
}

fn parse_identity(text: &str) -> Result<Identity, String> {
    let identity = text.parse::<Identity>().ok().filter(|identity| !identity.is_invalid());
    identity.ok_or_else(|| format!("`{text}` is no identity; write one such as str:alice"))
}

impl HubArgs {
    /// An instance with this identity, or with one that begins with `name`, and that hub.
    pub(crate) fn open(&self, name: &str) -> anyhow::Result<Sockets> {
        let mut options = Options::from_environment()?;
        options.identity = match &self.identity {
            Some(identity) => identity.clone(),
            None => random_identity(name)?,
        };
        if let Some(hub) = &self.hub {
            options.hub = Some(hub.clone());
        }
        Ok(Sockets::new(options)?)
    }
}

/// An identity that nobody else has.
fn random_identity(name: &str) -> anyhow::Result<Identity> {
    let number = SystemEntropy.next_u64();
    format!("str:{name}-{number:016x}").parse().map_err(|_| anyhow::anyhow!("no identity"))
}

/// Waits until the hub has let us in, and says so.
pub(crate) fn wait_for_hub(sockets: &Sockets) -> anyhow::Result<()> {
    sockets.connect_hub();
    let give_up = Instant::now() + HUB_LIMIT;
    loop {
        let status = sockets.hub_status().context("name a hub with --hub or GAMEWIRE_HUB")?;
        if status.state == HubState::Connected {
            return Ok(());
        }
        if Instant::now() > give_up {
            let why = status.last_error.unwrap_or_else(|| "it does not answer".to_owned());
            bail!("no connection to the hub: {}", printable(&why));
        }
        std::thread::sleep(DRAIN_POLL);
    }
}

/// Connects to a peer by its identity and waits until the connection stands. Takes the instance's
/// events meanwhile.
pub(crate) fn connect_peer(
    sockets: &Sockets,
    peer: &Identity,
    virtual_port: i32,
    options: &[Config],
) -> anyhow::Result<ConnectionHandle> {
    let connection = sockets.connect_p2p(peer, virtual_port, options).map_err(|error| {
        let advice = match error {
            P2pError::NoSignaling => "; name a hub with --hub or GAMEWIRE_HUB",
            _ => "",
        };
        anyhow::anyhow!("cannot connect to {peer}: {error}{advice}")
    })?;
    wait_connected(sockets, connection, &peer.to_string(), "is the other side there?")
}

/// How packets of a connection travel.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Route {
    /// `direct` or `relay`.
    pub(crate) kind: &'static str,
    /// `udp`, or what ICE says: `local`, `direct`, `relayed`.
    pub(crate) detail: String,
    /// Where they go, if that is the peer's own address.
    pub(crate) address: Option<SocketAddr>,
}

/// See [`Route`].
pub(crate) fn route(sockets: &Sockets, connection: ConnectionHandle) -> Route {
    let status = sockets.detailed_connection_status(connection);
    let address = status.as_ref().and_then(|status| status.info.address_remote);
    let relayed =
        status.as_ref().is_some_and(|status| status.info.flags.contains(ConnectionFlags::RELAYED));
    let found = status.and_then(|status| status.route).and_then(|route| route.kind);
    Route {
        kind: if relayed { "relay" } else { "direct" },
        detail: found.unwrap_or("udp").to_owned(),
        address,
    }
}

/// Whether a connection has come to its end.
pub(crate) fn has_ended(sockets: &Sockets, connection: ConnectionHandle) -> bool {
    !sockets.state(connection).is_some_and(ConnectionState::is_alive)
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
    wait_connected(sockets, connection, &address.to_string(), "is the other side listening there?")
}

/// Waits until a connection stands. The library gives up by itself (`TimeoutInitial`) and says so.
fn wait_connected(
    sockets: &Sockets,
    connection: ConnectionHandle,
    whom: &str,
    question: &str,
) -> anyhow::Result<ConnectionHandle> {
    while let Some(event) = sockets.wait_event(None) {
        let Event::ConnectionStatusChanged(change) = event else {
            continue;
        };
        match change.info.state {
            ConnectionState::Connected => return Ok(connection),
            ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                if let Some(route) =
                    sockets.detailed_connection_status(connection).and_then(|it| it.route)
                {
                    tracing::warn!("how the route was looked for:\n{route}");
                }
                sockets.close_connection(connection, 0, "", false);
                bail!("no connection to {whom}: {}; {question}", ending(&change.info));
            }
            ConnectionState::None | ConnectionState::Connecting | ConnectionState::FindingRoute => {
            }
        }
    }
    bail!("no connection to {whom}")
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

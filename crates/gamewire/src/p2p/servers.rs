//! STUN and TURN servers from the configuration lists (wire.md §9), and their addresses.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
};

use gamewire_p2p::{
    ice::{CandidateTypes, TurnServer, TurnTransport},
    rendezvous::IceOptions,
};

use super::gather::only_loopback;
use crate::{
    config::{ConfigData, ConfigId, ScopeValues},
    core::Core,
    resolve::look_up,
    slot::{Machine, Slot},
};

/// Where such servers listen if nothing else is said (RFC 8489 §18.6).
const DEFAULT_PORT: u16 = 3478;

/// Most servers of one kind that are looked at.
const MAX_SERVERS: usize = 8;

/// Most addresses of one name that are used.
const MAX_ADDRESSES: usize = 2;

/// A server of which the address is not known yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct NamedServer {
    host: String,
    port: u16,
    kind: ServerKind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum ServerKind {
    Stun,
    Turn { transport: TurnTransport, username: String, password: String },
}

impl NamedServer {
    fn add_to(self, address: SocketAddr, options: &mut IceOptions) {
        match self.kind {
            ServerKind::Stun => options.stun_servers.push(address),
            ServerKind::Turn { transport, username, password } => {
                options.turn_servers.push(TurnServer { address, transport, username, password });
            }
        }
    }
}

/// What the configuration says about the search for a route, and the servers whose names have to be
/// looked up first.
pub(super) fn ice_options(scope: &ScopeValues) -> (IceOptions, Vec<NamedServer>) {
    // -1 leaves the choice to us, and we choose everything.
    let bits = scope.int32(ConfigId::P2pTransportIceEnable);
    let enable = CandidateTypes::from_bits(bits.cast_unsigned());
    let mut options =
        IceOptions { enable, allow_loopback: only_loopback(), ..IceOptions::default() };
    let mut named = Vec::new();
    for server in configured(scope) {
        match server.host.parse() {
            Ok(address) => {
                let address = SocketAddr::new(address, server.port);
                server.add_to(address, &mut options);
            }
            Err(_) => named.push(server),
        }
    }
    options.expects_servers = !named.is_empty();
    (options, named)
}

fn configured(scope: &ScopeValues) -> Vec<NamedServer> {
    let list = |id| match scope.effective(id) {
        ConfigData::String(text) => text,
        _ => String::new(),
    };
    let stun = list(ConfigId::P2pStunServerList);
    let stun = items(&stun).filter_map(|text| read_server(text, ServerKind::Stun));
    let turn = list(ConfigId::P2pTurnServerList);
    let (users, passwords) = (list(ConfigId::P2pTurnUserList), list(ConfigId::P2pTurnPassList));
    let turn: Vec<&str> = items(&turn).collect();
    let (users, passwords): (Vec<_>, Vec<_>) =
        (users.split(',').map(str::trim).collect(), passwords.split(',').map(str::trim).collect());
    // Lists that do not match would give a server somebody else's password.
    let matching = users.len() == turn.len() && passwords.len() == turn.len();
    let turn = turn.iter().enumerate().filter_map(|(index, text)| {
        let of = |list: &[&str]| {
            let item = list.get(index).filter(|_| matching);
            item.map_or_else(String::new, |item| (*item).to_owned())
        };
        let (username, password) = (of(&users), of(&passwords));
        let kind = ServerKind::Turn { transport: transport_of(text), username, password };
        read_server(text, kind)
    });
    stun.take(MAX_SERVERS).chain(turn.take(MAX_SERVERS)).collect()
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn transport_of(text: &str) -> TurnTransport {
    if text.starts_with("turns:") {
        TurnTransport::Tls
    } else if text.ends_with("?transport=tcp") {
        TurnTransport::Tcp
    } else {
        TurnTransport::Udp
    }
}

/// `[stun:|turn:|turns:]host[:port][?transport=…]`.
fn read_server(text: &str, kind: ServerKind) -> Option<NamedServer> {
    let bare = ["stun:", "turns:", "turn:"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let bare = bare.unwrap_or(text);
    let bare = bare.split('?').next().unwrap_or(bare).trim_start_matches("//");
    if let Ok(address) = bare.parse::<SocketAddr>() {
        return Some(NamedServer { host: address.ip().to_string(), port: address.port(), kind });
    }
    let (host, port) = match bare.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().ok()?),
        _ => (bare.trim_start_matches('[').trim_end_matches(']'), DEFAULT_PORT),
    };
    (!host.is_empty() && host.len() <= 255).then(|| NamedServer {
        host: host.to_owned(),
        port,
        kind,
    })
}

/// Looks names up on a thread of its own, since the system's resolver blocks, and hands the
/// addresses to the connection.
pub(super) fn resolve(core: &Arc<Core>, slot: &Arc<Slot>, servers: Vec<NamedServer>) {
    if servers.is_empty() {
        return;
    }
    let (core, slot) = (Arc::downgrade(core), Arc::downgrade(slot));
    let work = move || {
        for server in servers {
            let found = look_up(&server.host, server.port);
            let mut options = IceOptions::default();
            match found {
                Ok(addresses) => {
                    for address in addresses.into_iter().take(MAX_ADDRESSES) {
                        server.clone().add_to(address, &mut options);
                    }
                }
                Err(error) => tracing::warn!(error, "no address for a server"),
            }
            if hand_over(&core, &slot, options).is_none() {
                return;
            }
        }
    };
    let spawned = std::thread::Builder::new().name("gamewire-names".to_owned()).spawn(work);
    if let Err(error) = spawned {
        tracing::warn!(%error, "cannot look up the names of servers");
    }
}

fn hand_over(core: &Weak<Core>, slot: &Weak<Slot>, options: IceOptions) -> Option<()> {
    let (core, slot) = (core.upgrade()?, slot.upgrade()?);
    core.drive_machine(&slot, |machine, now| {
        if let Machine::Peer(peer) = machine {
            for server in options.stun_servers {
                peer.add_stun_server(now, server);
            }
            for server in options.turn_servers {
                peer.add_turn_server(now, server);
            }
        }
    });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, u16)> {
        read_server(text, ServerKind::Stun).map(|server| (server.host, server.port))
    }

    #[test]
    fn servers_are_read_in_all_their_forms() {
        let cases = [
            ("stun.example.org", Some(("stun.example.org", 3478))),
            ("stun:stun.example.org:19302", Some(("stun.example.org", 19302))),
            ("turn:192.0.2.7:3479?transport=tcp", Some(("192.0.2.7", 3479))),
            ("turns:relay.example.org", Some(("relay.example.org", 3478))),
            ("[2001:db8::7]:3480", Some(("2001:db8::7", 3480))),
            ("2001:db8::7", Some(("2001:db8::7", 3478))),
            ("192.0.2.7", Some(("192.0.2.7", 3478))),
            ("host:port", None),
            ("stun:", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected.map(|(h, p)| (h.to_owned(), p)), "{text}");
        }
        assert_eq!(read(&"x".repeat(256)), None);
    }

    #[test]
    fn lists_of_different_lengths_give_no_credentials() {
        let set = |users: &str, passwords: &str| {
            let scope = ScopeValues::global();
            scope
                .set_all(&[
                    crate::Config::P2pTurnServerList("turn:a:1, turn:b:2".into()),
                    crate::Config::P2pTurnUserList(users.into()),
                    crate::Config::P2pTurnPassList(passwords.into()),
                ])
                .unwrap();
            configured(&scope)
                .into_iter()
                .map(|server| match server.kind {
                    ServerKind::Turn { username, password, .. } => (username, password),
                    ServerKind::Stun => unreachable!("only TURN servers are set"),
                })
                .collect::<Vec<_>>()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(set("u, v", "p, q"), [pair("u", "p"), pair("v", "q")]);
        assert_eq!(set("u", "p, q"), [pair("", ""), pair("", "")]);
        assert_eq!(set("", ""), [pair("", ""), pair("", "")]);
    }
}

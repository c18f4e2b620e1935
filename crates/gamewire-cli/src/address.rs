//! Addresses on the command line.

use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};

use anyhow::{Context as _, bail};

/// An address to listen on: `IP:PORT`, or a port alone for every address of this machine.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    text.parse().map_err(|_| {
        format!("`{text}` is no address; write IP:PORT such as 127.0.0.1:27015 or [::]:27015, or a port alone")
    })
}

/// An address to connect to: `HOST:PORT`. Where a name stands for both IPv4 and IPv6, IPv4 is
/// taken.
pub(crate) fn parse_connect(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return match address.port() {
            0 => Err(format!("`{text}` has no port; write HOST:PORT such as 127.0.0.1:27015")),
            _ => Ok(address),
        };
    }
    let Some((_, port)) = text.rsplit_once(':') else {
        return Err(format!("`{text}` has no port; write HOST:PORT such as {text}:27015"));
    };
    if port.parse::<u16>().is_ok_and(|port| port == 0) || port.parse::<u16>().is_err() {
        return Err(format!("`{port}` is no port; it is a number from 1 to 65535"));
    }
    let found: Vec<SocketAddr> = text
        .to_socket_addrs()
        .map_err(|error| format!("`{text}` cannot be found: {error}"))?
        .collect();
    let preferred = found.iter().find(|address| address.is_ipv4()).or(found.first());
    preferred.copied().ok_or_else(|| format!("`{text}` has no address"))
}

/// The address itself, or one with a free port where its port is 0.
pub(crate) fn with_port(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    if address.port() != 0 {
        return Ok(address);
    }
    // Freed at once; nobody gets the same number for a while.
    let socket = UdpSocket::bind(address).with_context(|| cannot_listen(address))?;
    let port = socket.local_addr().with_context(|| cannot_listen(address))?.port();
    if port == 0 {
        bail!("the system names no free port; name one yourself");
    }
    Ok(SocketAddr::new(address.ip(), port))
}

/// What to say, and what to do, where listening fails.
pub(crate) fn cannot_listen(address: SocketAddr) -> String {
    format!(
        "cannot listen on {address}; is it an address of this machine, and is the port free? \
         Port 0 takes any free one"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        for (text, address) in [
            ("127.0.0.1:27015", "127.0.0.1:27015"),
            ("[::1]:5", "[::1]:5"),
            ("27015", "[::]:27015"),
            (":27015", "[::]:27015"),
            ("0", "[::]:0"),
        ] {
            assert_eq!(parse_listen(text), Ok(address.parse().unwrap()), "{text}");
        }
        for text in ["", "localhost", "127.0.0.1", "127.0.0.1:70000", "::1"] {
            assert!(parse_listen(text).unwrap_err().contains("IP:PORT"), "{text}");
        }
    }

    #[test]
    fn connect_addresses() {
        assert_eq!(parse_connect("[::1]:5"), Ok("[::1]:5".parse().unwrap()));
        for (text, hint) in [
            ("127.0.0.1:0", "HOST:PORT"),
            ("example", "example:27015"),
            ("example:0", "1 to 65535"),
            ("example:http", "1 to 65535"),
            ("example:70000", "1 to 65535"),
        ] {
            let error = parse_connect(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn port_0_becomes_a_free_port() {
        let address = with_port("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(address.port(), 0);
        assert!(UdpSocket::bind(address).is_ok());
        let fixed = "127.0.0.1:27015".parse().unwrap();
        assert_eq!(with_port(fixed).unwrap(), fixed);
    }
}

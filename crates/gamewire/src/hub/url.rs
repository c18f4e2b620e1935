//! Where a hub is: a `wss://` or `ws://` URL.

use gamewire_wire::hub::MAX_HUB_NAME_BYTES;

/// A hub's address, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HubUrl {
    pub(crate) tls: bool,
    /// A name, or an address without brackets; lower case.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What comes before the hub's own paths; no slash at its end.
    pub(crate) base: String,
}

/// Why a text is no such URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("a hub's URL begins with wss:// or ws://")]
    Scheme,
    #[error("the host is missing, too long, or no host")]
    Host,
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("the path has characters that no path has")]
    Path,
}

impl HubUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        let (tls, rest) = match (text.strip_prefix("wss://"), text.strip_prefix("ws://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(UrlError::Scheme),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => {
                if tls {
                    443
                } else {
                    80
                }
            }
            Some(digits) => digits.parse().ok().filter(|&port| port != 0).ok_or(UrlError::Port)?,
        };
        let sound = |byte: u8| byte.is_ascii_graphic() && !b"@?#%\\\"<>".contains(&byte);
        if host.is_empty() || host.len() > MAX_HUB_NAME_BYTES || !host.bytes().all(sound) {
            return Err(UrlError::Host);
        }
        let in_path = |byte: u8| byte.is_ascii_graphic() && !b"?#\"<>".contains(&byte);
        if path.len() > 1024 || !path.bytes().all(in_path) {
            return Err(UrlError::Path);
        }
        let (host, base) = (host.to_ascii_lowercase(), path.trim_end_matches('/').to_owned());
        Ok(Self { tls, host, port, base })
    }

    /// The host as it stands in a URL and a `Host` header.
    pub(crate) fn host_in_brackets(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Host and port, the latter unless it is the usual one.
    pub(crate) fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        let host = self.host_in_brackets();
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| UrlError::Host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(UrlError::Host),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(UrlError::Host),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_some() {
        for (text, tls, host, port, base, authority) in [
            ("wss://hub.example", true, "hub.example", 443, "", "hub.example"),
            ("ws://127.0.0.1:27030/", false, "127.0.0.1", 27030, "", "127.0.0.1:27030"),
            ("wss://[::1]:8443/a/b/", true, "::1", 8443, "/a/b", "[::1]:8443"),
            (" ws://Hub:80 ", false, "hub", 80, "", "hub"),
        ] {
            let url = HubUrl::parse(text).unwrap();
            let parts = (url.tls, url.host.as_str(), url.port, url.base.as_str());
            assert_eq!(parts, (tls, host, port, base), "{text}");
            assert_eq!(url.authority(), authority);
        }
    }

    #[test]
    fn and_those_that_are_none() {
        for (text, expected) in [
            ("", UrlError::Scheme),
            ("https://hub.example", UrlError::Scheme),
            ("wss://", UrlError::Host),
            ("wss://:443", UrlError::Host),
            ("wss://user@hub", UrlError::Host),
            ("wss://a:b:c", UrlError::Host),
            ("wss://[::1", UrlError::Host),
            ("wss://[nonsense]", UrlError::Host),
            ("wss://hub name", UrlError::Host),
            ("wss://hub:0", UrlError::Port),
            ("wss://hub:65536", UrlError::Port),
            ("wss://hub:", UrlError::Port),
            ("wss://hub/a b", UrlError::Path),
            ("wss://hub/\r\nX: y", UrlError::Path),
            ("wss://hub/?q", UrlError::Path),
        ] {
            assert_eq!(HubUrl::parse(text), Err(expected), "{text:?}");
        }
    }
}

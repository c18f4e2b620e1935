//! UPnP Internet Gateway Device (WANIPConnection 1 and 2): finding the router, reading its
//! description, and three SOAP actions.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{LIFETIME, xml};

/// Longest URL that is followed, in bytes.
const MAX_URL: usize = 512;

/// How many outer ports are tried before it is given up.
const MAX_PORTS: u16 = 4;

/// The lease of routers that know only endless ones is renewed as often as any other.
const RENEWAL: Duration = LIFETIME;

/// What is to be done next, or what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Read the description at this path.
    Describe(String),
    /// Ask for the outer address.
    Address,
    /// Ask for a port, for so many seconds; 0: for ever.
    Add {
        port: u16,
        seconds: u64,
    },
    /// Give a port back.
    Delete(u16),
    Mapped {
        external: SocketAddr,
        lifetime: Duration,
    },
    Failed,
}

#[derive(Debug)]
pub(super) struct Igd {
    gateway: IpAddr,
    local: SocketAddr,
    /// Where the router speaks HTTP.
    host: Option<SocketAddr>,
    /// Where it takes actions, and the type of service that does.
    control: Option<(SocketAddr, String, String)>,
    external_ip: Option<Ipv4Addr>,
    exchange: u32,
    awaited: Option<Step>,
}

impl Igd {
    pub(super) fn new(gateway: IpAddr, local: SocketAddr) -> Self {
        Self {
            gateway,
            local,
            host: None,
            control: None,
            external_ip: None,
            exchange: 0,
            awaited: None,
        }
    }

    /// The search (UPnP Device Architecture 1.1 §1.3.2). Routers of version 2 answer to 1 too.
    pub(super) fn search(&mut self) -> Vec<u8> {
        self.awaited = None;
        b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
          ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
            .to_vec()
    }

    /// An answer to the search: where the description is.
    pub(super) fn handle_answer(&mut self, datagram: &[u8]) -> Option<Step> {
        if self.awaited.is_some() {
            return None;
        }
        let text = std::str::from_utf8(datagram).ok()?;
        let mut lines = text.split("\r\n");
        let status = lines.next()?;
        (status.starts_with("HTTP/1.") && status.split(' ').nth(1)? == "200").then_some(())?;
        let location = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("location").then_some(value.trim())
        })?;
        let (host, path) = self.url(location)?;
        self.host = Some(host);
        Some(Step::Describe(path))
    }

    /// Takes a URL apart that leads to the router itself.
    fn url(&self, url: &str) -> Option<(SocketAddr, String)> {
        let rest = url.strip_prefix("http://").filter(|_| url.len() <= MAX_URL)?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let host = host
            .parse::<SocketAddr>()
            .ok()
            .or_else(|| Some(SocketAddr::new(host.parse().ok()?, 80)))?;
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
        (host.ip() == self.gateway && plain).then(|| (host, path.to_owned()))
    }

    /// The request of a step, with its number and where it goes.
    pub(super) fn request(&mut self, step: Step) -> Option<(u32, SocketAddr, Vec<u8>)> {
        let (to, request) = match &step {
            Step::Describe(path) => {
                let host = self.host?;
                let request =
                    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
                (host, request)
            }
            Step::Address => self.action("GetExternalIPAddress", "")?,
            Step::Add { port, seconds } => {
                let (own, internal) = (self.local.ip(), self.local.port());
                let arguments = format!(
                    "<NewRemoteHost></NewRemoteHost><NewExternalPort>{port}</NewExternalPort>\
                     <NewProtocol>UDP</NewProtocol><NewInternalPort>{internal}</NewInternalPort>\
                     <NewInternalClient>{own}</NewInternalClient><NewEnabled>1</NewEnabled>\
                     <NewPortMappingDescription>gamewire</NewPortMappingDescription>\
                     <NewLeaseDuration>{seconds}</NewLeaseDuration>"
                );
                self.action("AddPortMapping", &arguments)?
            }
            Step::Delete(port) => {
                let arguments = format!(
                    "<NewRemoteHost></NewRemoteHost><NewExternalPort>{port}</NewExternalPort>\
                     <NewProtocol>UDP</NewProtocol>"
                );
                self.action("DeletePortMapping", &arguments)?
            }
            Step::Mapped { .. } | Step::Failed => return None,
        };
        self.exchange += 1;
        self.awaited = Some(step);
        Some((self.exchange, to, request.into_bytes()))
    }

    fn action(&self, name: &str, arguments: &str) -> Option<(SocketAddr, String)> {
        let (host, path, service) = self.control.as_ref()?;
        let body = format!(
            "<?xml version=\"1.0\"?>\r\n<s:Envelope \
             xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>\
             <u:{name} xmlns:u=\"{service}\">{arguments}</u:{name}></s:Body></s:Envelope>"
        );
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: text/xml; charset=\"utf-8\"\r\nContent-Length: {}\r\n\
             SOAPAction: \"{service}#{name}\"\r\n\r\n{body}",
            body.len()
        );
        Some((*host, request))
    }

    /// The response to the step under way; `None`: it is to another one.
    pub(super) fn handle_response(&mut self, exchange: u32, bytes: Option<&[u8]>) -> Option<Step> {
        if exchange != self.exchange {
            return None;
        }
        let step = self.awaited.take()?;
        let response = bytes.and_then(Response::read);
        let Some(response) = response else {
            return Some(Step::Failed);
        };
        Some(self.on_response(step, &response).unwrap_or(Step::Failed))
    }

    fn on_response(&mut self, step: Step, response: &Response) -> Option<Step> {
        match step {
            Step::Describe(_) if response.is_ok() => {
                self.control = Some(self.find_control(&response.body)?);
                Some(Step::Address)
            }
            Step::Address if response.is_ok() => {
                let ip = xml::element(&response.body, "NewExternalIPAddress")?.parse().ok()?;
                self.external_ip = Some(ip);
                Some(Step::Add { port: self.local.port(), seconds: LIFETIME.as_secs() })
            }
            Step::Add { port, .. } if response.is_ok() => {
                let external = SocketAddr::new(self.external_ip?.into(), port);
                Some(Step::Mapped { external, lifetime: RENEWAL })
            }
            Step::Add { port, seconds } => {
                let code = xml::element(&response.body, "errorCode")?;
                let next = port.checked_add(1)?;
                let tries = next - self.local.port();
                match code {
                    // OnlyPermanentLeasesSupported.
                    "725" if seconds > 0 => Some(Step::Add { port, seconds: 0 }),
                    // ConflictInMappingEntry: somebody else has the port.
                    "718" if tries < MAX_PORTS => Some(Step::Add { port: next, seconds }),
                    _ => None,
                }
            }
            Step::Describe(_)
            | Step::Address
            | Step::Delete(_)
            | Step::Mapped { .. }
            | Step::Failed => None,
        }
    }

    /// Where the service is that maps ports.
    fn find_control(&self, description: &str) -> Option<(SocketAddr, String, String)> {
        let base = xml::element(description, "URLBase").and_then(|url| self.url(url));
        let host = base.map_or(self.host?, |(host, _)| host);
        let known = |kind: &str| {
            kind.len() <= MAX_URL
                && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-".contains(&byte))
                && ["WANIPConnection:", "WANPPPConnection:"].iter().any(|name| kind.contains(name))
        };
        xml::elements(description, "service").find_map(|service| {
            let kind = xml::element(service, "serviceType").filter(|kind| known(kind))?;
            let url = xml::element(service, "controlURL")?;
            let (host, path) = if url.starts_with("http://") {
                self.url(url)?
            } else {
                let slash = if url.starts_with('/') { "" } else { "/" };
                self.url(&format!("http://{host}{slash}{url}"))?
            };
            Some((host, path, kind.to_owned()))
        })
    }
}

/// An HTTP response.
struct Response {
    status: u16,
    body: String,
}

impl Response {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let chunked = lines.any(|line| {
            let line = line.to_ascii_lowercase();
            line.starts_with("transfer-encoding:") && line.contains("chunked")
        });
        let body = if chunked { joined(body)? } else { body.to_owned() };
        Some(Self { status, body })
    }

    fn is_ok(&self) -> bool {
        self.status == 200
    }
}

/// A body in chunks (RFC 9112 §7.1), put together.
fn joined(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix("\r\n")?;
    }
}

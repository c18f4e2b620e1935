//! Against routers that answer as they are told. Bytes are those of the RFCs' figures.

use super::*;
use gamewire_crypto::SeededEntropy;

const T0: Time = Time::from_micros(1_000_000);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn router() -> SocketAddr {
    address("192.168.1.1:5351")
}

fn mapping() -> PortMapping {
    let gateway = address("192.168.1.1:0").ip();
    let mut mapping =
        PortMapping::new(gateway, address("192.168.1.2:27015"), &mut SeededEntropy::new(1));
    mapping.start(T0);
    mapping
}

fn datagram(mapping: &mut PortMapping) -> Vec<u8> {
    match mapping.poll_outgoing() {
        Some(Outgoing::Datagram { to, payload }) => {
            assert_eq!(to, router());
            payload
        }
        other => panic!("{other:?}"),
    }
}

/// The answer of a PCP router: the request with what it grants.
fn pcp_answer(request: &[u8], code: u8, external: &str, seconds: u32) -> Vec<u8> {
    let external = address(external);
    let mut answer = request.to_vec();
    answer[1] |= 0x80;
    answer[3] = code;
    answer[4..8].copy_from_slice(&seconds.to_be_bytes());
    answer[42..44].copy_from_slice(&external.port().to_be_bytes());
    let IpAddr::V4(ip) = external.ip() else { panic!("IPv4") };
    answer[44..60].copy_from_slice(&ip.to_ipv6_mapped().octets());
    answer
}

fn events(mapping: &mut PortMapping) -> Vec<MappingEvent> {
    std::iter::from_fn(|| mapping.poll_event()).collect()
}

/// Lets time pass until something else than a repetition is due.
fn until(mapping: &mut PortMapping, done: impl Fn(&PortMapping) -> bool) -> (Time, usize) {
    let mut sent = 0;
    loop {
        let now = mapping.poll_timeout().unwrap();
        mapping.handle_timeout(now);
        if done(mapping) {
            return (now, sent);
        }
        sent += std::iter::from_fn(|| mapping.poll_outgoing()).count();
    }
}

#[test]
fn pcp_maps_renews_and_gives_back() {
    let mut mapping = mapping();
    let request = datagram(&mut mapping);
    assert_eq!(request.len(), 60);
    assert_eq!(request[..8], [2, 1, 0, 0, 0, 0, 0x1c, 0x20]);
    assert_eq!(request[8..24], *b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\xa8\x01\x02");
    assert_eq!(request[36..44], [17, 0, 0, 0, 0x69, 0x87, 0x69, 0x87]);
    // Neither another's answer nor one from elsewhere counts.
    let answer = pcp_answer(&request, 0, "203.0.113.9:40000", 3600);
    mapping.handle_datagram(T0, address("192.168.1.66:5351"), &answer);
    let mut foreign = answer.clone();
    foreign[24] ^= 1;
    mapping.handle_datagram(T0, router(), &foreign);
    assert_eq!(mapping.external(), None);
    mapping.handle_datagram(T0, router(), &answer);
    let external = address("203.0.113.9:40000");
    let mapped = MappingEvent::Mapped { external, protocol: Protocol::Pcp };
    assert_eq!(events(&mut mapping), [mapped]);
    // After half of the lifetime the same is asked for.
    let now = T0 + Duration::from_secs(1800);
    assert_eq!(mapping.poll_timeout(), Some(now));
    mapping.handle_timeout(now);
    let request = datagram(&mut mapping);
    assert_eq!(request[42..44], 40_000_u16.to_be_bytes());
    assert_eq!(mapping.external(), Some(external));
    mapping.handle_datagram(now, router(), &pcp_answer(&request, 0, "203.0.113.9:40000", 3600));
    assert_eq!(events(&mut mapping), []);
    mapping.release();
    let request = datagram(&mut mapping);
    assert_eq!(request[4..8], [0; 4]);
    assert_eq!((mapping.external(), mapping.poll_timeout()), (None, None));
}

#[test]
fn nat_pmp_is_spoken_where_pcp_is_not() {
    let mut mapping = mapping();
    datagram(&mut mapping);
    // RFC 6886 §3.5: version 0, the opcode with its first bit set, result 1.
    mapping.handle_datagram(T0, router(), &[0, 0x81, 0, 1, 0, 0, 0, 9]);
    assert_eq!(datagram(&mut mapping), [0, 0]);
    assert_eq!(datagram(&mut mapping), [0, 1, 0, 0, 0x69, 0x87, 0x69, 0x87, 0, 0, 0x1c, 0x20]);
    mapping.handle_datagram(T0, router(), &[0, 128, 0, 0, 0, 0, 0, 9, 203, 0, 113, 9]);
    let other_port = [0, 129, 0, 0, 0, 0, 0, 9, 0x69, 0x88, 0x9c, 0x40, 0, 0, 0x0e, 0x10];
    mapping.handle_datagram(T0, router(), &other_port);
    assert_eq!(mapping.external(), None);
    let mut right = other_port;
    right[9] = 0x87;
    mapping.handle_datagram(T0, router(), &right);
    let external = address("203.0.113.9:40000");
    let mapped = MappingEvent::Mapped { external, protocol: Protocol::NatPmp };
    assert_eq!(events(&mut mapping), [mapped]);
    mapping.release();
    assert_eq!(datagram(&mut mapping), [0, 1, 0, 0, 0x69, 0x87, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_router_that_knows_none_of_it_is_left_alone_for_a_while() {
    let mut mapping = mapping();
    let (igd, sent) = until(&mut mapping, |mapping| matches!(mapping.state, State::Igd { .. }));
    assert_eq!((sent, igd.since(T0)), (5, Duration::from_millis(7750)));
    let (failed, sent) = until(&mut mapping, |mapping| matches!(mapping.state, State::Resting(_)));
    assert_eq!((sent, failed.since(igd)), (5, Duration::from_millis(7750)));
    assert_eq!(events(&mut mapping), [MappingEvent::Failed]);
    assert_eq!(mapping.poll_timeout(), Some(failed + TRY_AGAIN));
    mapping.handle_timeout(failed + TRY_AGAIN);
    assert_eq!(datagram(&mut mapping)[0], 2);
}

#[test]
fn a_mapping_that_is_refused_later_is_lost() {
    let mut mapping = mapping();
    let request = datagram(&mut mapping);
    mapping.handle_datagram(T0, router(), &pcp_answer(&request, 0, "203.0.113.9:40000", 600));
    let now = mapping.poll_timeout().unwrap();
    mapping.handle_timeout(now);
    let request = datagram(&mut mapping);
    mapping.handle_datagram(now, router(), &pcp_answer(&request, 8, "0.0.0.0:0", 0));
    until(&mut mapping, |mapping| matches!(mapping.state, State::Resting(_)));
    let events = events(&mut mapping);
    assert_eq!(events[1..], [MappingEvent::Lost, MappingEvent::Failed]);
}

const DESCRIPTION: &str = "<root><URLBase></URLBase><device><serviceList>\
    <service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>\
    <controlURL>/l3</controlURL></service></serviceList><deviceList><device><serviceList>\
    <service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
    <controlURL>/ctl/IPConn</controlURL></service></serviceList></device></deviceList></device></root>";

/// A mapping that has fallen back to UPnP, and when.
fn igd() -> (PortMapping, Time) {
    let mut mapping = mapping();
    let (now, _) = until(&mut mapping, |mapping| matches!(mapping.state, State::Igd { .. }));
    let search = mapping.poll_outgoing().unwrap();
    let Outgoing::Datagram { to, payload } = search else { panic!("{search:?}") };
    assert_eq!(to, SSDP);
    assert!(payload.starts_with(b"M-SEARCH * HTTP/1.1\r\n") && payload.ends_with(b"\r\n\r\n"));
    (mapping, now)
}

fn found(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=60\r\nLocation: {location}\r\n\r\n")
        .into_bytes()
}

/// The next exchange: its number, where to, and what.
fn exchange(mapping: &mut PortMapping) -> (u32, SocketAddr, String) {
    match mapping.poll_outgoing() {
        Some(Outgoing::Http { exchange, to, request }) => {
            (exchange, to, String::from_utf8(request).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn http(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Any\r\nContent-Type: text/xml\r\n\r\n{body}").into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    let mut text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for piece in body.as_bytes().chunks(100) {
        let piece = std::str::from_utf8(piece).unwrap();
        text.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    text.push_str("0\r\n\r\n");
    text.into_bytes()
}

fn fault(code: u16) -> Vec<u8> {
    http(500, &format!("<s:Fault><UPnPError><errorCode>{code}</errorCode></UPnPError></s:Fault>"))
}

const EXTERNAL: &str = "<s:Envelope><u:GetExternalIPAddressResponse>\
    <NewExternalIPAddress>203.0.113.9</NewExternalIPAddress></u:GetExternalIPAddressResponse></s:Envelope>";

#[test]
fn upnp_maps_whatever_the_router_insists_on() {
    let (mut mapping, now) = igd();
    mapping.handle_datagram(now, address("192.168.1.1:1900"), &found("http://192.168.1.1:5000/d"));
    let (number, to, request) = exchange(&mut mapping);
    assert_eq!(to, address("192.168.1.1:5000"));
    assert!(request.starts_with("GET /d HTTP/1.1\r\nHost: 192.168.1.1:5000\r\n"));
    mapping.handle_http(now, number, Some(&chunked(DESCRIPTION)));
    let (number, _, request) = exchange(&mut mapping);
    assert!(request.starts_with("POST /ctl/IPConn HTTP/1.1\r\n"), "{request}");
    let action = "urn:schemas-upnp-org:service:WANIPConnection:1#GetExternalIPAddress";
    assert!(request.contains(action));
    // An answer to an exchange of before is none.
    mapping.handle_http(now, number - 1, Some(&http(200, "")));
    mapping.handle_http(now, number, Some(&http(200, EXTERNAL)));
    // Somebody else has the port, then the router knows no leases.
    for (code, port, lease) in [(718, 27015, 7200), (725, 27016, 7200), (0, 27016, 0)] {
        let (number, _, request) = exchange(&mut mapping);
        assert!(request.contains(&format!("<NewExternalPort>{port}</NewExternalPort>")));
        assert!(request.contains(&format!("<NewLeaseDuration>{lease}</NewLeaseDuration>")));
        assert!(request.contains("<NewInternalClient>192.168.1.2</NewInternalClient>"));
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        let answer = if code == 0 { http(200, "<ok/>") } else { fault(code) };
        mapping.handle_http(now, number, Some(&answer));
    }
    let external = address("203.0.113.9:27016");
    let mapped = MappingEvent::Mapped { external, protocol: Protocol::UpnpIgd };
    assert_eq!(events(&mut mapping), [mapped]);
    mapping.release();
    let (_, _, request) = exchange(&mut mapping);
    assert!(request.contains("DeletePortMapping") && request.contains(">27016<"));
}

#[test]
fn no_url_leads_away_from_the_router() {
    for location in [
        "http://192.168.1.66:5000/d",
        "http://169.254.169.254/latest",
        "http://router.local/d",
        "https://192.168.1.1/d",
        "http://192.168.1.1:5000/d\rX: y",
        "http://192.168.1.1@evil/d",
        "",
    ] {
        let (mut mapping, now) = igd();
        mapping.handle_datagram(now, address("192.168.1.1:1900"), &found(location));
        assert_eq!(mapping.poll_outgoing(), None, "{location}");
    }
    // Nor does one within the description; nor is another's answer believed.
    let (mut mapping, now) = igd();
    let good = found("http://192.168.1.1:5000/d");
    mapping.handle_datagram(now, address("192.168.1.66:1900"), &good);
    assert_eq!(mapping.poll_outgoing(), None);
    mapping.handle_datagram(now, address("192.168.1.1:1900"), &good);
    let (number, ..) = exchange(&mut mapping);
    let away = DESCRIPTION.replace("/ctl/IPConn", "http://10.0.0.1/ctl");
    mapping.handle_http(now, number, Some(&http(200, &away)));
    assert_eq!(events(&mut mapping), [MappingEvent::Failed]);
}

#[test]
fn broken_answers_end_it() {
    for response in [
        None,
        Some(&b""[..]),
        Some(b"HTTP/1.1 200 OK"),
        Some(b"HTTP/1.1 404 Not Found\r\n\r\n"),
        Some(b"HTTP/1.1 200 OK\r\n\r\n<root/>"),
        Some(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
        Some(b"\xff\xfe\x00"),
    ] {
        let (mut mapping, now) = igd();
        let good = found("http://192.168.1.1:5000/d");
        mapping.handle_datagram(now, address("192.168.1.1:1900"), &good);
        let (number, ..) = exchange(&mut mapping);
        mapping.handle_http(now, number, response);
        assert_eq!(events(&mut mapping), [MappingEvent::Failed], "{response:?}");
    }
}

#[test]
fn whatever_a_router_sends_nothing_breaks() {
    let mut entropy = SeededEntropy::new(3);
    let mut mapping = mapping();
    let request = datagram(&mut mapping);
    let seeds = [
        pcp_answer(&request, 1, "203.0.113.9:40000", 600),
        vec![0, 129, 0, 0, 0, 0, 0, 9, 0x69, 0x87, 0x9c, 0x40, 0, 0, 0x0e, 0x10],
        found("http://192.168.1.1:5000/d"),
    ];
    let mut now = T0;
    for round in 0..20_000_u32 {
        let mut bytes = seeds[round as usize % seeds.len()].clone();
        let index = entropy.next_u32() as usize % bytes.len();
        bytes[index] = entropy.next_u32() as u8;
        bytes.truncate(entropy.next_u32() as usize % (bytes.len() + 9));
        mapping.handle_datagram(now, router(), &bytes);
        mapping.handle_http(now, round % 3, Some(&bytes));
        now += Duration::from_millis(900);
        mapping.handle_timeout(now);
        while mapping.poll_outgoing().is_some() {}
        while mapping.poll_event().is_some() {}
    }
}

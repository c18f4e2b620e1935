use super::*;

#[test]
fn text_both_ways() {
    for text in [
        "1.2.3.4",
        "1.2.3.4:27015",
        "0.0.0.0",
        "255.255.255.255:65535",
        "::",
        "::1",
        "[::1]:80",
        "[::]:27015",
        "2001:db8::ff00:42:8329",
        "[2001:db8:0:1:1:1:1:1]:1",
        "fe80::1",
    ] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
}

#[test]
fn other_spellings_are_understood() {
    for (text, printed) in [
        ("1.2.3.4:0", "1.2.3.4"),
        ("[::1]", "::1"),
        ("[::1]:0", "::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("[::ffff:102:304]:9", "1.2.3.4:9"),
        ("0123:4567:89AB:cdef:0123:4567:89ab:cdef", "123:4567:89ab:cdef:123:4567:89ab:cdef"),
        (
            "[0123:4567:89ab:cdef:0123:4567:89ab:cdef]:12345",
            "[123:4567:89ab:cdef:123:4567:89ab:cdef]:12345",
        ),
        ("::1:80", "::1:80"), // no brackets, so no port
        ("1.2.3.4:00080", "1.2.3.4:80"),
    ] {
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), printed, "{text}");
    }
    assert_eq!("::1:80".parse::<Address>().unwrap().port(), 0);
}

#[test]
fn garbage_is_refused() {
    for text in [
        "",
        " ",
        "1.2.3.4:garbage",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:+80",
        "1.2.3.4:-1",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[::1]:x",
        "[::1]:65536",
        "[1.2.3.4]:80",
        "::1]:80",
        "localhost",
        "1.2.3.4:80:90",
        "[]:1",
        "fe80::1%eth0",
        "[fe80::1%3]:80",
        "1.2.3.4\0",
        ":80",
        ":::",
        "12345::",
        "1.2.3.4:000000000000000000000000000000000000000000000000080",
    ] {
        assert_eq!(text.parse::<Address>(), Err(AddressError), "{text:?}");
    }
}

#[test]
fn explicit_port_choice() {
    let address: Address = "1.2.3.4".parse().unwrap();
    assert_eq!(address.display_with_port().to_string(), "1.2.3.4:0");
    assert_eq!(Address::LOCALHOST.display_with_port().to_string(), "[::1]:0");
    assert_eq!(address.with_port(5).display_without_port().to_string(), "1.2.3.4");
}

#[test]
fn kinds() {
    let is = |text: &str| {
        let address: Address = text.parse().unwrap();
        (
            address.is_v4(),
            address.is_localhost(),
            address.is_loopback(),
            address.is_ipv6_all_zeros(),
        )
    };
    assert_eq!(is("127.0.0.1:5"), (true, true, true, false));
    assert_eq!(is("127.0.0.2"), (true, false, true, false));
    assert_eq!(is("[::1]:9"), (false, true, true, false));
    assert_eq!(is("::"), (false, false, false, true));
    assert_eq!(is("0.0.0.0"), (true, false, false, false));
    assert_eq!(is("10.0.0.1"), (true, false, false, false));
}

#[test]
fn socket_addresses_both_ways() {
    let v4: SocketAddr = "1.2.3.4:5".parse().unwrap();
    let v6: SocketAddr = "[2001:db8::1]:5".parse().unwrap();
    let mapped: SocketAddr = "[::ffff:1.2.3.4]:5".parse().unwrap();
    assert_eq!(SocketAddr::from(Address::from(v4)), v4);
    assert_eq!(SocketAddr::from(Address::from(v6)), v6);
    assert_eq!(Address::from(v4), Address::from(mapped));
    assert_eq!(SocketAddr::V6(Address::from(v4).to_socket_addr_v6()), mapped);
}

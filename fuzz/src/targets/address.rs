//! Addresses as text.

use std::net::SocketAddr;

use gamewire_wire::{Address, limits::MAX_ADDRESS_TEXT};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let ours = text.parse::<Address>();
    if let Ok(theirs) = text.parse::<SocketAddr>()
        && text.len() <= MAX_ADDRESS_TEXT
        && !text.contains('%')
    {
        assert_eq!(ours, Ok(Address::from(theirs)), "{text}");
    }
    let Ok(address) = ours else { return };
    for text in [address.display_with_port().to_string(), address.to_string()] {
        assert!(text.len() <= MAX_ADDRESS_TEXT, "{text}");
    }
    let with_port = address.display_with_port().to_string();
    assert_eq!(with_port.parse(), Ok(address), "{with_port}");
    let without_port = address.display_without_port().to_string();
    assert_eq!(without_port.parse(), Ok(address.with_port(0)), "{without_port}");
    assert_eq!(Address::from(address.to_socket_addr()), address);
    assert_eq!(Address::from(SocketAddr::from(address.to_socket_addr_v6())), address);
}

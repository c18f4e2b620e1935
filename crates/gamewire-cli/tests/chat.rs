//! Lines reach everybody, whoever types them.

mod common;

use common::Running;

#[test]
fn the_host_relays_what_guests_say() {
    let mut host = Running::start(&["chat", "--listen", "127.0.0.1:0", "--name", "host"]);
    let address = host.address();
    let guest = |name: &str| {
        let guest = Running::start(&["chat", "--connect", &address, "--name", name]);
        guest.expect("connected to");
        guest
    };
    let mut alice = guest("alice");
    host.expect("* alice joins");
    let bob = guest("bob");
    host.expect("* bob joins");
    alice.expect("* bob joins");

    alice.type_line("hello from alice");
    host.expect("alice: hello from alice");
    bob.expect("alice: hello from alice");
    host.type_line("welcome");
    alice.expect("host: welcome");
    bob.expect("host: welcome");

    alice.type_line("/status");
    let status = alice.expect("ing");
    assert!(!status.is_empty());
    alice.type_line("/dance");
    alice.expect("no command");

    alice.type_line("last words");
    alice.type_line("/quit");
    assert!(alice.finish().success());
    bob.expect("alice: last words");
    host.expect("* alice leaves");
    // At the end of the input a guest goes, too.
    assert!(bob.finish().success());
    host.expect("* bob leaves");
    host.type_line("/quit");
    assert!(host.finish().success());
}

#[test]
fn a_guest_whose_host_leaves_fails() {
    let mut host = Running::start(&["chat", "--listen", "127.0.0.1:0"]);
    let guest = Running::start(&["chat", "--connect", &host.address()]);
    guest.expect("connected to");
    host.type_line("/quit");
    assert!(host.finish().success());
    assert_eq!(guest.wait().code(), Some(1));
}

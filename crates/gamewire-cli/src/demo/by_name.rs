//! The second part of the demonstration: two peers who know of each other nothing but a name.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use gamewire::{ConnectionState, Event, Identity, Options, SendFlags, Sockets};
use gamewire_services::{Hub, HubConfig};

use crate::{
    session::{self, print_line},
    units,
};

/// Messages each way.
const MESSAGES: u8 = 100;
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a hub in this process, lets two peers find each other through it, and has them talk.
pub(super) fn run() -> anyhow::Result<()> {
    let anywhere = "127.0.0.1:0".parse().context("an address")?;
    let hub = Hub::start(HubConfig::development(anywhere)).context("cannot start a hub")?;
    let url = hub.addresses().url();
    let peer = |name: &str| -> anyhow::Result<(Sockets, Identity)> {
        let identity: Identity = name.parse().map_err(|_| anyhow::anyhow!("no identity"))?;
        let options =
            Options { identity: identity.clone(), hub: Some(url.clone()), ..Options::default() };
        Ok((Sockets::new(options)?, identity))
    };
    let ((alice, _), (bob, name_of_bob)) = (peer("str:alice")?, peer("str:bob")?);
    bob.create_listen_socket_p2p(0, &[])?;
    session::wait_for_hub(&bob)?;
    let began = Instant::now();
    let echo = {
        let bob = bob.clone();
        std::thread::spawn(move || echo(&bob))
    };
    let connection = session::connect_peer(&alice, &name_of_bob, 0, &[])?;
    let took = began.elapsed();
    for number in 0..MESSAGES {
        alice.send_message(connection, &[number], SendFlags::RELIABLE_NO_NAGLE)?;
    }
    let mut back = Vec::new();
    while back.len() < usize::from(MESSAGES) && began.elapsed() < PATIENCE {
        let wait = Some(Duration::from_millis(100));
        let messages = alice.wait_messages(connection, 64, wait).context("no connection")?;
        back.extend(messages.iter().filter_map(|message| message.payload.first().copied()));
    }
    let route = session::route(&alice, connection);
    alice.close_connection(connection, 0, "done", true);
    echo.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    ensure!(back.into_iter().eq(0..MESSAGES), "messages by name were lost or out of order");
    print_line(&format!(
        "By name: through a hub in this process alice found bob in {}; {MESSAGES} reliable messages went \
         there and back by a {} route ({}), none lost",
        units::duration(took),
        route.kind,
        route.detail
    ))?;
    Ok(())
}

/// Accepts one connection and sends back what comes.
fn echo(bob: &Sockets) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut current = None;
    let mut left = MESSAGES;
    while left > 0 {
        if began.elapsed() > PATIENCE {
            bail!("alice did not come, or fell silent");
        }
        while let Some(event) = bob.wait_event(Some(Duration::from_millis(10))) {
            if let Event::ConnectionStatusChanged(change) = event
                && change.info.state == ConnectionState::Connecting
            {
                bob.accept_connection(change.connection)?;
                current = Some(change.connection);
            }
        }
        let Some(connection) = current else { continue };
        for message in bob.receive_messages(connection, 64).unwrap_or_default() {
            bob.send_message(connection, &message, SendFlags::RELIABLE_NO_NAGLE)?;
            left -= 1;
        }
    }
    Ok(())
}

//! One connection.

use std::time::Duration;

use anyhow::bail;
use bench_protocol::{Delivery, Link, Workload, link::Sink};
use bytes::Bytes;

use crate::host::{Event, Host, PeerId};

/// Bytes that ENet may hold: some times its window of 64 KiB. It would take any number.
const HELD_BYTES: usize = 1 << 20;

/// See the module.
pub(crate) struct Connection {
    host: Host,
    peer: PeerId,
    urgent: bool,
    most_held: usize,
    early: Vec<Bytes>,
}

impl Connection {
    pub(crate) fn new(host: Host, peer: PeerId, workload: Workload) -> Self {
        let most_held = HELD_BYTES / workload.message_bytes();
        Self { host, peer, urgent: workload.is_urgent(), most_held, early: Vec::new() }
    }
}

/// Hands over what an event brings.
fn take(event: Event, sink: Sink<'_>) -> anyhow::Result<()> {
    match event {
        Event::Received(_, packet) => {
            sink(packet.payload());
            Ok(())
        }
        Event::Connected(_) => Ok(()),
        Event::Ended => bail!("the connection ended"),
    }
}

impl Link for Connection {
    fn send(&mut self, messages: &[Bytes], delivery: Delivery) -> anyhow::Result<usize> {
        let room = self.most_held.saturating_sub(Host::held()).min(messages.len());
        for message in &messages[..room] {
            self.host.send(self.peer, message.clone(), delivery)?;
        }
        if self.urgent {
            self.host.flush();
        }
        Ok(room)
    }

    fn wait_room(&mut self, _: Duration) -> anyhow::Result<()> {
        // Acknowledgements are no events: with a timeout ENet would go on waiting in spite of them.
        if let Some(event) = self.host.service(Duration::ZERO)? {
            let early = &mut self.early;
            take(event, &mut |payload| early.push(Bytes::copy_from_slice(payload)))?;
        }
        Ok(())
    }

    fn receive(&mut self, timeout: Duration, sink: Sink<'_>) -> anyhow::Result<()> {
        if !self.early.is_empty() {
            self.early.drain(..).for_each(|payload| sink(&payload));
            return Ok(());
        }
        let mut event = self.host.service(timeout)?;
        while let Some(next) = event {
            take(next, sink)?;
            event = self.host.next_event()?;
        }
        Ok(())
    }
}

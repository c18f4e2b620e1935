//! One connection, with the calls that block.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bench_protocol::{Delivery, Link, link::Sink};
use bytes::Bytes;
use gamewire::{ConnectionHandle, ConnectionState, Event, Outgoing, SendError, SendFlags, Sockets};

use crate::library;

/// Messages taken at once.
const RECEIVE_BATCH: usize = 4096;

/// See the module.
pub(crate) struct Connection {
    sockets: Sockets,
    connection: ConnectionHandle,
    urgent: bool,
}

impl Connection {
    pub(crate) fn new(sockets: Sockets, connection: ConnectionHandle, urgent: bool) -> Self {
        Self { sockets, connection, urgent }
    }
}

/// The flags of a message.
pub(crate) fn flags(delivery: Delivery, urgent: bool) -> SendFlags {
    match (delivery, urgent) {
        (Delivery::Reliable, false) => SendFlags::RELIABLE,
        (Delivery::Reliable, true) => SendFlags::RELIABLE_NO_NAGLE,
        (Delivery::Unreliable, false) => SendFlags::UNRELIABLE,
        (Delivery::Unreliable, true) => SendFlags::UNRELIABLE_NO_NAGLE,
    }
}

impl Link for Connection {
    fn send(&mut self, messages: &[Bytes], delivery: Delivery) -> anyhow::Result<usize> {
        let flags = flags(delivery, self.urgent);
        let outgoing =
            messages.iter().map(|message| Outgoing::new(self.connection, message.clone(), flags));
        let results = self.sockets.send_messages(outgoing);
        let taken = results.iter().take_while(|result| result.is_ok()).count();
        match results.into_iter().find_map(Result::err) {
            None | Some(SendError::LimitExceeded(_)) => Ok(taken),
            Some(error) => Err(error.into()),
        }
    }

    fn wait_room(&mut self, timeout: Duration) -> anyhow::Result<()> {
        if let Some(Event::ConnectionStatusChanged(change)) = self.sockets.wait_event(Some(timeout))
        {
            library::on_status(&self.sockets, &change)?;
        }
        Ok(())
    }

    fn receive(&mut self, timeout: Duration, sink: Sink<'_>) -> anyhow::Result<()> {
        let messages = self.sockets.wait_messages(self.connection, RECEIVE_BATCH, Some(timeout));
        let messages = messages.context("the connection is closed")?;
        for message in &messages {
            sink(message);
        }
        if messages.is_empty()
            && self.sockets.state(self.connection) != Some(ConnectionState::Connected)
        {
            bail!("the connection has ended");
        }
        Ok(())
    }
}

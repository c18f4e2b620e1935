//! One connection.

use std::{ffi::c_int, time::Duration};

use bench_protocol::{Delivery, Link, link::Sink};
use bytes::Bytes;

use crate::{endpoint, library::Library};

/// `k_nSteamNetworkingSend_*`.
const NO_NAGLE: i32 = 1;
const RELIABLE: i32 = 8;
const USE_CURRENT_THREAD: i32 = 16;

/// See the module.
pub(crate) struct Connection {
    library: Library,
    connection: u32,
    urgent: bool,
}

impl Connection {
    pub(crate) fn new(library: Library, connection: u32, urgent: bool) -> Self {
        Self { library, connection, urgent }
    }

    fn look_for_changes(&self) -> anyhow::Result<()> {
        while let Some(change) = self.library.next_change() {
            endpoint::on_change(&self.library, &change)?;
        }
        Ok(())
    }
}

/// The flags of a message.
pub(crate) fn flags(delivery: Delivery, urgent: bool) -> i32 {
    let reliable = if delivery == Delivery::Reliable { RELIABLE } else { 0 };
    let at_once = if urgent { NO_NAGLE | USE_CURRENT_THREAD } else { 0 };
    reliable | at_once
}

/// Whole milliseconds, rounded down: better early than late.
pub(crate) fn whole_ms(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

impl Link for Connection {
    fn send(&mut self, messages: &[Bytes], delivery: Delivery) -> anyhow::Result<usize> {
        let flags = flags(delivery, self.urgent);
        self.library.send(self.connection, flags, messages.iter().map(|message| &message[..]))
    }

    fn wait_room(&mut self, _: Duration) -> anyhow::Result<()> {
        // There is no event for room; a millisecond frees some at any rate worth measuring.
        self.library.poll(1);
        self.look_for_changes()
    }

    fn receive(&mut self, timeout: Duration, sink: Sink<'_>) -> anyhow::Result<()> {
        let mut received = false;
        for message in self.library.receive() {
            sink(message.payload());
            received = true;
        }
        if !received {
            self.library.poll(whole_ms(timeout));
            self.look_for_changes()?;
            self.library.receive().for_each(|message| sink(message.payload()));
        }
        Ok(())
    }
}

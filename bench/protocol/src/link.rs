//! What a peer's library must do for the workloads.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

use crate::{crowd::Crowd, plan::Plan};

/// What is promised about a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It arrives once, in order.
    Reliable,
    /// It may be lost.
    Unreliable,
}

/// Takes received messages.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]);

/// One end of one connection.
pub trait Link {
    /// Messages that are handed to [`Link::send`] in one call where the workload has many.
    const BATCH: usize = 64;

    /// Hands messages over in order, and says how many were taken. Does not wait for room.
    ///
    /// # Errors
    /// The connection has ended.
    fn send(&mut self, messages: &[Bytes], delivery: Delivery) -> anyhow::Result<usize>;

    /// Waits until more messages may be taken, at most `timeout`.
    ///
    /// # Errors
    /// The connection has ended.
    fn wait_room(&mut self, timeout: Duration) -> anyhow::Result<()>;

    /// Waits for messages, at most `timeout`, and hands those that are there to `sink`.
    ///
    /// # Errors
    /// The connection has ended.
    fn receive(&mut self, timeout: Duration, sink: Sink<'_>) -> anyhow::Result<()>;
}

/// A library as a whole.
pub trait Endpoint: Sized {
    /// One connection.
    type Link: Link;
    /// Many connections.
    type Crowd: Crowd;

    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// The library says no.
    fn listen(plan: &Plan) -> anyhow::Result<(Self, SocketAddr)>;

    /// Waits for one connection.
    ///
    /// # Errors
    /// None came.
    fn accept(self) -> anyhow::Result<Self::Link>;

    /// Connects, and waits until messages may be sent.
    ///
    /// # Errors
    /// Nobody answered.
    fn connect(address: SocketAddr, plan: &Plan) -> anyhow::Result<Self::Link>;

    /// Serves any number of connections.
    ///
    /// # Errors
    /// The library says no.
    fn serve_crowd(self) -> anyhow::Result<Self::Crowd>;

    /// A client that will open many connections.
    ///
    /// # Errors
    /// The library says no.
    fn join_crowd(address: SocketAddr, plan: &Plan) -> anyhow::Result<Self::Crowd>;
}

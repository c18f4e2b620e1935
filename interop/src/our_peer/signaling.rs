//! Signals as lines.

use gamewire::{
    ConnectionHandle, ConnectionInfo, ConnectionSignaling, Identity, SignalingRecvContext, Sockets,
};
use serde_json::{Value, json};

use super::{
    Output,
    session::{Closing, OnRequest},
};
use crate::content;

/// The virtual port of sessions with users, whose connections are the library's own.
const SESSIONS: i32 = 0x7fff_ffff;

/// A channel: what is sent becomes an event.
pub(super) struct Channel {
    pub(super) output: Output,
    pub(super) identity: Option<String>,
}

impl ConnectionSignaling for Channel {
    fn send_signal(
        &self,
        connection: ConnectionHandle,
        _info: &ConnectionInfo,
        signal: &[u8],
    ) -> bool {
        emit(&self.output, connection.to_raw(), self.identity.as_deref(), signal);
        true
    }
}

fn emit(output: &Output, connection: u32, identity: Option<&str>, signal: &[u8]) {
    output.emit(&json!({
        "event": "signal", "connection": connection, "identity": identity,
        "data": content::to_hex(signal),
    }));
}

/// What is said to one signal that came.
pub(super) struct Context<'a> {
    pub(super) sockets: &'a Sockets,
    pub(super) output: &'a Output,
    pub(super) on_request: &'a OnRequest,
    /// Who asked, for the reply.
    pub(super) requests: Vec<Value>,
    /// Requests that were given a channel.
    pub(super) taken: Vec<ConnectionHandle>,
}

impl SignalingRecvContext for Context<'_> {
    fn on_connect_request(
        &mut self,
        connection: ConnectionHandle,
        peer: &Identity,
        local_virtual_port: i32,
    ) -> Option<Box<dyn ConnectionSignaling>> {
        self.requests.push(json!({
            "connection": connection.to_raw(), "identity": peer.to_string(),
            "virtual_port": local_virtual_port,
        }));
        match self.on_request {
            OnRequest::Offer => {}
            OnRequest::Accept => {
                if let Err(error) = self.sockets.accept_connection(connection) {
                    eprintln!("cannot accept at once: {error}");
                }
            }
            OnRequest::Reject(Closing { reason, debug, .. }) => {
                self.sockets.close_connection(connection, *reason, debug, false);
                return None;
            }
            OnRequest::Ignore => return None,
        }
        if local_virtual_port != SESSIONS {
            self.taken.push(connection);
        }
        let identity = Some(peer.to_string());
        Some(Box::new(Channel { output: self.output.clone(), identity }))
    }

    fn send_rejection_signal(&mut self, peer: &Identity, signal: &[u8]) {
        emit(self.output, 0, Some(&peer.to_string()), signal);
    }
}

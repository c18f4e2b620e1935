//! The peer while the library runs: one turn of the loop, and every command that needs the library.

mod peers;

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use gns_sys::ESteamNetworkingConnectionState as State;
use serde_json::{Value, json};

use crate::content;
use crate::describe;
use crate::inbox::Inbox;
use crate::library::{Library, RECEIVE_BATCH, RESULT_OK, StateChange};
use crate::message::{Message, Route};
use crate::outbox::{Announce, Outbox};
use crate::output::Sink;
use crate::protocol::{AcceptPolicy, Closing, Command, MAX_MESSAGE_BYTES, Request};

use self::peers::Peers;

/// Receive calls in one turn, before sending and commands get their turn.
const RECEIVE_ROUNDS: usize = 16;

/// Echoes that wait for a full send buffer; beyond it messages stay in the library.
const ECHO_BACKLOG: u64 = 4096;

/// Flags of an echoed reliable message: reliable, no Nagle.
const ECHO_RELIABLE: i32 = 9;

/// Flags of an echoed unreliable message: no Nagle.
const ECHO_UNRELIABLE: i32 = 1;

/// The library and everything that hangs on it. Fields drop in order: the library last.
pub(crate) struct Session {
    outbox: Outbox,
    inbox: Inbox,
    policy: AcceptPolicy,
    peers: Peers,
    /// Lanes that we configured, by connection; one where there is no entry.
    lanes: BTreeMap<u32, usize>,
    library: Library,
}

impl Session {
    pub(crate) fn new(library: Library) -> Self {
        Self {
            outbox: Outbox::default(),
            inbox: Inbox::new(),
            policy: AcceptPolicy::Accept,
            peers: Peers::new(),
            lanes: BTreeMap::new(),
            library,
        }
    }

    /// Runs callbacks, receives and sends. Returns whether there is more to do at once.
    pub(crate) fn turn(&mut self, sink: &mut impl Sink) -> bool {
        for change in self.library.run_callbacks() {
            self.on_state_change(&change, sink);
        }
        let peers = self.turn_of_peers(sink);
        let receiving = self.receive(sink);
        let sending = self.outbox.pump(&self.library, sink);
        peers || receiving || sending
    }

    fn on_state_change(&mut self, change: &StateChange, sink: &mut impl Sink) {
        let connection = change.connection;
        let state = change.info.m_eState;
        if describe::is_over(state) && !self.inbox.is_holding() {
            // What arrived before the end is reported before the end.
            self.drain(connection, sink);
        }
        let mut event = describe::info(&change.info);
        if let Some(fields) = event.as_object_mut() {
            fields.remove("state");
            fields.insert("event".into(), "state".into());
            fields.insert("connection".into(), connection.into());
            fields.insert("old".into(), describe::state_name(change.old).into());
            fields.insert("new".into(), describe::state_name(state).into());
        }
        sink.emit(event);
        if state == State::k_ESteamNetworkingConnectionState_None {
            self.lanes.remove(&connection);
        }
        let came_in = { change.info.m_hListenSocket } != 0 || self.peers.has_requested(connection);
        if state == State::k_ESteamNetworkingConnectionState_Connecting && came_in {
            self.library.join_poll_group(connection);
            self.on_incoming(connection, sink);
        }
    }

    fn on_incoming(&mut self, connection: u32, sink: &mut impl Sink) {
        match &self.policy {
            AcceptPolicy::Accept => {
                let result = self.library.accept(connection);
                sink.emit(json!({"event": "accepted", "connection": connection, "result": result}));
            }
            AcceptPolicy::Reject(Closing { reason, debug, .. }) => {
                self.library.close(connection, *reason, debug, false);
                sink.emit(json!({"event": "rejected", "connection": connection}));
            }
            AcceptPolicy::Ignore => {}
        }
    }

    fn receive(&mut self, sink: &mut impl Sink) -> bool {
        for _ in 0..RECEIVE_ROUNDS {
            let echo_is_full = self.inbox.is_echoing() && self.outbox.unsent() >= ECHO_BACKLOG;
            if self.inbox.is_holding() || echo_is_full {
                return false;
            }
            let messages = self.library.receive();
            let full = messages.len() == RECEIVE_BATCH;
            self.take_all(messages, sink);
            if !full {
                return false;
            }
        }
        true
    }

    /// Takes everything that one connection still holds. It is over, so the queue only shrinks.
    fn drain(&mut self, connection: u32, sink: &mut impl Sink) {
        loop {
            let messages = self.library.receive_from(connection);
            if messages.is_empty() {
                return;
            }
            self.take_all(messages, sink);
        }
    }

    fn take_all(&mut self, messages: Vec<Message>, sink: &mut impl Sink) {
        for message in messages {
            self.inbox.take(&message, sink);
            if self.inbox.is_echoing() {
                self.echo(&message, sink);
            }
        }
    }

    fn echo(&mut self, message: &Message, sink: &mut impl Sink) {
        let (connection, lane) = (message.connection(), message.lane());
        if self.outbox.is_closing(connection) {
            return;
        }
        let wanted = usize::from(lane) + 1;
        if wanted > self.lane_count(connection) {
            let result = self.configure_lanes(connection, &vec![0; wanted], None);
            if !matches!(result, Ok(RESULT_OK)) {
                let problem = format!("echo cannot have {wanted} lanes: {result:?}");
                sink.emit(json!({
                    "event": "send_error", "connection": connection, "lane": lane, "error": problem,
                }));
                return;
            }
        }
        let flags = if message.is_reliable() { ECHO_RELIABLE } else { ECHO_UNRELIABLE };
        let data = message.payload().to_vec();
        self.outbox.push_literal(Route { connection, lane, flags }, data, Announce::FailureOnly);
    }

    fn lane_count(&self, connection: u32) -> usize {
        self.lanes.get(&connection).copied().unwrap_or(1)
    }

    fn configure_lanes(
        &mut self,
        connection: u32,
        priorities: &[i32],
        weights: Option<&[u16]>,
    ) -> Result<i32> {
        let result = self.library.configure_lanes(connection, priorities, weights)?;
        if result == RESULT_OK {
            self.lanes.insert(connection, priorities.len());
        }
        Ok(result)
    }

    /// Carries out a command; the reply's fields beyond `reply`, `ok` and `id`. A field `ok` wins.
    pub(crate) fn execute(&mut self, request: Request) -> Result<Value> {
        let Request { id, command, .. } = request;
        match command {
            Command::Init { .. } => Err(anyhow!("already initialised")),
            Command::Quit => Ok(json!({})),
            Command::Identity => Ok(json!({"identity": self.library.identity()})),
            Command::CertificateRequest => {
                Ok(json!({"data": content::to_hex(&self.library.certificate_request()?)}))
            }
            Command::SetCertificate { certificate } => {
                self.library.set_certificate(&certificate).map(|()| json!({}))
            }
            Command::Config { scope, setting } => {
                self.library.set_config(scope, &setting).map(|()| json!({}))
            }
            Command::ReceiveMode(mode) => {
                self.inbox.set_mode(mode);
                Ok(json!({}))
            }
            Command::VerifyReport => {
                self.inbox.verify_report().ok_or_else(|| anyhow!("not in mode verify"))
            }
            Command::Stats => {
                Ok(json!({"connections": self.inbox.stats(), "unsent": self.outbox.unsent()}))
            }
            command => self.execute_on_object(command, id),
        }
    }

    /// Commands about one listen socket or connection.
    fn execute_on_object(&mut self, command: Command, id: Option<Value>) -> Result<Value> {
        match command {
            Command::Listen { address, options } => {
                let socket = self.library.listen(&address, &options)?;
                Ok(json!({"socket": socket, "address": self.library.listen_address(socket)}))
            }
            Command::CloseListen { socket } => Ok(json!({"ok": self.library.close_listen(socket)})),
            Command::Connect { address, options } => {
                Ok(json!({"connection": self.library.connect(&address, &options)?}))
            }
            Command::AutoAccept(policy) => {
                self.policy = policy;
                Ok(json!({}))
            }
            Command::Accept { connection } => Ok(result_fields(self.library.accept(connection))),
            Command::Close { connection, closing } => Ok(self.close(connection, closing, id)),
            Command::Lanes { connection, priorities, weights } => {
                self.configure_lanes(connection, &priorities, weights.as_deref()).map(result_fields)
            }
            Command::Flush { connection } => Ok(result_fields(self.library.flush(connection))),
            Command::Status { connection, lanes } => self.status(connection, lanes),
            Command::Detailed { connection } => {
                Ok(json!({"text": self.library.detailed_status(connection)?}))
            }
            Command::Peers(command) => self.execute_on_peers(command),
            Command::Users(command) => self.execute_on_users(command),
            command => self.execute_send(command, id),
        }
    }

    fn execute_send(&mut self, command: Command, id: Option<Value>) -> Result<Value> {
        match command {
            Command::Send(run) => {
                self.check_sendable(run.route.connection)?;
                let count = run.count;
                self.outbox.push_run(run, Announce::Sent(id));
                Ok(json!({"count": count}))
            }
            Command::SendHex { route, data } => {
                self.check_sendable(route.connection)?;
                ensure!(data.len() <= MAX_MESSAGE_BYTES, "more than {MAX_MESSAGE_BYTES} bytes");
                self.outbox.push_literal(route, data, Announce::Sent(id));
                Ok(json!({"count": 1}))
            }
            other => unreachable!("{other:?} is carried out elsewhere"),
        }
    }

    fn check_sendable(&self, connection: u32) -> Result<()> {
        ensure!(self.library.info(connection).is_some(), "no such connection");
        ensure!(!self.outbox.is_closing(connection), "the connection is being closed");
        Ok(())
    }

    fn close(&mut self, connection: u32, closing: Closing, id: Option<Value>) -> Value {
        let unsent = self.outbox.unsent_on(connection);
        if closing.linger && unsent > 0 {
            self.outbox.close_when_empty(connection, closing, id);
            return json!({"deferred": true, "unsent": unsent});
        }
        self.outbox.discard(connection);
        self.lanes.remove(&connection);
        let Closing { reason, debug, linger } = closing;
        let closed = self.library.close(connection, reason, &debug, linger);
        json!({"ok": closed, "deferred": false, "unsent": unsent})
    }

    fn status(&self, connection: u32, lanes: Option<usize>) -> Result<Value> {
        let info = self.library.info(connection).ok_or_else(|| anyhow!("no such connection"))?;
        let lanes = lanes.unwrap_or_else(|| self.lane_count(connection));
        ensure!(lanes <= crate::library::MAX_LANES, "more lanes than there can be");
        let mut reply = json!({
            "connection": connection,
            "info": describe::info(&info),
            "unsent": self.outbox.unsent_on(connection),
        });
        match self.library.real_time_status(connection, lanes) {
            Ok(status) => reply["real_time"] = describe::real_time(&status),
            Err(result) => reply["real_time_result"] = result.into(),
        }
        Ok(reply)
    }
}

/// The reply to a call that returns an EResult.
fn result_fields(result: i32) -> Value {
    json!({"ok": result == RESULT_OK, "result": result})
}

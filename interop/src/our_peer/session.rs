//! The peer while the library runs.

use std::{collections::BTreeSet, sync::Arc, thread, time::Duration};

use anyhow::{Context as _, anyhow, bail, ensure};
use gamewire::{
    ConnectionHandle, ConnectionState, Event, Identity, Message, Options, Outgoing,
    PollGroupHandle, ScopeObject, SendError, SignalingMaker, Sockets, StatusChanged, UserSendError,
};
use serde_json::{Value, json};

use super::{
    Output, commands, describe,
    signaling::{Channel, Context},
};
use crate::verify::{Report, Verifier};

/// Messages taken at once.
const BATCH: usize = 256;
/// How long a sender waits for room before it is an error.
const SEND_PATIENCE: Duration = Duration::from_secs(20);
/// `k_EResultOK` and why not.
const RESULT_OK: i32 = 1;

/// How a connection is closed.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    pub(super) reason: i32,
    pub(super) debug: String,
    pub(super) linger: bool,
}

/// What to do with a request while the library asks about it.
#[derive(Clone, Debug)]
pub(super) enum OnRequest {
    Offer,
    Accept,
    Reject(Closing),
    Ignore,
}

/// What to do with a connection that came in.
#[derive(Clone, Debug)]
enum AcceptPolicy {
    Accept,
    Reject(Closing),
    Ignore,
}

/// What to do with messages.
#[derive(Debug)]
enum Receiving {
    Report,
    Verify { verifier: Box<Verifier>, announced: BTreeSet<(u16, bool)> },
    Echo,
}

/// The library and what the driver said.
#[derive(Debug)]
pub(super) struct Session {
    sockets: Arc<Sockets>,
    group: PollGroupHandle,
    output: Output,
    policy: AcceptPolicy,
    on_request: OnRequest,
    receiving: Receiving,
    /// Came in by signal.
    requested: BTreeSet<ConnectionHandle>,
    channels: Vec<i32>,
    accepts_sessions: bool,
}

impl Session {
    pub(super) fn open(command: &Value, output: Output) -> anyhow::Result<(Self, Value)> {
        let mut options = Options::default();
        if let Some(identity) = command["identity"].as_str() {
            options.identity = identity.parse().with_context(|| identity.to_owned())?;
        }
        let sockets = Sockets::new(options)?;
        let group = sockets.create_poll_group().context("no poll group")?;
        let lines = output.clone();
        sockets.set_signaling_maker(Some(SignalingMaker::new(move |peer, _, _| {
            Some(Box::new(Channel { output: lines.clone(), identity: Some(peer.to_string()) }))
        })));
        let identity = sockets.identity().map(|identity| identity.to_string());
        let session = Self {
            sockets: Arc::new(sockets),
            group,
            output,
            policy: AcceptPolicy::Accept,
            on_request: OnRequest::Offer,
            receiving: Receiving::Report,
            requested: BTreeSet::new(),
            channels: Vec::new(),
            accepts_sessions: true,
        };
        Ok((session, json!({"identity": identity})))
    }

    /// Reports what happened and what came.
    pub(super) fn turn(&mut self) {
        while let Some(event) = self.sockets.poll_event() {
            match event {
                Event::ConnectionStatusChanged(change) => self.on_change(&change),
                Event::MessagesSessionRequest { peer } => self.on_session_request(&peer),
                Event::MessagesSessionFailed(info) => {
                    let mut line = describe::info(&info);
                    line["event"] = "session_failed".into();
                    self.output.emit(&line);
                }
                _ => {}
            }
        }
        while let Some(messages) = self.sockets.receive_messages_on_poll_group(self.group, BATCH)
            && !messages.is_empty()
        {
            self.take_all(&messages);
        }
        for &channel in &self.channels {
            for message in self.sockets.receive_messages_on_channel(channel, BATCH) {
                let mut line = describe::message(&message.message, &message.message.payload);
                line["event"] = "user_message".into();
                line["identity"] = message.peer().to_string().into();
                line["channel"] = message.channel.into();
                self.output.emit(&line);
            }
        }
    }

    fn on_change(&mut self, change: &StatusChanged) {
        let connection = change.connection;
        let state = change.info.state;
        if matches!(state, ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally)
        {
            // What arrived before the end is reported before the end.
            while let Some(messages) = self.sockets.receive_messages(connection, BATCH)
                && !messages.is_empty()
            {
                self.take_all(&messages);
            }
        }
        let mut line = describe::info(&change.info);
        line["event"] = "state".into();
        line["connection"] = connection.to_raw().into();
        line["old"] = describe::state_name(change.old_state).into();
        line["new"] = line["state"].take();
        self.output.emit(&line);
        let came_in = change.info.listen_socket.is_some() || self.requested.contains(&connection);
        if state == ConnectionState::Connecting && came_in {
            self.on_incoming(connection);
        }
    }

    fn on_incoming(&self, connection: ConnectionHandle) {
        self.sockets.set_connection_poll_group(connection, Some(self.group));
        match &self.policy {
            AcceptPolicy::Accept => {
                let accepted = self.sockets.accept_connection(connection);
                self.output.emit(&json!({
                    "event": "accepted", "connection": connection.to_raw(),
                    "result": if accepted.is_ok() { RESULT_OK } else { 11 },
                }));
            }
            AcceptPolicy::Reject(Closing { reason, debug, .. }) => {
                self.sockets.close_connection(connection, *reason, debug, false);
                self.output.emit(&json!({"event": "rejected", "connection": connection.to_raw()}));
            }
            AcceptPolicy::Ignore => {}
        }
    }

    fn on_session_request(&self, peer: &Identity) {
        let identity = peer.to_string();
        self.output.emit(&json!({"event": "session_request", "identity": identity}));
        if self.accepts_sessions {
            let accepted = self.sockets.accept_session_with_user(peer);
            self.output.emit(&json!({
                "event": "session_accepted", "identity": identity, "accepted": accepted,
            }));
        }
    }

    fn take_all(&mut self, messages: &[Message]) {
        for message in messages {
            match &mut self.receiving {
                Receiving::Report => {
                    let mut line = describe::message(message, &message.payload);
                    line["event"] = "message".into();
                    line["connection"] = message.connection.to_raw().into();
                    line["lane"] = message.lane.into();
                    self.output.emit(&line);
                }
                Receiving::Verify { verifier, announced } => {
                    verifier.record(message);
                    for report in verifier.completed() {
                        if announced.insert((report.lane, report.reliable)) {
                            self.output
                                .emit(&json!({"event": "verified", "run": report.to_json()}));
                        }
                    }
                }
                Receiving::Echo => self.echo(message),
            }
        }
    }

    fn echo(&self, message: &Message) {
        let flags = if message.reliable { 9 } else { 1 };
        let flags = gamewire::SendFlags::from_bits(flags);
        let outgoing = Outgoing::new(message.connection, message.payload.clone(), flags);
        if let Err(error) = self.sockets.send(outgoing) {
            eprintln!("cannot echo: {error}");
        }
    }

    /// Carries out a command; the fields of its reply.
    pub(super) fn execute(&mut self, name: &str, command: &Value) -> anyhow::Result<Value> {
        match name {
            "config" => self.config(command),
            "listen_p2p" => {
                let port = commands::integer(command, "virtual_port", 0)?;
                let options = commands::options(command)?;
                let socket = self.sockets.create_listen_socket_p2p(port, &options)?;
                Ok(json!({"socket": socket.to_raw()}))
            }
            "connect_p2p" => self.connect(command),
            "signal" => self.signal(command),
            "on_request" => {
                self.on_request = commands::on_request(command)?;
                Ok(json!({}))
            }
            "auto_accept" => {
                self.policy = match commands::text(command, "mode")? {
                    "accept" => AcceptPolicy::Accept,
                    "reject" => AcceptPolicy::Reject(commands::closing(command)?),
                    "ignore" => AcceptPolicy::Ignore,
                    other => bail!("no mode {other}: accept, reject or ignore"),
                };
                Ok(json!({}))
            }
            "receive_mode" => self.receive_mode(command),
            "verify_report" => self.verify_report(),
            _ if name.starts_with("user_") => self.execute_on_user(name, command),
            _ => self.execute_on_connection(name, command),
        }
    }

    fn config(&self, command: &Value) -> anyhow::Result<Value> {
        ensure!(command["scope"] == "global", "only the global scope is known here");
        let config = commands::setting(commands::text(command, "name")?, &command["value"])?;
        let scope = ScopeObject::Global;
        self.sockets.set_config_value(scope, config.id(), Some(config.data()))?;
        Ok(json!({}))
    }

    fn connect(&self, command: &Value) -> anyhow::Result<Value> {
        let port = commands::integer(command, "virtual_port", 0)?;
        let options = commands::options(command)?;
        let name = command["identity"].as_str();
        let identity = name.map(str::parse::<Identity>).transpose().context("identity")?;
        let connection = match command["channel"].as_str().unwrap_or("custom") {
            "custom" => {
                let identity_text = name.map(str::to_owned);
                let channel = Channel { output: self.output.clone(), identity: identity_text };
                self.sockets.connect_p2p_custom_signaling(
                    Box::new(channel),
                    identity.as_ref(),
                    port,
                    &options,
                )?
            }
            "default" => {
                let peer = identity.context("the default channel needs an identity")?;
                self.sockets.connect_p2p(&peer, port, &options)?
            }
            other => bail!("no channel {other}: custom or default"),
        };
        self.sockets.set_connection_poll_group(connection, Some(self.group));
        Ok(json!({"connection": connection.to_raw()}))
    }

    fn signal(&mut self, command: &Value) -> anyhow::Result<Value> {
        let signal = commands::bytes(command)?;
        let mut context = Context {
            sockets: &self.sockets,
            output: &self.output,
            on_request: &self.on_request,
            requests: Vec::new(),
            taken: Vec::new(),
        };
        let taken = self.sockets.received_p2p_custom_signal(&signal, &mut context);
        let Context { requests, taken: new, .. } = context;
        for connection in &new {
            // What comes for connections is not for sessions with users.
            self.sockets.set_connection_poll_group(*connection, Some(self.group));
        }
        self.requested.extend(new);
        Ok(json!({"taken": taken, "requests": requests}))
    }

    fn receive_mode(&mut self, command: &Value) -> anyhow::Result<Value> {
        self.receiving = match commands::text(command, "mode")? {
            "report" => Receiving::Report,
            "echo" => Receiving::Echo,
            "verify" => {
                let verifier = Box::new(Verifier::new(&commands::expectations(command)?));
                Receiving::Verify { verifier, announced: BTreeSet::new() }
            }
            other => bail!("no mode {other}: report, echo or verify"),
        };
        Ok(json!({}))
    }

    fn verify_report(&self) -> anyhow::Result<Value> {
        let Receiving::Verify { verifier, .. } = &self.receiving else {
            bail!("not in mode verify")
        };
        let runs: Vec<Value> = verifier.runs().map(Report::to_json).collect();
        Ok(json!({"unexpected": verifier.unexpected(), "runs": runs}))
    }

    fn execute_on_connection(&self, name: &str, command: &Value) -> anyhow::Result<Value> {
        let number = command["connection"].as_u64().and_then(|number| u32::try_from(number).ok());
        let connection = number.and_then(ConnectionHandle::from_raw).context("no connection")?;
        match name {
            "accept" => {
                self.sockets.accept_connection(connection)?;
                Ok(json!({"result": RESULT_OK}))
            }
            "close" => {
                let Closing { reason, debug, linger } = commands::closing(command)?;
                let closed = self.sockets.close_connection(connection, reason, &debug, linger);
                Ok(json!({"ok": closed, "deferred": false}))
            }
            "send" => self.send(connection, command),
            "status" => {
                let info =
                    self.sockets.connection_info(connection).context("no such connection")?;
                let (status, _) = self.sockets.real_time_status(connection, 0)?;
                let ping = status.ping_ms.map_or(-1, i64::from);
                Ok(json!({"info": describe::info(&info), "real_time": {"ping_ms": ping}}))
            }
            "detailed" => {
                let status = self.sockets.detailed_connection_status(connection);
                Ok(json!({"text": status.context("no such connection")?.to_string()}))
            }
            _ => Err(anyhow!("no such command")),
        }
    }

    /// Sends on a thread of its own, which waits wherever there is no room.
    fn send(&self, connection: ConnectionHandle, command: &Value) -> anyhow::Result<Value> {
        let batch = commands::Batch::read(command)?;
        let (sockets, output) = (self.sockets.clone(), self.output.clone());
        let id = command.get("id").cloned();
        thread::spawn(move || {
            let mut accepted = 0_u64;
            for payload in batch.messages() {
                let message = Outgoing {
                    lane: batch.lane,
                    ..Outgoing::new(connection, payload, batch.flags)
                };
                if let Err(error) = sockets.send_wait(message, Some(SEND_PATIENCE)) {
                    return output.emit(&send_error(connection, accepted, &error));
                }
                accepted += 1;
            }
            output.emit(&json!({
                "event": "sent", "connection": connection.to_raw(), "accepted": accepted, "id": id,
            }));
        });
        Ok(json!({}))
    }

    fn execute_on_user(&mut self, name: &str, command: &Value) -> anyhow::Result<Value> {
        match name {
            "user_channels" => {
                let list = command["channels"].as_array().context("channels is missing")?;
                let channel = |value: &Value| value.as_i64().and_then(|it| i32::try_from(it).ok());
                self.channels = list.iter().filter_map(channel).collect();
                return Ok(json!({}));
            }
            "user_on_session" => {
                self.accepts_sessions = command["mode"] == "accept";
                return Ok(json!({}));
            }
            _ => {}
        }
        let identity: Identity = commands::text(command, "identity")?.parse()?;
        let channel = commands::integer(command, "channel", 0)?;
        let sockets = &self.sockets;
        Ok(match name {
            "user_send" => self.send_to_user(&identity, channel, command)?,
            "user_accept" => json!({"ok": sockets.accept_session_with_user(&identity)}),
            "user_close" => json!({"ok": sockets.close_session_with_user(&identity)}),
            "user_close_channel" => {
                json!({"ok": sockets.close_channel_with_user(&identity, channel)})
            }
            "user_status" => match sockets.session_connection_info(&identity) {
                Some((info, _)) => json!({"session": true, "info": describe::info(&info)}),
                None => json!({"session": false, "info": {"state": "none"}}),
            },
            _ => bail!("no such command"),
        })
    }

    /// Until the first refusal.
    fn send_to_user(
        &self,
        identity: &Identity,
        channel: i32,
        command: &Value,
    ) -> anyhow::Result<Value> {
        let batch = commands::Batch::read(command)?;
        let mut accepted = 0_u64;
        for payload in batch.messages() {
            let sent = self.sockets.send_message_to_user(identity, &payload, batch.flags, channel);
            if let Err(error) = sent {
                let result = result_of(error);
                return Ok(json!({"ok": false, "result": result, "accepted": accepted}));
            }
            accepted += 1;
        }
        Ok(json!({"result": RESULT_OK, "accepted": accepted}))
    }
}

/// Valve's EResult for it.
const fn result_of(error: UserSendError) -> i32 {
    match error {
        UserSendError::Invalid => 8,
        UserSendError::SessionBroken => 35,
        UserSendError::LimitExceeded => 25,
        UserSendError::Ignored => 41,
        UserSendError::NoSession => 2,
    }
}

fn send_error(connection: ConnectionHandle, accepted: u64, error: &SendError) -> Value {
    json!({
        "event": "send_error", "connection": connection.to_raw(), "accepted": accepted,
        "result": error.to_result_code(), "error": error.to_string(),
    })
}

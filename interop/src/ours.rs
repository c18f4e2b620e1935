//! Our side: one instance of our library, one connection, and every wait with a deadline.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use gamewire::{
    Config, ConnectionHandle, ConnectionInfo, ConnectionState, Event, LaneConfig, Message, Options,
    Outgoing, ScopeObject, SendError, SendFlags, Sockets, StatusChanged, TrustStore,
};

use crate::{
    driver::free_port,
    runs::{Plan, Run},
    stage::Host,
    verify::{Report, Verifier},
};

/// A configuration value by Valve's name, as both sides understand it.
pub type Setting = (&'static str, i64);

/// Ports tried before a listen socket counts as impossible.
const PORT_ATTEMPTS: usize = 16;
/// Events that are kept to be shown when a cell fails.
const KEPT_EVENTS: usize = 20;
/// Messages taken at once.
const BATCH: usize = 256;
/// After so long without a message it is looked at whether the connection still lives.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Our half of a stage.
#[derive(Debug)]
pub struct Ours {
    /// The instance.
    pub sockets: Sockets,
    /// The connection, once there is one.
    pub connection: Option<ConnectionHandle>,
    events: VecDeque<StatusChanged>,
    log: VecDeque<String>,
    deadline: Instant,
}

/// How our side is made.
#[derive(Clone, Debug, Default)]
pub struct OurSetup {
    /// Our identity; `None`: the library's default.
    pub identity: Option<String>,
    /// Roots that we believe.
    pub trust: TrustStore,
    /// Values of the global scope.
    pub global: Vec<Setting>,
    /// Options of the connection or the listen socket.
    pub options: Vec<Setting>,
}

/// Options as our library takes them.
///
/// # Errors
/// A name is unknown.
pub fn config(settings: &[Setting]) -> anyhow::Result<Vec<Config>> {
    let parse = |(name, value): &Setting| Ok(format!("{name}={value}").parse::<Config>()?);
    settings.iter().map(parse).collect()
}

impl Ours {
    /// Starts an instance.
    ///
    /// # Errors
    /// The library refuses.
    pub fn open(setup: &OurSetup, deadline: Instant) -> anyhow::Result<Self> {
        let mut options = Options { trust: setup.trust.clone(), ..Options::default() };
        if let Some(identity) = &setup.identity {
            options.identity = identity.parse().with_context(|| identity.clone())?;
        }
        let sockets = Sockets::new(options)?;
        let (events, log) = (VecDeque::new(), VecDeque::new());
        let ours = Self { sockets, connection: None, events, log, deadline };
        ours.set_global(&setup.global)?;
        Ok(ours)
    }

    /// Sets values of the global scope, which hold at once.
    ///
    /// # Errors
    /// A value is unknown or refused.
    pub fn set_global(&self, settings: &[Setting]) -> anyhow::Result<()> {
        for config in config(settings)? {
            self.sockets.set_config_value(ScopeObject::Global, config.id(), Some(config.data()))?;
        }
        Ok(())
    }

    /// Listens on a free port and returns the address to connect to.
    ///
    /// # Errors
    /// The library refuses.
    pub fn listen(&mut self, host: Host, options: &[Setting]) -> anyhow::Result<SocketAddr> {
        let options = config(options)?;
        let mut last = anyhow!("no port");
        for _ in 0..PORT_ATTEMPTS {
            let address = free_port(host)?;
            let bind = host.listen_address(address.port());
            match self.sockets.create_listen_socket_ip(bind, &options) {
                Ok(_) => return Ok(address),
                Err(error) => last = error.into(),
            }
        }
        Err(last.context("our side cannot listen"))
    }

    /// Begins to connect.
    ///
    /// # Errors
    /// The library refuses.
    pub fn connect(&mut self, address: SocketAddr, options: &[Setting]) -> anyhow::Result<()> {
        let connection = self.sockets.connect_by_ip_address(address, &config(options)?)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Our connection.
    ///
    /// # Errors
    /// There is none yet.
    pub fn handle(&self) -> anyhow::Result<ConnectionHandle> {
        self.connection.context("our side has no connection")
    }

    /// Waits until somebody wants in. It becomes our connection, and is not accepted yet.
    ///
    /// # Errors
    /// Nobody comes in time.
    pub fn incoming(&mut self) -> anyhow::Result<ConnectionInfo> {
        let change = self.status("an incoming connection", |change| {
            change.info.state == ConnectionState::Connecting && change.info.listen_socket.is_some()
        })?;
        self.connection = Some(change.connection);
        Ok(change.info)
    }

    /// Waits until our connection is in a state. Another end than the one waited for is an error at
    /// once.
    ///
    /// # Errors
    /// It does not come to it, or ends otherwise.
    pub fn state(&mut self, state: ConnectionState) -> anyhow::Result<ConnectionInfo> {
        let connection = self.handle()?;
        let ended = |state| {
            matches!(state, ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally)
        };
        let change = self.status(&format!("{state:?}"), |change| {
            change.connection == connection
                && (change.info.state == state || ended(change.info.state))
        })?;
        let info = change.info;
        if info.state != state {
            bail!("our connection ended, waited for {state:?}: {}", describe_end(&info));
        }
        Ok(info)
    }

    fn status(
        &mut self,
        what: &str,
        fits: impl Fn(&StatusChanged) -> bool,
    ) -> anyhow::Result<StatusChanged> {
        if let Some(position) = self.events.iter().position(&fits) {
            return self.events.remove(position).context("just found");
        }
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let event = self.sockets.wait_event(Some(left));
            let event = event.with_context(|| format!("our side: no {what} in time"))?;
            // Senders wait by themselves; authentication shows in the connection.
            if let Event::ConnectionStatusChanged(change) = event {
                self.remember(&change);
                if fits(&change) {
                    return Ok(*change);
                }
                self.events.push_back(*change);
            }
        }
    }

    fn remember(&mut self, change: &StatusChanged) {
        if self.log.len() == KEPT_EVENTS {
            self.log.pop_front();
        }
        let StatusChanged { connection, info, old_state, .. } = change;
        let end = describe_end(info);
        self.log.push_back(format!("{connection} {old_state:?} -> {:?} {end}", info.state));
    }

    /// Asks for as many lanes as the plan needs; one lane is there already.
    ///
    /// # Errors
    /// The library refuses.
    pub fn configure_lanes(&self, lanes: &[LaneConfig]) -> anyhow::Result<()> {
        Ok(self.sockets.configure_connection_lanes(self.handle()?, lanes)?)
    }

    /// Hands a plan over to the library: the runs in turn, then the messages that mark their end.
    /// Waits wherever the library has no room.
    ///
    /// # Errors
    /// The library refuses a message for good, or has no room in time.
    pub fn send(&self, plan: &Plan) -> anyhow::Result<()> {
        let mut next = vec![0; plan.runs.len()];
        let mut left = true;
        while left {
            left = false;
            for (run, next) in plan.runs.iter().zip(&mut next) {
                if *next < plan.first_part(run) {
                    self.send_one(run, *next)?;
                    *next += 1;
                    left = true;
                }
            }
        }
        let marked = plan.runs.iter().filter(|run| plan.first_part(run) < run.count);
        marked.into_iter().try_for_each(|run| self.send_one(run, run.count - 1))
    }

    fn send_one(&self, run: &Run, index: u64) -> anyhow::Result<()> {
        let payload = run.message(index);
        let connection = self.handle()?;
        let message =
            Outgoing { lane: run.lane, ..Outgoing::new(connection, payload, run.send_flags()) };
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.sockets.send_wait(message, Some(left)) {
            Ok(_) => Ok(()),
            Err(SendError::LimitExceeded(_)) => bail!("our send buffer stays full"),
            Err(error) => bail!("our side cannot send message {index} of {run:?}: {error}"),
        }
    }

    /// Sends one message of its own making on lane 0.
    ///
    /// # Errors
    /// The library refuses.
    pub fn send_bytes(&self, payload: &[u8], flags: SendFlags) -> anyhow::Result<()> {
        self.sockets.send_message(self.handle()?, payload, flags)?;
        Ok(())
    }

    /// Receives until every reliable message of the plan is there, and reports.
    ///
    /// # Errors
    /// They do not come, or something comes that nobody sent.
    pub fn receive(&self, plan: &Plan) -> anyhow::Result<Vec<Report>> {
        let mut verifier = Verifier::new(plan);
        while !verifier.is_complete() {
            let messages = self.messages();
            let so_far = || format!("so far: {:?}", verifier.reports());
            for message in messages.with_context(so_far)? {
                verifier.record(&message);
            }
        }
        verifier.reports()
    }

    /// The messages that come next, at least one.
    ///
    /// # Errors
    /// None comes in time, or none can come any more.
    pub fn messages(&self) -> anyhow::Result<Vec<Message>> {
        let connection = self.handle()?;
        loop {
            // Looked at first: what came before the end can still be received after it.
            let alive = self.sockets.state(connection) == Some(ConnectionState::Connected);
            let left = self.deadline.saturating_duration_since(Instant::now());
            let messages =
                self.sockets.wait_messages(connection, BATCH, Some(left.min(LOOK_EVERY)));
            let messages = messages.context("our connection is gone")?;
            if !messages.is_empty() {
                return Ok(messages);
            }
            if !alive {
                let info = self.sockets.connection_info(connection);
                let end = info.as_ref().map(describe_end);
                bail!("our connection ended while messages were missing: {end:?}");
            }
            ensure!(!left.is_zero(), "our side: messages are missing");
        }
    }

    /// Closes our connection.
    ///
    /// # Errors
    /// There is none.
    pub fn close(&mut self, reason: i32, debug: &str, linger: bool) -> anyhow::Result<()> {
        let connection = self.handle()?;
        let closed = self.sockets.close_connection(connection, reason, debug, linger);
        ensure!(closed, "our library knows no connection {connection}");
        Ok(())
    }

    /// The newest events and all that is known of the connection.
    pub fn diagnosis(&self) -> String {
        let events: String = self.log.iter().map(|line| format!("  {line}\n")).collect();
        let connection = self.connection;
        let status =
            connection.and_then(|connection| self.sockets.detailed_connection_status(connection));
        let status = status.map_or_else(|| "no connection\n".to_owned(), |s| s.to_string());
        format!("our events:\n{events}our status:\n{status}")
    }
}

fn describe_end(info: &ConnectionInfo) -> String {
    format!("{:?} {:?}", info.end_reason, info.end_debug)
}

//! One instance of our library and one process with Valve's, and the connection between them.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, ensure};
use gamewire::{ConnectionInfo, ConnectionState, LaneConfig};
use serde_json::{Map, Value, json};

use crate::{
    driver::PeerProcess,
    ours::{OurSetup, Ours, Setting},
    runs::Plan,
    verify::{self, Report},
};

/// How long the peer may take to answer questions about a cell that has failed.
const DIAGNOSIS_TIME: Duration = Duration::from_secs(2);

/// Who opens the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// We connect to Valve's listen socket.
    WeConnect,
    /// Valve's library connects to our listen socket.
    ValveConnects,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::WeConnect, Self::ValveConnects];

    /// The word for it in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WeConnect => "we connect",
            Self::ValveConnects => "Valve connects",
        }
    }
}

/// Over which addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Host {
    /// 127.0.0.1.
    #[default]
    V4,
    /// ::1.
    V6,
    /// 127.0.0.1, where our listen socket is bound to `[::]`.
    V4ToDualStack,
}

impl Host {
    /// Where the initiator connects to.
    pub const fn ip(self) -> IpAddr {
        match self {
            Self::V4 | Self::V4ToDualStack => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Self::V6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
        }
    }

    /// What a listen socket is bound to.
    pub const fn listen_address(self, port: u16) -> SocketAddr {
        let ip = match self {
            Self::V4 | Self::V6 => self.ip(),
            Self::V4ToDualStack => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(ip, port)
    }
}

/// How Valve's side is made.
#[derive(Clone, Debug, Default)]
pub struct ValveSetup {
    /// Its identity; `None`: none.
    pub identity: Option<String>,
    /// Values of the global scope.
    pub global: Vec<Setting>,
    /// Options of the connection or the listen socket.
    pub options: Vec<Setting>,
}

/// How both sides are made.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Over which addresses.
    pub host: Host,
    /// Our side.
    pub ours: OurSetup,
    /// Valve's side.
    pub valve: ValveSetup,
}

impl Setup {
    /// With identities, and else the defaults.
    pub fn plain() -> Self {
        let mut setup = Self::default();
        setup.ours.identity = Some("str:gamewire".to_owned());
        setup.valve.identity = Some("str:valve".to_owned());
        setup
    }

    /// With the same options on both sides.
    pub fn with_options(options: &[Setting]) -> Self {
        let mut setup = Self::plain();
        setup.ours.options = options.to_vec();
        setup.valve.options = options.to_vec();
        setup
    }
}

/// See the module.
#[derive(Debug)]
pub struct Stage {
    /// Who opens the connection.
    pub role: Role,
    /// How both sides were made.
    pub setup: Setup,
    /// Our side.
    pub ours: Ours,
    /// Valve's side.
    pub valve: PeerProcess,
    /// Valve's connection; null until there is one.
    pub valve_connection: Value,
    /// When every wait ends.
    pub deadline: Instant,
}

/// What both sides say of a connection that has just been made.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Ours.
    pub ours: ConnectionInfo,
    /// Valve's event.
    pub valve: Value,
}

/// What arrived on both sides.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Of ours, at Valve's side.
    pub at_valve: Vec<Report>,
    /// Of Valve's, at our side.
    pub at_ours: Vec<Report>,
}

impl Exchange {
    /// Messages, payload and losses in words.
    pub fn figures(&self) -> String {
        let of = |reports: &[Report]| {
            let messages: u64 = reports.iter().map(|report| report.received).sum();
            let bytes: u64 = reports.iter().map(|report| report.bytes).sum();
            let lost: u64 = reports.iter().map(|report| report.missing).sum();
            format!("{messages} messages {:.2} MB {lost} lost", bytes as f64 / 1e6)
        };
        format!("out: {}; in: {}", of(&self.at_valve), of(&self.at_ours))
    }
}

impl Stage {
    /// Starts both sides; nothing is connected yet.
    ///
    /// # Errors
    /// One side cannot be made.
    pub fn open(setup: &Setup, role: Role, deadline: Instant) -> anyhow::Result<Self> {
        let ours = Ours::open(&setup.ours, deadline).context("our side")?;
        let mut valve = PeerProcess::start(setup.valve.identity.as_deref(), deadline)?;
        for (name, value) in &setup.valve.global {
            set_valve_global(&mut valve, name, *value)?;
        }
        let setup = setup.clone();
        Ok(Self { role, setup, ours, valve, valve_connection: Value::Null, deadline })
    }

    /// One side listens, the other one begins to connect.
    ///
    /// # Errors
    /// One refuses.
    pub fn dial(&mut self) -> anyhow::Result<()> {
        let valve_options = options_object(&self.setup.valve.options);
        match self.role {
            Role::WeConnect => {
                let address = self.valve.listen(self.setup.host, &valve_options)?;
                self.ours.connect(address, &self.setup.ours.options)
            }
            Role::ValveConnects => {
                let address = self.ours.listen(self.setup.host, &self.setup.ours.options)?;
                let command = json!({
                    "cmd": "connect", "address": address.to_string(), "options": valve_options,
                });
                self.valve_connection = self.valve.ok(command)?["connection"].clone();
                Ok(())
            }
        }
    }

    /// Connects, and waits until both sides say so.
    ///
    /// # Errors
    /// They do not.
    pub fn connect(&mut self) -> anyhow::Result<Connected> {
        self.dial()?;
        if self.role == Role::ValveConnects {
            self.ours.incoming()?;
            let connection = self.ours.handle()?;
            self.ours.sockets.accept_connection(connection).context("our side accepts")?;
        }
        let ours = self.ours.state(ConnectionState::Connected)?;
        let valve = self.valve.state("connected")?;
        self.valve_connection = valve["connection"].clone();
        Ok(Connected { ours, valve })
    }

    /// Sends both plans at once and checks content, order and count on both sides. Of the unreliable
    /// messages `tolerated_loss` (0…1) may be missing.
    ///
    /// # Errors
    /// What is wrong.
    pub fn exchange(
        &mut self,
        out: &Plan,
        back: &Plan,
        tolerated_loss: f64,
    ) -> anyhow::Result<Exchange> {
        let lanes = vec![LaneConfig::default(); out.lanes()];
        if lanes.len() > 1 {
            self.ours.configure_lanes(&lanes)?;
        }
        let priorities = vec![0; back.lanes()];
        if priorities.len() > 1 {
            self.valve_lanes(&priorities, &[])?;
        }
        self.transfer(out, back, tolerated_loss)
    }

    /// As [`Stage::exchange`], over lanes that are configured already.
    ///
    /// # Errors
    /// What is wrong.
    pub fn transfer(
        &mut self,
        out: &Plan,
        back: &Plan,
        tolerated_loss: f64,
    ) -> anyhow::Result<Exchange> {
        self.expect_at_valve(out)?;
        self.send_from_valve(back)?;
        let ours = &self.ours;
        let at_ours = thread::scope(|scope| {
            let sender = scope.spawn(|| ours.send(out));
            let received = ours.receive(back);
            let sent = sender.join().map_err(|_| anyhow!("our sender panicked"))?;
            sent.and(received)
        })?;
        let at_valve = self.arrived_at_valve(out)?;
        verify::check("ours", &at_ours, tolerated_loss)?;
        verify::check("Valve's", &at_valve, tolerated_loss)?;
        Ok(Exchange { at_valve, at_ours })
    }

    /// Tells Valve's side what will come.
    ///
    /// # Errors
    /// It refuses.
    pub fn expect_at_valve(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let expect: Vec<Value> = plan.runs.iter().map(|run| run.expectation()).collect();
        self.valve.ok(json!({"cmd": "receive_mode", "mode": "verify", "expect": expect}))?;
        Ok(())
    }

    /// Has Valve's side send a plan.
    ///
    /// # Errors
    /// It refuses.
    pub fn send_from_valve(&mut self, plan: &Plan) -> anyhow::Result<()> {
        for run in plan.runs.iter().filter(|run| plan.first_part(run) > 0) {
            self.valve.ok(run.command(&self.valve_connection, 0, plan.first_part(run)))?;
        }
        // The peer keeps the order of each lane.
        for run in plan.runs.iter().filter(|run| plan.first_part(run) < run.count) {
            self.valve.ok(run.command(&self.valve_connection, run.count - 1, 1))?;
        }
        Ok(())
    }

    /// Waits until all that is reliable arrived at Valve's side, and asks for its report.
    ///
    /// # Errors
    /// It does not arrive, or something arrives that nobody sent.
    pub fn arrived_at_valve(&mut self, plan: &Plan) -> anyhow::Result<Vec<Report>> {
        for run in plan.runs.iter().filter(|run| run.reliable) {
            let verified = self.valve.event("verified run", |event| {
                let of = &event["run"];
                let ended = event["event"] == "state"
                    && (event["new"] == "problem_detected_locally"
                        || event["new"] == "closed_by_peer");
                ended
                    || event["event"] == "verified"
                        && of["lane"] == run.lane
                        && of["reliable"] == true
            });
            let ended = |event: &Value| event["event"] == "state";
            if verified.as_ref().map_or(true, ended) {
                let report = self.valve_report();
                let event = verified?;
                anyhow::bail!("Valve's connection ended: {event}; so far: {report:?}");
            }
        }
        self.valve_report()
    }

    /// What Valve's side has of what it expects.
    ///
    /// # Errors
    /// Something arrived that nobody sent.
    pub fn valve_report(&mut self) -> anyhow::Result<Vec<Report>> {
        verify::reports_of_peer(&self.valve.ok(json!({"cmd": "verify_report"}))?)
    }

    /// Configures Valve's lanes; no weights: all the same.
    ///
    /// # Errors
    /// It refuses.
    pub fn valve_lanes(&mut self, priorities: &[i32], weights: &[u16]) -> anyhow::Result<()> {
        let weights = if weights.is_empty() { Value::Null } else { json!(weights) };
        self.valve.ok(json!({
            "cmd": "lanes", "connection": self.valve_connection,
            "priorities": priorities, "weights": weights,
        }))?;
        Ok(())
    }

    /// Valve's `status`.
    ///
    /// # Errors
    /// It refuses.
    pub fn valve_status(&mut self) -> anyhow::Result<Value> {
        self.valve.ok(json!({"cmd": "status", "connection": self.valve_connection}))
    }

    /// Has Valve's side close its connection.
    ///
    /// # Errors
    /// It refuses.
    pub fn close_valve(&mut self, reason: i32, debug: &str, linger: bool) -> anyhow::Result<()> {
        self.valve.ok(json!({
            "cmd": "close", "connection": self.valve_connection,
            "reason": reason, "debug": debug, "linger": linger,
        }))?;
        Ok(())
    }

    /// Sets a value of Valve's global scope.
    ///
    /// # Errors
    /// It refuses.
    pub fn set_valve_global(&mut self, name: &str, value: i64) -> anyhow::Result<()> {
        set_valve_global(&mut self.valve, name, value)
    }

    /// Whether the connection still stands on both sides.
    ///
    /// # Errors
    /// It does not.
    pub fn still_connected(&mut self) -> anyhow::Result<()> {
        let ours = self.ours.sockets.state(self.ours.handle()?);
        ensure!(ours == Some(ConnectionState::Connected), "our side is {ours:?} in the end");
        let valve = self.valve_status()?;
        ensure!(valve["info"]["state"] == "connected", "Valve's side in the end: {valve}");
        Ok(())
    }

    /// What both sides know, for whoever asks why a cell failed.
    pub fn diagnosis(&mut self) -> String {
        self.valve.set_deadline(Instant::now() + DIAGNOSIS_TIME);
        let detailed = match &self.valve_connection {
            Value::Null => Ok(json!({"text": "no connection"})),
            connection => self.valve.ask(json!({"cmd": "detailed", "connection": connection})),
        };
        let detailed = match detailed {
            Ok(answer) => answer["text"].as_str().unwrap_or("none").to_owned(),
            Err(error) => error.to_string(),
        };
        format!(
            "{}Valve's lines:\n{}Valve's status:\n{detailed}\n",
            self.ours.diagnosis(),
            self.valve.last_lines(),
        )
    }
}

fn set_valve_global(valve: &mut PeerProcess, name: &str, value: i64) -> anyhow::Result<()> {
    let command = json!({"cmd": "config", "scope": "global", "name": name, "value": value});
    valve.ok(command).map(drop)
}

fn options_object(settings: &[Setting]) -> Value {
    let pairs = settings.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

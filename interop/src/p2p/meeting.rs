//! Two processes that are to find each other.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::{Map, Value, json};

use super::post::{Post, Weather};
use crate::{
    driver::{LOG_VARIABLE, Launch, Library, PeerProcess},
    lab::Home,
    runs::Plan,
    verify::{self, Report},
};

/// How long a process may take to answer questions about a cell that has failed.
const DIAGNOSIS_TIME: Duration = Duration::from_secs(2);
/// What `P2P_Transport_ICE_Implementation` calls Valve's own ICE client.
const NATIVE_ICE: i64 = 1;

/// The kind of route that a side says it uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Route {
    /// Within one network.
    Local,
    /// From address to address.
    Direct,
    /// By a TURN server.
    Relayed,
}

impl Route {
    /// The word for it in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Direct => "direct",
            Self::Relayed => "relayed",
        }
    }

    /// What the `info` of a connection says.
    fn of(info: &Value) -> Self {
        let has = |flag: &str| {
            info["flag_names"].as_array().is_some_and(|names| names.iter().any(|it| it == flag))
        };
        if has("relayed") {
            Self::Relayed
        } else if has("fast") {
            Self::Local
        } else {
            Self::Direct
        }
    }
}

/// How one side is made.
#[derive(Clone, Debug)]
pub struct SideSetup {
    /// Whose library.
    pub library: Library,
    /// Its identity.
    pub identity: &'static str,
    /// Options of the connection and of the listen socket.
    pub options: Map<String, Value>,
}

/// One side.
#[derive(Debug)]
pub struct Side {
    /// How it was made.
    pub setup: SideSetup,
    /// The process.
    pub peer: PeerProcess,
    /// Its connection; null until there is one.
    pub connection: Value,
    _home: Home,
}

/// See the module.
#[derive(Debug)]
pub struct Meeting {
    /// Who asks; in symmetric meetings who asks first.
    pub initiator: Side,
    /// Who is asked.
    pub acceptor: Side,
    /// The way of signals.
    pub post: Post,
}

impl Side {
    fn start(
        setup: SideSetup,
        home: Home,
        (post, number): (&Post, usize),
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        let library = setup.library;
        let command = home.command(&library.program()?);
        let tap = post.tap(number);
        let mut peer = PeerProcess::launch(Launch { library, command, deadline, tap })?;
        post.deliver_to(number, peer.input());
        let mut init = json!({"cmd": "init", "identity": setup.identity});
        if let Some(level) = log_level() {
            init["log_level"] = level.into();
        }
        peer.ok(init)?;
        // Not an option of connections in ours: values of the global scope hold for requests that
        // no listen socket takes.
        for (name, value) in &setup.options {
            peer.ok(json!({"cmd": "config", "scope": "global", "name": name, "value": value}))?;
        }
        if library == Library::Valve {
            let name = "P2P_Transport_ICE_Implementation";
            let value = NATIVE_ICE;
            peer.ok(json!({"cmd": "config", "scope": "global", "name": name, "value": value}))?;
            if let Some(level) = log_level() {
                let name = "LogLevel_P2PRendezvous";
                let value = level;
                peer.ok(json!({"cmd": "config", "scope": "global", "name": name, "value": value}))?;
            }
        }
        Ok(Self { setup, peer, connection: Value::Null, _home: home })
    }

    /// Whose library and which identity, for messages.
    fn name(&self) -> &'static str {
        self.setup.library.peer_name()
    }

    /// Begins to connect to an identity.
    ///
    /// # Errors
    /// The library refuses.
    pub fn connect(&mut self, to: &str, fields: &Value) -> anyhow::Result<()> {
        let mut command = json!({"cmd": "connect_p2p", "identity": to});
        if let (Some(command), Some(fields)) = (command.as_object_mut(), fields.as_object()) {
            command.extend(fields.clone());
        }
        self.connection = self.peer.ok(command)?["connection"].clone();
        Ok(())
    }

    /// Waits until the connection is in a state; an end that nobody waits for is an error at once.
    ///
    /// # Errors
    /// It does not come to it.
    pub fn state(&mut self, new: &str) -> anyhow::Result<Value> {
        let event = self.peer.state(new)?;
        if self.connection.is_null() {
            self.connection = event["connection"].clone();
        }
        Ok(event)
    }

    /// Tells the side what will come.
    ///
    /// # Errors
    /// It refuses.
    pub fn expect(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let expect: Vec<Value> = plan.runs.iter().map(|run| run.expectation()).collect();
        self.peer.ok(json!({"cmd": "receive_mode", "mode": "verify", "expect": expect}))?;
        Ok(())
    }

    /// Has the side send a plan. What marks the end of unreliable runs goes last.
    ///
    /// # Errors
    /// It refuses.
    pub fn send(&mut self, plan: &Plan) -> anyhow::Result<()> {
        for run in plan.runs.iter().filter(|run| plan.first_part(run) > 0) {
            self.peer.ok(run.command(&self.connection, 0, plan.first_part(run)))?;
            self.handed_over()?;
        }
        for run in plan.runs.iter().filter(|run| plan.first_part(run) < run.count) {
            self.peer.ok(run.command(&self.connection, run.count - 1, 1))?;
            self.handed_over()?;
        }
        Ok(())
    }

    fn handed_over(&mut self) -> anyhow::Result<()> {
        let event = self
            .peer
            .event("sent", |event| event["event"] == "sent" || event["event"] == "send_error")?;
        ensure!(event["event"] == "sent", "{} cannot send: {event}", self.name());
        Ok(())
    }

    /// Waits until all that is reliable arrived, and asks what did.
    ///
    /// # Errors
    /// It does not arrive, or something arrives that nobody sent.
    pub fn arrived(&mut self, plan: &Plan) -> anyhow::Result<Vec<Report>> {
        for _ in plan.runs.iter().filter(|run| run.reliable) {
            let event = self.peer.event("verified run", |event| {
                let ended =
                    event["new"] == "problem_detected_locally" || event["new"] == "closed_by_peer";
                event["event"] == "state" && ended
                    || event["event"] == "verified" && event["run"]["reliable"] == true
            });
            let lost = event.as_ref().map_or(true, |event| event["event"] == "state");
            if lost {
                let so_far = self.peer.ok(json!({"cmd": "verify_report"}));
                bail!("at {}: {event:?}; so far: {so_far:?}", self.name());
            }
        }
        verify::reports_of_peer(&self.peer.ok(json!({"cmd": "verify_report"}))?)
    }

    /// What the side says about its connection.
    ///
    /// # Errors
    /// It knows none.
    pub fn info(&mut self) -> anyhow::Result<Value> {
        let status = self.peer.ok(json!({"cmd": "status", "connection": self.connection}))?;
        Ok(status["info"].clone())
    }

    /// The route that it says it uses.
    ///
    /// # Errors
    /// It is not connected.
    pub fn route(&mut self) -> anyhow::Result<Route> {
        let info = self.info()?;
        ensure!(info["state"] == "connected", "{} is not connected: {info}", self.name());
        Ok(Route::of(&info))
    }

    /// Closes the connection.
    ///
    /// # Errors
    /// There is none.
    pub fn close(&mut self, reason: i32, debug: &str, linger: bool) -> anyhow::Result<()> {
        self.peer.ok(json!({
            "cmd": "close", "connection": self.connection, "reason": reason, "debug": debug,
            "linger": linger,
        }))?;
        Ok(())
    }

    /// Waits for the end and checks its reason.
    ///
    /// # Errors
    /// It comes otherwise.
    pub fn ends(&mut self, state: &str, reason: i32, debug: &str) -> anyhow::Result<()> {
        let event = self.peer.event("the end", |event| {
            event["event"] == "state"
                && ["closed_by_peer", "problem_detected_locally"]
                    .iter()
                    .any(|end| event["new"] == *end)
        })?;
        let as_said = event["new"] == state
            && event["end_reason"] == reason
            && (debug.is_empty() || event["end_debug"] == debug);
        ensure!(as_said, "at {}: waited for {state} {reason} {debug:?}, got {event}", self.name());
        Ok(())
    }

    fn diagnosis(&mut self) -> String {
        self.peer.set_deadline(Instant::now() + DIAGNOSIS_TIME);
        let detailed = match &self.connection {
            Value::Null => Ok(json!({"text": "no connection"})),
            connection => self.peer.ask(json!({"cmd": "detailed", "connection": connection})),
        };
        let detailed = match detailed {
            Ok(answer) => answer["text"].as_str().unwrap_or("none").to_owned(),
            Err(error) => error.to_string(),
        };
        format!(
            "{} ({}), lines:\n{}status:\n{detailed}\n",
            self.setup.identity,
            self.name(),
            self.peer.last_lines()
        )
    }
}

impl Meeting {
    /// Starts both processes, each in its home; nothing is connected yet.
    ///
    /// # Errors
    /// One cannot be started.
    pub fn open(
        setups: [SideSetup; 2],
        homes: (Home, Home),
        weather: Weather,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        let post = Post::open(weather, 0x5eed);
        let [first, second] = setups;
        let initiator = Side::start(first, homes.0, (&post, 0), deadline)?;
        let acceptor = Side::start(second, homes.1, (&post, 1), deadline)?;
        Ok(Self { initiator, acceptor, post })
    }

    /// The initiator asks; the acceptor does what it was told to.
    ///
    /// # Errors
    /// The library refuses.
    pub fn dial(&mut self) -> anyhow::Result<()> {
        let to = self.acceptor.setup.identity;
        self.initiator.connect(to, &json!({}))
    }

    /// Waits until both sides are connected.
    ///
    /// # Errors
    /// They do not get there.
    pub fn connected(&mut self) -> anyhow::Result<()> {
        for side in [&mut self.initiator, &mut self.acceptor] {
            let event = side.state("connected")?;
            side.connection = event["connection"].clone();
        }
        Ok(())
    }

    /// Sends a plan both ways at once and checks content, order and count. Of what is unreliable
    /// `tolerated_loss` (0…1) may be missing.
    ///
    /// # Errors
    /// What is wrong.
    pub fn exchange(&mut self, plan: &Plan, tolerated_loss: f64) -> anyhow::Result<()> {
        let sides = [&mut self.initiator, &mut self.acceptor];
        let [one, other] = sides;
        one.expect(plan)?;
        other.expect(plan)?;
        thread::scope(|scope| {
            let sending = scope.spawn(|| one.send(plan));
            let sent = other.send(plan);
            let also = sending.join().map_err(|_| anyhow!("a sender panicked"))?;
            sent.and(also)
        })?;
        for side in [&mut self.initiator, &mut self.acceptor] {
            let reports = side.arrived(plan)?;
            verify::check(side.name(), &reports, tolerated_loss)?;
        }
        Ok(())
    }

    /// The routes of both sides, the initiator's first, once both have settled on `wanted`: the
    /// first route that works may be replaced by a better one.
    ///
    /// # Errors
    /// They do not.
    pub fn routes(&mut self) -> anyhow::Result<[Route; 2]> {
        Ok([self.initiator.route()?, self.acceptor.route()?])
    }

    /// Waits until both sides use a kind of route.
    ///
    /// # Errors
    /// They do not within `patience`.
    pub fn settles_on(&mut self, wanted: Route, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let routes = self.routes()?;
            if routes == [wanted; 2] {
                return Ok(());
            }
            let names = routes.map(Route::name);
            ensure!(Instant::now() < deadline, "routes are {names:?}, not {}", wanted.name());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Both routes and the addresses, in words.
    ///
    /// # Errors
    /// A side is not connected.
    pub fn describe_routes(&mut self) -> anyhow::Result<String> {
        let [one, other] = self.routes()?;
        if one == other {
            return Ok(one.name().to_owned());
        }
        Ok(format!("{}/{}", one.name(), other.name()))
    }

    /// Signals that a library called malformed or suspicious are a failure wherever they occur.
    ///
    /// # Errors
    /// There were some.
    pub fn no_signal_was_refused(&self) -> anyhow::Result<()> {
        let refused = self.post.tally.refused();
        ensure!(refused == 0, "{refused} signals were refused");
        Ok(())
    }

    /// What both sides know.
    pub fn diagnosis(&mut self) -> String {
        format!("{}{}", self.initiator.diagnosis(), self.acceptor.diagnosis())
    }
}

fn log_level() -> Option<u8> {
    env::var(LOG_VARIABLE).ok()?.parse().ok()
}

/// Options as both libraries take them.
///
/// # Panics
/// `options` is no object.
pub fn options(options: &Value) -> Map<String, Value> {
    options.as_object().context("an object").expect("options are an object").clone()
}

//! Many connections, each of which has a message echoed many times a second.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;

use crate::{
    clock, message,
    plan::Plan,
    report::{Figures, figures},
};

/// How often each connection sends.
const INTERVAL: Duration = Duration::from_millis(50);
/// Handshakes that may be under way at once.
const MAX_OPENING: usize = 64;
/// How long all handshakes together may take.
const OPENING_LIMIT: Duration = Duration::from_secs(60);
/// How often the client looks which connections are due.
const TICK: Duration = Duration::from_millis(1);
/// How much longer than the server the client goes on.
const SLACK: Duration = Duration::from_millis(500);

/// The connections of one process.
pub trait Crowd {
    /// Starts one more connection. Servers are never asked.
    ///
    /// # Errors
    /// The library says no.
    fn open(&mut self) -> anyhow::Result<()>;

    /// How many connections stand.
    fn connected(&self) -> usize;

    /// Waits for something to happen, at most `timeout`, and hands over what came: the connection,
    /// counted from 0 in the order in which they came to stand, and the message.
    ///
    /// # Errors
    /// A connection has ended.
    fn turn(&mut self, timeout: Duration, sink: &mut dyn FnMut(usize, &[u8]))
    -> anyhow::Result<()>;

    /// Sends a message unreliably and at once. One that finds no room is lost.
    ///
    /// # Errors
    /// The connection has ended.
    fn send(&mut self, connection: usize, message: Bytes) -> anyhow::Result<()>;
}

/// Server: echoes, and tells its processor time and memory.
pub(crate) fn serve(crowd: &mut impl Crowd, plan: &Plan) -> anyhow::Result<Figures> {
    let empty_bytes = clock::resident_bytes();
    let mut received: Vec<(usize, Bytes)> = Vec::new();
    let start = Instant::now();
    while crowd.connected() < plan.connections {
        echo(crowd, &mut received, TICK)?;
        ensure!(start.elapsed() < OPENING_LIMIT, "only {} connected", crowd.connected());
    }
    let warm = Instant::now();
    while warm.elapsed() < plan.warm_up() {
        echo(crowd, &mut received, TICK)?;
    }
    let (opened, cpu_s, mut echoed) = (Instant::now(), clock::process_cpu_s(), 0);
    while opened.elapsed() < plan.window() {
        echoed += echo(crowd, &mut received, 10 * TICK)?;
    }
    let window_s = opened.elapsed().as_secs_f64();
    let cpu_share = (clock::process_cpu_s() - cpu_s) / window_s;
    let grown =
        clock::resident_bytes().zip(empty_bytes).map(|(full, empty)| full.saturating_sub(empty));
    let mut figures =
        figures([("receiver_cpu_share", cpu_share), ("echoes_per_s", echoed as f64 / window_s)]);
    if let Some(grown) = grown {
        figures.insert("bytes_per_connection".into(), grown as f64 / plan.connections as f64);
    }
    Ok(figures)
}

/// One turn; how many messages were sent back.
pub(crate) fn echo(
    crowd: &mut impl Crowd,
    received: &mut Vec<(usize, Bytes)>,
    timeout: Duration,
) -> anyhow::Result<usize> {
    crowd.turn(timeout, &mut |connection, payload| {
        received.push((connection, Bytes::copy_from_slice(payload)));
    })?;
    let count = received.len();
    for (connection, payload) in received.drain(..) {
        crowd.send(connection, payload)?;
    }
    Ok(count)
}

/// Client: opens all connections, then sends through warm-up and window.
pub(crate) fn drive(crowd: &mut impl Crowd, plan: &Plan) -> anyhow::Result<Figures> {
    let opening_s = open_all(crowd, plan.connections)?;
    let mut rounds = Rounds::new(plan);
    rounds.go_on(crowd, plan.warm_up())?;
    let (cpu_s, echoed, sent) = (clock::process_cpu_s(), rounds.echoed, rounds.sent);
    let start = Instant::now();
    rounds.go_on(crowd, plan.window())?;
    let window_s = start.elapsed().as_secs_f64();
    let cpu_share = (clock::process_cpu_s() - cpu_s) / window_s;
    let (echoed, sent) = ((rounds.echoed - echoed) as f64, (rounds.sent - sent) as f64);
    rounds.go_on(crowd, SLACK)?;
    Ok(figures([
        ("handshakes_per_s", plan.connections as f64 / opening_s),
        ("sender_cpu_share", cpu_share),
        ("lost_messages", (1.0 - echoed / sent).max(0.0)),
    ]))
}

/// How long it took, in seconds.
fn open_all(crowd: &mut impl Crowd, count: usize) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut opened = 0;
    while crowd.connected() < count {
        while opened < count && opened - crowd.connected() < MAX_OPENING {
            crowd.open()?;
            opened += 1;
        }
        crowd.turn(TICK, &mut |_, _| {})?;
        ensure!(start.elapsed() < OPENING_LIMIT, "only {} connected", crowd.connected());
    }
    Ok(start.elapsed().as_secs_f64())
}

/// The client's side of the echoes.
struct Rounds {
    size: usize,
    connections: u64,
    start: Instant,
    sent: u64,
    echoed: u64,
}

impl Rounds {
    fn new(plan: &Plan) -> Self {
        Self {
            size: plan.workload.message_bytes(),
            connections: plan.connections as u64,
            start: Instant::now(),
            sent: 0,
            echoed: 0,
        }
    }

    /// Messages that should have been sent by now: the connections take turns evenly.
    fn due(&self) -> u64 {
        let rounds = self.start.elapsed().as_secs_f64() / INTERVAL.as_secs_f64();
        (rounds * self.connections as f64) as u64
    }

    fn go_on(&mut self, crowd: &mut impl Crowd, duration: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + duration;
        let mut problem = None;
        while Instant::now() < until {
            while self.sent < self.due() {
                let connection = (self.sent % self.connections) as usize;
                crowd.send(connection, message::single(self.size, self.sent, 0))?;
                self.sent += 1;
            }
            let next = Instant::now() + TICK;
            while Instant::now() < next {
                // A whole tick: some libraries know no shorter times, and would spin.
                crowd.turn(TICK, &mut |_, payload| match message::read(payload, self.size) {
                    Ok(_) => self.echoed += 1,
                    Err(error) => problem = Some(error),
                })?;
            }
            if let Some(problem) = problem {
                return Err(problem);
            }
        }
        Ok(())
    }
}

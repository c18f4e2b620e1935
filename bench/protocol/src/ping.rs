//! One message there and back at a time.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;

use crate::{
    clock,
    link::{Delivery, Link},
    message::{self, BYE, END},
    plan::Plan,
    quantiles::Quantiles,
    report::{Figures, figures},
    stream::{self, PATIENCE},
};

/// An unreliable message that has not come back by then is lost.
const LOST_AFTER: Duration = Duration::from_millis(500);
/// Longest wait of the server in one call into the library.
const TURN: Duration = Duration::from_millis(100);

/// Client: sends, waits for the answer, again and again.
pub(crate) fn ping(link: &mut impl Link, plan: &Plan) -> anyhow::Result<Figures> {
    let (size, delivery) = (plan.workload.message_bytes(), plan.workload.delivery());
    let mut round_trips = Quantiles::default();
    let (mut sent, mut lost) = (0_u64, 0_u64);
    let start = Instant::now();
    let mut cpu_s = None;
    while start.elapsed() < plan.warm_up() + plan.window() {
        let counts = start.elapsed() >= plan.warm_up();
        if counts && cpu_s.is_none() {
            cpu_s = Some(clock::process_cpu_s());
        }
        let ball = message::single(size, sent, 0);
        let kicked = Instant::now();
        let taken = link.send(&[ball], delivery)?;
        ensure!(taken == 1, "no room for a single message");
        let back = wait_for(link, size, sent, delivery)?;
        sent += 1;
        match back {
            Some(back) if counts => {
                let trip = back.duration_since(kicked).as_nanos();
                round_trips.add(u64::try_from(trip).unwrap_or(u64::MAX));
            }
            Some(_) => {}
            None => lost += 1,
        }
    }
    let cpu_share =
        (clock::process_cpu_s() - cpu_s.context("no time to count")?) / plan.window().as_secs_f64();
    stream::finish(link, size, sent)?;
    let [p50, p99] = round_trips.at_us([0.5, 0.99]).context("nothing came back")?;
    Ok(figures([
        ("p50_us", p50),
        ("p99_us", p99),
        ("round_trips", round_trips.len() as f64),
        ("lost_messages", lost as f64 / sent as f64),
        ("sender_cpu_share", cpu_share),
    ]))
}

/// When it came back; nothing if it was lost.
fn wait_for(
    link: &mut impl Link,
    size: usize,
    index: u64,
    delivery: Delivery,
) -> anyhow::Result<Option<Instant>> {
    let patience = if delivery == Delivery::Reliable { PATIENCE } else { LOST_AFTER };
    let give_up = Instant::now() + patience;
    let mut back = false;
    loop {
        link.receive(patience, &mut |payload| {
            back |= message::read(payload, size).is_ok_and(|head| head.index == index);
        })?;
        let now = Instant::now();
        if back {
            return Ok(Some(now));
        }
        if now >= give_up {
            ensure!(delivery == Delivery::Unreliable, "a reliable message did not come back");
            return Ok(None);
        }
    }
}

/// Server: sends back whatever comes, until the client has enough.
pub(crate) fn pong(link: &mut impl Link, plan: &Plan) -> anyhow::Result<Figures> {
    let (size, delivery) = (plan.workload.message_bytes(), plan.workload.delivery());
    let mut received: Vec<Bytes> = Vec::new();
    let mut heard = Instant::now();
    loop {
        link.receive(TURN, &mut |payload| received.push(Bytes::copy_from_slice(payload)))?;
        for payload in received.drain(..) {
            heard = Instant::now();
            if message::read(&payload, size)?.index == END {
                stream::send_one(link, &message::single(size, BYE, 0))?;
                return Ok(Figures::new());
            }
            link.send(&[payload], delivery)?;
        }
        ensure!(heard.elapsed() < PATIENCE, "nothing comes any more");
    }
}

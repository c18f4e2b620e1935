//! A steady trickle of reliable messages, and how long each is on its way.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::{
    clock,
    link::{Delivery, Link},
    message,
    plan::Plan,
    quantiles::Quantiles,
    report::{Figures, figures},
    stream::PATIENCE,
};

/// Between two messages: 60 a second.
const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// How long the client goes on after the server's window.
const SLACK: Duration = Duration::from_secs(1);

/// Client: sends a message at each tick.
pub(crate) fn send(link: &mut impl Link, plan: &Plan) -> anyhow::Result<Figures> {
    let size = plan.workload.message_bytes();
    let start = Instant::now();
    let mut due = start;
    let mut sent = 0;
    while start.elapsed() < plan.warm_up() + plan.window() + SLACK {
        let ball = message::single(size, sent, clock::now_ns());
        ensure!(link.send(&[ball], Delivery::Reliable)? == 1, "no room for a single message");
        sent += 1;
        due += INTERVAL;
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|t| !t.is_zero()) {
            link.receive(left, &mut |_| {})?;
        }
    }
    Ok(Figures::new())
}

/// Server: measures how old each message is.
pub(crate) fn receive(link: &mut impl Link, plan: &Plan) -> anyhow::Result<Figures> {
    let size = plan.workload.message_bytes();
    let mut ages = Quantiles::default();
    let mut first: Option<Instant> = None;
    let mut expected = 0;
    let mut problem = None;
    let start = Instant::now();
    while first.is_none_or(|first| first.elapsed() < plan.warm_up() + plan.window()) {
        let counts = first.is_some_and(|first| first.elapsed() >= plan.warm_up());
        link.receive(INTERVAL, &mut |payload| match message::read(payload, size) {
            Ok(head) if head.index == expected => {
                expected += 1;
                first.get_or_insert_with(Instant::now);
                if counts {
                    ages.add(clock::now_ns().saturating_sub(head.stamp));
                }
            }
            Ok(head) => problem = Some(format!("message {} instead of {expected}", head.index)),
            Err(error) => problem = Some(error.to_string()),
        })?;
        if let Some(problem) = problem {
            anyhow::bail!(problem);
        }
        ensure!(first.is_some() || start.elapsed() < PATIENCE, "nothing comes");
    }
    let [p50, p99] = ages.at_us([0.5, 0.99]).context("nothing came while it counted")?;
    Ok(figures([("p50_us", p50), ("p99_us", p99), ("messages", ages.len() as f64)]))
}

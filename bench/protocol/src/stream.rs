//! As many messages as are taken, from client to server.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::{
    clock,
    link::{Delivery, Link},
    message::{self, BYE, Composer, END},
    plan::Plan,
    report::{Figures, figures},
};

/// Longest wait in one call into the library.
const TURN: Duration = Duration::from_millis(100);
/// How long a side goes on without hearing anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How much longer than the receiver counts the sender sends, as their clocks start at different moments.
const SLACK: Duration = Duration::from_millis(300);
/// The same on a slow link, where the first message may take long. The runner ends the sender before.
const SLOW_SLACK: Duration = Duration::from_secs(10);

/// Client: sends through warm-up and window, then waits until all has arrived.
pub(crate) fn send(link: &mut impl Link, plan: &Plan) -> anyhow::Result<Figures> {
    let workload = plan.workload;
    let mut sender = Sender::new(link, plan);
    sender.send_for(plan.warm_up())?;
    let (start, cpu) = (Instant::now(), clock::process_cpu_s());
    sender.send_for(plan.window())?;
    let share = (clock::process_cpu_s() - cpu) / start.elapsed().as_secs_f64();
    sender.send_for(if plan.drain { SLACK } else { SLOW_SLACK })?;
    if plan.drain {
        let sent = sender.composer.sent();
        finish(link, workload.message_bytes(), sent)?;
    }
    Ok(figures([("sender_cpu_share", share)]))
}

struct Sender<'a, L> {
    link: &'a mut L,
    composer: Composer,
    delivery: Delivery,
}

impl<'a, L: Link> Sender<'a, L> {
    fn new(link: &'a mut L, plan: &Plan) -> Self {
        let size = plan.workload.message_bytes();
        // Large messages are a batch each.
        let batch = if size > 1024 { 1 } else { L::BATCH };
        Self { link, composer: Composer::new(size, batch), delivery: plan.workload.delivery() }
    }

    fn send_for(&mut self, duration: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < duration {
            let taken = self.link.send(self.composer.waiting(), self.delivery)?;
            self.composer.taken(taken);
            if taken == 0 {
                self.link.wait_room(TURN)?;
            }
        }
        Ok(())
    }
}

/// Says that this was all, and waits for the answer.
pub(crate) fn finish(link: &mut impl Link, size: usize, sent: u64) -> anyhow::Result<()> {
    send_one(link, &message::single(size, END, sent))?;
    let give_up = Instant::now() + PATIENCE;
    let mut answered = false;
    while !answered {
        ensure!(Instant::now() < give_up, "the server does not say that all has arrived");
        link.receive(TURN, &mut |payload| {
            answered |= message::read(payload, size).is_ok_and(|head| head.index == BYE);
        })?;
    }
    Ok(())
}

/// Sends one message reliably, waiting for room.
pub(crate) fn send_one(link: &mut impl Link, message: &bytes::Bytes) -> anyhow::Result<()> {
    let give_up = Instant::now() + PATIENCE;
    while link.send(std::slice::from_ref(message), Delivery::Reliable)? == 0 {
        ensure!(Instant::now() < give_up, "no room for a last message");
        link.wait_room(TURN)?;
    }
    Ok(())
}

/// Server: counts what comes in the window, checks all of it, and says so at its end.
pub(crate) fn receive(link: &mut impl Link, plan: &Plan) -> anyhow::Result<Figures> {
    let mut counter = Counter::new(plan);
    let mut heard = Instant::now();
    while counter.announced.is_none() && (plan.drain || counter.closed.is_none()) {
        let before = counter.messages;
        link.receive(TURN, &mut |payload| counter.take(payload))?;
        if let Some(problem) = counter.problem.take() {
            return Err(problem);
        }
        let now = Instant::now();
        counter.tick(now);
        if counter.messages > before {
            heard = now;
        }
        ensure!(now.duration_since(heard) < PATIENCE, "nothing comes any more");
    }
    let figures = counter.figures()?;
    if plan.drain {
        send_one(link, &message::single(plan.workload.message_bytes(), BYE, 0))?;
    }
    Ok(figures)
}

/// Everything at one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    messages: u64,
    /// Number that the next message in order has.
    next: u64,
    cpu_s: f64,
}

struct Counter<'a> {
    plan: &'a Plan,
    size: usize,
    in_order: bool,
    messages: u64,
    next: u64,
    first: Option<Instant>,
    opened: Option<Moment>,
    closed: Option<Moment>,
    /// What the sender says that it sent.
    announced: Option<u64>,
    problem: Option<anyhow::Error>,
}

impl<'a> Counter<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            size: plan.workload.message_bytes(),
            in_order: plan.workload.delivery() == Delivery::Reliable,
            messages: 0,
            next: 0,
            first: None,
            opened: None,
            closed: None,
            announced: None,
            problem: None,
        }
    }

    fn take(&mut self, payload: &[u8]) {
        match message::read(payload, self.size) {
            Ok(head) if head.index == END => self.announced = Some(head.stamp),
            Ok(head) if self.in_order => {
                let expected = message::written_index(self.size, self.next);
                if head.index != expected && self.problem.is_none() {
                    let problem = format!("message {} instead of {expected}", head.index);
                    self.problem = Some(anyhow::Error::msg(problem));
                }
                self.messages += 1;
                self.next += 1;
            }
            Ok(head) => {
                self.messages += 1;
                self.next = self.next.max(head.index + 1);
            }
            Err(error) => self.problem = Some(error),
        }
    }

    fn tick(&mut self, now: Instant) {
        if self.messages == 0 {
            return;
        }
        let first = *self.first.get_or_insert(now);
        let moment = || Moment {
            at: now,
            messages: self.messages,
            next: self.next,
            cpu_s: clock::process_cpu_s(),
        };
        match (self.opened, self.closed) {
            (None, _) if now - first >= self.plan.warm_up() => self.opened = Some(moment()),
            (Some(opened), None) if now - opened.at >= self.plan.window() => {
                self.closed = Some(moment());
            }
            _ => {}
        }
    }

    fn figures(&self) -> anyhow::Result<Figures> {
        let (Some(opened), Some(closed)) = (self.opened, self.closed) else {
            bail!("the sender ended before the window did");
        };
        if self.in_order && self.plan.drain {
            let announced = self.announced.context("the sender did not say how many there were")?;
            ensure!(self.messages == announced, "{} of {announced} came", self.messages);
        }
        let window_s = (closed.at - opened.at).as_secs_f64();
        let messages = (closed.messages - opened.messages) as f64;
        let sent = (closed.next - opened.next) as f64;
        ensure!(messages > 0.0, "nothing came while it counted");
        Ok(figures([
            ("bytes_per_s", messages * self.size as f64 / window_s),
            ("messages_per_s", messages / window_s),
            ("lost_messages", (1.0 - messages / sent.max(1.0)).max(0.0)),
            ("receiver_cpu_share", (closed.cpu_s - opened.cpu_s) / window_s),
        ]))
    }
}

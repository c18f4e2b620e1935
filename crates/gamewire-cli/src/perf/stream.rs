//! Sending as fast as one may, and counting what comes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::bail;
use bytes::Bytes;
use gamewire::{LaneConfig, Outgoing, SendError, SendFlags, Time};

use super::{
    control::{Control, DATA, PROBE, PROBE_ANSWER, Plan, Tally, is_control, told},
    link::{Link, PATIENCE},
};
use crate::{quantiles::Quantiles, session::printable};

/// Bytes handed to the library in one call.
const BATCH_BYTES: usize = 256 * 1024;
/// Messages handed over in one call.
const MAX_BATCH: usize = 1024;
/// How often a message goes along whose round trip is measured.
const PROBE_INTERVAL: Duration = Duration::from_millis(20);
/// How long to wait for stragglers among unreliable messages after the end.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// Sends as the plan says, and tells the receiver how much it was.
pub(super) fn send(link: &mut Link, plan: &Plan, bytes: &AtomicU64) -> anyhow::Result<Sent> {
    let lanes = vec![LaneConfig::default(); usize::from(plan.lanes)];
    link.sockets.configure_connection_lanes(link.connection, &lanes)?;
    let start = Instant::now();
    let mut sender = Sender::new(link, plan, bytes);
    while start.elapsed() < plan.duration {
        let left = plan.duration.saturating_sub(start.elapsed());
        if sender.send_batch()? == Room::Full {
            sender.link.wait_room(left)?;
        }
        sender.take_answers();
    }
    let Sender { messages, rtt, .. } = sender;
    link.sockets.flush_messages(link.connection)?;
    link.send_control(&Control::Done { messages, rtt_us: told(&rtt) })?;
    Ok(Sent { messages, rtt })
}

/// What a sender knows at its end.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) messages: u64,
    pub(super) rtt: Quantiles,
}

/// Whether the send buffer takes more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Room {
    Left,
    Full,
}

struct Sender<'a> {
    link: &'a mut Link,
    flags: SendFlags,
    lanes: u64,
    /// The content of every message; shared, never copied.
    content: Bytes,
    batch: usize,
    messages: u64,
    bytes: &'a AtomicU64,
    next_probe: Instant,
    rtt: Quantiles,
}

impl<'a> Sender<'a> {
    fn new(link: &'a mut Link, plan: &Plan, bytes: &'a AtomicU64) -> Self {
        let size = plan.size as usize;
        Self {
            link,
            flags: if plan.reliable { SendFlags::RELIABLE } else { SendFlags::UNRELIABLE },
            lanes: plan.lanes.into(),
            content: vec![DATA; size].into(),
            batch: (BATCH_BYTES / size).clamp(1, MAX_BATCH),
            messages: 0,
            bytes,
            next_probe: Instant::now(),
            rtt: Quantiles::default(),
        }
    }

    fn send_batch(&mut self) -> anyhow::Result<Room> {
        if Instant::now() >= self.next_probe {
            if self.send_probe()? == Room::Full {
                return Ok(Room::Full);
            }
            self.next_probe = Instant::now() + PROBE_INTERVAL;
        }
        let (connection, first) = (self.link.connection, self.messages);
        let batch = (first..).take(self.batch).map(|index| Outgoing {
            connection,
            payload: self.content.clone(),
            flags: self.flags,
            lane: (index % self.lanes) as u16,
            deadline: None,
            user_data: 0,
        });
        let results = self.link.sockets.send_messages(batch);
        let taken = results.iter().take_while(|result| result.is_ok()).count() as u64;
        self.messages += taken;
        self.bytes.fetch_add(taken * self.content.len() as u64, Ordering::Relaxed);
        // All messages are alike: what was refused is made anew in the next batch.
        match results.into_iter().find_map(Result::err) {
            None => Ok(Room::Left),
            Some(SendError::LimitExceeded(_)) => Ok(Room::Full),
            Some(error) => Err(self.link.explain(error)),
        }
    }

    /// Sends our clock; the answer brings it back.
    fn send_probe(&mut self) -> anyhow::Result<Room> {
        let mut probe = vec![PROBE];
        probe.extend_from_slice(&self.link.sockets.local_timestamp().as_micros().to_le_bytes());
        let flags = SendFlags::UNRELIABLE_NO_NAGLE;
        match self.link.sockets.send(Outgoing::new(self.link.connection, probe, flags)) {
            Ok(_) => Ok(Room::Left),
            Err(SendError::LimitExceeded(_)) => Ok(Room::Full),
            Err(error) => Err(self.link.explain(error)),
        }
    }

    fn take_answers(&mut self) {
        while let Some(message) = self.link.next_at_hand() {
            if let Some((&PROBE_ANSWER, clock)) = message.split_first()
                && let Ok(clock) = <[u8; 8]>::try_from(clock)
            {
                let sent = Time::from_micros(u64::from_le_bytes(clock));
                // When it came, not when we looked.
                self.rtt.add(message.received.micros_since(sent));
            }
        }
    }
}

/// What a receiver knows at its end.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) tally: Tally,
    pub(super) sent_messages: u64,
    pub(super) rtt: Quantiles,
}

/// Counts what comes until the sender says that it was all, and all is there.
pub(super) fn receive(link: &mut Link, plan: &Plan, bytes: &AtomicU64) -> anyhow::Result<Received> {
    let mut counter = Counter::default();
    loop {
        let patience = match counter.announced {
            // A sender may be as slow as its rate limit makes it.
            None => PATIENCE + plan.duration,
            Some(_) if plan.reliable => PATIENCE,
            Some(_) => STRAGGLERS,
        };
        match link.next(patience)? {
            Some(message) if is_control(&message) => match Control::decode(&message)? {
                Control::Done { messages, rtt_us } => {
                    counter.announced = Some(messages);
                    rtt_us.into_iter().for_each(|micros| counter.rtt.add(micros));
                }
                Control::Refused(why) => bail!("the sender gives up: {}", printable(&why)),
                Control::Start(_) | Control::Ready | Control::Finish | Control::Result(_) => {
                    bail!("the sender says what only a receiver may")
                }
            },
            Some(message) => match message.first() {
                Some(&PROBE) => answer(link, &message),
                Some(&DATA) => {
                    counter.count(message.len(), message.received);
                    bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
                }
                Some(_) | None => {}
            },
            None => match counter.announced {
                Some(_) if !plan.reliable => break,
                Some(sent) => bail!("{} of {sent} reliable messages came", counter.messages),
                None => bail!("the sender has fallen silent"),
            },
        }
        if counter.announced.is_some_and(|sent| counter.messages >= sent) {
            break;
        }
    }
    Ok(counter.finish())
}

/// Sends a probe back. If there is no room for it, it is lost like others.
fn answer(link: &Link, probe: &[u8]) {
    let mut answer = probe.to_vec();
    answer[0] = PROBE_ANSWER;
    let flags = SendFlags::UNRELIABLE_NO_NAGLE;
    if let Err(error) = link.sockets.send(Outgoing::new(link.connection, answer, flags)) {
        tracing::debug!(%error, "a probe is not answered");
    }
}

#[derive(Default)]
struct Counter {
    messages: u64,
    bytes: u64,
    first: Option<Time>,
    last: Time,
    /// What the sender says that it sent.
    announced: Option<u64>,
    rtt: Quantiles,
}

impl Counter {
    fn count(&mut self, len: usize, received: Time) {
        self.messages += 1;
        self.bytes += len as u64;
        self.first.get_or_insert(received);
        self.last = received;
    }

    fn finish(self) -> Received {
        let elapsed = self.first.map_or(Duration::ZERO, |first| self.last.since(first));
        Received {
            tally: Tally { messages: self.messages, bytes: self.bytes, elapsed, cpu_seconds: None },
            sent_messages: self.announced.unwrap_or(0),
            rtt: self.rtt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_counts_from_the_first_message_to_the_last() {
        let mut counter = Counter::default();
        assert_eq!(counter.finish().tally, Tally::default());
        counter = Counter::default();
        for second in 3..=5 {
            counter.count(100, Time::from_micros(second * 1_000_000));
        }
        counter.announced = Some(4);
        let received = counter.finish();
        assert_eq!((received.tally.messages, received.sent_messages), (3, 4));
        assert_eq!((received.tally.bytes, received.tally.elapsed), (300, Duration::from_secs(2)));
    }
}

//! One message there and back at a time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::bail;
use gamewire::{Message, Outgoing, SendFlags};

use super::{
    control::{Control, DATA, Plan, Tally, is_control},
    link::{Link, PATIENCE},
};
use crate::quantiles::Quantiles;

/// An unreliable message that has not come back by then is lost.
const LOST_AFTER: Duration = Duration::from_millis(500);

/// What the client measured.
#[derive(Debug)]
pub(super) struct RoundTrips {
    pub(super) tally: Tally,
    pub(super) sent_messages: u64,
    pub(super) rtt: Quantiles,
}

fn flags(reliable: bool) -> SendFlags {
    if reliable { SendFlags::RELIABLE_NO_NAGLE } else { SendFlags::UNRELIABLE_NO_NAGLE }
}

/// Client: sends, waits for the answer, again and again.
pub(super) fn ping(link: &mut Link, plan: &Plan, bytes: &AtomicU64) -> anyhow::Result<RoundTrips> {
    let mut rtt = Quantiles::default();
    let mut sent_messages = 0;
    let start = Instant::now();
    while start.elapsed() < plan.duration {
        let ball = ball(plan.size as usize, sent_messages);
        let sent = Instant::now();
        let outgoing = Outgoing::new(link.connection, ball.clone(), flags(plan.reliable));
        link.sockets.send(outgoing).map_err(|error| link.explain(error))?;
        sent_messages += 1;
        if wait_for(link, &ball, plan.reliable)? {
            rtt.add(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX));
            bytes.fetch_add(plan.size.into(), Ordering::Relaxed);
        }
    }
    let tally = Tally {
        messages: rtt.len(),
        bytes: rtt.len() * u64::from(plan.size),
        elapsed: start.elapsed(),
        cpu_seconds: None,
    };
    Ok(RoundTrips { tally, sent_messages, rtt })
}

/// A message that differs from those before it, as far as its size allows.
fn ball(size: usize, number: u64) -> Vec<u8> {
    let mut ball = vec![DATA; size];
    let number = number.to_le_bytes();
    for (byte, digit) in ball.iter_mut().skip(1).zip(number) {
        *byte = digit;
    }
    ball
}

/// False: it was lost.
fn wait_for(link: &mut Link, ball: &[u8], reliable: bool) -> anyhow::Result<bool> {
    let patience = if reliable { PATIENCE } else { LOST_AFTER };
    let give_up = Instant::now() + patience;
    loop {
        let left = give_up.saturating_duration_since(Instant::now());
        match link.next(left)? {
            Some(message) if message[..] == *ball => return Ok(true),
            // A late one that counts as lost already.
            Some(_) => {}
            None if reliable => bail!("no answer for {} s", PATIENCE.as_secs()),
            None => return Ok(false),
        }
    }
}

/// Server: sends back whatever comes, until the client has enough.
pub(super) fn pong(link: &mut Link, plan: &Plan) -> anyhow::Result<()> {
    let give_back = |link: &Link, message: Message| {
        let answer = Outgoing::new(link.connection, message.payload, flags(plan.reliable));
        link.sockets.send(answer).map_err(|error| link.explain(error))
    };
    loop {
        match link.next(PATIENCE)? {
            Some(message) if is_control(&message) => match Control::decode(&message)? {
                Control::Finish => return Ok(()),
                Control::Start(_)
                | Control::Ready
                | Control::Done { .. }
                | Control::Result(_)
                | Control::Refused(_) => bail!("the client says what it may not now"),
            },
            Some(message) => {
                give_back(link, message)?;
            }
            None => bail!("the client has fallen silent"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balls_differ_as_far_as_their_size_allows() {
        assert_eq!(ball(1, 7), [DATA]);
        assert_eq!(ball(2, 7), [DATA, 7]);
        assert_eq!(ball(12, 0x0102), [DATA, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(!is_control(&ball(64, 0x7b)));
    }
}

//! The application at one end of a connection, playing its [`Plan`].

use std::{collections::BTreeMap, collections::VecDeque, time::Duration};

use bytes::Bytes;
use gamewire_proto::{
    Time,
    connection::{CloseRequest, Connection, SendError},
    event::{ConnectionState, Event},
    receive::ReceivedMessage,
    send::{EnqueueError, OutgoingMessage},
};

use super::{
    observation::Observation,
    plan::{ClosePlan, Consumption, Plan, Sabotage, Traffic},
};
use crate::{
    content::{MessageName, Side},
    rng::Rng,
};

/// The reason that every application here closes with.
pub const CLOSE_REASON: i32 = 1234;

/// The text that goes with it.
pub const CLOSE_TEXT: &str = "the play is over";

/// See the module's documentation.
#[derive(Debug)]
pub struct App {
    connection_tag: u32,
    side: Side,
    started: Time,
    streams: Vec<Stream>,
    last_numbers: BTreeMap<u16, u64>,
    connected: bool,
    stage: Stage,
    close: ClosePlan,
    inbox: Inbox,
    rng: Rng,
}

/// What the application still wants of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// To play its plan.
    Playing,
    /// To read what is left: the connection has ended.
    Reading,
    /// Nothing: it closed it.
    Done,
}

#[derive(Debug)]
struct Stream {
    traffic: Traffic,
    sent: u32,
    next: Time,
    in_burst: u32,
    /// The size of a message that was refused for want of room; others of the application may fit.
    refused: Option<usize>,
    blocked: bool,
}

/// Messages received and not yet consumed.
#[derive(Debug)]
struct Inbox {
    unread: VecDeque<usize>,
    unread_bytes: usize,
    consumption: Consumption,
    next: Time,
    sabotage: Option<Sabotage>,
    seen: u64,
    withheld: Option<ReceivedMessage>,
}

impl App {
    /// An application that starts now.
    pub fn new(now: Time, connection_tag: u32, side: Side, plan: Plan, seed: u64) -> Self {
        let begin = |traffic: Traffic| Stream {
            next: now + traffic.start,
            traffic,
            sent: 0,
            in_burst: 0,
            refused: None,
            blocked: false,
        };
        Self {
            connection_tag,
            side,
            started: now,
            streams: plan.traffic.into_iter().map(begin).collect(),
            last_numbers: BTreeMap::new(),
            connected: false,
            stage: Stage::Playing,
            close: plan.close,
            inbox: Inbox {
                unread: VecDeque::new(),
                unread_bytes: 0,
                consumption: plan.consumption,
                next: now,
                sabotage: plan.sabotage,
                seen: 0,
                withheld: None,
            },
            rng: Rng::new(seed),
        }
    }

    /// Whether it has sent everything that it means to send.
    pub fn sent_all(&self) -> bool {
        self.stage != Stage::Playing
            || self.streams.iter().all(|stream| stream.sent >= stream.traffic.count)
    }

    /// Whether any of it waits for room in the send queue.
    pub fn is_blocked(&self) -> bool {
        self.streams.iter().any(|stream| stream.blocked)
    }

    /// Messages and bytes that it got and did not consume.
    pub fn unread(&self) -> (usize, usize) {
        (self.inbox.unread.len(), self.inbox.unread_bytes)
    }

    /// When it wants to act next.
    pub fn deadline(&self) -> Option<Time> {
        let reading = self.inbox.deadline(self.started);
        let acting = match self.stage {
            Stage::Playing => {
                let sending = self.streams.iter().filter_map(Stream::deadline).min();
                let closing = match self.close {
                    ClosePlan::At { after, .. } => Some(self.started + after),
                    ClosePlan::WhenSent { .. } if self.connected && self.sent_all() => {
                        Some(self.started)
                    }
                    ClosePlan::WhenSent { .. } | ClosePlan::OnRequest => None,
                };
                [sending, closing].into_iter().flatten().min()
            }
            Stage::Reading if self.inbox.unread.is_empty() => Some(self.started),
            Stage::Reading | Stage::Done => None,
        };
        [reading, acting].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn act(&mut self, now: Time, connection: &mut Connection, log: &mut Vec<Observation>) {
        // What was held back for want of room comes only after this.
        let read_all = self.inbox.unread.is_empty();
        self.consume(now, connection);
        match self.stage {
            Stage::Playing => {
                self.send(now, connection, log);
                self.close_by_plan(now, connection, log);
            }
            Stage::Reading if read_all => self.close(now, false, connection, log),
            Stage::Reading => {}
            Stage::Done => {}
        }
    }

    fn close_by_plan(
        &mut self,
        now: Time,
        connection: &mut Connection,
        log: &mut Vec<Observation>,
    ) {
        let linger = match self.close {
            ClosePlan::At { after, linger } if now >= self.started + after => linger,
            ClosePlan::WhenSent { linger } if self.connected && self.sent_all() => linger,
            ClosePlan::At { .. } | ClosePlan::WhenSent { .. } | ClosePlan::OnRequest => return,
        };
        self.close(now, linger, connection, log);
    }

    /// Closes the connection, if it is not closed already.
    pub fn close(
        &mut self,
        now: Time,
        linger: bool,
        connection: &mut Connection,
        log: &mut Vec<Observation>,
    ) {
        if self.stage == Stage::Done {
            return;
        }
        self.stage = Stage::Done;
        log.push(Observation::Closed { linger });
        connection.close(now, CloseRequest { reason: CLOSE_REASON, debug: CLOSE_TEXT, linger });
    }

    /// Hears what the connection has to say.
    pub fn on_event(&mut self, event: &Event) {
        match event {
            Event::Writable => self.streams.iter_mut().for_each(|stream| stream.blocked = false),
            Event::StateChanged { new, .. } => match new {
                ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                    if self.stage == Stage::Playing {
                        self.stage = Stage::Reading;
                    }
                }
                ConnectionState::Connected => self.connected = true,
                ConnectionState::None
                | ConnectionState::Connecting
                | ConnectionState::FindingRoute => {}
            },
            Event::Drained => self.stage = Stage::Done,
        }
    }

    /// Gets a message.
    pub fn on_message(&mut self, message: ReceivedMessage, log: &mut Vec<Observation>) {
        self.inbox.unread.push_back(message.payload.len());
        self.inbox.unread_bytes += message.payload.len();
        self.inbox.seen += 1;
        let turn = self.inbox.seen;
        match self.inbox.sabotage {
            Some(Sabotage::DropMessage(nth)) if nth == turn => return,
            Some(Sabotage::RepeatMessage(nth)) if nth == turn => {
                log.push(Observation::Received(message.clone()));
            }
            Some(Sabotage::SwapMessages(nth)) if nth == turn => {
                self.inbox.withheld = Some(message);
                return;
            }
            Some(_) | None => {}
        }
        log.push(Observation::Received(message));
        log.extend(self.inbox.withheld.take().map(Observation::Received));
    }

    fn consume(&mut self, now: Time, connection: &mut Connection) {
        let count = self.inbox.due(now, self.started);
        let bytes: usize = self.inbox.unread.drain(..count).sum();
        self.inbox.unread_bytes -= bytes;
        if count > 0 {
            connection.messages_consumed(count, bytes);
        }
    }

    fn send(&mut self, now: Time, connection: &mut Connection, log: &mut Vec<Observation>) {
        for index in 0..self.streams.len() {
            while self.streams[index].due(now) {
                let (message, name) = self.next_message(now, index);
                match connection.send(now, message.clone()) {
                    Ok(report) => {
                        if report.message_number != name.number {
                            log.push(Observation::WrongNumber {
                                expected: name,
                                got: report.message_number,
                            });
                        }
                        self.last_numbers.insert(name.lane, report.message_number);
                        log.push(Observation::Sent {
                            name,
                            len: message.payload.len(),
                            reliable: message.reliable || report.promoted,
                            may_expire: message.deadline.is_some(),
                        });
                        self.streams[index].step(now);
                    }
                    Err(SendError::Refused(EnqueueError::LimitExceeded(back))) => {
                        log.extend(changed(&back, &message, name));
                        self.streams[index].refused = Some(message.payload.len());
                        self.streams[index].blocked = true;
                    }
                    Err(
                        SendError::Ignored(back)
                        | SendError::Refused(EnqueueError::WouldWait(back)),
                    ) => {
                        log.extend(changed(&back, &message, name));
                        self.streams[index].step(now);
                    }
                    Err(SendError::NoConnection(_) | SendError::InvalidState(_)) => return,
                    Err(SendError::Refused(error)) => {
                        log.push(Observation::Refused { name, why: error.to_string() });
                        self.streams[index].step(now);
                    }
                }
            }
        }
    }

    fn next_message(&mut self, now: Time, index: usize) -> (OutgoingMessage, MessageName) {
        let stream = &mut self.streams[index];
        let traffic = &stream.traffic;
        let lane = traffic.lane;
        let name = MessageName {
            connection: self.connection_tag,
            sender: self.side,
            lane,
            number: self.last_numbers.get(&lane).copied().unwrap_or(0) + 1,
        };
        let (low, high) = traffic.size;
        let len = stream
            .refused
            .take()
            .unwrap_or_else(|| self.rng.between(low as u64, high as u64) as usize);
        let message = OutgoingMessage {
            payload: name.content(len),
            lane,
            reliable: traffic.reliable,
            no_nagle: traffic.no_nagle,
            no_delay: traffic.no_delay,
            deadline: traffic.deadline.map(|after| now + after),
        };
        (message, name)
    }
}

/// A refused message comes back as it was given.
fn changed(
    back: &OutgoingMessage,
    given: &OutgoingMessage,
    name: MessageName,
) -> Option<Observation> {
    let same = back.lane == given.lane
        && back.reliable == given.reliable
        && same_bytes(&back.payload, &given.payload);
    (!same).then(|| Observation::Refused { name, why: "it came back altered".into() })
}

fn same_bytes(one: &Bytes, other: &Bytes) -> bool {
    one.len() == other.len() && one.as_ptr() == other.as_ptr()
}

impl Stream {
    fn due(&self, now: Time) -> bool {
        !self.blocked && self.sent < self.traffic.count && self.next <= now
    }

    fn deadline(&self) -> Option<Time> {
        (!self.blocked && self.sent < self.traffic.count).then_some(self.next)
    }

    fn step(&mut self, now: Time) {
        self.sent += 1;
        self.in_burst += 1;
        if self.in_burst >= self.traffic.burst {
            self.in_burst = 0;
            self.next = now + self.traffic.every;
        }
    }
}

impl Inbox {
    fn deadline(&self, started: Time) -> Option<Time> {
        if self.unread.is_empty() || self.sabotage == Some(Sabotage::NeverConsume) {
            return None;
        }
        Some(match self.consumption {
            Consumption::Immediate => started,
            Consumption::Slow { .. } => self.next,
            Consumption::Stall { from, until } => {
                if self.next >= started + from {
                    started + until
                } else {
                    started
                }
            }
        })
    }

    /// How many messages to consume now.
    fn due(&mut self, now: Time, started: Time) -> usize {
        let all = self.unread.len();
        if self.sabotage == Some(Sabotage::NeverConsume) {
            return 0;
        }
        match self.consumption {
            Consumption::Immediate => all,
            Consumption::Slow { messages, every } => {
                if now < self.next || all == 0 {
                    return 0;
                }
                self.next = now + every.max(Duration::from_micros(1));
                messages.min(all)
            }
            Consumption::Stall { from, until } => {
                self.next = now;
                let stalled = (started + from..started + until).contains(&now);
                if stalled { 0 } else { all }
            }
        }
    }
}

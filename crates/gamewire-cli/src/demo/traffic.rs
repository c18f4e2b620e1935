//! One end of one connection of the demonstration: sends its share, checks what comes.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use anyhow::bail;
use gamewire::{ConnectionHandle, LaneConfig, Message, Outgoing, SendError, SendFlags, Sockets};

use super::content::{self, Kind, Noise, Stream};

/// Time between two updates of the state: 30 a second.
pub(super) const STATE_INTERVAL: Duration = Duration::from_micros(33_333);
/// Most events at once; on average one with each update.
const MAX_EVENTS_AT_ONCE: u64 = 2;
/// Bytes of the map that may be on their way: so much is in the buffers at most, and cannot keep
/// events out of them.
const MAP_WINDOW_BYTES: u64 = 96 * 1024;
/// Lanes: events, state, map.
const LANES: [LaneConfig; 3] = {
    let urgent = LaneConfig { priority: 0, weight: 1, mode: gamewire::DeliveryMode::Standard };
    [urgent, urgent, LaneConfig { priority: 1, ..urgent }]
};

/// What one end sent and received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Score {
    pub(super) events_sent: u32,
    pub(super) events_received: u32,
    pub(super) states_sent: u32,
    pub(super) states_received: u32,
    pub(super) pieces_sent: u32,
    pub(super) pieces_received: u32,
    pub(super) faults: Faults,
}

/// What must not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Faults {
    /// Messages that are not what was sent.
    pub(super) harmed: u32,
    /// Reliable messages that were not the next one: missing, again, or in the wrong order.
    pub(super) out_of_order: u32,
    /// Unreliable messages that came again.
    pub(super) repeated: u32,
    /// Messages on another lane, or of another reliability, than they were sent.
    pub(super) misplaced: u32,
}

/// Whether new messages are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Playing,
    /// Only what was begun is brought to its end.
    Finishing,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Traffic {
    sockets: Sockets,
    pub(super) connection: ConnectionHandle,
    outgoing: Stream,
    incoming: Stream,
    /// Pieces of the map that this end sends.
    pieces: u32,
    pub(super) score: Score,
    next_state: Instant,
    /// What was refused for lack of room.
    waiting: VecDeque<Outgoing>,
    states_seen: HashSet<u32>,
    noise: Noise,
}

impl Traffic {
    /// One end of the connection of `client`; the server's end if `to_client`.
    pub(super) fn new(
        sockets: &Sockets,
        connection: ConnectionHandle,
        outgoing: Stream,
        pieces: u32,
    ) -> anyhow::Result<Self> {
        sockets.configure_connection_lanes(connection, &LANES)?;
        Ok(Self {
            sockets: sockets.clone(),
            connection,
            outgoing,
            incoming: Stream { to_client: !outgoing.to_client, ..outgoing },
            pieces,
            score: Score::default(),
            next_state: Instant::now(),
            waiting: VecDeque::new(),
            states_seen: HashSet::new(),
            noise: Noise(u64::from(outgoing.client)),
        })
    }

    /// How long until there is something to do again.
    pub(super) fn pause(&self) -> Duration {
        self.next_state.saturating_duration_since(Instant::now())
    }

    /// Sends what is due.
    pub(super) fn step(&mut self, stage: Stage) -> anyhow::Result<()> {
        if Instant::now() >= self.next_state {
            self.next_state += STATE_INTERVAL;
            if stage == Stage::Playing {
                self.make_news();
            }
        }
        self.make_pieces();
        self.send_waiting()
    }

    fn make_news(&mut self) {
        self.push(Kind::State, self.score.states_sent);
        self.score.states_sent += 1;
        for _ in 0..self.noise.below(MAX_EVENTS_AT_ONCE + 1) {
            self.push(Kind::Event, self.score.events_sent);
            self.score.events_sent += 1;
        }
    }

    fn make_pieces(&mut self) {
        if self.score.pieces_sent == self.pieces {
            return;
        }
        let lane = usize::from(Kind::Map.lane());
        let status = self.sockets.real_time_status(self.connection, lane + 1);
        let Ok((_, lanes)) = status else { return };
        let Some(map) = lanes.get(lane) else { return };
        let mut on_their_way = map.pending_reliable + map.sent_unacked_reliable;
        while self.score.pieces_sent < self.pieces && on_their_way < MAP_WINDOW_BYTES {
            self.push(Kind::Map, self.score.pieces_sent);
            self.score.pieces_sent += 1;
            on_their_way += content::MAP_PIECE_BYTES as u64;
        }
    }

    fn push(&mut self, kind: Kind, number: u32) {
        let flags = match kind {
            Kind::Event => SendFlags::RELIABLE_NO_NAGLE,
            Kind::State => SendFlags::UNRELIABLE_NO_NAGLE,
            Kind::Map => SendFlags::RELIABLE,
        };
        let content = content::message(self.outgoing, kind, number);
        self.waiting.push_back(Outgoing {
            lane: kind.lane(),
            ..Outgoing::new(self.connection, content, flags)
        });
    }

    fn send_waiting(&mut self) -> anyhow::Result<()> {
        let mut refused = VecDeque::new();
        for result in self.sockets.send_messages(self.waiting.drain(..)) {
            match result {
                Ok(_) => {}
                // The next step tries again.
                Err(SendError::LimitExceeded(message) | SendError::NotTried(message)) => {
                    refused.push_back(message);
                }
                Err(error) => bail!("a message was refused: {error}"),
            }
        }
        self.waiting = refused;
        Ok(())
    }

    /// Checks a message.
    pub(super) fn receive(&mut self, message: &Message) {
        let Some((kind, number)) = content::check(self.incoming, message) else {
            self.score.faults.harmed += 1;
            return;
        };
        let reliable = kind != Kind::State;
        if message.lane != kind.lane() || message.reliable != reliable {
            self.score.faults.misplaced += 1;
        }
        match kind {
            Kind::Event => {
                Self::count(&mut self.score.events_received, &mut self.score.faults, number);
            }
            Kind::Map => {
                Self::count(&mut self.score.pieces_received, &mut self.score.faults, number);
            }
            Kind::State if self.states_seen.insert(number) => self.score.states_received += 1,
            Kind::State => self.score.faults.repeated += 1,
        }
    }

    /// A reliable message must be the one that follows.
    fn count(received: &mut u32, faults: &mut Faults, number: u32) {
        if number == *received {
            *received += 1;
        } else {
            faults.out_of_order += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ends over a pipe, which loses nothing.
    fn pair(sockets: &Sockets) -> [Traffic; 2] {
        let [near, far] = sockets.create_socket_pair(false, [None, None]).unwrap();
        let stream = |to_client| Stream { client: 1, to_client };
        [
            Traffic::new(sockets, near, stream(true), 3).unwrap(),
            Traffic::new(sockets, far, stream(false), 0).unwrap(),
        ]
    }

    fn arrived(sockets: &Sockets, end: &Traffic) -> Vec<Message> {
        sockets.receive_messages(end.connection, usize::MAX).unwrap()
    }

    #[test]
    fn what_is_sent_is_what_is_counted() {
        let sockets = Sockets::new(gamewire::Options::default()).unwrap();
        let [mut server, mut client] = pair(&sockets);
        for _ in 0..50 {
            server.next_state = Instant::now();
            server.step(Stage::Playing).unwrap();
        }
        for message in arrived(&sockets, &client) {
            client.receive(&message);
        }
        let (sent, received) = (server.score, client.score);
        assert_eq!((sent.states_sent, sent.pieces_sent), (50, 3));
        assert!(sent.events_sent > 10);
        assert_eq!(received.events_received, sent.events_sent);
        assert_eq!(received.states_received, sent.states_sent);
        assert_eq!(received.pieces_received, sent.pieces_sent);
        assert_eq!(received.faults, Faults::default());

        server.next_state = Instant::now();
        server.step(Stage::Finishing).unwrap();
        assert_eq!(server.score, sent, "nothing new at the end");
    }

    #[test]
    fn every_fault_is_seen() {
        let sockets = Sockets::new(gamewire::Options::default()).unwrap();
        let [mut server, mut client] = pair(&sockets);
        for _ in 0..10 {
            server.next_state = Instant::now();
            server.step(Stage::Playing).unwrap();
        }
        let messages = arrived(&sockets, &client);
        let first = |lane| messages.iter().find(|message| message.lane == lane).unwrap();
        let (event, state) = (first(0), first(1));
        client.receive(event);
        client.receive(event);
        assert_eq!(client.score.faults.out_of_order, 1, "an event came twice");
        client.receive(state);
        client.receive(state);
        assert_eq!(client.score.faults.repeated, 1);
        let last = messages.iter().rfind(|message| message.lane == 0).unwrap();
        client.receive(last);
        assert_eq!(client.score.faults.out_of_order, 2, "events are missing");
        client.receive(&Message { payload: state.payload.slice(1..), ..state.clone() });
        assert_eq!(client.score.faults.harmed, 1);
        let other = messages.iter().filter(|message| message.lane == 1).nth(1).unwrap();
        client.receive(&Message { lane: 0, ..other.clone() });
        client.receive(&Message { reliable: true, ..first(1).clone() });
        assert_eq!(client.score.faults.misplaced, 2);
    }
}

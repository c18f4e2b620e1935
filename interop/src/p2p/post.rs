//! The way of signals between two processes: as good or as bad as a cell wants it.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::driver::{Input, Tap, write_line};

/// Tells replies to our own commands from those to the driver's.
const TAG: &str = "post";

/// What happens to signals.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weather {
    /// How many get lost, of 100.
    pub loss_percent: u64,
    /// How many of the others arrive twice, of 100.
    pub duplicate_percent: u64,
    /// Each copy is under way for a random time up to this, so that they overtake each other.
    pub longest_delay: Duration,
}

impl Weather {
    /// Everything arrives once, at once.
    pub const FAIR: Self =
        Self { loss_percent: 0, duplicate_percent: 0, longest_delay: Duration::ZERO };
    /// A third is lost, half of the rest comes twice, and nothing in order.
    pub const FOUL: Self =
        Self { loss_percent: 30, duplicate_percent: 50, longest_delay: Duration::from_millis(200) };
}

/// What was done to signals so far.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    lost: AtomicU64,
    doubled: AtomicU64,
    /// Signals that the receiving library called malformed or suspicious.
    refused: AtomicU64,
}

impl Tally {
    /// In words.
    pub fn figures(&self) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut text = format!("{} signals", of(&self.sent));
        for (counter, what) in [(&self.lost, "lost"), (&self.doubled, "doubled")] {
            if of(counter) > 0 {
                text += &format!(", {} {what}", of(counter));
            }
        }
        text
    }

    /// Signals that a library called malformed or suspicious.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Signals that got lost, and that came twice.
    pub fn harmed(&self) -> (u64, u64) {
        (self.lost.load(Ordering::Relaxed), self.doubled.load(Ordering::Relaxed))
    }
}

/// What the carrier is told.
#[derive(Debug)]
enum Order {
    /// A signal for one of two sides.
    Carry { to: usize, data: Value },
    /// Keep everything until told otherwise.
    Hold,
    /// Carry again.
    Release,
}

/// The way between two processes. Ends when all taps are gone.
#[derive(Debug)]
pub struct Post {
    sender: Sender<Order>,
    inputs: Arc<[OnceLock<Input>; 2]>,
    /// What happened on the way.
    pub tally: Arc<Tally>,
}

impl Post {
    /// Opens a way.
    pub fn open(weather: Weather, seed: u64) -> Self {
        let (sender, orders) = channel();
        let inputs: Arc<[OnceLock<Input>; 2]> = Arc::default();
        let tally = Arc::<Tally>::default();
        let carrier = Carrier {
            inputs: inputs.clone(),
            weather,
            held: None,
            tally: tally.clone(),
            random: seed | 1,
            under_way: BinaryHeap::new(),
            number: 0,
        };
        thread::spawn(move || carrier.run(&orders));
        Self { sender, inputs, tally }
    }

    /// What takes signals out of the lines of one side.
    pub fn tap(&self, side: usize) -> Tap {
        let (sender, tally) = (self.sender.clone(), self.tally.clone());
        Box::new(move |mut line| {
            if line["event"] == "signal" {
                // Fails only when the other end is gone, at the end of a cell.
                let _gone = sender.send(Order::Carry { to: 1 - side, data: line["data"].take() });
                return None;
            }
            if line["reply"] == "signal" && line["id"] == TAG {
                if line["ok"] != true || line["taken"] == false {
                    tally.refused.fetch_add(1, Ordering::Relaxed);
                }
                return None;
            }
            Some(line)
        })
    }

    /// Where signals for a side go.
    pub fn deliver_to(&self, side: usize, input: Input) {
        let _first = self.inputs[side].set(input);
    }

    /// Keeps signals until [`Post::release`].
    pub fn hold(&self) {
        // The carrier lives as long as this.
        let _carrier = self.sender.send(Order::Hold);
    }

    /// Sends what was held on its way.
    pub fn release(&self) {
        let _carrier = self.sender.send(Order::Release);
    }
}

type UnderWay = Reverse<(Instant, u64, usize, String)>;

#[derive(Debug)]
struct Carrier {
    inputs: Arc<[OnceLock<Input>; 2]>,
    weather: Weather,
    /// What is held, if anything is.
    held: Option<Vec<(usize, Value)>>,
    tally: Arc<Tally>,
    random: u64,
    under_way: BinaryHeap<UnderWay>,
    number: u64,
}

impl Carrier {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let wait = self.under_way.peek().map_or(Duration::from_secs(60), |Reverse(next)| {
                next.0.saturating_duration_since(Instant::now())
            });
            match orders.recv_timeout(wait) {
                Ok(Order::Carry { to, data }) => match &mut self.held {
                    Some(held) => held.push((to, data)),
                    None => self.post(to, &data),
                },
                Ok(Order::Hold) => {
                    self.held.get_or_insert_default();
                }
                Ok(Order::Release) => {
                    for (to, data) in self.held.take().into_iter().flatten() {
                        self.post(to, &data);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Some(Reverse(next)) = self.under_way.peek()
                && next.0 <= Instant::now()
            {
                let Some(Reverse((_, _, to, line))) = self.under_way.pop() else { return };
                if let Some(input) = self.inputs[to].get() {
                    // Who has ended hears nothing any more.
                    let _ended = write_line(input, &line);
                }
            }
        }
    }

    fn post(&mut self, to: usize, data: &Value) {
        let weather = self.weather;
        self.tally.sent.fetch_add(1, Ordering::Relaxed);
        if self.below(100) < weather.loss_percent {
            self.tally.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let twice = self.below(100) < weather.duplicate_percent;
        self.tally.doubled.fetch_add(u64::from(twice), Ordering::Relaxed);
        let line = json!({"cmd": "signal", "data": data, "id": TAG}).to_string();
        let longest = u64::try_from(weather.longest_delay.as_micros()).unwrap_or(u64::MAX);
        for _ in 0..=u8::from(twice) {
            let delay = Duration::from_micros(self.below(longest.saturating_add(1)));
            self.number += 1;
            let due = Instant::now() + delay;
            self.under_way.push(Reverse((due, self.number, to, line.clone())));
        }
    }

    /// xorshift64, below a bound; good enough for the weather.
    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound.max(1)
    }
}

//! Two whole connections over a bad network, driven by instructions.
//!
//! Under AES a garbled or invented data packet is nobody's: the connection must live, and what was
//! sent reliably must arrive, whole, once and in order. Without a cipher garbled packets reach the
//! parsers as if the peer had sent them: then only limits must hold, and no timer may spin.

mod host;
mod journal;
mod network;

use gamewire_proto::{Time, connection::CloseRequest, end::EndReason, event::ConnectionState};

use self::{
    host::{Host, Options, pair},
    journal::Journal,
    network::Network,
};
use crate::input::Input;

const MAX_STEPS: usize = 300;
/// Virtual time and rounds that the ending may take. A lost packet costs a few hundred
/// milliseconds, and at most a megabyte waits.
const MAX_ENDING_ROUNDS: usize = 4000;

struct World {
    now: Time,
    hosts: [Host; 2],
    /// By sending host.
    journals: [Journal; 2],
    network: Network,
    options: Options,
    /// Something went into a connection that its peer did not send, and could not be told from it.
    tampered: bool,
    /// The instructions closed a connection.
    closed: bool,
}

pub(crate) fn run(data: &[u8]) {
    play(data);
}

fn play(data: &[u8]) -> World {
    let mut input = Input::new(data);
    let options = Options::read(&mut input);
    let now = Time::from_micros(3_000_000_000_000);
    let mut world = World {
        now,
        hosts: pair(now, &options),
        journals: Default::default(),
        network: Network::default(),
        options,
        tampered: false,
        closed: false,
    };
    world.exchange();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.check();
    }
    if !world.tampered && !world.closed {
        world.end();
    }
    world
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        let step = input.byte();
        let side = usize::from(step >> 7);
        match step & 15 {
            0..4 => self.hosts[side].send(self.now, input, &mut self.journals[side]),
            4 => self.wait(u64::from(input.u16()) * 16),
            5 => self.wait(u64::from(input.byte())),
            6 | 7 => self.deliver(0),
            8 => self.deliver(usize::from(input.byte())),
            9 => self.deliver_all(),
            10 => self.network.lose(usize::from(input.byte())),
            11 => self.network.duplicate(usize::from(input.byte())),
            12 => self.garble(input),
            13 => self.invent(side, input),
            14 => self.receive(side, usize::from(input.byte())),
            _ => self.command(side, input),
        }
        self.exchange();
    }

    fn command(&mut self, side: usize, input: &mut Input<'_>) {
        match input.byte() % 8 {
            0 => {
                let request = CloseRequest { reason: 1001, debug: "over", linger: input.flag() };
                self.hosts[side].connection.close(self.now, request);
                self.closed = true;
            }
            1 => self.wait(u64::from(input.u16()) * 256),
            2..5 => self.hosts[side].connection.flush(),
            _ => self.hosts[side].configure_lanes(input, &mut self.journals[side]),
        }
    }

    fn receive(&mut self, side: usize, most: usize) {
        self.hosts[side].receive(most, &mut self.journals[1 - side]);
    }

    fn wait(&mut self, micros: u64) {
        let end = self.now.plus_micros(micros);
        while let Some(deadline) = self.next_deadline()
            && deadline <= end
        {
            self.now = self.now.max(deadline);
            self.exchange();
        }
        self.now = end;
        self.exchange();
    }

    fn next_deadline(&self) -> Option<Time> {
        self.hosts.iter().filter_map(|host| host.connection.poll_timeout(self.now)).min()
    }

    /// Lets both connections do what is due now.
    fn exchange(&mut self) {
        for host in &mut self.hosts {
            host.run_timers(self.now, &mut self.network);
        }
    }

    fn deliver(&mut self, index: usize) {
        if let Some(packet) = self.network.take(index) {
            self.hosts[packet.to].handle(self.now, &packet.bytes, &mut self.network);
        }
    }

    fn deliver_all(&mut self) {
        for _ in 0..self.network.len() {
            self.deliver(0);
        }
    }

    fn garble(&mut self, input: &mut Input<'_>) {
        let index = usize::from(input.byte());
        let (at, with) = (input.u16(), input.bytes(3));
        let Some(mut packet) = self.network.take(index) else { return };
        let len = packet.bytes.len();
        for (offset, &byte) in with.iter().enumerate() {
            packet.bytes[(usize::from(at) + offset) % len] ^= byte;
        }
        self.forge(&packet.bytes);
        self.hosts[packet.to].handle(self.now, &packet.bytes, &mut self.network);
        self.exchange();
    }

    fn invent(&mut self, side: usize, input: &mut Input<'_>) {
        let mut bytes = Vec::new();
        if input.flag() {
            // A header that leads to the connection, so that the content decides.
            let id = self.hosts[side].connection.local_id();
            bytes.push(0x80 | input.byte() & 3);
            bytes.extend_from_slice(&id.to_le_bytes());
            bytes.extend_from_slice(&u16::from(input.byte()).to_le_bytes());
        }
        bytes.extend_from_slice(input.sized_bytes(1400));
        self.forge(&bytes);
        self.hosts[side].handle(self.now, &bytes, &mut self.network);
        self.exchange();
    }

    /// Notes what a forged datagram can do. Under AES a data packet cannot be taken for the peer's;
    /// control messages are known by their ids alone, and without a cipher everything is believed.
    fn forge(&mut self, bytes: &[u8]) {
        if !self.options.encrypted || (bytes.len() >= 5 && bytes[0] & 0x80 == 0) {
            self.tampered = true;
            self.journals.iter_mut().for_each(Journal::void);
        }
    }

    fn check(&self) {
        for host in &self.hosts {
            host.check_limits(&self.options);
            if self.tampered {
                continue;
            }
            let alive = host.connection.state() == ConnectionState::Connected;
            let timed_out = self.hosts.iter().any(|host| {
                host.connection.end().is_some_and(|end| end.reason == EndReason::MISC_TIMEOUT)
            });
            assert!(
                alive || self.closed || timed_out,
                "killed by what nobody sent: {:?}",
                host.connection.end()
            );
        }
    }

    /// The network heals, the applications read: everything reliable arrives.
    fn end(&mut self) {
        let began = self.now;
        for _ in 0..MAX_ENDING_ROUNDS {
            self.deliver_all();
            (0..2).for_each(|side| self.receive(side, usize::MAX));
            self.exchange();
            self.check();
            let connected = |host: &Host| host.connection.state() == ConnectionState::Connected;
            if !self.hosts.iter().all(connected) {
                // Silence took too long while the instructions ran.
                return;
            }
            if self.network.len() == 0 {
                if self.journals.iter().all(Journal::is_complete) {
                    return;
                }
                let next = self.next_deadline().expect("a connection always has a timer");
                self.now = self.now.max(next);
                self.exchange();
            }
        }
        let states = self.hosts.each_mut().map(|host| {
            let status = host.connection.session_status(self.now);
            (host.connection.real_time(self.now), host.connection.receive_status(), status)
        });
        panic!("after {:?} not all has arrived: {states:#?}", self.now - began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::{Seed, seeds};

    fn honest() -> impl Iterator<Item = Seed> {
        seeds()
            .into_iter()
            .filter(|seed| seed.target == "connected_pair" && seed.name.starts_with("honest"))
    }

    /// The target is worth something only if messages really come through.
    #[test]
    fn honest_runs_deliver_much_in_both_directions() {
        let mut runs = 0;
        for seed in honest() {
            let world = play(&seed.bytes);
            let delivered = world.journals.each_ref().map(Journal::delivered);
            assert!(!world.tampered && !world.closed);
            assert!(delivered.iter().all(|&count| count > 15), "{}: {delivered:?}", seed.name);
            runs += 1;
        }
        assert!(runs >= 8);
    }

    #[test]
    fn garbled_sealed_packets_are_nobodys() {
        let mut input = vec![0];
        input.extend_from_slice(&[0, 0x49, 50, 12, 0, 40, 0, 1, 2, 3]);
        assert!(!play(&input).tampered);
        input[0] = 1;
        assert!(play(&input).tampered);
    }

    /// A connection that nobody uses keeps alive, and no more.
    #[test]
    fn an_idle_pair_is_quiet() {
        for seed in honest() {
            let mut world = play(&seed.bytes);
            let datagrams = idle(&mut world);
            assert!(datagrams < 40, "{}: {datagrams} datagrams in ten idle seconds", seed.name);
        }
    }

    fn idle(world: &mut World) -> usize {
        let mut datagrams = 0;
        for _ in 0..200 {
            world.wait(50_000);
            datagrams += world.network.len();
            world.deliver_all();
        }
        datagrams
    }
}

//! A whole handshake of two hosts over a network that loses, repeats, swaps, alters and replays its
//! datagrams, driven by instructions.
//!
//! Whatever happens to them: nobody is taken for somebody else where certificates are asked for,
//! nothing arrives that was not sent, timers do not spin and tables stay within their limits. As
//! long as nothing was altered, the two get together once the network is well again.

mod host;

use gamewire_proto::{Time, connection::CloseRequest};

use self::host::{Host, Packet, Setup, hosts};
use crate::input::Input;

const MAX_STEPS: usize = 250;
/// More than so many on the way are lost.
const MAX_IN_FLIGHT: usize = 64;
/// Datagrams kept to be sent again; the oldest give way.
const MAX_HISTORY: usize = 32;
/// Instructions that took longer than this may have used up the time for the handshake.
const MAX_CHAOS_US: u64 = 4_000_000;
/// Rounds that the ending may take: half a second at a time, a dozen repetitions.
const MAX_ENDING_ROUNDS: usize = 400;

struct World {
    began: Time,
    now: Time,
    hosts: [Host; 2],
    in_flight: Vec<Packet>,
    history: Vec<Packet>,
    /// Something was sent that neither host made.
    altered: bool,
    /// The instructions closed a connection.
    closed: bool,
}

pub(crate) fn run(data: &[u8]) {
    play(data);
}

fn play(data: &[u8]) -> World {
    let mut input = Input::new(data);
    let setup = Setup::read(&mut input);
    let now = Time::from_micros(3_000_000_000_000);
    let mut world = World {
        began: now,
        now,
        hosts: hosts(now, &setup),
        in_flight: Vec::new(),
        history: Vec::new(),
        altered: false,
        closed: false,
    };
    world.exchange();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.hosts.iter().for_each(Host::check);
    }
    let in_time = world.now.micros_since(world.began) <= MAX_CHAOS_US;
    if in_time && !world.altered && !world.closed {
        world.end();
    }
    world
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        let step = input.byte();
        let side = usize::from(step >> 7);
        match step & 15 {
            0..3 => self.deliver(0, false),
            3 => self.deliver(usize::from(input.byte()), step & 0x40 != 0),
            4 => drop(self.take(usize::from(input.byte()))),
            5 => {
                let copied = self.peek(usize::from(input.byte()));
                self.launch(copied);
            }
            6..9 => self.alter(input),
            9 | 10 => {
                let index = usize::from(input.byte()).checked_rem(self.history.len());
                let replayed = index.map(|index| self.history[index].clone());
                self.launch(replayed);
            }
            11 => self.wait(u64::from(input.u16()) * 16),
            12 => self.wait(u64::from(input.byte()) * 4000),
            13 => self.hosts[1].accept(self.now),
            14 => self.hosts[side].send(self.now),
            _ => self.close(side, input),
        }
        self.exchange();
    }

    fn close(&mut self, side: usize, input: &mut Input<'_>) {
        if input.byte() & 7 == 0 {
            let request = CloseRequest { reason: 1001, debug: "over", linger: input.flag() };
            self.hosts[side].close(self.now, request);
            self.closed = true;
        }
    }

    /// Changes a datagram on the way: some bytes, its length, or all behind a point.
    fn alter(&mut self, input: &mut Input<'_>) {
        let Some(mut packet) = self.take(usize::from(input.byte())) else { return };
        let before = packet.bytes.clone();
        let at = usize::from(input.u16()).checked_rem(packet.bytes.len()).unwrap_or(0);
        match input.byte() & 3 {
            0 => packet.bytes.truncate(at),
            1 => packet.bytes.extend_from_slice(input.bytes(8)),
            2 => {
                let other = self.peek(usize::from(input.byte())).unwrap_or_else(|| packet.clone());
                packet.bytes.truncate(at);
                packet.bytes.extend_from_slice(other.bytes.get(at..).unwrap_or_default());
            }
            _ => {
                for (offset, &byte) in input.bytes(3).iter().enumerate() {
                    let len = packet.bytes.len().max(1);
                    if let Some(target) = packet.bytes.get_mut((at + offset) % len) {
                        *target ^= byte;
                    }
                }
            }
        }
        self.altered |= packet.bytes != before;
        self.in_flight.insert(0, packet);
    }

    fn take(&mut self, index: usize) -> Option<Packet> {
        let index = index.checked_rem(self.in_flight.len())?;
        Some(self.in_flight.remove(index))
    }

    fn peek(&self, index: usize) -> Option<Packet> {
        let index = index.checked_rem(self.in_flight.len())?;
        Some(self.in_flight[index].clone())
    }

    fn launch(&mut self, packet: Option<Packet>) {
        if self.in_flight.len() < MAX_IN_FLIGHT {
            self.in_flight.extend(packet);
        }
    }

    fn deliver(&mut self, index: usize, from_a_stranger: bool) {
        if let Some(packet) = self.take(index) {
            self.hosts[packet.to].receive(self.now, from_a_stranger, &packet.bytes);
        }
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
    }

    fn next_deadline(&self) -> Option<Time> {
        self.hosts.iter().filter_map(|host| host.next_deadline(self.now)).min()
    }

    /// Lets both hosts do what is due now, and puts on the way what they send.
    fn exchange(&mut self) {
        for side in 0..2 {
            self.hosts[side].run_timers(self.now);
            for bytes in self.hosts[side].take_sent() {
                let packet = Packet { to: 1 - side, bytes };
                if self.history.len() == MAX_HISTORY {
                    self.history.remove(0);
                }
                self.history.push(packet.clone());
                self.launch(Some(packet));
            }
        }
    }

    /// The network is well again and the acceptor accepts: both get together and talk.
    fn end(&mut self) {
        let mut asked = false;
        for _ in 0..MAX_ENDING_ROUNDS {
            while !self.in_flight.is_empty() {
                self.deliver(0, false);
                self.hosts[1].accept(self.now);
                self.exchange();
                self.hosts.iter().for_each(Host::check);
            }
            let together = self.hosts.iter().all(Host::is_connected);
            if together && !asked {
                asked = true;
                self.hosts.iter_mut().for_each(|host| host.send(self.now));
                self.exchange();
                continue;
            }
            let [first, second] = &self.hosts;
            if asked && first.has_all_of(second) && second.has_all_of(first) {
                return;
            }
            let next = self.next_deadline().expect("somebody always waits");
            self.now = self.now.max(next);
            self.exchange();
        }
        panic!("they never got together: {:?}", self.hosts.each_ref().map(Host::describe));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The target is worth something only if handshakes succeed in it, with and without trouble.
    #[test]
    fn honest_and_troubled_handshakes_end_with_a_conversation() {
        let lossy = [4, 0, 12, 150, 3, 1, 5, 0, 10, 0, 12, 150, 0, 0, 13, 9, 0, 0, 0, 14, 0x8e];
        for setup in 0..8 {
            for instructions in [&[][..], &[13, 0, 0, 0, 13, 0, 14, 0, 0], &lossy] {
                let world = play(&[&[setup], instructions].concat());
                assert!(!world.altered && !world.closed);
                assert!(world.hosts.iter().all(Host::is_connected), "{setup} {instructions:?}");
            }
        }
    }

    #[test]
    fn altered_handshakes_are_noticed() {
        // The request, its end cut off.
        let world = play(&[1, 6, 0, 5, 0, 0]);
        assert!(world.altered);
    }
}

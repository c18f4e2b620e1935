//! Timers in a hierarchical wheel (Varghese and Lauck, 1987, scheme 7): setting one and firing one
//! cost the same however many there are.
//!
//! Time is read as digits to the base 64, in microseconds. A timer hangs in the level of the highest
//! digit in which its deadline differs from the wheel's own time, in the slot of that digit; when
//! the wheel's time gets there, the slot's timers are hung anew, closer. As every slot knows its
//! earliest deadline, the wheel tells exactly when to look again; a look is for nothing only where
//! that earliest timer was moved.

use gamewire_proto::Time;

/// Bits of a digit.
const DIGIT_BITS: u32 = 6;
/// Slots of a level.
const SLOTS: usize = 1 << DIGIT_BITS;
/// No node.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Node<T> {
    deadline: Time,
    next: u32,
    previous: u32,
    level: u8,
    slot: u8,
    target: T,
}

/// Names a timer that is set; once it fired, the name may be another's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimerId(u32);

#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    /// No deadline in it is earlier; one is that early, unless that timer was moved.
    earliest: Time,
}

impl Slot {
    const EMPTY: Self = Self { first: NONE, earliest: Time::FAR_FUTURE };
}

#[derive(Debug)]
struct Level {
    /// Which slots hold something.
    occupied: u64,
    slots: [Slot; SLOTS],
}

/// See the module's documentation. Holds as many timers as are set; the memory of those that fired
/// is used again.
#[derive(Debug)]
pub(crate) struct TimerWheel<T> {
    /// The wheel's own time: nothing is hung before it.
    elapsed_us: u64,
    /// As many as the farthest deadline so far took, at most 11.
    levels: Vec<Level>,
    nodes: Vec<Node<T>>,
    free: u32,
}

impl<T: Copy> TimerWheel<T> {
    /// A wheel without timers.
    pub(crate) fn new() -> Self {
        Self { elapsed_us: 0, levels: Vec::new(), nodes: Vec::new(), free: NONE }
    }

    /// Sets a timer.
    pub(crate) fn insert(&mut self, deadline: Time, target: T) -> TimerId {
        let node = Node { deadline, next: NONE, previous: NONE, level: 0, slot: 0, target };
        let index = if self.free == NONE {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("fewer than 2^32 timers")
        } else {
            let index = self.free;
            self.free = std::mem::replace(&mut self.nodes[index as usize], node).next;
            index
        };
        self.hang(index);
        TimerId(index)
    }

    /// Lets a timer that is set fire at `deadline` if that is earlier.
    pub(crate) fn bring_forward(&mut self, timer: TimerId, deadline: Time) {
        let node = &mut self.nodes[timer.0 as usize];
        if deadline < node.deadline {
            node.deadline = deadline;
            self.unhang(timer.0);
            self.hang(timer.0);
        }
    }

    /// When to look next: no timer is due earlier.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let (level, slot) = self.first_slot()?;
        Some(self.levels[level].slots[slot].earliest)
    }

    /// Takes out a timer that is due, the earliest first; its name is free again.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Time, T)> {
        loop {
            let Some((level, slot)) = self.first_slot() else {
                self.elapsed_us = self.elapsed_us.max(now.as_micros());
                return None;
            };
            if self.levels[level].slots[slot].earliest > now {
                self.approach(now, level, slot);
                return None;
            }
            if level == 0 {
                return Some(self.take_first(slot));
            }
            self.hang_closer(level, slot);
        }
    }

    /// The slot of the earliest timers. Those of a lower level all come before those of a higher
    /// one, since the latter differ from the present in a higher digit.
    fn first_slot(&self) -> Option<(usize, usize)> {
        let level = self.levels.iter().position(|level| level.occupied != 0)?;
        Some((level, self.levels[level].occupied.trailing_zeros() as usize))
    }

    /// When a slot's time begins.
    fn start_of(&self, level: usize, slot: usize) -> u64 {
        let shift = DIGIT_BITS * level as u32;
        let above = self.elapsed_us >> shift >> DIGIT_BITS << DIGIT_BITS;
        (above | slot as u64) << shift
    }

    /// Lets the wheel's time run on to the present, though not into the next occupied slot.
    fn approach(&mut self, now: Time, level: usize, slot: usize) {
        let before = self.start_of(level, slot).saturating_sub(1);
        self.elapsed_us = self.elapsed_us.max(now.as_micros().min(before));
    }

    fn take_first(&mut self, slot: usize) -> (Time, T) {
        // All timers of such a slot are due in the same microsecond, or were late when set.
        let index = self.levels[0].slots[slot].first;
        self.unhang(index);
        let node = &mut self.nodes[index as usize];
        node.next = self.free;
        self.free = index;
        (node.deadline, node.target)
    }

    fn unhang(&mut self, index: u32) {
        let Node { next, previous, level, slot, .. } = self.nodes[index as usize];
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        if previous != NONE {
            self.nodes[previous as usize].next = next;
            return;
        }
        let level = &mut self.levels[usize::from(level)];
        level.slots[usize::from(slot)].first = next;
        if next == NONE {
            level.slots[usize::from(slot)] = Slot::EMPTY;
            level.occupied &= !(1 << slot);
        }
    }

    fn hang_closer(&mut self, level: usize, slot: usize) {
        self.elapsed_us = self.elapsed_us.max(self.start_of(level, slot));
        let full = std::mem::replace(&mut self.levels[level].slots[slot], Slot::EMPTY);
        self.levels[level].occupied &= !(1 << slot);
        let mut index = full.first;
        while index != NONE {
            let next = self.nodes[index as usize].next;
            self.hang(index);
            index = next;
        }
    }

    fn hang(&mut self, index: u32) {
        let deadline = self.nodes[index as usize].deadline;
        let at = deadline.as_micros().max(self.elapsed_us);
        let differing = at ^ self.elapsed_us;
        let level = differing.checked_ilog2().unwrap_or(0) / DIGIT_BITS;
        let digit = (at >> (DIGIT_BITS * level)) as usize % SLOTS;
        while self.levels.len() <= level as usize {
            self.levels.push(Level { occupied: 0, slots: [Slot::EMPTY; SLOTS] });
        }
        let place = &mut self.levels[level as usize];
        place.occupied |= 1 << digit;
        let slot = &mut place.slots[digit];
        let next = std::mem::replace(&mut slot.first, index);
        slot.earliest = slot.earliest.min(deadline);
        let node = &mut self.nodes[index as usize];
        (node.next, node.previous) = (next, NONE);
        (node.level, node.slot) = (level as u8, digit as u8);
        if next != NONE {
            self.nodes[next as usize].previous = index;
        }
    }

    /// How many timers there is memory for.
    #[cfg(test)]
    fn capacity(&self) -> usize {
        self.nodes.len()
    }
}

#[cfg(test)]
mod tests;

//! Handles: the numbers by which an application names its objects.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use arc_swap::ArcSwapOption;

use crate::options::HandleSpace;

macro_rules! handle {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// The handle with this number; `None` for 0, which is no handle.
            pub const fn from_raw(raw: u32) -> Option<Self> {
                match NonZeroU32::new(raw) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }

            /// The number, as the C interface shows it.
            pub const fn to_raw(self) -> u32 {
                self.0.get()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "#{}", self.0)
            }
        }
    };
}

handle! {
    /// Names one connection of one [`crate::Sockets`]. A closed connection's handle is dead for good.
    #[doc(alias = "HSteamNetConnection")]
    ConnectionHandle
}

impl ConnectionHandle {
    /// Its place in the table of connections, which no other live connection has.
    pub(crate) const fn index(self) -> usize {
        (self.to_raw() & 0xffff) as usize
    }
}

handle! {
    /// Names one listen socket.
    #[doc(alias = "HSteamListenSocket")]
    ListenSocketHandle
}
handle! {
    /// Names one poll group.
    #[doc(alias = "HSteamNetPollGroup")]
    PollGroupHandle
}

/// Slots of one segment of a [`HandleTable`].
const SEGMENT_SLOTS: usize = 1024;
/// Most segments, which bounds the objects of one table to 65,536.
const MAX_SEGMENTS: usize = 64;
/// A slot is used again only after so many others, so that a stale handle stays dead for long.
const MIN_FREE_SLOTS: usize = 1024;

/// What a handle names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HandleKind {
    /// A listen socket; the first of an instance is 65,536, as with Valve's library.
    ListenSocket,
    /// A connection.
    Connection,
    /// A poll group.
    PollGroup,
}

/// Generations of one kind in one space.
const GENERATIONS: u16 = 1 << 13;

const fn first_generation(space: HandleSpace, kind: HandleKind) -> u16 {
    let space = match space {
        HandleSpace::Low => 0,
        HandleSpace::High => 1 << 15,
    };
    match kind {
        // 0 is no handle.
        HandleKind::ListenSocket => space | 1,
        HandleKind::Connection => space | GENERATIONS,
        HandleKind::PollGroup => space | (2 * GENERATIONS),
    }
}

/// The next generation of a slot, among those of its kind and space.
const fn generation_after(first: u16, generation: u16) -> u16 {
    let last = first | (GENERATIONS - 1);
    if generation == last { first } else { generation + 1 }
}

/// Something kept in a [`HandleTable`].
pub(crate) trait Keyed {
    /// The number it was made with.
    fn raw_handle(&self) -> u32;
}

/// Objects by handle. Reading takes no lock; inserting and removing do.
///
/// A handle is a slot number in the low 16 bits and a generation in the high ones, of which the
/// topmost bit tells the [`HandleSpace`] and the next two the [`HandleKind`]: no handle names
/// objects of two kinds, or of two instances with different spaces.
#[derive(Debug)]
pub(crate) struct HandleTable<T> {
    first_generation: u16,
    segments: [OnceLock<Box<[ArcSwapOption<T>]>>; MAX_SEGMENTS],
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    used_once: u32,
    free: VecDeque<(u32, u16)>,
    count: usize,
}

impl<T: Keyed> HandleTable<T> {
    pub(crate) fn new(space: HandleSpace, kind: HandleKind) -> Self {
        Self {
            first_generation: first_generation(space, kind),
            segments: [const { OnceLock::new() }; MAX_SEGMENTS],
            slots: Mutex::default(),
        }
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, raw: u32) -> Option<&ArcSwapOption<T>> {
        let index = (raw & 0xffff) as usize;
        self.segments[index / SEGMENT_SLOTS].get()?.get(index % SEGMENT_SLOTS)
    }

    /// Makes an object under a fresh handle. `None`: the table is full, or `make` gave up.
    pub(crate) fn insert(&self, make: impl FnOnce(NonZeroU32) -> Option<T>) -> Option<Arc<T>> {
        let mut slots = self.slots();
        let reuse = slots.free.len() > MIN_FREE_SLOTS
            || slots.used_once as usize == SEGMENT_SLOTS * MAX_SEGMENTS;
        let (index, generation) = if reuse {
            slots.free.pop_front()?
        } else {
            slots.used_once += 1;
            (slots.used_once - 1, self.first_generation)
        };
        let segment = self.segments[index as usize / SEGMENT_SLOTS]
            .get_or_init(|| (0..SEGMENT_SLOTS).map(|_| ArcSwapOption::const_empty()).collect());
        let raw = NonZeroU32::new(u32::from(generation) << 16 | index)?;
        let Some(object) = make(raw) else {
            slots.free.push_front((index, generation));
            return None;
        };
        let object = Arc::new(object);
        segment[index as usize % SEGMENT_SLOTS].store(Some(object.clone()));
        slots.count += 1;
        Some(object)
    }

    /// The object of a handle, if it lives.
    pub(crate) fn find(&self, raw: u32) -> Option<Arc<T>> {
        self.slot(raw)?.load_full().filter(|object| object.raw_handle() == raw)
    }

    /// Takes the object out; its handle is dead from now on.
    pub(crate) fn remove(&self, raw: u32) -> Option<Arc<T>> {
        let mut slots = self.slots();
        let slot = self.slot(raw)?;
        let object = slot.load_full().filter(|object| object.raw_handle() == raw)?;
        slot.store(None);
        let generation = generation_after(self.first_generation, (raw >> 16) as u16);
        slots.free.push_back((raw & 0xffff, generation));
        slots.count -= 1;
        Some(object)
    }

    /// All objects, in the order of their slots.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let segments = self.segments.iter().filter_map(OnceLock::get);
        segments.flat_map(|slots| slots.iter().filter_map(ArcSwapOption::load_full)).collect()
    }

    /// How many objects there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.slots().count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Object(u32);

    impl Keyed for Object {
        fn raw_handle(&self) -> u32 {
            self.0
        }
    }

    #[test]
    fn a_removed_handle_stays_dead_when_its_slot_is_used_again() {
        let table = HandleTable::new(HandleSpace::Low, HandleKind::Connection);
        let first = table.insert(|raw| Some(Object(raw.get()))).unwrap().0;
        assert!(table.remove(first).is_some());
        assert!(table.find(first).is_none());
        assert!(table.remove(first).is_none());
        for _ in 0..MIN_FREE_SLOTS * 3 {
            let raw = table.insert(|raw| Some(Object(raw.get()))).unwrap().0;
            assert_ne!(raw, first);
            assert!(table.find(first).is_none());
            table.remove(raw);
        }
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn spaces_and_kinds_never_meet_however_often_a_slot_is_used() {
        let spaces = [HandleSpace::Low, HandleSpace::High];
        let kinds = [HandleKind::ListenSocket, HandleKind::Connection, HandleKind::PollGroup];
        let mut seen = std::collections::HashSet::from([0]);
        for (space, kind) in spaces.into_iter().flat_map(|s| kinds.map(|kind| (s, kind))) {
            let first = first_generation(space, kind);
            let mut generation = first;
            loop {
                assert!(seen.insert(generation), "{space:?} {kind:?}");
                assert_eq!(generation >= 1 << 15, space == HandleSpace::High);
                generation = generation_after(first, generation);
                if generation == first {
                    break;
                }
            }
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let table = HandleTable::new(HandleSpace::Low, HandleKind::Connection);
        let handles: Vec<u32> = std::iter::from_fn(|| {
            table.insert(|raw| Some(Object(raw.get()))).map(|object| object.0)
        })
        .collect();
        assert_eq!(handles.len(), SEGMENT_SLOTS * MAX_SEGMENTS);
        assert_eq!(table.all().len(), handles.len());
        assert!(table.remove(handles[7]).is_some());
        assert!(table.insert(|raw| Some(Object(raw.get()))).is_some());
    }

    #[test]
    fn a_maker_that_gives_up_leaves_nothing() {
        let table = HandleTable::<Object>::new(HandleSpace::High, HandleKind::PollGroup);
        assert!(table.insert(|_| None).is_none());
        assert_eq!(table.len(), 0);
        assert!(table.insert(|raw| Some(Object(raw.get()))).is_some());
    }
}

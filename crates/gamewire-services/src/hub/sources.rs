//! How many connections there are, in all and from each source.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use super::{
    config::Limits,
    metrics::Drop as DropReason,
    shared::{Shared, Source, guard},
};
use crate::buckets::Buckets;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Sources {
    open: Mutex<Open>,
    rate: Mutex<Buckets<Source>>,
    max: usize,
    max_per_source: usize,
    max_pending: usize,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    /// Of them, those that have not logged in.
    pending: usize,
    by_source: HashMap<Source, usize>,
}

/// The place that one connection takes; gone when dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    pub(super) source: Source,
}

/// The place of a client that has not logged in yet.
#[derive(Debug)]
pub(super) struct PendingPlace(Arc<Shared>);

impl Sources {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            open: Mutex::default(),
            rate: Mutex::new(Buckets::new(limits.source_rate, limits.tracked_keys)),
            max: limits.connections,
            max_per_source: limits.connections_per_source,
            max_pending: limits.pending_logins,
        }
    }

    /// Whether a source may do one more thing now.
    pub(super) fn within_rate(&self, source: Source) -> bool {
        guard(&self.rate).take(source, Instant::now())
    }
}

impl Shared {
    /// A place for a connection, if there is one.
    pub(super) fn place(self: &Arc<Self>, source: Source) -> Result<Place, DropReason> {
        if !self.sources.within_rate(source) {
            return Err(DropReason::source_rate);
        }
        let mut open = guard(&self.sources.open);
        let of_source = open.by_source.get(&source).copied().unwrap_or(0);
        if open.total >= self.sources.max || of_source >= self.sources.max_per_source {
            return Err(DropReason::connection_limit);
        }
        open.total += 1;
        *open.by_source.entry(source).or_insert(0) += 1;
        self.metrics.connections.inc();
        Ok(Place { shared: self.clone(), source })
    }

    /// A place for a client that is about to log in, if there is one.
    pub(super) fn pending_place(self: &Arc<Self>) -> Result<PendingPlace, DropReason> {
        let mut open = guard(&self.sources.open);
        if open.pending >= self.sources.max_pending {
            return Err(DropReason::connection_limit);
        }
        open.pending += 1;
        Ok(PendingPlace(self.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = guard(&self.shared.sources.open);
        open.total -= 1;
        if let Some(count) = open.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                open.by_source.remove(&self.source);
            }
        }
        self.shared.metrics.connections.dec();
    }
}

impl Drop for PendingPlace {
    fn drop(&mut self) {
        guard(&self.0.sources.open).pending -= 1;
    }
}

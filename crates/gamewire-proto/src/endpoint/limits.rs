//! How many connections may come in.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use super::ConnectionKey;
use crate::drops::DropReason;

/// What a listen socket takes before it drops connect requests unanswered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AcceptLimits {
    /// Connections that wait for the application to accept them.
    pub max_pending: usize,
    /// Connections from one IP address, accepted or not.
    pub max_per_address: usize,
    /// Connections in all, accepted or not.
    pub max_connections: usize,
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self { max_pending: 1024, max_per_address: 4096, max_connections: 65_536 }
    }
}

/// Keeps the counts that [`AcceptLimits`] bound. An endpoint has its own; a driver that lets several
/// endpoints share the work of one listen socket keeps another over all of them.
#[derive(Debug)]
pub struct Admission {
    limits: AcceptLimits,
    pending: HashSet<ConnectionKey>,
    per_address: HashMap<IpAddr, usize>,
    /// Connections that came in; those that we opened ourselves are not counted.
    counted: HashSet<ConnectionKey>,
}

impl Admission {
    /// Counts nothing yet.
    pub fn new(limits: AcceptLimits) -> Self {
        Self {
            limits,
            pending: HashSet::new(),
            per_address: HashMap::new(),
            counted: HashSet::new(),
        }
    }

    /// Whether one more may come in from this address.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn check(&self, address: IpAddr) -> Result<(), DropReason> {
        if self.pending.len() >= self.limits.max_pending
            || self.counted.len() >= self.limits.max_connections
        {
            return Err(DropReason::PendingFull);
        }
        if self.per_address.get(&address).is_some_and(|&n| n >= self.limits.max_per_address) {
            return Err(DropReason::AddressFull);
        }
        Ok(())
    }

    /// One more comes in if there is still room for it: for whoever decided some time after
    /// [`Admission::check`], while others came in.
    ///
    /// # Errors
    /// The limit that was reached meanwhile; nothing was counted.
    pub fn try_open(&mut self, key: ConnectionKey, address: IpAddr) -> Result<(), DropReason> {
        self.check(address)?;
        self.opened(key, address);
        Ok(())
    }

    /// One came in and is pending.
    pub fn opened(&mut self, key: ConnectionKey, address: IpAddr) {
        self.pending.insert(key);
        *self.per_address.entry(address).or_default() += 1;
        self.counted.insert(key);
    }

    /// It was accepted or refused.
    pub fn settled(&mut self, key: ConnectionKey) {
        self.pending.remove(&key);
    }

    /// It is over; connections that never came in here are not counted.
    pub fn closed(&mut self, key: ConnectionKey, address: IpAddr) {
        self.pending.remove(&key);
        if self.counted.remove(&key)
            && let Some(count) = self.per_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_told_that_there_is_room_may_still_come_too_late() {
        let limits = AcceptLimits { max_connections: 1, ..AcceptLimits::default() };
        let mut admission = Admission::new(limits);
        let address = IpAddr::from([192, 0, 2, 1]);
        let [first, second] = [1, 2].map(ConnectionKey);
        assert_eq!([admission.check(address), admission.check(address)], [Ok(()); 2]);
        assert_eq!(admission.try_open(first, address), Ok(()));
        assert_eq!(admission.try_open(second, address), Err(DropReason::PendingFull));
        // Nothing was counted of the second: the room of the first is all there is to free.
        admission.closed(second, address);
        admission.closed(first, address);
        assert_eq!(admission.try_open(second, address), Ok(()));
    }
}

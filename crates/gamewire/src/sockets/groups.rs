//! Poll groups.

use std::sync::Arc;

use super::Sockets;
use crate::{
    handle::{ConnectionHandle, PollGroupHandle},
    inbox::Inbox,
    poll_group::PollGroup,
};

impl Sockets {
    /// A new poll group. `None`: there are 65,536 of them already.
    #[doc(alias = "CreatePollGroup")]
    pub fn create_poll_group(&self) -> Option<PollGroupHandle> {
        let group = self.core.poll_groups.insert(|raw| {
            let handle = PollGroupHandle::from_raw(raw.get())?;
            Some(PollGroup { handle, inbox: Arc::new(Inbox::default()) })
        })?;
        Some(group.handle)
    }

    /// Dissolves a group; its connections are in none afterwards and keep their messages. False: no
    /// such group.
    #[doc(alias = "DestroyPollGroup")]
    pub fn destroy_poll_group(&self, group: PollGroupHandle) -> bool {
        if self.core.poll_groups.remove(group.to_raw()).is_none() {
            return false;
        }
        for slot in self.core.connections.all() {
            if slot.lock().group == Some(group) {
                self.set_connection_poll_group(slot.handle, None);
            }
        }
        true
    }

    /// Puts a connection into a group, or takes it out of the one that it is in. Messages that wait
    /// come along. False: no such connection or group.
    #[doc(alias = "SetConnectionPollGroup")]
    pub fn set_connection_poll_group(
        &self,
        connection: ConnectionHandle,
        group: Option<PollGroupHandle>,
    ) -> bool {
        let Some(slot) = self.core.slot(connection) else { return false };
        let target = match group {
            None => slot.inbox.clone(),
            Some(group) => match self.core.poll_groups.find(group.to_raw()) {
                Some(group) => group.inbox.clone(),
                None => return false,
            },
        };
        // Deliveries over UDP happen under the same lock, so nothing falls between the queues.
        let mut state = slot.lock();
        let source = slot.destination.load_full();
        if !Arc::ptr_eq(&source, &target) {
            slot.destination.store(target.clone());
            target.merge(source.take_of(connection, usize::MAX));
            target.signal.notify();
        }
        state.group = group;
        true
    }
}

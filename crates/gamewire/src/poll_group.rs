//! Poll groups: one queue of messages for many connections.

use std::sync::Arc;

use crate::{
    handle::{Keyed, PollGroupHandle},
    inbox::Inbox,
};

/// A poll group as the library keeps it.
#[derive(Debug)]
pub(crate) struct PollGroup {
    pub(crate) handle: PollGroupHandle,
    pub(crate) inbox: Arc<Inbox>,
}

impl Keyed for PollGroup {
    fn raw_handle(&self) -> u32 {
        self.handle.to_raw()
    }
}

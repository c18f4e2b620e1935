//! The hub, as the application sees it.

use super::Sockets;
use crate::hub::HubStatus;

impl Sockets {
    /// Connects to the hub now instead of when it is first needed. Without a hub in the options it
    /// does nothing.
    pub fn connect_hub(&self) {
        if let Some(hub) = &self.core.hub {
            hub.want();
        }
    }

    /// How the hub stands; `None`: none is configured.
    pub fn hub_status(&self) -> Option<HubStatus> {
        self.core.hub.as_ref().map(|hub| hub.status())
    }

    /// The ticket to log in at the hub with, while there is no certificate, in place of the one in
    /// the options. To be called again before a ticket expires.
    pub fn set_hub_ticket(&self, ticket: Option<Vec<u8>>) {
        if let Some(hub) = &self.core.hub {
            hub.set_ticket(ticket);
        }
    }
}

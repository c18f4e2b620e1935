//! What is known about a connection.

use std::sync::{Arc, MutexGuard, atomic::Ordering};

use gamewire_proto::event::ConnectionState;

use super::Sockets;
use crate::{
    config::{ConfigData, ConfigId},
    error::ConnectionError,
    handle::ConnectionHandle,
    slot::{Slot, SlotState},
    status::{ConnectionInfo, DetailedStatus, LaneStatus, QuickStatus, RealTimeStatus},
};

/// Longest name of a connection in bytes; longer ones are cut (`k_cchSteamNetworkingMaxConnectionAppName`
/// less NUL).
pub const MAX_NAME_BYTES: usize = 31;

impl Sockets {
    /// The application-visible state; `None`: no such connection.
    pub fn state(&self, connection: ConnectionHandle) -> Option<ConnectionState> {
        let slot = self.core.slot(connection)?;
        Some(self.announced(&slot).machine.state())
    }

    /// Who is at the other end, and how the connection stands.
    #[doc(alias = "GetConnectionInfo")]
    pub fn connection_info(&self, connection: ConnectionHandle) -> Option<ConnectionInfo> {
        let slot = self.core.slot(connection)?;
        let state = self.announced(&slot);
        Some(ConnectionInfo::of(&slot, &state))
    }

    /// Locks a connection whose changes up to now are all among the events.
    fn announced<'a>(&self, slot: &'a Arc<Slot>) -> MutexGuard<'a, SlotState> {
        let mut state = slot.lock();
        self.core.announce(slot, &mut state);
        state
    }

    /// Ping, quality, rates and queues, and those of the first `lanes` lanes. Reading clears the
    /// jitter's high-water mark.
    ///
    /// # Errors
    /// No such connection, or more lanes than are configured.
    #[doc(alias = "GetConnectionRealTimeStatus")]
    pub fn real_time_status(
        &self,
        connection: ConnectionHandle,
        lanes: usize,
    ) -> Result<(RealTimeStatus, Vec<LaneStatus>), ConnectionError> {
        let slot = self.core.slot(connection).ok_or(ConnectionError::NoSuchConnection)?;
        let mut state = self.announced(&slot);
        let now = self.core.clock.now();
        RealTimeStatus::of(&mut state, now, lanes).ok_or(ConnectionError::InvalidLanes)
    }

    /// The older form of [`Sockets::real_time_status`]; `None` also for a connection that is over.
    #[doc(alias = "GetQuickConnectionStatus")]
    pub fn quick_connection_status(&self, connection: ConnectionHandle) -> Option<QuickStatus> {
        let (status, _) = self.real_time_status(connection, 0).ok()?;
        QuickStatus::from_real_time(status)
    }

    /// Everything that is known, typed; its `Display` is the text for people.
    #[doc(alias = "GetDetailedConnectionStatus")]
    pub fn detailed_connection_status(
        &self,
        connection: ConnectionHandle,
    ) -> Option<DetailedStatus> {
        let slot = self.core.slot(connection)?;
        let mut state = self.announced(&slot);
        let now = self.core.clock.now();
        Some(DetailedStatus::of(&slot, &mut state, now))
    }

    /// Sets the number that the application ties to a connection; messages that wait carry it too,
    /// events that wait do not. False: no such connection.
    #[doc(alias = "SetConnectionUserData")]
    pub fn set_connection_user_data(&self, connection: ConnectionHandle, data: i64) -> bool {
        let Some(slot) = self.core.slot(connection) else { return false };
        slot.user_data.store(data, Ordering::Relaxed);
        let value = Some(ConfigData::Int64(data));
        if slot.options.set(ConfigId::ConnectionUserData, value).is_err() {
            return false;
        }
        slot.destination.load().set_user_data(connection, data);
        true
    }

    /// The number set by the application; `None`: no such connection. −1 if it never set one.
    #[doc(alias = "GetConnectionUserData")]
    pub fn connection_user_data(&self, connection: ConnectionHandle) -> Option<i64> {
        Some(self.core.slot(connection)?.user_data.load(Ordering::Relaxed))
    }

    /// Names a connection for people; cut to [`MAX_NAME_BYTES`]. False: no such connection.
    #[doc(alias = "SetConnectionName")]
    pub fn set_connection_name(&self, connection: ConnectionHandle, name: &str) -> bool {
        let Some(slot) = self.core.slot(connection) else { return false };
        let end = name.floor_char_boundary(MAX_NAME_BYTES);
        slot.lock().name = name[..end].to_owned();
        true
    }

    /// A connection's name; empty if it has none.
    #[doc(alias = "GetConnectionName")]
    pub fn connection_name(&self, connection: ConnectionHandle) -> Option<String> {
        Some(self.core.slot(connection)?.lock().name.clone())
    }

    /// All connections that the application has not closed.
    pub fn connections(&self) -> Vec<ConnectionHandle> {
        let slots = self.core.connections.all();
        slots.iter().filter(|slot| !slot.is_closed()).map(|slot| slot.handle).collect()
    }
}

//! Configuration values at every scope.

use std::sync::{Arc, atomic::Ordering};

use super::Sockets;
use crate::{
    config::{ConfigData, ConfigError, ConfigId, ScopeValues},
    handle::{ConnectionHandle, ListenSocketHandle},
    slot::Slot,
};

/// Where a configuration value is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScopeObject {
    /// The default for everything.
    Global,
    /// This instance.
    Interface,
    /// Connections that come in through a listen socket.
    ListenSocket(ListenSocketHandle),
    /// One connection.
    Connection(ConnectionHandle),
}

impl Sockets {
    /// Sets a value, or with `None` goes back to what is inherited (globally: to the default).
    ///
    /// # Errors
    /// Unknown value or object, wrong scope, locked or read-only.
    #[doc(alias = "SetConfigValue")]
    pub fn set_config_value(
        &self,
        scope: ScopeObject,
        id: ConfigId,
        value: Option<ConfigData>,
    ) -> Result<(), ConfigError> {
        self.scope_values(scope)?.set(id, value)?;
        self.apply(scope);
        Ok(())
    }

    /// A value as it is in force, and whether it is inherited from a wider scope.
    ///
    /// # Errors
    /// Unknown value or object, or a scope that cannot have it.
    #[doc(alias = "GetConfigValue")]
    pub fn config_value(
        &self,
        scope: ScopeObject,
        id: ConfigId,
    ) -> Result<(ConfigData, bool), ConfigError> {
        self.scope_values(scope)?.get(id)
    }

    fn scope_values(&self, scope: ScopeObject) -> Result<Arc<ScopeValues>, ConfigError> {
        match scope {
            ScopeObject::Global => Ok(self.core.global.clone()),
            ScopeObject::Interface => Ok(self.core.interface.clone()),
            ScopeObject::ListenSocket(socket) => {
                let listener = self.core.listen_sockets.find(socket.to_raw());
                Ok(listener.ok_or(ConfigError::BadScopeObject)?.options.clone())
            }
            ScopeObject::Connection(connection) => {
                let slot = self.core.slot(connection);
                Ok(slot.ok_or(ConfigError::BadScopeObject)?.options.clone())
            }
        }
    }

    /// Lets live connections know of a change.
    fn apply(&self, scope: ScopeObject) {
        let concerned = |slot: &Slot| match scope {
            ScopeObject::Global | ScopeObject::Interface => true,
            ScopeObject::ListenSocket(socket) => slot.listen_socket == Some(socket),
            ScopeObject::Connection(connection) => slot.handle == connection,
        };
        let roots = self.core.authentication().roots_configured();
        for slot in self.core.connections.all().into_iter().filter(|slot| concerned(slot)) {
            let config = slot.options.connection_config(roots);
            if let ScopeObject::Connection(_) = scope {
                // User data is bound at creation and follows its own scope alone.
                slot.user_data.store(slot.options.connection_user_data(), Ordering::Relaxed);
            }
            self.core.drive(&slot, |machine, _| {
                machine.reconfigure(config.send, config.receive);
                machine.set_log_levels(config.log);
                machine.set_timeouts(config.timeout_initial, config.timeout_connected);
            });
        }
        if scope == ScopeObject::Global {
            let fake = self.core.global.fake_network_config();
            for link in self.core.links().iter().filter_map(std::sync::Weak::upgrade) {
                link.configure_fake(&fake);
                link.configure_trace(self.core.global.int32(ConfigId::PacketTraceMaxBytes));
                link.worker.wake_by(self.core.clock.now());
            }
        }
    }
}

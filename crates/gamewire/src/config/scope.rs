//! Scopes: where values are set, and who inherits them.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{Access, Config, ConfigData, ConfigError, ConfigId, Scope};

/// Bytes of `MTU_PacketSize` that `MTU_DataSize` leaves for headers (api.md §3.8).
const NO_FRAGMENT_RESERVE: i32 = 100;

/// The values of one scope: those set in it, over those of the wider scope around it. Any thread may
/// read and change them.
#[derive(Debug)]
pub struct ScopeValues {
    scope: Scope,
    parent: Option<Arc<ScopeValues>>,
    values: RwLock<Values>,
}

/// Every map holds at most one entry per row of the table.
#[derive(Debug, Default)]
struct Values {
    set: BTreeMap<ConfigId, ConfigData>,
    /// The kinds of rows that no longer follow wider scopes, a bit for each [`Access`].
    bound_kinds: u8,
    /// What those rows inherited then, where it was not the default.
    bound: BTreeMap<ConfigId, ConfigData>,
    lock: LockState,
}

impl Values {
    fn is_bound(&self, id: ConfigId) -> bool {
        self.has_bound(id.info().access)
    }

    fn has_bound(&self, access: Access) -> bool {
        self.bound_kinds & (1 << access as u8) != 0
    }
}

/// Whether values that are fixed once a connection is being made may still change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum LockState {
    #[default]
    Open,
    Locked,
}

impl ScopeValues {
    /// A widest scope, with nothing set.
    pub fn global() -> Arc<Self> {
        Arc::new(Self { scope: Scope::Global, parent: None, values: RwLock::default() })
    }

    /// A scope inside another, with nothing set. A connection keeps from now on the values that are
    /// bound at creation (`ConnectionUserData`).
    pub fn child(parent: &Arc<Self>, scope: Scope) -> Arc<Self> {
        debug_assert!(parent.scope < scope, "scopes nest from wide to narrow");
        let child = Self { scope, parent: Some(parent.clone()), values: RwLock::default() };
        if scope == Scope::Connection {
            child.bind(Access::BoundAtCreation);
        }
        Arc::new(child)
    }

    /// How wide it is.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Sets a value, converted to the row's type and moved into its range. `None` clears it, so that
    /// it is inherited again, or the default in the global scope.
    ///
    /// # Errors
    /// [`ConfigError`]; nothing changed then.
    #[doc(alias = "SetConfigValue")]
    pub fn set(&self, id: ConfigId, data: Option<ConfigData>) -> Result<(), ConfigError> {
        let row = id.info();
        if row.scope < self.scope {
            return Err(ConfigError::WrongScope { id, given: self.scope });
        }
        if row.access == Access::ReadOnly {
            return Err(ConfigError::ReadOnly(id));
        }
        let data = data.map(|data| data.fit(row)).transpose()?;
        let mut values = self.write();
        if row.access == Access::LockedOnceConnecting && values.lock == LockState::Locked {
            return Err(ConfigError::Locked(id));
        }
        match data {
            Some(data) => values.set.insert(id, data),
            None => values.set.remove(&id),
        };
        Ok(())
    }

    /// Sets options in their order.
    ///
    /// # Errors
    /// The first that cannot be set; those before it are set.
    pub fn set_all(&self, options: &[Config]) -> Result<(), ConfigError> {
        options.iter().try_for_each(|option| self.set(option.id(), Some(option.data())))
    }

    /// The value that holds in this scope, and whether it is inherited: from a wider scope, or as
    /// the default in a scope that is not the widest. What no longer follows wider scopes is not.
    ///
    /// # Errors
    /// [`ConfigError::WrongScope`] if the value does not exist in so narrow a scope.
    #[doc(alias = "GetConfigValue")]
    pub fn get(&self, id: ConfigId) -> Result<(ConfigData, bool), ConfigError> {
        if id.info().scope < self.scope {
            return Err(ConfigError::WrongScope { id, given: self.scope });
        }
        if id == ConfigId::MtuDataSize {
            let (_, inherited) = self.get(ConfigId::MtuPacketSize)?;
            return Ok((self.effective(id), inherited));
        }
        let (own, is_bound) = {
            let values = self.read();
            (values.set.get(&id).cloned(), values.is_bound(id))
        };
        let inherited = own.is_none() && !is_bound && self.parent.is_some();
        Ok((own.unwrap_or_else(|| self.effective(id)), inherited))
    }

    /// Fixes what may not change once a connection is being made: such values keep what they are
    /// here, and refuse changes from now on.
    pub fn lock(&self) {
        self.bind(Access::LockedOnceConnecting);
        self.write().lock = LockState::Locked;
    }

    /// Stops following wider scopes in all rows of a kind.
    fn bind(&self, access: Access) {
        // The first call wins: what was bound once stays.
        if self.read().has_bound(access) {
            return;
        }
        let rows = ConfigId::ALL.iter().copied().filter(|id| id.info().access == access);
        let explicit = |id| Some((id, self.parent.as_ref()?.explicit(id)?));
        let inherited: Vec<_> = rows.filter_map(explicit).collect();
        let mut values = self.write();
        if !values.has_bound(access) {
            values.bound_kinds |= 1 << access as u8;
            values.bound.extend(inherited);
        }
    }

    /// The value set here or in the nearest wider scope that sets it; `None`: nobody does.
    pub(super) fn explicit(&self, id: ConfigId) -> Option<ConfigData> {
        {
            let values = self.read();
            if let Some(data) = values.set.get(&id) {
                return Some(data.clone());
            }
            if values.is_bound(id) {
                return values.bound.get(&id).cloned();
            }
        }
        self.parent.as_ref()?.explicit(id)
    }

    /// What holds, whatever the scope of the row.
    pub(crate) fn effective(&self, id: ConfigId) -> ConfigData {
        if id == ConfigId::MtuDataSize {
            let packet = self.int32(ConfigId::MtuPacketSize);
            return ConfigData::Int32((packet - NO_FRAGMENT_RESERVE).max(0));
        }
        self.explicit(id).unwrap_or_else(|| id.default_data())
    }

    /// The number that holds here, also of a value of a wider scope; 0 if the row is no 32-bit
    /// number.
    pub fn int32(&self, id: ConfigId) -> i32 {
        match self.effective(id) {
            ConfigData::Int32(number) => number,
            _ => 0,
        }
    }

    /// Like [`Self::int32`] for rows with fractions.
    pub fn float(&self, id: ConfigId) -> f32 {
        match self.effective(id) {
            ConfigData::Float(number) => number,
            _ => 0.0,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Values> {
        self.values.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Values> {
        self.values.write().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Valve's configuration values by name or number, typed by what the library says about itself.

use std::collections::BTreeMap;
use std::ffi::{CString, c_int, c_void};
use std::ptr;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::ffi::{RawArgument, RawOption};

/// Highest configuration value number that is looked for. The known ones end at 999.
pub(crate) const MAX_CONFIG_NUMBER: c_int = 1023;

/// What the generated names of Valve's header start with; a driver may write it or leave it out.
const NAME_PREFIX: &str = "k_ESteamNetworkingConfig_";

/// One assignment as the driver wrote it: a name or number, and a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: Value,
}

/// Where a configuration value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Global,
    ListenSocket(u32),
    Connection(u32),
}

impl Scope {
    /// `ESteamNetworkingConfigScope` and the object it is about.
    pub(crate) fn to_raw(self) -> (c_int, isize) {
        let object = |handle: u32| isize::try_from(handle).expect("64-bit platforms only");
        match self {
            Self::Global => (1, 0),
            Self::ListenSocket(socket) => (3, object(socket)),
            Self::Connection(connection) => (4, object(connection)),
        }
    }
}

/// A typed argument, owning its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    Int32(i32),
    Int64(i64),
    Float(f32),
    Text(CString),
    /// Back to the default of the scope.
    Reset,
}

/// A configuration value that the library knows, and what to set it to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) number: c_int,
    pub(crate) argument: Argument,
}

impl Argument {
    /// `ESteamNetworkingConfigDataType`. A reset may name any type.
    pub(crate) fn data_type(&self) -> c_int {
        match self {
            Self::Int32(_) | Self::Reset => 1,
            Self::Int64(_) => 2,
            Self::Float(_) => 3,
            Self::Text(_) => 4,
        }
    }

    /// What `SetConfigValue` takes: a pointer to the number, or the text itself, or null.
    /// It points into `self`.
    pub(crate) fn as_pointer(&self) -> *const c_void {
        match self {
            Self::Int32(value) => ptr::from_ref(value).cast(),
            Self::Int64(value) => ptr::from_ref(value).cast(),
            Self::Float(value) => ptr::from_ref(value).cast(),
            Self::Text(text) => text.as_ptr().cast(),
            Self::Reset => ptr::null(),
        }
    }
}

impl Assignment {
    /// The form that a listen socket or connection is created with. It points into `self`.
    pub(crate) fn to_option(&self) -> Result<RawOption> {
        let argument = match &self.argument {
            Argument::Int32(int32) => RawArgument { int32: *int32 },
            Argument::Int64(int64) => RawArgument { int64: *int64 },
            Argument::Float(float) => RawArgument { float: *float },
            Argument::Text(text) => RawArgument { text: text.as_ptr() },
            Argument::Reset => bail!("an option at creation cannot be null"),
        };
        Ok(RawOption { value: self.number, data_type: self.argument.data_type(), argument })
    }
}

/// Number and data type of every configuration value of the linked library, by name.
#[derive(Debug, Default)]
pub(crate) struct ConfigTable {
    by_name: BTreeMap<String, (c_int, c_int)>,
}

impl ConfigTable {
    pub(crate) fn insert(&mut self, name: String, number: c_int, data_type: c_int) {
        self.by_name.insert(name, (number, data_type));
    }

    /// Finds the value that `setting` names and converts its JSON to the type that it wants.
    pub(crate) fn resolve(&self, setting: &Setting) -> Result<Assignment> {
        let key = setting.key.strip_prefix(NAME_PREFIX).unwrap_or(&setting.key);
        let found = match key.parse::<c_int>() {
            Ok(number) => self.by_name.values().find(|(known, _)| *known == number),
            Err(_) => self.by_name.get(key),
        };
        let &(number, data_type) =
            found.ok_or_else(|| anyhow!("the library knows no configuration value {key}"))?;
        let argument = argument_from(&setting.value, data_type)
            .with_context(|| format!("configuration value {key}"))?;
        Ok(Assignment { number, argument })
    }
}

fn argument_from(value: &Value, data_type: c_int) -> Result<Argument> {
    if value.is_null() {
        return Ok(Argument::Reset);
    }
    let integer = || value.as_i64().ok_or_else(|| anyhow!("wants an integer, not {value}"));
    Ok(match data_type {
        1 => Argument::Int32(i32::try_from(integer()?).context("wants 32 bits")?),
        2 => Argument::Int64(integer()?),
        3 => {
            let number = value.as_f64().ok_or_else(|| anyhow!("wants a number, not {value}"))?;
            ensure!((number as f32).is_finite(), "is beyond a 32-bit float");
            Argument::Float(number as f32)
        }
        4 => {
            let text = value.as_str().ok_or_else(|| anyhow!("wants a string, not {value}"))?;
            Argument::Text(CString::new(text).context("a NUL inside the string")?)
        }
        other => bail!("has data type {other}, which cannot be set from here"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> ConfigTable {
        let mut table = ConfigTable::default();
        table.insert("SendRateMax".into(), 11, 1);
        table.insert("ConnectionUserData".into(), 40, 2);
        table.insert("FakePacketLoss_Send".into(), 2, 3);
        table.insert("P2P_STUN_ServerList".into(), 103, 4);
        table.insert("Callback_ConnectionStatusChanged".into(), 201, 5);
        table
    }

    fn resolve(key: &str, value: Value) -> Result<Assignment> {
        table().resolve(&Setting { key: key.into(), value })
    }

    #[test]
    fn names_and_numbers_find_the_same_value() {
        let expected = Assignment { number: 11, argument: Argument::Int32(5) };
        for key in ["SendRateMax", "11", "k_ESteamNetworkingConfig_SendRateMax"] {
            assert_eq!(resolve(key, json!(5)).unwrap(), expected, "{key}");
        }
    }

    #[test]
    fn the_library_says_which_type() {
        let cases = [
            ("ConnectionUserData", json!(-1), Argument::Int64(-1)),
            ("FakePacketLoss_Send", json!(10), Argument::Float(10.0)),
            ("P2P_STUN_ServerList", json!("a:1"), Argument::Text(c"a:1".into())),
            ("SendRateMax", Value::Null, Argument::Reset),
        ];
        for (key, value, argument) in cases {
            assert_eq!(resolve(key, value).unwrap().argument, argument, "{key}");
        }
    }

    #[test]
    fn wrong_settings_are_refused() {
        let cases = [
            ("NoSuchValue", json!(1)),
            ("12345", json!(1)),
            ("SendRateMax", json!("fast")),
            ("SendRateMax", json!(1_u64 << 40)),
            ("FakePacketLoss_Send", json!(1e300)),
            ("P2P_STUN_ServerList", json!("a\0b")),
            ("Callback_ConnectionStatusChanged", json!(1)),
        ];
        for (key, value) in cases {
            assert!(resolve(key, value.clone()).is_err(), "{key} = {value}");
        }
    }
}

//! Values as they are set and read, and how one type becomes another.

use std::fmt;

use super::{ConfigId, ConfigValue, Kind, Scope};

/// Longest text value in bytes; bounds what lists of servers may take.
pub const MAX_STRING_BYTES: usize = 4096;

/// The type of a value (`ESteamNetworkingConfigDataType`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum ConfigType {
    /// A 32-bit number.
    Int32 = 1,
    /// A 64-bit number.
    Int64 = 2,
    /// A number with a fraction.
    Float = 3,
    /// Text.
    String = 4,
    /// An address in this process.
    Pointer = 5,
}

impl ConfigType {
    /// The number in the C interface.
    pub const fn to_number(self) -> i32 {
        self as i32
    }

    /// The type of a number.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Int32),
            2 => Some(Self::Int64),
            3 => Some(Self::Float),
            4 => Some(Self::String),
            5 => Some(Self::Pointer),
            _ => None,
        }
    }

    /// The word for it in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float => "float",
            Self::String => "string",
            Self::Pointer => "pointer",
        }
    }
}

/// A value with its type.
#[derive(Clone, PartialEq, Debug)]
#[doc(alias = "SteamNetworkingConfigValue_t")]
pub enum ConfigData {
    /// A 32-bit number.
    Int32(i32),
    /// A 64-bit number.
    Int64(i64),
    /// A number with a fraction.
    Float(f32),
    /// Text.
    String(String),
    /// An address in this process; 0: none.
    Pointer(usize),
}

impl ConfigData {
    /// The type.
    pub const fn data_type(&self) -> ConfigType {
        match self {
            Self::Int32(_) => ConfigType::Int32,
            Self::Int64(_) => ConfigType::Int64,
            Self::Float(_) => ConfigType::Float,
            Self::String(_) => ConfigType::String,
            Self::Pointer(_) => ConfigType::Pointer,
        }
    }

    /// This value as one of `row`'s: converted to its type and moved into its range.
    pub(super) fn fit(self, row: &ConfigValue) -> Result<Self, ConfigError> {
        let wrong = ConfigError::WrongType { id: row.id, given: self.data_type() };
        match row.kind {
            Kind::Int32 { min, max, .. } => {
                let number = self.to_whole(row.id)?.ok_or(wrong)?;
                let clamped = number.clamp(min.into(), max.into());
                // In range of `i32` since both ends are.
                Ok(Self::Int32(i32::try_from(clamped).unwrap_or(max)))
            }
            Kind::Int64 { .. } => Ok(Self::Int64(self.to_whole(row.id)?.ok_or(wrong)?)),
            Kind::Float { min, max, .. } => {
                let number = self.to_fraction(row.id)?.ok_or(wrong)?;
                Ok(Self::Float((number as f32).clamp(min, max)))
            }
            Kind::String => match self {
                Self::Pointer(_) => Err(wrong),
                Self::Int32(_) | Self::Int64(_) | Self::Float(_) | Self::String(_) => {
                    bounded_text(row.id, self.to_string())
                }
            },
            Kind::Pointer => match self {
                Self::Pointer(_) => Ok(self),
                Self::Int32(_) | Self::Int64(_) | Self::Float(_) | Self::String(_) => Err(wrong),
            },
        }
    }

    /// As a whole number, rounded and saturated; `None` for pointers.
    fn to_whole(&self, id: ConfigId) -> Result<Option<i64>, ConfigError> {
        let round = |number: f64| {
            // NaN would become 0, which may mean "off" or "no limit".
            let known = !number.is_nan();
            known.then_some((number + 0.5).floor() as i64).ok_or(ConfigError::NotANumber(id))
        };
        Ok(Some(match self {
            Self::Int32(number) => (*number).into(),
            Self::Int64(number) => *number,
            Self::Float(number) => round((*number).into())?,
            Self::String(text) => match text.trim().parse::<i64>() {
                Ok(number) => number,
                Err(_) => round(parse_fraction(id, text)?)?,
            },
            Self::Pointer(_) => return Ok(None),
        }))
    }

    /// As a number with a fraction, never NaN; `None` for pointers.
    fn to_fraction(&self, id: ConfigId) -> Result<Option<f64>, ConfigError> {
        let number = match self {
            Self::Int32(number) => (*number).into(),
            Self::Int64(number) => *number as f64,
            Self::Float(number) => (*number).into(),
            Self::String(text) => parse_fraction(id, text)?,
            Self::Pointer(_) => return Ok(None),
        };
        if number.is_nan() { Err(ConfigError::NotANumber(id)) } else { Ok(Some(number)) }
    }
}

fn parse_fraction(id: ConfigId, text: &str) -> Result<f64, ConfigError> {
    text.trim().parse().map_err(|_| ConfigError::NotANumber(id))
}

fn bounded_text(id: ConfigId, text: String) -> Result<ConfigData, ConfigError> {
    if text.len() > MAX_STRING_BYTES {
        return Err(ConfigError::TooLong(id));
    }
    if text.contains('\0') {
        return Err(ConfigError::Nul(id));
    }
    Ok(ConfigData::String(text))
}

impl fmt::Display for ConfigData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int32(number) => number.fmt(f),
            Self::Int64(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
            Self::Pointer(address) => write!(f, "{address:#x}"),
        }
    }
}

impl From<i32> for ConfigData {
    fn from(value: i32) -> Self {
        Self::Int32(value)
    }
}

impl From<i64> for ConfigData {
    fn from(value: i64) -> Self {
        Self::Int64(value)
    }
}

impl From<f32> for ConfigData {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

impl From<String> for ConfigData {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<&str> for ConfigData {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<usize> for ConfigData {
    fn from(value: usize) -> Self {
        Self::Pointer(value)
    }
}

/// Why a value cannot be set or read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// No value has this number.
    #[error("there is no configuration value {0}")]
    UnknownNumber(i32),
    /// No value has this name.
    #[error("there is no configuration value named {0}")]
    UnknownName(String),
    /// The text is not of the form `Name=value`.
    #[error("{0} is not of the form Name=value")]
    NotAnAssignment(String),
    /// The value does not exist in so narrow a scope.
    #[error("{} is a value of the {} scope, not of a {}", id.name(), id.info().scope.name(), given.name())]
    WrongScope {
        /// Which value.
        id: ConfigId,
        /// Where it was looked for.
        given: Scope,
    },
    /// There is no such connection or listen socket.
    #[error("there is no such connection or listen socket")]
    BadScopeObject,
    /// The types have nothing in common.
    #[error("{} is of type {}, not {}", id.name(), id.info().data_type().name(), given.name())]
    WrongType {
        /// Which value.
        id: ConfigId,
        /// The type that was given.
        given: ConfigType,
    },
    /// The text is no number, or the number is NaN.
    #[error("{} must be a number", .0.name())]
    NotANumber(ConfigId),
    /// The text is longer than [`MAX_STRING_BYTES`].
    #[error("the text for {} is longer than {MAX_STRING_BYTES} bytes", .0.name())]
    TooLong(ConfigId),
    /// The text holds a NUL character, which would end it in C.
    #[error("the text for {} holds a NUL character", .0.name())]
    Nul(ConfigId),
    /// The connection was opened or accepted already.
    #[error("{} cannot change once a connection is being made", .0.name())]
    Locked(ConfigId),
    /// The value follows from others.
    #[error("{} can only be read", .0.name())]
    ReadOnly(ConfigId),
}

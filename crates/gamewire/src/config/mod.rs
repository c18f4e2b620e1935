//! Configuration values: one declared row each, four nested scopes, types that convert.
//!
//! The rows are in `table.rs`; the option list of calls ([`Config`]), names, ranges, defaults, the
//! resolved structs and `docs/configuration.md` all follow from them. A value is looked up in the
//! connection, then its listen socket, then the instance, then the process; the row's default is
//! the last word ([`ScopeValues`]).

mod data;
mod docs;
mod resolve;
mod scope;
mod table;

pub use self::{
    data::{ConfigData, ConfigError, ConfigType, MAX_STRING_BYTES},
    docs::markdown_table,
    scope::ScopeValues,
    table::{Config, ConfigId},
};

/// How wide a value holds, from wide to narrow (`ESteamNetworkingConfigScope`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(i32)]
pub enum Scope {
    /// Every instance that shares it.
    Global = 1,
    /// One instance.
    #[doc(alias = "SocketsInterface")]
    Interface = 2,
    /// What comes in through one listen socket.
    ListenSocket = 3,
    /// One connection.
    Connection = 4,
}

impl Scope {
    /// The number in the C interface.
    pub const fn to_number(self) -> i32 {
        self as i32
    }

    /// The scope of a number.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Global),
            2 => Some(Self::Interface),
            3 => Some(Self::ListenSocket),
            4 => Some(Self::Connection),
            _ => None,
        }
    }

    /// The word for it in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Interface => "interface",
            Self::ListenSocket => "listen socket",
            Self::Connection => "connection",
        }
    }
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unit {
    /// Nothing: a choice, a flag or a name.
    None,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Parts of a hundred.
    Percent,
    /// Messages.
    Messages,
    /// Segments of messages.
    Segments,
    /// Connections.
    Connections,
    /// A level of [`crate::DebugLevel`].
    Level,
}

impl Unit {
    /// The abbreviation in texts; empty where there is no unit.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Milliseconds => "ms",
            Self::Microseconds => "µs",
            Self::Bytes => "B",
            Self::BytesPerSecond => "B/s",
            Self::Percent => "%",
            Self::Messages => "messages",
            Self::Segments => "segments",
            Self::Connections => "connections",
            Self::Level => "level",
        }
    }
}

/// When a value can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// Always; narrower scopes that do not set it follow.
    Free,
    /// Until the connection is opened or accepted; then it is what it was.
    LockedOnceConnecting,
    /// Always, but a connection once made does not follow wider scopes.
    BoundAtCreation,
    /// Never: it follows from other values.
    ReadOnly,
}

/// Whether generic iteration ([`ConfigId::next`]) shows a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Exposure {
    /// Always: a user may edit it.
    Editable,
    /// If developer values are asked for.
    Developer,
    /// Never: it is for code, or Valve's library does not know it.
    Hidden,
}

/// The type of a row, with its default and its range.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// A 32-bit number.
    Int32 {
        /// Value where none is set.
        default: i32,
        /// Smallest; smaller ones become this.
        min: i32,
        /// Largest; larger ones become this.
        max: i32,
    },
    /// A 64-bit number without limits.
    Int64 {
        /// Value where none is set.
        default: i64,
    },
    /// A number with a fraction.
    Float {
        /// Value where none is set.
        default: f32,
        /// Smallest.
        min: f32,
        /// Largest.
        max: f32,
    },
    /// Text of at most [`MAX_STRING_BYTES`]; empty where none is set.
    String,
    /// An address in this process; 0 where none is set.
    Pointer,
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ConfigValue {
    /// Which one.
    pub id: ConfigId,
    /// Valve's name, without `k_ESteamNetworkingConfig_`.
    pub name: &'static str,
    /// Type, default and range.
    pub kind: Kind,
    /// What it counts.
    pub unit: Unit,
    /// The narrowest scope that it can be set in; it can be set in all wider ones too.
    pub scope: Scope,
    /// When it can be changed.
    pub access: Access,
    /// Whether it is shown.
    pub exposure: Exposure,
    /// What it means.
    pub doc: &'static str,
}

impl ConfigValue {
    /// The value's type.
    pub const fn data_type(&self) -> ConfigType {
        match self.kind {
            Kind::Int32 { .. } => ConfigType::Int32,
            Kind::Int64 { .. } => ConfigType::Int64,
            Kind::Float { .. } => ConfigType::Float,
            Kind::String => ConfigType::String,
            Kind::Pointer => ConfigType::Pointer,
        }
    }

    /// What holds where nothing is set.
    pub const fn default_data(&self) -> ConfigData {
        match self.kind {
            Kind::Int32 { default, .. } => ConfigData::Int32(default),
            Kind::Int64 { default } => ConfigData::Int64(default),
            Kind::Float { default, .. } => ConfigData::Float(default),
            Kind::String => ConfigData::String(String::new()),
            Kind::Pointer => ConfigData::Pointer(0),
        }
    }
}

#[cfg(test)]
mod tests;

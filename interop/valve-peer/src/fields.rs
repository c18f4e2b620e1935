//! Strict reading of a JSON object: every field is taken once, and none may be left over.

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Map, Value};

/// The fields of an object that were not taken yet.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

/// A type that a field can have.
pub(crate) trait FromField: Sized {
    /// The value, where `field` has the type and range.
    fn from_field(field: &Value) -> Option<Self>;
}

macro_rules! integers {
    ($($integer:ty: $as:ident),+) => {
        $(impl FromField for $integer {
            fn from_field(field: &Value) -> Option<Self> {
                field.$as().and_then(|number| number.try_into().ok())
            }
        })+
    };
}

integers!(i32: as_i64, u16: as_u64, u32: as_u64, u64: as_u64, usize: as_u64);

impl FromField for bool {
    fn from_field(field: &Value) -> Option<Self> {
        field.as_bool()
    }
}

impl FromField for String {
    fn from_field(field: &Value) -> Option<Self> {
        field.as_str().map(str::to_owned)
    }
}

impl FromField for Map<String, Value> {
    fn from_field(field: &Value) -> Option<Self> {
        field.as_object().cloned()
    }
}

impl<T: FromField> FromField for Vec<T> {
    fn from_field(field: &Value) -> Option<Self> {
        field.as_array()?.iter().map(T::from_field).collect()
    }
}

impl Fields {
    pub(crate) fn new(object: Map<String, Value>) -> Self {
        Self(object)
    }

    /// A field of any type; null counts as absent.
    pub(crate) fn optional_value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// A field of any type that must be there; null is a value.
    pub(crate) fn value(&mut self, name: &str) -> Result<Value> {
        self.0.remove(name).ok_or_else(|| anyhow!("{name} is missing"))
    }

    /// A field that may be absent or null.
    pub(crate) fn optional<T: FromField>(&mut self, name: &str) -> Result<Option<T>> {
        self.optional_value(name)
            .map(|value| {
                T::from_field(&value)
                    .with_context(|| format!("{name} is {value}, of the wrong type or range"))
            })
            .transpose()
    }

    /// A field that must be there.
    pub(crate) fn required<T: FromField>(&mut self, name: &str) -> Result<T> {
        self.optional(name)?.ok_or_else(|| anyhow!("{name} is missing"))
    }

    /// A text field that must be there.
    pub(crate) fn text(&mut self, name: &str) -> Result<String> {
        self.required(name)
    }

    /// A text field that may be absent or null.
    pub(crate) fn optional_text(&mut self, name: &str) -> Result<Option<String>> {
        self.optional(name)
    }

    /// Refuses what nobody asked for: most likely a misspelt name.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let unknown: Vec<&str> = self.0.keys().map(String::as_str).collect();
        ensure!(unknown.is_empty(), "unknown fields: {}", unknown.join(", "));
        Ok(())
    }
}

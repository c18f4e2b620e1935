//! The table as a document.

use std::fmt::Write as _;

use super::{Access, ConfigId, ConfigValue, Exposure, Kind};

const HEAD: &str = "\
# Configuration values

Generated from the table in `crates/gamewire/src/config/table.rs`; a test compares them. To write it
anew: `GAMEWIRE_BLESS=1 cargo test -p gamewire --lib config`.

A value is looked up in the connection, then in its listen socket, then in the instance, then in the
global scope; the default is the last word. A value can be set in its scope and in every wider one.
Numbers out of range become the nearest in range; text that is a number is taken as that number.
Names and numbers are those of `ESteamNetworkingConfigValue`; numbers from 10000 on are Gamewire's own.

| no. | name | scope | type | default | range | unit | notes | meaning |
| --: | --- | --- | --- | --- | --- | --- | --- | --- |
";

/// All values as a Markdown document, `docs/configuration.md`.
pub fn markdown_table() -> String {
    let mut text = HEAD.to_owned();
    for id in ConfigId::ALL {
        let row = id.info();
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            id.to_number(),
            row.name,
            row.scope.name(),
            row.data_type().name(),
            default_text(row),
            range_text(row),
            row.unit.symbol(),
            notes(row),
            row.doc,
        );
    }
    text
}

fn default_text(row: &ConfigValue) -> String {
    match row.kind {
        Kind::Int32 { default, .. } => default.to_string(),
        Kind::Int64 { default } => default.to_string(),
        Kind::Float { default, .. } => default.to_string(),
        Kind::String => "empty".to_owned(),
        Kind::Pointer => "none".to_owned(),
    }
}

fn range_text(row: &ConfigValue) -> String {
    match row.kind {
        Kind::Int32 { min, max: i32::MAX, .. } => format!("{min} –"),
        Kind::Int32 { min, max, .. } => format!("{min} – {max}"),
        Kind::Float { min, max, .. } => format!("{min} – {max}"),
        Kind::Int64 { .. } | Kind::String | Kind::Pointer => String::new(),
    }
}

fn notes(row: &ConfigValue) -> String {
    let access = match row.access {
        Access::Free => None,
        Access::LockedOnceConnecting => Some("locked once connecting"),
        Access::BoundAtCreation => Some("bound at creation"),
        Access::ReadOnly => Some("read-only"),
    };
    let exposure = match row.exposure {
        Exposure::Developer => Some("developer"),
        Exposure::Editable | Exposure::Hidden => None,
    };
    let notes: Vec<&str> = [access, exposure].into_iter().flatten().collect();
    notes.join(", ")
}

//! What a peer's program says on its standard output: one JSON object a line.

use std::{collections::BTreeMap, io::Write as _, net::SocketAddr};

use serde::{Deserialize, Serialize};

/// Numbers by name; the unit is the name's end.
pub type Figures = BTreeMap<String, f64>;

/// One line.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// The server is ready.
    Listening {
        /// Where.
        address: SocketAddr,
    },
    /// What was measured.
    Measured {
        /// The numbers.
        figures: Figures,
    },
    /// It came to nothing.
    Failed {
        /// Why.
        why: String,
    },
}

impl Report {
    /// Writes the line at once.
    ///
    /// # Errors
    /// Nobody reads.
    pub fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(self)?)?;
        Ok(out.flush()?)
    }
}

/// Figures from pairs.
pub(crate) fn figures<const N: usize>(pairs: [(&str, f64); N]) -> Figures {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

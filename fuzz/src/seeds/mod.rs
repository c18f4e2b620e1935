//! Hand-made inputs: a recorded connection with Valve's library, and the attacks that broke
//! libraries like this one, by their names.

mod attacks;
mod recorded;
mod wholes;

/// An input made by hand.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target that it is for.
    pub target: &'static str,
    /// Its file name.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

impl Seed {
    fn new(target: &'static str, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { target, name: name.into(), bytes: bytes.into() }
    }
}

/// Every hand-made input.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    [recorded::seeds(), attacks::seeds(), wholes::seeds()].concat()
}

/// Puts the parts of an input in a row.
fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Bytes behind their 16-bit length, as targets read them.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).expect("inputs are short");
    join(&[&len.to_le_bytes(), bytes])
}

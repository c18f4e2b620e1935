//! What a relay is told by files.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use gamewire_crypto::{KeyExchange, VerifyingKey, text::decode_public_key};
use gamewire_sdr::{PopId, hosted::RelayKeys};
use serde::{Deserialize, Serialize};

/// Longest file that is read, in bytes, but for the network config.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Its content makes no sense.
    #[error("{path}: {what}")]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

/// A key that opens the addresses in tickets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddressKey {
    /// The code of the only PoP that it is for; all of them if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pop: Option<String>,
    /// The file with the key.
    pub file: PathBuf,
}

/// The description of a relay, a JSON file. Paths in it are relative to its folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayFile {
    /// The relay's name in logs.
    pub name: String,
    /// The code of its PoP.
    pub pop: String,
    /// Where clients knock.
    pub front: SocketAddr,
    /// Where the first thread talks to servers and other relays; the others have the ports that follow.
    pub interior: SocketAddr,
    /// Threads; 0 for one per processor core.
    #[serde(default)]
    pub threads: u8,
    /// The file with its X25519 key towards other relays.
    pub key: PathBuf,
    /// The keys that open the addresses in tickets.
    pub address_keys: Vec<AddressKey>,
    /// The network config; read again as it changes.
    pub network_config: PathBuf,
    /// Its detached signature; without, the config is believed as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_config_signature: Option<PathBuf>,
    /// The roots' public keys, as `ssh-ed25519 …` lines.
    pub roots: Vec<String>,
    /// Whether servers may be in private networks and on this machine.
    #[serde(default)]
    pub allow_private_servers: bool,
    /// Milliseconds to add to the score of this PoP.
    #[serde(default)]
    pub penalty: u32,
    /// Most sessions of a thread; 0 for as many as usual.
    #[serde(default)]
    pub max_sessions: usize,
    /// Seconds that clients have to leave when the relay is told to stop; 30 if not said.
    #[serde(default = "default_drain_seconds")]
    pub drain_seconds: u64,
}

const fn default_drain_seconds() -> u64 {
    30
}

impl RelayFile {
    /// Reads a description; its paths come out absolute or relative to where the process is.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = read_text(path)?;
        let mut file: Self = serde_json::from_str(&text)
            .map_err(|error| FileError::Content { path: path.into(), what: error.to_string() })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        file.key = folder.join(&file.key);
        file.network_config = folder.join(&file.network_config);
        file.network_config_signature =
            file.network_config_signature.map(|signature| folder.join(signature));
        for key in &mut file.address_keys {
            key.file = folder.join(&key.file);
        }
        file.pop_id(path)?;
        Ok(file)
    }

    /// Its PoP.
    pub(crate) fn pop_id(&self, path: &Path) -> Result<PopId, FileError> {
        let parsed = self.pop.parse::<PopId>();
        parsed.map_err(|error| FileError::Content { path: path.into(), what: error.to_string() })
    }

    /// Whom to believe.
    pub(crate) fn root_keys(&self) -> Result<Vec<VerifyingKey>, FileError> {
        let parse = |line: &String| {
            decode_public_key(line).map_err(|error| FileError::Content {
                path: PathBuf::from("roots"),
                what: error.to_string(),
            })
        };
        self.roots.iter().map(parse).collect()
    }

    /// The keys that open the addresses in tickets.
    pub(crate) fn relay_keys(&self) -> Result<RelayKeys, FileError> {
        let mut keys = RelayKeys::default();
        for entry in &self.address_keys {
            let content = |what: String| FileError::Content { path: entry.file.clone(), what };
            let pop = entry.pop.as_deref().map(str::parse::<PopId>).transpose();
            let pop = pop.map_err(|error| content(error.to_string()))?;
            if !keys.insert(pop, read_key(&entry.file)?) {
                return Err(content("too many keys".to_owned()));
            }
        }
        Ok(keys)
    }
}

fn read_text(path: &Path) -> Result<String, FileError> {
    let fail = |error| FileError::Io { path: path.into(), error };
    let length = fs::metadata(path).map_err(fail)?.len();
    if length > MAX_FILE_BYTES {
        return Err(FileError::Content { path: path.into(), what: "too long".to_owned() });
    }
    fs::read_to_string(path).map_err(fail)
}

/// The X25519 private key in a file of 64 hexadecimal digits.
///
/// # Errors
/// [`FileError`]
pub fn read_key(path: &Path) -> Result<KeyExchange, FileError> {
    let text = read_text(path)?;
    let key = parse_key(text.trim()).ok_or_else(|| FileError::Content {
        path: path.into(),
        what: "expected 64 hexadecimal digits".to_owned(),
    })?;
    Ok(KeyExchange::from_bytes(key))
}

fn parse_key(text: &str) -> Option<[u8; 32]> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !odd.is_empty() {
        return None;
    }
    let mut key = [0; 32];
    for (byte, &[high, low]) in key.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(key)
}

/// Writes an X25519 private key to a new file that its owner alone may read.
///
/// # Errors
/// [`FileError`]; also if the file exists.
pub fn write_key(path: &Path, private: &[u8; 32]) -> Result<(), FileError> {
    let fail = |error| FileError::Io { path: path.into(), error };
    let text: String = private.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
    writeln!(file, "{text}").map_err(fail)
}

//! The network config of the process: which relays there are.
//!
//! It comes from [`set_network_config`], or from the file that `SDR_NETWORK_CONFIG` names, which is
//! read when it is first needed.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use gamewire_sdr::config::{ConfigError, MAX_CONFIG_BYTES, NetworkConfig};

/// Names a file with a network config.
const VARIABLE: &str = "SDR_NETWORK_CONFIG";

static CURRENT: ArcSwapOption<NetworkConfig> = ArcSwapOption::const_empty();
static FROM_FILE: OnceLock<()> = OnceLock::new();

/// Takes a network config (JSON) into use for the process; returns what to warn about.
///
/// # Errors
/// [`ConfigError`]; what was in use before stays.
#[doc(alias = "SteamDatagram_SetNetworkConfig")]
pub fn set_network_config(json: &[u8]) -> Result<Vec<String>, ConfigError> {
    let (config, warnings) = NetworkConfig::parse(json)?;
    // What is set by hand is not overruled by the file later.
    let _ = FROM_FILE.set(());
    CURRENT.store(Some(Arc::new(config)));
    Ok(warnings)
}

/// The network config in use, if there is one.
pub fn network_config() -> Option<Arc<NetworkConfig>> {
    FROM_FILE.get_or_init(|| {
        if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            read_file(path.as_ref());
        }
    });
    CURRENT.load_full()
}

fn read_file(path: &std::path::Path) {
    let readable = std::fs::metadata(path).is_ok_and(|file| file.len() <= MAX_CONFIG_BYTES as u64);
    let parsed = if readable {
        std::fs::read(path).map_err(|error| error.to_string())
    } else {
        Err("no file of reasonable size".to_owned())
    };
    match parsed.and_then(|json| NetworkConfig::parse(&json).map_err(|error| error.to_string())) {
        Ok((config, warnings)) => {
            for warning in warnings {
                tracing::warn!("{VARIABLE}: {warning}");
            }
            CURRENT.store(Some(Arc::new(config)));
        }
        Err(error) => tracing::error!("{VARIABLE}: {}: {error}", path.display()),
    }
}

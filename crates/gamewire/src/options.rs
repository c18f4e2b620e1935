//! What an instance is made with.

use std::{env, sync::Arc};

use gamewire_crypto::{TrustStore, VerifyingKey};
use gamewire_wire::identity::Identity;

use crate::{config::ScopeValues, error::OpenError};

/// How a [`crate::Sockets`] is made. The default suits a game that connects by address and has no
/// certificate authority.
#[derive(Clone, Debug)]
pub struct Options {
    /// The identity that we go by; without a certificate it is what we claim, no more.
    pub identity: Identity,
    /// The application, as certificates name it; 0: any.
    pub app_id: u32,
    /// Whom to believe about the identities of others. Empty: nobody, and peers may come unsigned
    /// (`IP_AllowWithoutAuth`).
    pub trust: TrustStore,
    /// Service threads; connections and listen sockets are spread over them. At least 1.
    pub service_threads: usize,
    /// The global scope of configuration; instances that share it share its values.
    pub global_config: Arc<ScopeValues>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            identity: Identity::localhost(),
            app_id: 0,
            trust: TrustStore::default(),
            service_threads: 1,
            global_config: ScopeValues::global(),
        }
    }
}

impl Options {
    /// The default, completed by the environment: `GAMEWIRE_ROOTS` (public keys of trusted roots,
    /// as `ssh-ed25519 …` lines, separated by commas or line ends, or `@FILE`) and
    /// `GAMEWIRE_APPID` (a number).
    ///
    /// # Errors
    /// A variable is set and makes no sense.
    pub fn from_environment() -> Result<Self, OpenError> {
        let mut options = Self::default();
        if let Ok(app_id) = env::var("GAMEWIRE_APPID") {
            options.app_id = app_id.trim().parse().map_err(|_| {
                OpenError::Environment(format!("GAMEWIRE_APPID={app_id} is no application number"))
            })?;
        }
        if let Ok(roots) = env::var("GAMEWIRE_ROOTS") {
            let mut builder = TrustStore::builder();
            for key in parse_roots(&roots)? {
                builder.root(key).map_err(environment)?;
            }
            options.trust = builder.build().map_err(environment)?;
        }
        Ok(options)
    }
}

fn environment(error: impl std::fmt::Display) -> OpenError {
    OpenError::Environment(format!("GAMEWIRE_ROOTS: {error}"))
}

fn parse_roots(text: &str) -> Result<Vec<VerifyingKey>, OpenError> {
    let fail = |what: String| OpenError::Environment(format!("GAMEWIRE_ROOTS: {what}"));
    let lines = match text.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| fail(format!("{path}: {error}")))?
        }
        None => text.to_owned(),
    };
    lines
        .split([',', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            gamewire_crypto::text::decode_public_key(line)
                .map_err(|error| fail(format!("{line}: {error}")))
        })
        .collect()
}

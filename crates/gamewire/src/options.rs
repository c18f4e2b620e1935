//! What an instance is made with.

use std::{env, fmt, sync::Arc};

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
    /// The hub where peers find each other by identity and where certificates come from, as a
    /// `wss://` URL. Nothing connects to it before it is needed.
    pub hub: Option<String>,
    /// Certificates that the hub's TLS certificate must come from, PEM; `None`: the system's.
    pub hub_roots: Option<String>,
    /// A ticket of the game's own backend, to log in at the hub with while there is no certificate.
    pub hub_ticket: Option<Vec<u8>>,
    /// Service threads; at least 1. Connections are spread over them, those of one listen socket
    /// too, and each stays with one thread (on Linux; elsewhere a listen socket has one thread).
    pub service_threads: usize,
    /// The application does the service threads' work by calling [`crate::Sockets::poll`]. Best
    /// with one service thread.
    pub manual_poll: bool,
    /// Called on each service thread before it does anything else, to set its priority say.
    pub thread_hook: Option<ThreadHook>,
    /// From which numbers the handles come.
    pub handle_space: HandleSpace,
    /// The global scope of configuration; instances that share it share its values.
    pub global_config: Arc<ScopeValues>,
}

/// A function that each service thread calls first.
#[derive(Clone)]
pub struct ThreadHook(Arc<dyn Fn() + Send + Sync>);

impl ThreadHook {
    /// Wraps a function.
    pub fn new(function: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    pub(crate) fn call(&self) {
        (self.0)();
    }
}

impl fmt::Debug for ThreadHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadHook").finish_non_exhaustive()
    }
}

/// From which numbers the handles of an instance come. The C interface has two instances whose
/// handles must differ, as some of its calls name a connection without its instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HandleSpace {
    /// Below 2^31.
    #[default]
    Low,
    /// From 2^31 on.
    High,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            identity: Identity::localhost(),
            app_id: 0,
            trust: TrustStore::default(),
            hub: None,
            hub_roots: None,
            hub_ticket: None,
            service_threads: 1,
            manual_poll: false,
            thread_hook: None,
            handle_space: HandleSpace::Low,
            global_config: ScopeValues::global(),
        }
    }
}

impl Options {
    /// The default, completed by the environment: `GAMEWIRE_ROOTS` (public keys of trusted roots,
    /// as `ssh-ed25519 …` lines, separated by commas or line ends, or `@FILE`),
    /// `GAMEWIRE_APPID` (a number), `GAMEWIRE_HUB` (a URL), and `GAMEWIRE_HUB_ROOTS` (PEM, or
    /// `@FILE`).
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
            options.trust = Self::trust_from_text(&roots)?;
        }
        options.hub = env::var("GAMEWIRE_HUB").ok();
        if let Ok(roots) = env::var("GAMEWIRE_HUB_ROOTS") {
            options.hub_roots = Some(Self::hub_roots_from_text(&roots)?);
        }
        Ok(options)
    }

    /// The PEM text for [`Options::hub_roots`], from itself or from `@FILE`, as in
    /// `GAMEWIRE_HUB_ROOTS`.
    ///
    /// # Errors
    /// The file cannot be read, or there is no certificate in the text.
    pub fn hub_roots_from_text(text: &str) -> Result<String, OpenError> {
        let fail = |what: String| OpenError::Environment(format!("GAMEWIRE_HUB_ROOTS: {what}"));
        let pem = match text.strip_prefix('@') {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| fail(format!("{path}: {error}")))?
            }
            None => text.to_owned(),
        };
        crate::hub::roots_from_pem(&pem).map_err(fail)?;
        Ok(pem)
    }

    /// Whom to trust, from text as in `GAMEWIRE_ROOTS`.
    ///
    /// # Errors
    /// The text, or the file that it names, makes no sense.
    pub fn trust_from_text(text: &str) -> Result<TrustStore, OpenError> {
        let mut builder = TrustStore::builder();
        for key in Self::roots_from_text(text)? {
            builder.root(key).map_err(environment)?;
        }
        builder.build().map_err(environment)
    }

    /// The roots in text as in `GAMEWIRE_ROOTS`, for those who build a store of their own.
    ///
    /// # Errors
    /// The text, or the file that it names, makes no sense.
    pub fn roots_from_text(text: &str) -> Result<Vec<VerifyingKey>, OpenError> {
        parse_roots(text)
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

//! What to do with peers that no root vouches for.

use super::{Trust, TrustStore, VerifiedCertificate};

/// The config values `IP_AllowWithoutAuth` and `IPLocalHost_AllowWithoutAuth`, in rising order of
/// leniency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AllowWithoutAuth {
    /// 0: refuse.
    Refuse,
    /// 1: take them, and say so in the log.
    Warn,
    /// 2: take them.
    Allow,
}

impl AllowWithoutAuth {
    /// The policy of a config value; values outside of 0..=2 count as the nearest.
    pub const fn from_config(value: i32) -> Self {
        match value {
            ..=0 => Self::Refuse,
            1 => Self::Warn,
            2.. => Self::Allow,
        }
    }

    /// The policy where none is configured: refuse once there is a root to ask, else allow as
    /// Valve's open-source build does (design decision 7).
    pub fn default_for(store: &TrustStore) -> Self {
        if store.has_roots() { Self::Refuse } else { Self::Allow }
    }
}

/// What to do with a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Go on.
    Accept,
    /// Go on, and log that the connection is not authenticated.
    AcceptWithWarning,
    /// End the connection with reason 4003.
    Refuse,
}

/// Applies the policy to a certificate that [`TrustStore::verify`] let through. For loopback peers
/// the more lenient of both policies holds.
pub fn accept(
    policy: AllowWithoutAuth,
    loopback_policy: AllowWithoutAuth,
    is_loopback: bool,
    verified: &VerifiedCertificate,
) -> Decision {
    match verified.trust {
        Trust::Chain { .. } => return Decision::Accept,
        Trust::Unsigned | Trust::Untrusted(_) => {}
    }
    let policy = if is_loopback { policy.max(loopback_policy) } else { policy };
    match policy {
        AllowWithoutAuth::Refuse => Decision::Refuse,
        AllowWithoutAuth::Warn => Decision::AcceptWithWarning,
        AllowWithoutAuth::Allow => Decision::Accept,
    }
}

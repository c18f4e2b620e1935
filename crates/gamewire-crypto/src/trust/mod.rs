//! Whom to believe: roots, intermediates, scopes, revocation, and the policy for those who have
//! no certificate (wire.md §3, relay-network.md §4.9).
//!
//! Roots are configured, never compiled in. [`TrustStore::verify`] answers two questions apart:
//! whether a certificate contradicts the connection it came on (an error, always), and how far its
//! signature is believed ([`Trust`]); what to do with an unbelieved one is [`accept`]'s business.

mod policy;
mod scope;
mod store;
mod verify;

pub use policy::{AllowWithoutAuth, Decision, accept};
pub use scope::{Allowed, Scope};
pub use store::{
    MAX_CHAIN_DEPTH, MAX_CHAIN_LINKS, MAX_INTERMEDIATES, MAX_REVOKED_KEYS, MAX_ROOTS, StoreError,
    TrustStore, TrustStoreBuilder,
};
pub use verify::{
    CLOCK_SKEW_ALLOWANCE_S, CertError, ChainError, Trust, VerifiedCertificate, VerifyContext,
};

#[cfg(test)]
mod tests;

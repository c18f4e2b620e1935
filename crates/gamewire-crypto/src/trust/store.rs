//! Roots and what they vouch for, resolved once when the store is built.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gamewire_wire::messages::CertificateSigned;

use super::Scope;
use crate::{
    cert::{CertParseError, Certificate},
    signing::VerifyingKey,
};

/// Most CA certificates between a root and a certificate. Longer chains are refused: real ones
/// have one, and each more is one more key to lose.
pub const MAX_CHAIN_DEPTH: usize = 4;
/// Most roots in a store.
pub const MAX_ROOTS: usize = 64;
/// Most CA certificates in a store; a network has one per app or partner.
pub const MAX_INTERMEDIATES: usize = 512;
/// Most revoked keys in a store.
pub const MAX_REVOKED_KEYS: usize = 16_384;
/// Most ways from roots to keys that are followed when a store is built; bounds the work that CA
/// certificates which sign each other crosswise can cause.
pub const MAX_CHAIN_LINKS: usize = 4096;

/// Why something cannot be in a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// One of the limits is reached.
    #[error("the trust store is full")]
    Full,
    /// Not a certificate.
    #[error(transparent)]
    Parse(#[from] CertParseError),
    /// A CA certificate must be signed.
    #[error("the CA certificate is not signed")]
    Unsigned,
    /// A CA certificate must end.
    #[error("the CA certificate has no expiry")]
    NoExpiry,
    /// A certificate issued to somebody must not vouch for others.
    #[error("the certificate belongs to an identity, so it is no CA certificate")]
    NotCa,
    /// A root's certificate must be signed by the root itself.
    #[error("the root certificate is not signed by its own key")]
    NotSelfSigned,
}

/// A key that may vouch for others, by one particular chain.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    pub(super) key: VerifyingKey,
    /// Key ids from the root to this key.
    pub(super) path: Vec<u64>,
    /// What the whole chain covers.
    pub(super) scope: Scope,
    /// The newest `time_created` of the chain, Unix seconds.
    pub(super) not_before: u64,
    /// The earliest expiry of the chain, Unix seconds; `u64::MAX` for bare roots.
    pub(super) expiry: u64,
}

impl Authority {
    /// CA certificates between the root and what this key signs.
    pub(super) fn depth(&self) -> usize {
        self.path.len() - 1
    }
}

#[derive(Clone, PartialEq, Debug)]
struct Intermediate {
    certificate: Certificate,
    key_id: u64,
    expiry: u32,
    bytes: Bytes,
    ca_key_id: u64,
    signature: Bytes,
}

impl Intermediate {
    fn parse(signed: &CertificateSigned) -> Result<Self, StoreError> {
        let bytes = signed.cert.clone().ok_or(CertParseError::Missing)?;
        let certificate = Certificate::decode(&bytes)?;
        if certificate.identity.is_some() {
            return Err(StoreError::NotCa);
        }
        let (Some(ca_key_id), Some(signature)) = (signed.ca_key_id, signed.ca_signature.clone())
        else {
            return Err(StoreError::Unsigned);
        };
        Ok(Self {
            key_id: certificate.key.key_id(),
            expiry: certificate.time_expiry.ok_or(StoreError::NoExpiry)?,
            certificate,
            bytes,
            ca_key_id,
            signature,
        })
    }

    fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.verify(&self.bytes, &self.signature).is_ok()
    }

    fn scope(&self) -> Scope {
        Scope::from_lists(&self.certificate.app_ids, &self.certificate.pops)
    }

    fn not_before(&self) -> u64 {
        self.certificate.time_created.map_or(0, u64::from)
    }

    /// The authority that `parent` lends to this certificate's key.
    fn under(&self, parent: &Authority) -> Authority {
        let mut path = parent.path.clone();
        path.push(self.key_id);
        Authority {
            key: self.certificate.key,
            path,
            scope: parent.scope.intersection(&self.scope()),
            not_before: parent.not_before.max(self.not_before()),
            expiry: parent.expiry.min(u64::from(self.expiry)),
        }
    }
}

/// Collects what a [`TrustStore`] is made of. Only put in what comes from the operator: a CA
/// certificate that a peer handed over proves nothing about the peer's wishes.
#[derive(Clone, Debug, Default)]
pub struct TrustStoreBuilder {
    roots: Vec<Authority>,
    intermediates: Vec<Intermediate>,
    revoked: BTreeSet<u64>,
}

impl TrustStoreBuilder {
    /// Adds a root that may vouch for everything, for ever.
    ///
    /// # Errors
    /// `Full` at [`MAX_ROOTS`].
    pub fn root(&mut self, key: VerifyingKey) -> Result<&mut Self, StoreError> {
        self.scoped_root(key, Scope::UNLIMITED)
    }

    /// Adds a root that may vouch for `scope` only.
    ///
    /// # Errors
    /// `Full` at [`MAX_ROOTS`].
    pub fn scoped_root(
        &mut self,
        key: VerifyingKey,
        scope: Scope,
    ) -> Result<&mut Self, StoreError> {
        self.add_root(Authority {
            key,
            path: vec![key.key_id()],
            scope,
            not_before: 0,
            expiry: u64::MAX,
        })
    }

    /// Adds a root by its self-signed certificate, whose scope and times hold.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn root_certificate(
        &mut self,
        signed: &CertificateSigned,
    ) -> Result<&mut Self, StoreError> {
        let own = Intermediate::parse(signed)?;
        if own.ca_key_id != own.key_id || !own.is_signed_by(&own.certificate.key) {
            return Err(StoreError::NotSelfSigned);
        }
        self.add_root(Authority {
            key: own.certificate.key,
            path: vec![own.key_id],
            scope: own.scope(),
            not_before: own.not_before(),
            expiry: u64::from(own.expiry),
        })
    }

    fn add_root(&mut self, root: Authority) -> Result<&mut Self, StoreError> {
        if self.roots.len() >= MAX_ROOTS {
            return Err(StoreError::Full);
        }
        self.roots.push(root);
        Ok(self)
    }

    /// Adds a CA certificate. Its signature is checked when the store is built; one that no root
    /// vouches for does no harm.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn intermediate(&mut self, signed: &CertificateSigned) -> Result<&mut Self, StoreError> {
        let intermediate = Intermediate::parse(signed)?;
        if self.intermediates.contains(&intermediate) {
            return Ok(self);
        }
        if self.intermediates.len() >= MAX_INTERMEDIATES {
            return Err(StoreError::Full);
        }
        self.intermediates.push(intermediate);
        Ok(self)
    }

    /// Revokes a key, be it a root's, a CA's or a peer's.
    ///
    /// # Errors
    /// `Full` at [`MAX_REVOKED_KEYS`].
    pub fn revoke(&mut self, key_id: u64) -> Result<&mut Self, StoreError> {
        if self.revoked.len() >= MAX_REVOKED_KEYS && !self.revoked.contains(&key_id) {
            return Err(StoreError::Full);
        }
        self.revoked.insert(key_id);
        Ok(self)
    }

    /// Resolves the chains. Costs one signature check per CA certificate, roughly.
    ///
    /// # Errors
    /// `Full` if the CA certificates sign each other in more than [`MAX_CHAIN_LINKS`] ways.
    pub fn build(&self) -> Result<TrustStore, StoreError> {
        let mut chains = Chains::new(&self.intermediates);
        let mut level = self.roots.clone();
        // One level beyond the limit, so that what is too deep can be told from the unknown.
        for _ in 0..=MAX_CHAIN_DEPTH {
            let next = chains.next_level(&level)?;
            chains.found.append(&mut level);
            level = next;
        }
        chains.found.append(&mut level);
        let mut authorities: BTreeMap<u64, Vec<Authority>> = BTreeMap::new();
        for authority in chains.found {
            let key_id = authority.key.key_id();
            authorities.entry(key_id).or_default().push(authority);
        }
        Ok(TrustStore {
            authorities,
            has_roots: !self.roots.is_empty(),
            ca_key_ids: self.intermediates.iter().map(|ca| ca.key_id).collect(),
            revoked: self.revoked.clone(),
        })
    }
}

/// The search from the roots downward, level by level.
struct Chains<'a> {
    by_signer: BTreeMap<u64, Vec<(usize, &'a Intermediate)>>,
    /// Results of signature checks, by CA certificate and signer.
    checked: BTreeMap<(usize, VerifyingKey), bool>,
    found: Vec<Authority>,
}

impl<'a> Chains<'a> {
    fn new(intermediates: &'a [Intermediate]) -> Self {
        let mut by_signer: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        for (index, ca) in intermediates.iter().enumerate() {
            by_signer.entry(ca.ca_key_id).or_default().push((index, ca));
        }
        Self { by_signer, checked: BTreeMap::new(), found: Vec::new() }
    }

    fn next_level(&mut self, level: &[Authority]) -> Result<Vec<Authority>, StoreError> {
        let mut next = Vec::new();
        for parent in level {
            let signed = self.by_signer.get(&parent.key.key_id());
            for &(index, ca) in signed.into_iter().flatten() {
                // A key that vouches for itself through others gains nothing.
                if parent.path.contains(&ca.key_id) {
                    continue;
                }
                let is_signed = self
                    .checked
                    .entry((index, parent.key))
                    .or_insert_with(|| ca.is_signed_by(&parent.key));
                if *is_signed {
                    next.push(ca.under(parent));
                }
                if self.found.len() + level.len() + next.len() > MAX_CHAIN_LINKS {
                    return Err(StoreError::Full);
                }
            }
        }
        Ok(next)
    }
}

/// Whom this instance believes. Immutable; build a new one when the network config changes.
#[derive(Clone, Debug, Default)]
pub struct TrustStore {
    pub(super) authorities: BTreeMap<u64, Vec<Authority>>,
    pub(super) ca_key_ids: BTreeSet<u64>,
    pub(super) revoked: BTreeSet<u64>,
    has_roots: bool,
}

impl TrustStore {
    /// Starts a store.
    pub fn builder() -> TrustStoreBuilder {
        TrustStoreBuilder::default()
    }

    /// A store that believes nobody: the open-source default.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Whether a root is configured. Then unauthenticated peers are refused unless the
    /// configuration says otherwise.
    pub const fn has_roots(&self) -> bool {
        self.has_roots
    }

    /// Whether a key is revoked.
    pub fn is_revoked(&self, key_id: u64) -> bool {
        self.revoked.contains(&key_id)
    }
}

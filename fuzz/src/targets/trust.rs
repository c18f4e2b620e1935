//! Certificate chains made by instructions, and mutated: nothing is believed that no root signed,
//! nor outside of what every link of its chain allows.

use bytes::Bytes;
use gamewire_crypto::trust::{CLOCK_SKEW_ALLOWANCE_S, MAX_CHAIN_DEPTH, TrustStoreBuilder};
use gamewire_crypto::{
    Certificate, SigningKey, Trust, TrustStore, VerifiedCertificate, VerifyContext,
};
use gamewire_wire::{Identity, messages::CertificateSigned};

use crate::input::Input;

const NOW: u32 = 1_700_000_000;
/// So few keys that CA certificates often sign each other.
const KEYS: usize = 5;
const MAX_CAS: usize = 12;

/// A certificate and who truly signed it, untouched.
struct Issued {
    certificate: Certificate,
    signer: usize,
    bytes: Bytes,
    signature: Bytes,
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let keys: Vec<SigningKey> = (1..=KEYS as u8).map(|n| SigningKey::from_seed([n; 32])).collect();
    let mut builder = TrustStore::builder();
    let roots = usize::from(input.byte()) % (1 << KEYS);
    for (index, key) in keys.iter().enumerate() {
        if roots & 1 << index != 0 {
            builder.root(key.public_key()).expect("a few fit");
        }
    }
    let revoked = usize::from(input.byte());
    let is_revoked = |index: usize| revoked & 0x80 != 0 && revoked & 1 << index != 0;
    for (index, key) in keys.iter().enumerate() {
        if is_revoked(index) {
            builder.revoke(key.public_key().key_id()).expect("a few fit");
        }
    }
    let mut issued = Vec::new();
    for _ in 0..input.below(MAX_CAS) {
        let (signed, ca) = issue(&mut input, &keys, None);
        let signed = garbled(&mut input, signed);
        add(&mut builder, &signed);
        issued.push(ca);
    }
    let Ok(store) = builder.build() else { return };
    let identity = Identity::generic_string("peer").expect("short");
    let named = input.flag().then(|| identity.clone());
    let (signed, leaf) = issue(&mut input, &keys, named);
    let signed = garbled(&mut input, signed);
    let context = VerifyContext {
        now_unix: u64::from(time(&mut input)),
        app_id: u32::from(input.byte() & 3),
        pop: input.flag().then(|| u32::from(input.byte() & 3)),
        expected_identity: input.flag().then_some(&identity),
    };
    let Ok(verified) = store.verify(&signed, &context) else { return };
    if let Trust::Chain { root_key_id, depth, .. } = verified.trust {
        assert!(depth <= MAX_CHAIN_DEPTH);
        let root = keys.iter().position(|key| key.public_key().key_id() == root_key_id);
        let root = root.expect("the chain ends at a root of ours");
        assert!(roots & 1 << root != 0 && !is_revoked(root));
        let own = keys.iter().position(|key| key.public_key() == leaf.certificate.key);
        assert!(own.is_some_and(|own| !is_revoked(own)));
        check_believed(&verified, &leaf, &signed, &context);
        let chain = Chain { issued: &issued, roots, is_revoked: &is_revoked, context: &context };
        assert!(chain.reaches_root(leaf.signer, MAX_CHAIN_DEPTH), "believed without a chain");
    }
}

fn add(builder: &mut TrustStoreBuilder, signed: &CertificateSigned) {
    // Refused ones are as good as absent.
    let _ = builder.intermediate(signed);
}

fn issue(
    input: &mut Input<'_>,
    keys: &[SigningKey],
    identity: Option<Identity>,
) -> (CertificateSigned, Issued) {
    let (owner, signer) = (input.below(KEYS), input.below(KEYS));
    let list = |input: &mut Input<'_>| -> Vec<u32> {
        let bits = input.byte();
        (0..4).filter(|bit| bits & 0x10 != 0 && bits & 1 << bit != 0).collect()
    };
    let certificate = Certificate {
        identity,
        app_ids: list(input),
        pops: list(input),
        time_created: input.flag().then(|| time(input)),
        time_expiry: (input.byte() < 0xf0).then(|| time(input)),
        ..Certificate::new(keys[owner].public_key())
    };
    let signed = certificate.sign(&keys[signer]);
    let issued = Issued {
        certificate,
        signer,
        bytes: signed.cert.clone().unwrap_or_default(),
        signature: signed.ca_signature.clone().unwrap_or_default(),
    };
    (signed, issued)
}

fn time(input: &mut Input<'_>) -> u32 {
    NOW.saturating_add_signed(i32::from(input.byte().cast_signed()) * 64)
}

/// Leaves it alone, or flips a bit, cuts, or claims another signer.
fn garbled(input: &mut Input<'_>, mut signed: CertificateSigned) -> CertificateSigned {
    let flip = |bytes: &mut Option<Bytes>, at: u16| {
        let mut copy = bytes.take().unwrap_or_default().to_vec();
        if !copy.is_empty() {
            let index = usize::from(at / 8) % copy.len();
            copy[index] ^= 1 << (at % 8);
        }
        *bytes = Some(copy.into());
    };
    match input.byte() {
        0xf0 => flip(&mut signed.cert, input.u16()),
        0xf1 => flip(&mut signed.ca_signature, input.u16()),
        0xf2 => signed.ca_key_id = Some(input.u64()),
        0xf3 => signed.ca_signature = None,
        0xf4 => signed.cert = Some(Bytes::copy_from_slice(input.sized_bytes(600))),
        0xf5 => signed.ca_signature = Some(Bytes::copy_from_slice(input.sized_bytes(100))),
        0xf6 => signed.cert = None,
        _ => {}
    }
    signed
}

fn check_believed(
    verified: &VerifiedCertificate,
    leaf: &Issued,
    signed: &CertificateSigned,
    context: &VerifyContext<'_>,
) {
    assert_eq!(verified.bytes, leaf.bytes, "believed, but not what was signed");
    assert_eq!(signed.ca_signature.as_ref(), Some(&leaf.signature));
    assert_eq!(verified.certificate, leaf.certificate);
    assert!(verified.scope.apps.contains(context.app_id) || leaf.certificate.identity.is_none());
    if let Some(pop) = context.pop {
        assert!(verified.scope.pops.contains(pop));
    }
    assert!(in_time(&leaf.certificate, context.now_unix));
    let expiry = verified.expiry_unix.expect("a believed certificate ends");
    assert!(expiry + CLOCK_SKEW_ALLOWANCE_S >= context.now_unix);
}

fn in_time(certificate: &Certificate, now: u64) -> bool {
    let begins = certificate.time_created.map_or(0, u64::from);
    let ends = certificate.time_expiry.map_or(0, u64::from);
    begins <= now + CLOCK_SKEW_ALLOWANCE_S && now <= ends + CLOCK_SKEW_ALLOWANCE_S
}

/// The search for a chain, written down naively.
struct Chain<'a> {
    issued: &'a [Issued],
    roots: usize,
    is_revoked: &'a dyn Fn(usize) -> bool,
    context: &'a VerifyContext<'a>,
}

impl Chain<'_> {
    /// Whether the key is a root, or some CA certificate for it, issued and in time, leads to one.
    /// Ignores garbling: it may only make fewer chains hold.
    fn reaches_root(&self, key: usize, depth: usize) -> bool {
        if (self.is_revoked)(key) {
            return false;
        }
        if self.roots & 1 << key != 0 {
            return true;
        }
        let public = SigningKey::from_seed([key as u8 + 1; 32]).public_key();
        depth > 0
            && self.issued.iter().any(|ca| {
                ca.certificate.key == public
                    && in_time(&ca.certificate, self.context.now_unix)
                    && self.reaches_root(ca.signer, depth - 1)
            })
    }
}

//! Each negative scope has a test that fails without its check (the lesson of GNS#400, where the
//! check for PoPs found the error and then said yes).

use bytes::Bytes;
use gamewire_wire::{identity::Identity, messages::CertificateSigned};

use super::*;
use crate::{Certificate, SigningKey, VerifyingKey, cert::CertParseError};

const NOW: u32 = 1_700_000_000;
const DAY: u32 = 86_400;
const SKEW: u32 = CLOCK_SKEW_ALLOWANCE_S as u32;
const APP: u32 = 480;
const STO: u32 = 0x73746f;
const ATL: u32 = 0x61746c;

const ROOT: u8 = 200;
const CA: u8 = 100;
const PEER: u8 = 1;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn public(seed: u8) -> VerifyingKey {
    key(seed).public_key()
}

fn id(seed: u8) -> u64 {
    public(seed).key_id()
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn leaf() -> Certificate {
    Certificate {
        identity: Some(identity("str:alice")),
        app_ids: vec![APP],
        time_created: Some(NOW - 60),
        time_expiry: Some(NOW + DAY),
        ..Certificate::new(public(PEER))
    }
}

/// A CA certificate for the key of `seed`, not limited.
fn ca(seed: u8) -> Certificate {
    Certificate {
        time_created: Some(NOW - DAY),
        time_expiry: Some(NOW + 100 * DAY),
        ..Certificate::new(public(seed))
    }
}

fn store_of(cas: &[CertificateSigned]) -> TrustStore {
    store_with(cas, |_| {})
}

fn store_with(cas: &[CertificateSigned], extra: impl FnOnce(&mut TrustStoreBuilder)) -> TrustStore {
    let mut builder = TrustStore::builder();
    builder.root(public(ROOT)).unwrap();
    for ca in cas {
        builder.intermediate(ca).unwrap();
    }
    extra(&mut builder);
    builder.build().unwrap()
}

fn context() -> VerifyContext<'static> {
    VerifyContext { now_unix: u64::from(NOW), app_id: APP, pop: None, expected_identity: None }
}

fn at(now: u32) -> VerifyContext<'static> {
    VerifyContext { now_unix: u64::from(now), ..context() }
}

/// Root, one CA `ca`, and `leaf` signed by it.
fn under_ca(
    ca: &Certificate,
    leaf: &Certificate,
    context: &VerifyContext<'_>,
) -> Result<VerifiedCertificate, CertError> {
    store_of(&[ca.sign(&key(ROOT))]).verify_trusted(&leaf.sign(&key(CA)), context)
}

fn chain_error(result: Result<VerifiedCertificate, CertError>) -> ChainError {
    match result.unwrap_err() {
        CertError::Chain(reason) => reason,
        other => panic!("{other:?} is not about the chain"),
    }
}

#[test]
fn a_root_vouches() {
    let signed = leaf().sign(&key(ROOT));
    let verified = store_of(&[]).verify_trusted(&signed, &context()).unwrap();
    assert_eq!(verified.certificate, leaf());
    assert_eq!(Some(verified.bytes.clone()), signed.cert);
    assert_eq!(verified.expiry_unix, Some(u64::from(NOW + DAY)));
    assert_eq!(verified.key(), &public(PEER));
    assert_eq!(verified.identity(), Some(&identity("str:alice")));
    assert!(verified.is_authenticated());
    let trust = Trust::Chain { root_key_id: id(ROOT), ca_key_id: id(ROOT), depth: 0 };
    assert_eq!(verified.trust, trust);
}

#[test]
fn a_ca_vouches() {
    let short = Certificate { time_expiry: Some(NOW + 60), ..ca(CA) };
    let verified = under_ca(&short, &leaf(), &context()).unwrap();
    let trust = Trust::Chain { root_key_id: id(ROOT), ca_key_id: id(CA), depth: 1 };
    assert_eq!(verified.trust, trust);
    assert_eq!(verified.expiry_unix, Some(u64::from(NOW + 60)), "the chain's, not the leaf's");
}

#[test]
fn unsigned_is_told_from_untrusted() {
    let store = store_of(&[]);
    let verified = store.verify(&leaf().unsigned(), &context()).unwrap();
    assert_eq!(verified.trust, Trust::Unsigned);
    assert_eq!(verified.expiry_unix, None);
    assert!(!verified.is_authenticated());
    let result = store.verify_trusted(&leaf().unsigned(), &context());
    assert_eq!(result, Err(CertError::Unsigned));

    let foreign = leaf().sign(&key(CA));
    let verified = store.verify(&foreign, &context()).unwrap();
    assert_eq!(verified.trust, Trust::Untrusted(ChainError::UnknownCa(id(CA))));
    assert!(!verified.is_authenticated());
    let nobody = TrustStore::empty().verify(&foreign, &context()).unwrap();
    assert_eq!(nobody.trust, verified.trust);
}

#[test]
fn unknown_ca() {
    let mut signed = leaf().sign(&key(ROOT));
    signed.ca_key_id = None;
    let result = store_of(&[]).verify_trusted(&signed, &context());
    assert_eq!(chain_error(result), ChainError::UnknownCa(0));
}

#[test]
fn bad_signature() {
    let store = store_of(&[ca(CA).sign(&key(ROOT))]);
    for signer in [ROOT, CA] {
        let good = leaf().sign(&key(signer));
        assert!(store.verify_trusted(&good, &context()).is_ok());
        // The key id names the CA, the signature is the peer's own.
        let forged = CertificateSigned { ca_key_id: good.ca_key_id, ..leaf().sign(&key(PEER)) };
        assert_eq!(
            chain_error(store.verify_trusted(&forged, &context())),
            ChainError::BadSignature
        );
        let more = Certificate { app_ids: vec![APP, 570], ..leaf() };
        let changed = CertificateSigned { cert: Some(more.encode()), ..good.clone() };
        assert_eq!(
            chain_error(store.verify_trusted(&changed, &context())),
            ChainError::BadSignature
        );
        for signature in [&[][..], &[0; 63], &[0; 64]] {
            let ca_signature = Some(Bytes::copy_from_slice(signature));
            let signed = CertificateSigned { ca_signature, ..good.clone() };
            assert_eq!(
                chain_error(store.verify_trusted(&signed, &context())),
                ChainError::BadSignature
            );
        }
    }
}

#[test]
fn a_ca_with_a_bad_signature_vouches_for_nothing() {
    let mut forged = ca(CA).sign(&key(PEER));
    forged.ca_key_id = Some(id(ROOT));
    let result = store_of(&[forged]).verify_trusted(&leaf().sign(&key(CA)), &context());
    assert_eq!(chain_error(result), ChainError::UntrustedCa(id(CA)));
}

#[test]
fn malformed_keys() {
    let mut signed = leaf().sign(&key(ROOT));
    signed.cert = Some(Bytes::from_static(b"\x08\x01\x12\x01x"));
    let result = store_of(&[]).verify(&signed, &context());
    assert_eq!(result, Err(CertError::Parse(CertParseError::MalformedKey)));
    signed.cert = None;
    let result = store_of(&[]).verify(&signed, &context());
    assert_eq!(result, Err(CertError::Parse(CertParseError::Missing)));
}

#[test]
fn times_of_the_certificate() {
    let store = store_of(&[]);
    let check = |now| store.verify_trusted(&leaf().sign(&key(ROOT)), &at(now));
    let (created, expiry) = (NOW - 60, NOW + DAY);
    assert!(check(created).is_ok());
    assert!(check(created - SKEW).is_ok());
    let early = chain_error(check(created - SKEW - 1));
    assert_eq!(early, ChainError::NotYetValid(u64::from(created)));
    assert!(check(expiry).is_ok());
    assert!(check(expiry + SKEW).is_ok());
    let late = chain_error(check(expiry + SKEW + 1));
    assert_eq!(late, ChainError::Expired(u64::from(expiry)));
}

#[test]
fn a_signed_certificate_must_end() {
    let endless = Certificate { time_expiry: None, ..leaf() };
    let result = store_of(&[]).verify_trusted(&endless.sign(&key(ROOT)), &context());
    assert_eq!(chain_error(result), ChainError::NoExpiry);
}

#[test]
fn times_of_the_ca() {
    let endless = Certificate { time_created: None, time_expiry: Some(u32::MAX), ..leaf() };
    let check = |now| under_ca(&ca(CA), &endless, &at(now));
    let (created, expiry) = (NOW - DAY, NOW + 100 * DAY);
    assert!(check(created - SKEW).is_ok());
    let early = chain_error(check(created - SKEW - 1));
    assert_eq!(early, ChainError::NotYetValid(u64::from(created)));
    assert!(check(expiry + SKEW).is_ok());
    let late = chain_error(check(expiry + SKEW + 1));
    assert_eq!(late, ChainError::Expired(u64::from(expiry)));
}

/// The CA in the middle of a chain of two is the one that limits it.
#[test]
fn times_of_the_upper_ca() {
    let endless =
        |seed| Certificate { time_created: None, time_expiry: Some(u32::MAX), ..ca(seed) };
    let leaf = Certificate { time_created: None, time_expiry: Some(u32::MAX), ..leaf() };
    let cas = [ca(CA + 1).sign(&key(ROOT)), endless(CA).sign(&key(CA + 1))];
    let store = store_of(&cas);
    let check = |now| store.verify_trusted(&leaf.sign(&key(CA)), &at(now));
    let (created, expiry) = (NOW - DAY, NOW + 100 * DAY);
    assert_eq!(check(NOW).unwrap().expiry_unix, Some(u64::from(expiry)));
    let early = chain_error(check(created - SKEW - 1));
    assert_eq!(early, ChainError::NotYetValid(u64::from(created)));
    let late = chain_error(check(expiry + SKEW + 1));
    assert_eq!(late, ChainError::Expired(u64::from(expiry)));
}

#[test]
fn times_at_the_ends_of_the_number_range() {
    let always = Certificate { time_created: Some(0), time_expiry: Some(u32::MAX), ..leaf() };
    let store = store_of(&[]);
    for now_unix in [0, 1, u64::from(u32::MAX)] {
        let context = VerifyContext { now_unix, ..context() };
        assert!(store.verify_trusted(&always.sign(&key(ROOT)), &context).is_ok());
    }
    let context = VerifyContext { now_unix: u64::MAX, ..context() };
    let result = store.verify_trusted(&always.sign(&key(ROOT)), &context);
    assert_eq!(chain_error(result), ChainError::Expired(u64::from(u32::MAX)));
}

#[test]
fn app_not_in_the_certificate() {
    for app_id in [0, APP - 1, APP + 1] {
        let context = VerifyContext { app_id, ..context() };
        for signed in [leaf().sign(&key(ROOT)), leaf().unsigned()] {
            assert_eq!(store_of(&[]).verify(&signed, &context), Err(CertError::App(app_id)));
        }
    }
}

#[test]
fn app_not_in_the_cas_scope() {
    let limited = Certificate { app_ids: vec![570, 730], ..ca(CA) };
    let result = under_ca(&limited, &leaf(), &context());
    assert_eq!(result, Err(CertError::AppOutsideCa(APP)));
    // Apps of the leaf that the CA may not vouch for do not help, the others still hold.
    let wide = Certificate { app_ids: vec![APP, 570], ..leaf() };
    let verified = under_ca(&limited, &wide, &VerifyContext { app_id: 570, ..context() }).unwrap();
    assert_eq!(verified.scope.apps, Allowed::Only(vec![570]));
    let result = under_ca(&limited, &wide, &context());
    assert_eq!(result, Err(CertError::AppOutsideCa(APP)));
    // Without a root's word on it, the CA's scope is no argument.
    let unknown = TrustStore::empty().verify(&leaf().sign(&key(CA)), &context());
    assert!(unknown.is_ok());
}

#[test]
fn a_certificate_without_apps_does_not_widen_its_ca() {
    let limited = Certificate { app_ids: vec![570], ..ca(CA) };
    let server = Certificate { identity: None, app_ids: vec![], pops: vec![STO], ..leaf() };
    let result = under_ca(&limited, &server, &context());
    assert_eq!(result, Err(CertError::AppOutsideCa(APP)));
    assert!(under_ca(&limited, &server, &VerifyContext { app_id: 570, ..context() }).is_ok());
    assert!(under_ca(&ca(CA), &server, &context()).is_ok());
}

#[test]
fn an_identity_needs_an_app() {
    let appless = Certificate { app_ids: vec![], ..leaf() };
    for signed in [appless.sign(&key(ROOT)), appless.unsigned()] {
        assert_eq!(store_of(&[]).verify(&signed, &context()), Err(CertError::NoApp));
    }
}

#[test]
fn pop_not_in_the_certificate() {
    let in_sto = Certificate { pops: vec![STO], ..leaf() };
    let context = |pop| VerifyContext { pop, ..context() };
    for signed in [in_sto.sign(&key(ROOT)), in_sto.unsigned()] {
        let store = store_of(&[]);
        assert!(store.verify(&signed, &context(Some(STO))).is_ok());
        assert!(store.verify(&signed, &context(None)).is_ok());
        assert_eq!(store.verify(&signed, &context(Some(ATL))), Err(CertError::Pop(ATL)));
    }
}

/// GNS#400: the CA was not authorised for the PoP, and was believed.
#[test]
fn pop_not_in_the_cas_scope() {
    let limited = Certificate { pops: vec![ATL], ..ca(CA) };
    let in_sto = Certificate { pops: vec![STO], ..leaf() };
    let in_both = Certificate { pops: vec![STO, ATL], ..leaf() };
    let check = |leaf: &Certificate, pop| {
        under_ca(&limited, leaf, &VerifyContext { pop, ..context() }).map(|v| v.scope.pops)
    };
    assert_eq!(check(&in_sto, Some(STO)), Err(CertError::PopOutsideCa));
    assert_eq!(check(&in_sto, None), Err(CertError::PopOutsideCa), "nothing in common");
    assert_eq!(check(&in_both, Some(STO)), Err(CertError::PopOutsideCa));
    assert_eq!(check(&in_both, Some(ATL)), Ok(Allowed::Only(vec![ATL])));
    assert_eq!(check(&leaf(), Some(STO)), Err(CertError::PopOutsideCa), "no list of its own");
    assert_eq!(check(&leaf(), Some(ATL)), Ok(Allowed::Only(vec![ATL])));
}

#[test]
fn identity_must_be_the_expected_one() {
    let (alice, bob) = (identity("str:alice"), identity("str:bob"));
    static LOCALHOST: Identity = Identity::localhost();
    let expecting = |expected| VerifyContext { expected_identity: Some(expected), ..context() };
    for signed in [leaf().sign(&key(ROOT)), leaf().unsigned()] {
        let store = store_of(&[]);
        assert!(store.verify(&signed, &expecting(&alice)).is_ok());
        assert_eq!(store.verify(&signed, &expecting(&bob)), Err(CertError::Identity));
        assert_eq!(store.verify(&signed, &expecting(&LOCALHOST)), Err(CertError::Identity));
    }
}

#[test]
fn localhost_and_nobody_are_free_form_if_unsigned() {
    let alice = identity("str:alice");
    for name in [None, Some(Identity::localhost())] {
        let certificate = Certificate { identity: name, app_ids: vec![], ..leaf() };
        for expected_identity in [None, Some(&alice)] {
            let context = VerifyContext { expected_identity, ..context() };
            let verified = store_of(&[]).verify(&certificate.unsigned(), &context).unwrap();
            assert_eq!(verified.trust, Trust::Unsigned);
        }
    }
}

#[test]
fn nobody_signed_must_be_an_anonymous_server_in_a_pop() {
    let store = store_of(&[]);
    let nobody = Certificate { identity: None, ..leaf() };
    let server = Certificate { pops: vec![STO], ..nobody.clone() };
    let localhost = Certificate { identity: Some(Identity::localhost()), ..nobody.clone() };
    let verify = |certificate: &Certificate, expected_identity| {
        let context = VerifyContext { expected_identity, ..context() };
        store.verify(&certificate.sign(&key(ROOT)), &context).map(|v| v.is_authenticated())
    };
    assert_eq!(verify(&nobody, None), Err(CertError::Anonymous));
    assert_eq!(verify(&localhost, None), Err(CertError::Anonymous));
    assert_eq!(verify(&server, None), Ok(true));
    let anonymous = Identity::SteamId(0x0140_0000_0000_0001);
    let user = Identity::SteamId(76_561_197_960_265_729);
    assert_eq!(verify(&server, Some(&anonymous)), Ok(true));
    for other in [&user, &identity("str:alice"), &Identity::localhost()] {
        assert_eq!(verify(&server, Some(other)), Err(CertError::Anonymous));
    }
}

#[test]
fn revocation_of_each_link() {
    let (middle, bottom) = (CA + 1, CA);
    let cas = [ca(middle).sign(&key(ROOT)), ca(bottom).sign(&key(middle))];
    let signed = leaf().sign(&key(bottom));
    assert!(store_of(&cas).verify_trusted(&signed, &context()).is_ok());
    for revoked in [PEER, bottom, middle, ROOT] {
        let store = store_with(&cas, |builder| {
            builder.revoke(id(revoked)).unwrap();
        });
        let result = store.verify_trusted(&signed, &context());
        assert_eq!(chain_error(result), ChainError::Revoked(id(revoked)));
        assert!(store.is_revoked(id(revoked)));
    }
    let store = store_with(&cas, |builder| {
        builder.revoke(12345).unwrap();
    });
    assert!(store.verify_trusted(&signed, &context()).is_ok());
}

#[test]
fn an_unknown_ca_may_be_known_as_revoked() {
    let store = store_with(&[], |builder| {
        builder.revoke(id(CA)).unwrap();
    });
    let result = store.verify_trusted(&leaf().sign(&key(CA)), &context());
    assert_eq!(chain_error(result), ChainError::Revoked(id(CA)));
}

/// CA keys CA, CA+1, ... each signed by the one before, the first by the root.
fn ladder(length: u8) -> (Vec<CertificateSigned>, SigningKey) {
    let mut signer = key(ROOT);
    let mut cas = Vec::new();
    for step in 0..length {
        cas.push(ca(CA + step).sign(&signer));
        signer = key(CA + step);
    }
    (cas, signer)
}

#[test]
fn depth_is_bounded() {
    for length in 0..=10 {
        let (mut cas, signer) = ladder(length);
        // The order in which they arrive must not matter.
        cas.reverse();
        let result = store_of(&cas).verify_trusted(&leaf().sign(&signer), &context());
        match usize::from(length) {
            ..=MAX_CHAIN_DEPTH => {
                let depth = usize::from(length);
                assert!(
                    matches!(result.unwrap().trust, Trust::Chain { depth: d, .. } if d == depth)
                );
            }
            5 => assert_eq!(chain_error(result), ChainError::TooDeep),
            _ => {
                let unreached = ChainError::UntrustedCa(id(CA + length - 1));
                assert_eq!(chain_error(result), unreached);
            }
        }
    }
}

#[test]
fn loops_do_no_harm() {
    let (a, b) = (CA, CA + 1);
    let circle = [ca(a).sign(&key(b)), ca(b).sign(&key(a)), ca(a).sign(&key(a))];
    let signed = leaf().sign(&key(b));
    let result = store_of(&circle).verify_trusted(&signed, &context());
    assert_eq!(chain_error(result), ChainError::UntrustedCa(id(b)));

    let mut anchored = circle.to_vec();
    anchored.push(ca(a).sign(&key(ROOT)));
    anchored.push(ca(ROOT).sign(&key(b)));
    let store = store_of(&anchored);
    let verified = store.verify_trusted(&signed, &context()).unwrap();
    let ways: usize = store.authorities.values().map(Vec::len).sum();
    assert_eq!(ways, 3, "root, a and b, each once");
    assert!(matches!(verified.trust, Trust::Chain { depth: 2, .. }));
}

#[test]
fn cas_that_sign_each_other_crosswise_are_bounded() {
    let mut builder = TrustStore::builder();
    builder.root(public(ROOT)).unwrap();
    // 12 keys, each signed by every other: 12·11·10·9·8 ways to the fifth level.
    for a in 0..12 {
        builder.intermediate(&ca(CA + a).sign(&key(ROOT))).unwrap();
        for b in (0..12).filter(|&b| b != a) {
            builder.intermediate(&ca(CA + a).sign(&key(CA + b))).unwrap();
        }
    }
    assert_eq!(builder.build().unwrap_err(), StoreError::Full);
}

#[test]
fn scopes_narrow_along_the_chain() {
    let upper = Certificate { app_ids: vec![APP, 570], pops: vec![STO, ATL], ..ca(CA + 1) };
    let lower = Certificate { app_ids: vec![APP, 730], ..ca(CA) };
    let store = store_of(&[upper.sign(&key(ROOT)), lower.sign(&key(CA + 1))]);
    let wide = Certificate { app_ids: vec![APP, 570, 730], ..leaf() };
    let check =
        |app_id| store.verify_trusted(&wide.sign(&key(CA)), &VerifyContext { app_id, ..context() });
    let verified = check(APP).unwrap();
    assert_eq!(verified.scope, Scope::from_lists(&[APP], &[STO, ATL]));
    for app_id in [570, 730] {
        assert_eq!(check(app_id), Err(CertError::AppOutsideCa(app_id)));
    }
}

#[test]
fn a_chain_with_nothing_in_common_is_refused() {
    let apps = |list: &[u32], seed| Certificate { app_ids: list.to_vec(), ..ca(seed) };
    let pops = |list: &[u32], seed| Certificate { pops: list.to_vec(), ..ca(seed) };
    for (upper, lower) in
        [(apps(&[570], CA + 1), apps(&[APP], CA)), (pops(&[STO], CA + 1), pops(&[ATL], CA))]
    {
        let store = store_of(&[upper.sign(&key(ROOT)), lower.sign(&key(CA + 1))]);
        let result = store.verify_trusted(&leaf().sign(&key(CA)), &context());
        assert_eq!(chain_error(result), ChainError::EmptyScope);
    }
}

#[test]
fn a_roots_own_scope_and_times_hold() {
    let mut builder = TrustStore::builder();
    builder.scoped_root(public(ROOT), Scope::from_lists(&[570], &[])).unwrap();
    let result = builder.build().unwrap().verify(&leaf().sign(&key(ROOT)), &context());
    assert_eq!(result, Err(CertError::AppOutsideCa(APP)));

    let own = Certificate { app_ids: vec![APP], ..ca(ROOT) };
    let mut builder = TrustStore::builder();
    builder.root_certificate(&own.sign(&key(ROOT))).unwrap();
    let store = builder.build().unwrap();
    let long = Certificate { time_expiry: Some(u32::MAX), ..leaf() };
    let signed = long.sign(&key(ROOT));
    assert!(store.verify_trusted(&signed, &context()).is_ok());
    let late = store.verify_trusted(&signed, &at(NOW + 101 * DAY));
    assert_eq!(chain_error(late), ChainError::Expired(u64::from(NOW + 100 * DAY)));
    let by_another = TrustStore::builder().root_certificate(&own.sign(&key(CA))).map(|_| ());
    assert_eq!(by_another, Err(StoreError::NotSelfSigned));
    let mut forged = own.sign(&key(CA));
    forged.ca_key_id = Some(id(ROOT));
    let forged = TrustStore::builder().root_certificate(&forged).map(|_| ());
    assert_eq!(forged, Err(StoreError::NotSelfSigned));
}

#[test]
fn a_renewed_ca_certificate_takes_over() {
    let old = Certificate { time_expiry: Some(NOW - DAY), ..ca(CA) };
    let store = store_of(&[old.sign(&key(ROOT)), ca(CA).sign(&key(ROOT))]);
    assert!(store.verify_trusted(&leaf().sign(&key(CA)), &context()).is_ok());
    // And the one that covers this app is found, whichever comes first.
    let narrow = Certificate { app_ids: vec![570], ..ca(CA) };
    for cas in [[&narrow, &ca(CA)], [&ca(CA), &narrow]] {
        let store = store_of(&cas.map(|ca| ca.sign(&key(ROOT))));
        assert!(store.verify_trusted(&leaf().sign(&key(CA)), &context()).is_ok());
    }
}

#[test]
fn a_peers_certificate_is_no_ca_certificate() {
    let add = |signed: &CertificateSigned| TrustStore::builder().intermediate(signed).map(|_| ());
    let peers = Certificate { time_expiry: Some(NOW + DAY), ..leaf() };
    assert_eq!(add(&peers.sign(&key(ROOT))), Err(StoreError::NotCa));
    assert_eq!(add(&ca(CA).unsigned()), Err(StoreError::Unsigned));
    let endless = Certificate { time_expiry: None, ..ca(CA) };
    assert_eq!(add(&endless.sign(&key(ROOT))), Err(StoreError::NoExpiry));
    let missing = StoreError::Parse(CertParseError::Missing);
    assert_eq!(add(&CertificateSigned::default()), Err(missing));
    // What the peer signs with its certified key is not believed either.
    let second = Certificate { key: public(PEER + 1), ..leaf() }.sign(&key(PEER));
    let result = store_of(&[]).verify_trusted(&second, &context());
    assert_eq!(chain_error(result), ChainError::UnknownCa(id(PEER)));
}

#[test]
fn the_store_is_bounded() {
    let mut builder = TrustStore::builder();
    for _ in 0..MAX_ROOTS {
        builder.root(public(ROOT)).unwrap();
    }
    assert_eq!(builder.root(public(ROOT)).unwrap_err(), StoreError::Full);
    for revoked in 0..MAX_REVOKED_KEYS as u64 {
        builder.revoke(revoked).unwrap();
    }
    assert!(builder.revoke(0).is_ok(), "already there");
    assert_eq!(builder.revoke(u64::MAX).unwrap_err(), StoreError::Full);

    let mut builder = TrustStore::builder();
    let nth = |n: usize| Certificate { time_expiry: Some(n as u32), ..ca(CA) }.sign(&key(ROOT));
    for n in 0..MAX_INTERMEDIATES {
        builder.intermediate(&nth(n)).unwrap();
    }
    assert!(builder.intermediate(&nth(0)).is_ok(), "already there");
    let full = builder.intermediate(&nth(MAX_INTERMEDIATES)).unwrap_err();
    assert_eq!(full, StoreError::Full);
}

mod policy {
    use super::*;

    fn verified(signed: &CertificateSigned) -> VerifiedCertificate {
        store_of(&[]).verify(signed, &context()).unwrap()
    }

    #[test]
    fn the_table() {
        use AllowWithoutAuth::{Allow, Refuse, Warn};
        let unsigned = verified(&leaf().unsigned());
        let untrusted = verified(&leaf().sign(&key(CA)));
        let trusted = verified(&leaf().sign(&key(ROOT)));
        let expected = |policy| match policy {
            Refuse => Decision::Refuse,
            Warn => Decision::AcceptWithWarning,
            Allow => Decision::Accept,
        };
        for policy in [Refuse, Warn, Allow] {
            for loopback in [Refuse, Warn, Allow] {
                for certificate in [&unsigned, &untrusted] {
                    let far = accept(policy, loopback, false, certificate);
                    assert_eq!(far, expected(policy));
                    let near = accept(policy, loopback, true, certificate);
                    assert_eq!(near, expected(policy.max(loopback)));
                }
                for is_loopback in [false, true] {
                    let decision = accept(policy, loopback, is_loopback, &trusted);
                    assert_eq!(decision, Decision::Accept);
                }
            }
        }
    }

    #[test]
    fn config_values_and_defaults() {
        use AllowWithoutAuth::{Allow, Refuse, Warn};
        let from = AllowWithoutAuth::from_config;
        assert_eq!([-1, 0, 1, 2, 3].map(from), [Refuse, Refuse, Warn, Allow, Allow]);
        assert_eq!(AllowWithoutAuth::default_for(&TrustStore::empty()), Allow);
        assert_eq!(AllowWithoutAuth::default_for(&store_of(&[])), Refuse);
    }
}

#[test]
fn what_a_ca_signs_itself() {
    let limited = Certificate { pops: vec![ATL], app_ids: vec![APP], ..ca(CA) };
    let store = store_of(&[limited.sign(&key(ROOT))]);
    let at = |pop| VerifyContext { pop, ..context() };
    let check = |signer: u8, named: u8, context: &VerifyContext<'_>| {
        store.verify_ca_signature(id(named), b"ticket", &key(signer).sign(b"ticket"), context)
    };
    assert_eq!(check(ROOT, ROOT, &at(Some(STO))), Ok(()));
    assert_eq!(check(CA, CA, &at(Some(ATL))), Ok(()));
    assert_eq!(check(CA, CA, &at(None)), Ok(()));
    assert_eq!(check(CA, CA, &at(Some(STO))), Err(CertError::PopOutsideCa));
    let other_app = VerifyContext { app_id: APP + 1, ..context() };
    assert_eq!(check(CA, CA, &other_app), Err(CertError::AppOutsideCa(APP + 1)));
    let bad = Err(CertError::Chain(ChainError::BadSignature));
    assert_eq!(check(PEER, CA, &at(None)), bad);
    assert_eq!(check(CA, ROOT, &at(None)), bad);
    let unknown = Err(CertError::Chain(ChainError::UnknownCa(id(PEER))));
    assert_eq!(check(PEER, PEER, &at(None)), unknown, "a peer is no CA");
    let late = VerifyContext { now_unix: u64::from(u32::MAX) * 2, ..context() };
    let result = check(CA, CA, &late);
    assert!(matches!(result, Err(CertError::Chain(ChainError::Expired(_)))), "{result:?}");
}

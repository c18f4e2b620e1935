//! Certificates: unsigned ones, ones of a root that we know, and what Valve's build, which knows
//! only Valve's root, makes of ours.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use gamewire::{ConnectionFlags, ConnectionState, SigningKey, TrustStore};
use gamewire_crypto::{Certificate, CertificateRequest};
use prost::Message as _;
use serde_json::json;

use crate::{
    cell::Case,
    content,
    ours::Setting,
    runs::{Plan, Run},
    stage::{Connected, Role, Setup, Stage},
};

/// `ESteamNetConnectionEnd_Remote_BadCert`.
const BAD_CERT: i32 = 4003;
/// `ESteamNetConnectionEnd_Misc_Timeout`.
const TIMED_OUT: i32 = 5003;
/// `ESteamNetConnectionEnd_Misc_InternalError`, with which Valve's initiator ends that may not go
/// without a certificate.
const NO_AUTHORITY: i32 = 5002;
/// Nobody without a certificate, not even from this machine.
const STRICT: [Setting; 2] = [("IP_AllowWithoutAuth", 0), ("IPLocalHost_AllowWithoutAuth", 0)];
/// Anybody, although a root is known.
const LAX: [Setting; 2] = [("IP_AllowWithoutAuth", 2), ("IPLocalHost_AllowWithoutAuth", 2)];
/// How long our certificates hold.
const LIFETIME_S: u64 = 3600;

pub(super) fn cases() -> Vec<Case> {
    let plain = Setup::plain;
    let knowing = |ours: &[Setting], valve: &[Setting]| {
        let mut setup = Setup::plain();
        setup.ours.trust = our_trust();
        setup.ours.options = ours.to_vec();
        setup.valve.options = valve.to_vec();
        setup
    };
    vec![
        Case::new("certificate: unsigned on both sides", plain(), unsigned),
        Case::new("certificate: ours signed, shown to Valve", knowing(&LAX, &[]), ours_signed),
        Case::new("certificate: ours unsigned, which Valve refuses", plain(), unsigned_refused),
        Case::new(
            "certificate: ours of a root that Valve refuses",
            knowing(&LAX, &[]),
            ours_refused,
        ),
        Case::new(
            "certificate: Valve's unsigned, which we refuse",
            knowing(&STRICT, &[]),
            we_refuse,
        ),
        Case::new("certificate: Valve installs none of ours", knowing(&LAX, &[]), not_installed),
    ]
}

fn root() -> SigningKey {
    SigningKey::from_seed([0x47; 32])
}

fn our_trust() -> TrustStore {
    let mut builder = TrustStore::builder();
    builder.root(root().public_key()).expect("an empty store has room");
    builder.build().expect("one root")
}

/// What our authority makes of a request.
fn sign(request: &[u8]) -> anyhow::Result<Vec<u8>> {
    let request = CertificateRequest::decode(request).context("the request")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let certificate = Certificate {
        identity: request.identity,
        app_ids: vec![0],
        time_created: Some(u32::try_from(now)?),
        time_expiry: Some(u32::try_from(now + LIFETIME_S)?),
        ..Certificate::new(request.key)
    };
    Ok(certificate.sign(&root()).encode_to_vec())
}

fn certify_us(stage: &Stage) -> anyhow::Result<()> {
    let request = stage.ours.sockets.certificate_request();
    stage.ours.sockets.set_certificate(&sign(&request)?).context("our certificate")
}

/// Connects and talks, and finds who holds whom for authenticated.
fn meet(stage: &mut Stage) -> anyhow::Result<String> {
    let Connected { ours, valve } = stage.connect()?;
    let plan = Plan::new(&[Run::reliable(&[100, 5000], 6)]);
    stage.exchange(&plan, &plan, 0.0)?;
    ensure!(
        ours.identity_remote.to_string() == "str:valve",
        "our side sees {}",
        ours.identity_remote
    );
    ensure!(valve["identity"] == "str:gamewire", "Valve's side sees {}", valve["identity"]);
    ensure!(ours.flags.contains(ConnectionFlags::UNAUTHENTICATED), "our flags: {:?}", ours.flags);
    // Its one root is Valve's own, so it can believe nobody here.
    let flags = valve["flag_names"].to_string();
    ensure!(flags.contains("unauthenticated"), "Valve's flags: {flags}");
    Ok("neither believes the other".to_owned())
}

fn unsigned(stage: &mut Stage) -> anyhow::Result<String> {
    meet(stage)
}

fn ours_signed(stage: &mut Stage) -> anyhow::Result<String> {
    certify_us(stage)?;
    meet(stage)
}

/// Valve's build takes no certificate for itself but from Valve's root, and goes on without.
fn not_installed(stage: &mut Stage) -> anyhow::Result<String> {
    let request = stage.valve.ok(json!({"cmd": "certificate_request"}))?;
    let request = request["data"].as_str().and_then(content::from_hex).context("hex")?;
    let certificate = content::to_hex(&sign(&request)?);
    let answer = stage.valve.ask(json!({"cmd": "set_certificate", "data": certificate}))?;
    ensure!(answer["ok"] == false, "Valve's build trusts our root: {answer}");
    meet(stage)
}

fn unsigned_refused(stage: &mut Stage) -> anyhow::Result<String> {
    valve_refuses(stage)
}

fn ours_refused(stage: &mut Stage) -> anyhow::Result<String> {
    certify_us(stage)?;
    valve_refuses(stage)
}

/// Valve's side wants a certificate that it can verify, which here nobody has. It has none itself,
/// so its build does not connect on such terms, and listens only if they come later.
fn valve_refuses(stage: &mut Stage) -> anyhow::Result<String> {
    match stage.role {
        Role::WeConnect => {
            let address = stage.valve.listen(stage.setup.host, &json!({}))?;
            for (name, value) in STRICT {
                let socket = stage.valve.listen_socket.clone();
                stage.valve.ok(json!({
                    "cmd": "config", "scope": "listen_socket", "socket": socket,
                    "name": name, "value": value,
                }))?;
            }
            stage.ours.connect(address, &[&LAX[..], &[("TimeoutInitial", 1500)]].concat())?;
            // It keeps silent about why.
            let info = stage.ours.state(ConnectionState::ProblemDetectedLocally)?;
            ensure!(info.end_reason == TIMED_OUT, "our side ended with {:?}", info.end_reason);
            let status = stage.valve.ok(json!({"cmd": "stats"}))?;
            ensure!(status["connections"] == json!([]), "Valve's side has one: {status}");
            Ok(format!("Valve does not answer, {TIMED_OUT}"))
        }
        Role::ValveConnects => {
            stage.setup.valve.options = STRICT.to_vec();
            stage.dial()?;
            let ended = stage.valve.state("problem_detected_locally")?;
            ensure!(ended["end_reason"] == NO_AUTHORITY, "Valve's side ended with {ended}");
            Ok(format!("Valve does not even try: {}", ended["end_debug"]))
        }
    }
}

fn we_refuse(stage: &mut Stage) -> anyhow::Result<String> {
    certify_us(stage)?;
    stage.dial()?;
    if stage.role == Role::WeConnect {
        let info = stage.ours.state(ConnectionState::ProblemDetectedLocally)?;
        ensure!(info.end_reason == BAD_CERT, "our side ended with {:?}", info.end_reason);
    }
    let event = stage.valve.state("closed_by_peer")?;
    ensure!(event["end_reason"] == BAD_CERT, "Valve's side ended with {event}");
    Ok(format!("{BAD_CERT} {}", event["end_debug"]))
}

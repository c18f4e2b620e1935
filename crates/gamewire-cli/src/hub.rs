//! `gamewire hub`: the rendezvous service, until it is told to end.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use gamewire_crypto::{
    VerifyingKey,
    text::{decode_certificate, decode_private_key, decode_public_key, encode_public_key},
};
use gamewire_services::{
    Hub, HubConfig, HubHandle,
    hub::{Access, Authority, HubError, SignedTickets, Stun, TlsIdentity, wait_for_termination},
    store::StoreConfig,
};

use crate::{address, session};

const EXAMPLES: &str = "\
Examples:
  On this machine, where anybody may be anybody:
    gamewire hub --listen 127.0.0.1:27030 --dev
  For a game whose backend signs tickets, with TLS and a certificate authority:
    gamewire cert gen-ca --out ca
    gamewire cert gen-key --out tickets
    gamewire hub --listen 443 --name hub.example.com --tls-cert fullchain.pem --tls-key privkey.pem \\
        --ca-key ca --ticket-key tickets.pub --store /var/lib/gamewire/hub.db
  One of several that share a Redis server:
    gamewire hub --listen 27030 --ca-key ca --ticket-key tickets.pub --store redis://10.0.0.5

Prints the authority's public key, for GAMEWIRE_ROOTS, and then `ready` with the addresses. On SIGTERM
it sends its clients away and ends within --drain seconds. More in docs/hub.md.";

/// Runs a hub: players find each other by identity, get certificates, learn their public address.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HubArgs {
    /// Address to listen on: IP:PORT, or a port alone for every address; port 0 takes a free one
    #[arg(long, value_name = "ADDR", value_parser = address::parse_listen)]
    listen: SocketAddr,
    /// Development: anybody may be anybody, with certificates from a key made on the spot
    #[arg(long)]
    dev: bool,
    /// Development on an address that others reach
    #[arg(long, requires = "dev")]
    dev_allow_remote: bool,
    /// Host name that clients know this hub by; repeat for several. Certificates let in only where
    /// it was given, except in development
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// Application that is served; repeat for several; none: every one
    #[arg(long = "app", value_name = "N")]
    apps: Vec<u32>,
    /// TLS certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// TLS private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Private key to sign certificates with; its public half lets in unless --ca-cert is given
    #[arg(long, value_name = "FILE")]
    ca_key: Option<PathBuf>,
    /// Certificate of that key, where it is not a root
    #[arg(long, value_name = "FILE", requires = "ca_key")]
    ca_cert: Option<PathBuf>,
    /// Public key of a root whose certificates let in; repeat for several
    #[arg(long = "root", value_name = "FILE")]
    roots: Vec<PathBuf>,
    /// Id of a key that lets in nobody any more, as `gamewire cert show` tells it; repeat for
    /// several
    #[arg(long = "revoke", value_name = "KEYID")]
    revoked: Vec<u64>,
    /// Public key of a backend whose tickets let in; repeat for several
    #[arg(long = "ticket-key", value_name = "FILE")]
    ticket_keys: Vec<PathBuf>,
    /// Where to keep things: FILE, redis://HOST[:PORT], redis+unix://PATH; none: nowhere
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// Where to answer STUN: IP:PORT, or `off`; not given: the same port, over UDP
    #[arg(long, value_name = "ADDR")]
    stun: Option<String>,
    /// How long certificates are good for
    #[arg(long, value_name = "HOURS", default_value_t = 48, value_parser = clap::value_parser!(u64).range(1..=8760))]
    cert_hours: u64,
    /// How long clients have to go elsewhere when the hub is told to end
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
}

/// Runs `gamewire hub`.
pub(crate) fn run(args: &HubArgs) -> anyhow::Result<()> {
    let hub = start(args)?;
    if let Some(key) = hub.authority() {
        session::print_line(&format!("root {}", encode_public_key(&key, "gamewire-hub")))?;
    }
    session::print_line(&ready_line(&hub))?;
    wait_for_termination().context("cannot wait for a signal")?;
    session::print_line("draining")?;
    hub.shutdown(Duration::from_secs(args.drain));
    session::print_line("stopped")?;
    Ok(())
}

fn ready_line(hub: &HubHandle) -> String {
    let addresses = hub.addresses();
    let stun = addresses.stun.map(|address| format!(" stun:{address}")).unwrap_or_default();
    format!("ready {}{stun}", addresses.url())
}

fn start(args: &HubArgs) -> anyhow::Result<HubHandle> {
    Hub::start(config(args)?).map_err(|error| match error {
        HubError::DevelopmentExposed(_) => anyhow::anyhow!("{error}: --dev-allow-remote"),
        HubError::NoWayIn => anyhow::anyhow!("{error}: --ca-key, --root, --ticket-key; or --dev"),
        error => error.into(),
    })
}

fn config(args: &HubArgs) -> anyhow::Result<HubConfig> {
    let mut config = HubConfig::production(args.listen);
    if args.dev {
        config.access = Access::Development { allow_remote: args.dev_allow_remote };
    }
    config.names.clone_from(&args.names);
    config.app_ids.clone_from(&args.apps);
    config.revoked_keys.clone_from(&args.revoked);
    config.certificate_lifetime = Duration::from_secs(args.cert_hours * 3600);
    if let (Some(certificates), Some(key)) = (&args.tls_cert, &args.tls_key) {
        config.tls =
            Some(TlsIdentity { certificates_pem: bytes(certificates)?, key_pem: bytes(key)? });
    }
    config.authority = authority(args)?;
    config.roots = public_keys(&args.roots)?;
    let ticket_keys = public_keys(&args.ticket_keys)?;
    if !ticket_keys.is_empty() {
        config.tickets = Some(Arc::new(SignedTickets::new(ticket_keys)));
    }
    config.store = store(args.store.as_deref());
    config.stun = stun(args.stun.as_deref())?;
    if !args.dev && args.names.is_empty() {
        tracing::warn!("without --name, a hub that lures clients could log in here as them");
    }
    Ok(config)
}

fn authority(args: &HubArgs) -> anyhow::Result<Option<Authority>> {
    let Some(path) = &args.ca_key else { return Ok(None) };
    let key = decode_private_key(&text(path)?).with_context(|| path.display().to_string())?;
    let Some(certificate) = &args.ca_cert else { return Ok(Some(Authority::root(key))) };
    let name = certificate.display().to_string();
    let certificate = decode_certificate(&text(certificate)?).with_context(|| name.clone())?;
    Ok(Some(Authority::intermediate(key, certificate).with_context(|| name)?))
}

fn public_keys(paths: &[PathBuf]) -> anyhow::Result<Vec<VerifyingKey>> {
    let mut keys = Vec::new();
    for path in paths {
        let text = text(path)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        for line in lines.filter(|line| !line.starts_with('#')) {
            let key = decode_public_key(line).with_context(|| path.display().to_string())?;
            keys.push(key);
        }
    }
    Ok(keys)
}

fn store(text: Option<&str>) -> StoreConfig {
    match text {
        None => StoreConfig::Memory,
        Some(url) if url.starts_with("redis://") || url.starts_with("redis+unix://") => {
            StoreConfig::Redis(url.to_owned())
        }
        Some(path) => StoreConfig::File(PathBuf::from(path)),
    }
}

fn stun(text: Option<&str>) -> anyhow::Result<Stun> {
    match text {
        None => Ok(Stun::SamePort),
        Some("off") => Ok(Stun::Off),
        Some(text) => match address::parse_listen(text) {
            Ok(address) => Ok(Stun::At(address)),
            Err(error) => bail!("--stun: {error}, or `off`"),
        },
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

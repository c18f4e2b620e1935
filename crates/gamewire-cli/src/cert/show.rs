//! Showing what is in a file.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;
use gamewire_crypto::{
    Certificate, CertificateRequest, Trust, TrustStore, VerifyContext, VerifyingKey,
    cert::pop_to_text,
    text::{decode_certificate, decode_private_key, decode_public_key, encode_public_key},
};

use gamewire_wire::messages::CertificateSigned;

use super::{files, public_key};
use crate::units;

/// Shows what is in a certificate, key or request; never shows secrets.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  gamewire cert show player.cert
  gamewire cert show player.cert --root ca.pub
  gamewire cert show player.cert --root ca.pub --chain partner.cert
  gamewire cert show - < player.pub

With --root it also says whether the certificate would be believed, and fails if not.")]
pub(super) struct ShowArgs {
    /// File with a certificate, private key, public key or certificate request; `-` is standard
    /// input
    file: PathBuf,
    /// Public key of a trusted authority (a file or the line itself) to check a certificate
    /// against; repeat for several
    #[arg(long = "root", value_name = "FILE|LINE")]
    roots: Vec<String>,
    /// Certificate of an authority between root and certificate; repeat for several
    #[arg(long = "chain", value_name = "FILE", requires = "roots")]
    chain: Vec<PathBuf>,
}

pub(super) fn show(args: &ShowArgs, now_unix: u64, out: &mut impl Write) -> anyhow::Result<()> {
    let bytes = files::read(&args.file)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
        let key = decode_private_key(&text).context("the private key cannot be read")?;
        writeln!(out, "private key (not shown)")?;
        return show_key(&key.public_key(), out);
    }
    if text.trim_start().starts_with("ssh-") {
        let key = decode_public_key(text.trim()).context("the public key cannot be read")?;
        writeln!(out, "public key")?;
        return show_key(&key, out);
    }
    if text.contains("-----BEGIN STEAMDATAGRAM CERT-----") {
        return show_certificate(args, &text, now_unix, out);
    }
    if let Ok(request) = CertificateRequest::decode(&bytes) {
        writeln!(out, "certificate request")?;
        if let Some(identity) = &request.identity {
            writeln!(out, "  asked for    {identity}")?;
        }
        return show_key(&request.key, out);
    }
    bail!("{} is no certificate, key or certificate request", args.file.display())
}

fn show_key(key: &VerifyingKey, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "  public key   {}", encode_public_key(key, ""))?;
    writeln!(out, "  key id       {}", key.key_id())?;
    Ok(())
}

fn show_certificate(
    args: &ShowArgs,
    text: &str,
    now_unix: u64,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let signed = decode_certificate(text).context("the certificate cannot be read")?;
    let inner = signed.cert.as_deref().context("the certificate is empty")?;
    let certificate = Certificate::decode(inner).context("the certificate cannot be read")?;
    writeln!(out, "certificate")?;
    match &certificate.identity {
        Some(identity) => writeln!(out, "  issued to    {identity}")?,
        None => writeln!(out, "  issued to    nobody in particular")?,
    }
    show_key(&certificate.key, out)?;
    writeln!(out, "  applications {}", list(&certificate.app_ids, u32::to_string))?;
    writeln!(out, "  PoPs         {}", list(&certificate.pops, |pop| pop_to_text(*pop)))?;
    if let Some(created) = certificate.time_created {
        writeln!(out, "  created      {}", units::date(created.into()))?;
    }
    match certificate.time_expiry {
        Some(expiry) if u64::from(expiry) < now_unix => {
            writeln!(out, "  expired      {}", units::date(expiry.into()))?;
        }
        Some(expiry) => writeln!(out, "  expires      {}", units::date(expiry.into()))?,
        None => writeln!(out, "  expires      never")?,
    }
    match signed.ca_key_id {
        Some(id) if id == certificate.key.key_id() => {
            writeln!(out, "  signed by    itself ({id})")?
        }
        Some(id) => writeln!(out, "  signed by    key {id}")?,
        None => writeln!(out, "  signed by    nobody")?,
    }
    if args.roots.is_empty() {
        writeln!(out, "  believed     not checked; add --root with the authority's public key")?;
        return Ok(());
    }
    let store = trust_store(&args.roots, &args.chain)?;
    let context = VerifyContext {
        now_unix,
        app_id: certificate.app_ids.first().copied().unwrap_or(0),
        pop: None,
        expected_identity: certificate.identity.as_ref(),
    };
    if certificate.identity.is_none() && certificate.pops.is_empty() {
        return show_authority(args, &signed, &certificate, now_unix, out);
    }
    match store.verify(&signed, &context).context("the certificate would be refused")?.trust {
        Trust::Chain { root_key_id, depth, .. } => {
            let between = match depth {
                0 => "directly".to_owned(),
                1 => "by one authority between".to_owned(),
                depth => format!("by {depth} authorities between"),
            };
            writeln!(out, "  believed     yes: root {root_key_id} vouches for it, {between}")?;
            Ok(())
        }
        Trust::Unsigned => bail!("the certificate would not be believed: it is not signed"),
        Trust::Untrusted(why) => bail!("the certificate would not be believed: {why}"),
    }
}

/// An authority's certificate is none that a peer could show; a root's signature is what counts.
fn show_authority(
    args: &ShowArgs,
    signed: &CertificateSigned,
    certificate: &Certificate,
    now_unix: u64,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if certificate.time_expiry.is_none_or(|expiry| u64::from(expiry) < now_unix) {
        bail!("the authority's certificate has expired");
    }
    let bytes = signed.cert.as_deref().unwrap_or_default();
    let signature = signed.ca_signature.as_deref().unwrap_or_default();
    for root in &args.roots {
        let key = public_key(root)?;
        if key.verify(bytes, signature).is_ok() {
            let key_id = key.key_id();
            writeln!(out, "  believed     yes, as an authority: root {key_id} signed it")?;
            return Ok(());
        }
    }
    bail!("the authority's certificate would not be believed: none of the roots signed it")
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    if items.is_empty() {
        return "any".to_owned();
    }
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn trust_store(roots: &[String], chain: &[PathBuf]) -> anyhow::Result<TrustStore> {
    let mut builder = TrustStore::builder();
    for root in roots {
        builder.root(public_key(root)?)?;
    }
    for path in chain {
        add_intermediate(&mut builder, path)
            .with_context(|| format!("{} is no authority's certificate", path.display()))?;
    }
    Ok(builder.build()?)
}

fn add_intermediate(
    builder: &mut gamewire_crypto::trust::TrustStoreBuilder,
    path: &Path,
) -> anyhow::Result<()> {
    builder.intermediate(&decode_certificate(&files::read_text(path)?)?)?;
    Ok(())
}

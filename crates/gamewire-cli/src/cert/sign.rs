//! Signing certificates.

use std::{io::Write, path::PathBuf};

use anyhow::{Context as _, bail};
use clap::{ArgGroup, Args};
use gamewire::Identity;
use gamewire_crypto::{
    Certificate, CertificateRequest, VerifyingKey,
    text::{decode_base64, encode_certificate},
};

use super::{
    ScopeArgs, expiry,
    files::{self, Output, Secrecy, write_all},
    private_key, public_key,
};

/// Signs a certificate for a public key.
#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("subject").required(true).args(["public_key", "request"])),
    after_help = "\
Examples:
  For a player, for 30 days:
    gamewire cert sign --ca-key ca --app 480 --identity str:alice --public-key player.pub --days 30
  For a request that a program made (GetCertificateRequest):
    gamewire cert sign --ca-key ca --app 480 --identity str:alice --request request.bin
  For servers of a point of presence:
    gamewire cert sign --ca-key ca --pop fra --public-key server.pub
  For an authority below this one, limited to one application:
    gamewire cert sign --ca-key ca --intermediate --app 480 --public-key partner.pub --out partner.cert

Identities are written as TYPE:VALUE: str:alice, steamid:76561198000000001, ip:192.0.2.1, gen:c0ffee."
)]
pub(super) struct SignArgs {
    /// Private key of the authority, made by gen-ca
    #[arg(long, value_name = "FILE")]
    ca_key: PathBuf,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Who the certificate is for, such as str:alice
    #[arg(long, value_name = "ID", conflicts_with = "intermediate", value_parser = parse_identity)]
    identity: Option<Identity>,
    /// Public key that the certificate is for: a file, or the `ssh-ed25519 …` line itself
    #[arg(long, value_name = "FILE|LINE")]
    public_key: Option<String>,
    /// Request that the certificate is for: the bytes of GetCertificateRequest, or their base64
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Days until it expires
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Make an authority below this one: it names nobody and may sign others
    #[arg(long)]
    intermediate: bool,
    /// File for the certificate; without it, it goes to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,
}

fn parse_identity(text: &str) -> Result<Identity, String> {
    text.parse().map_err(|error| {
        format!("{error}; write TYPE:VALUE such as str:alice or steamid:76561198000000001")
    })
}

pub(super) fn sign(args: &SignArgs, now_unix: u64, out: &mut impl Write) -> anyhow::Result<()> {
    let ca = private_key(&args.ca_key)?;
    let subject = subject(args)?;
    let certificate = Certificate {
        identity: subject.identity,
        app_ids: args.scope.apps.clone(),
        pops: if args.scope.pops.is_empty() { subject.pops } else { args.scope.pops.clone() },
        time_created: u32::try_from(now_unix).ok(),
        time_expiry: Some(expiry(now_unix, args.days)?),
        ..Certificate::new(subject.key)
    };
    check(args, &certificate)?;
    let text = encode_certificate(&certificate.sign(&ca));
    let Some(path) = &args.out else {
        out.write_all(text.as_bytes())?;
        return Ok(());
    };
    write_all(&[Output { path: path.clone(), text: &text, secrecy: Secrecy::Public }], args.force)?;
    writeln!(out, "certificate  {}", path.display())?;
    Ok(())
}

/// Whom a certificate is for.
struct Subject {
    key: VerifyingKey,
    identity: Option<Identity>,
    pops: Vec<u32>,
}

fn subject(args: &SignArgs) -> anyhow::Result<Subject> {
    if let Some(path) = &args.request {
        let request = parse_request(&files::read(path)?)
            .with_context(|| format!("{} is no certificate request", path.display()))?;
        if let (Some(asked), Some(named)) = (&request.identity, &args.identity)
            && !asked.is_localhost()
            && asked != named
        {
            bail!("the request is for {asked}, but --identity is {named}");
        }
        // An authority's word counts, not the applicant's: identities come from --identity alone.
        return Ok(Subject {
            key: request.key,
            identity: args.identity.clone(),
            pops: request.pops,
        });
    }
    let key = args.public_key.as_deref().context("--public-key or --request must be given")?;
    Ok(Subject { key: public_key(key)?, identity: args.identity.clone(), pops: Vec::new() })
}

fn parse_request(bytes: &[u8]) -> anyhow::Result<CertificateRequest> {
    let decoded = std::str::from_utf8(bytes).ok().and_then(|text| decode_base64(text.trim()).ok());
    let bytes = decoded.as_deref().filter(|decoded| !decoded.is_empty()).unwrap_or(bytes);
    Ok(CertificateRequest::decode(bytes)?)
}

/// Refuses what nobody would believe afterwards.
fn check(args: &SignArgs, certificate: &Certificate) -> anyhow::Result<()> {
    if args.intermediate {
        return Ok(());
    }
    match &certificate.identity {
        None if certificate.pops.is_empty() => {
            bail!(
                "say whom it is for: --identity ID, --pop CODE, or --intermediate for an authority"
            )
        }
        Some(_) if certificate.app_ids.is_empty() => {
            bail!("a certificate for an identity must name an application: add --app N")
        }
        Some(identity) if identity.is_nobody() => {
            bail!("{identity} stands for nobody in particular; name another --identity")
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use gamewire_crypto::SigningKey;

    use super::*;

    #[test]
    fn requests_may_be_bytes_or_base64() {
        let request = CertificateRequest {
            key: SigningKey::from_seed([5; 32]).public_key(),
            identity: Some("str:alice".parse().unwrap()),
            pops: vec![],
        };
        let bytes = request.encode();
        assert_eq!(parse_request(&bytes).unwrap(), request);
        let text = gamewire_crypto::text::encode_base64(&bytes) + "\n";
        assert_eq!(parse_request(text.as_bytes()).unwrap(), request);
        assert!(parse_request(b"").is_err());
        assert!(parse_request(b"nonsense").is_err());
    }
}

//! Making key pairs.

use std::{io::Write, path::PathBuf};

use clap::Args;
use gamewire_crypto::{
    Certificate, SigningKey, SystemEntropy,
    text::{encode_certificate, encode_private_key, encode_public_key},
};

use super::{
    ScopeArgs, expiry,
    files::{Output, Secrecy, beside, write_all},
};

/// Makes an Ed25519 key pair in OpenSSH's format.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  gamewire cert gen-key --out player        writes player (mode 0600) and player.pub
  gamewire cert gen-key > both              private key and public line on standard output")]
pub(super) struct GenKeyArgs {
    /// File for the private key; the public key goes to FILE.pub. Without it, both go to standard
    /// output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Text behind the public key, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Overwrite files that exist
    #[arg(long)]
    force: bool,
}

/// Makes a certificate authority: a key pair and its self-signed certificate.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  gamewire cert gen-ca --out ca             writes ca (mode 0600), ca.pub and ca.cert
  gamewire cert gen-ca --out ca --app 480   an authority whose certificate covers one application

Programs trust the authority by its public key: GAMEWIRE_ROOTS=@ca.pub")]
pub(super) struct GenCaArgs {
    /// File for the private key; beside it come FILE.pub and FILE.cert
    #[arg(long, value_name = "FILE", default_value = "gamewire-ca")]
    out: PathBuf,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Days until the self-signed certificate expires
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Overwrite files that exist
    #[arg(long)]
    force: bool,
}

pub(super) fn gen_key(args: &GenKeyArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let key = SigningKey::generate(&mut SystemEntropy);
    let public_key = key.public_key();
    let private = encode_private_key(&key, &args.comment);
    let public = encode_public_key(&public_key, &args.comment) + "\n";
    let Some(path) = &args.out else {
        out.write_all(private.as_bytes())?;
        out.write_all(public.as_bytes())?;
        return Ok(());
    };
    let outputs = [
        Output { path: path.clone(), text: &private, secrecy: Secrecy::Private },
        Output { path: beside(path, ".pub"), text: &public, secrecy: Secrecy::Public },
    ];
    write_all(&outputs, args.force)?;
    writeln!(out, "private key  {}   keep it secret", path.display())?;
    writeln!(out, "public key   {}", beside(path, ".pub").display())?;
    writeln!(out, "key id       {}", public_key.key_id())?;
    Ok(())
}

pub(super) fn gen_ca(args: &GenCaArgs, now_unix: u64, out: &mut impl Write) -> anyhow::Result<()> {
    let key = SigningKey::generate(&mut SystemEntropy);
    let public_key = key.public_key();
    let certificate = Certificate {
        app_ids: args.scope.apps.clone(),
        pops: args.scope.pops.clone(),
        time_created: u32::try_from(now_unix).ok(),
        time_expiry: Some(expiry(now_unix, args.days)?),
        ..Certificate::new(public_key)
    };
    let private = encode_private_key(&key, "gamewire CA");
    let public = encode_public_key(&public_key, "gamewire CA") + "\n";
    let certificate = encode_certificate(&certificate.sign(&key));
    let path = &args.out;
    let outputs = [
        Output { path: path.clone(), text: &private, secrecy: Secrecy::Private },
        Output { path: beside(path, ".pub"), text: &public, secrecy: Secrecy::Public },
        Output { path: beside(path, ".cert"), text: &certificate, secrecy: Secrecy::Public },
    ];
    write_all(&outputs, args.force)?;
    writeln!(out, "private key  {}   keep it secret and offline", path.display())?;
    writeln!(out, "public key   {}   for GAMEWIRE_ROOTS", outputs[1].path.display())?;
    writeln!(out, "certificate  {}", outputs[2].path.display())?;
    writeln!(out, "key id       {}", public_key.key_id())?;
    Ok(())
}

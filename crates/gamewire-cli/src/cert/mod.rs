//! `gamewire cert`: keys, certificate authorities, certificates.

mod files;
mod keys;
mod show;
mod sign;
#[cfg(test)]
mod tests;

use std::{
    io::Write,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use gamewire_crypto::{
    SigningKey, VerifyingKey,
    cert::pop_from_text,
    text::{decode_private_key, decode_public_key},
};

const EXAMPLES: &str = "\
Examples:
  A certificate authority, a player's key, and a certificate that lasts for 30 days:
    gamewire cert gen-ca --out ca
    gamewire cert gen-key --out player
    gamewire cert sign --ca-key ca --app 480 --identity str:alice \\
        --public-key player.pub --days 30 --out player.cert
    gamewire cert show player.cert --root ca.pub

  Let programs trust the authority:
    GAMEWIRE_ROOTS=@ca.pub GAMEWIRE_APPID=480 my-game";

/// Makes keys and certificates, and shows them.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    command: CertCommand,
}

#[derive(Subcommand, Debug)]
enum CertCommand {
    /// Makes an Ed25519 key pair in OpenSSH's format
    GenKey(keys::GenKeyArgs),
    /// Makes a certificate authority: a key pair and its self-signed certificate
    GenCa(keys::GenCaArgs),
    /// Signs a certificate for a public key
    Sign(sign::SignArgs),
    /// Shows what is in a certificate, key or request; never shows secrets
    Show(show::ShowArgs),
}

/// Runs `gamewire cert`.
pub(crate) fn run(args: &CertArgs) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    run_with(args, now_unix()?, &mut out)
}

fn run_with(args: &CertArgs, now_unix: u64, out: &mut impl Write) -> anyhow::Result<()> {
    match &args.command {
        CertCommand::GenKey(args) => keys::gen_key(args, out),
        CertCommand::GenCa(args) => keys::gen_ca(args, now_unix, out),
        CertCommand::Sign(args) => sign::sign(args, now_unix, out),
        CertCommand::Show(args) => show::show(args, now_unix, out),
    }
}

fn now_unix() -> anyhow::Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(now.context("the clock is set before 1970; set it right first")?.as_secs())
}

/// What a certificate may be used for, and how long.
#[derive(Args, Clone, Debug)]
struct ScopeArgs {
    /// Application that it is for; repeat for several
    #[arg(long = "app", value_name = "N")]
    apps: Vec<u32>,
    /// Point of presence that it is for, a code of 3 or 4 letters such as `fra`; repeat for several
    #[arg(long = "pop", value_name = "CODE", value_parser = parse_pop)]
    pops: Vec<u32>,
}

fn parse_pop(code: &str) -> Result<u32, String> {
    pop_from_text(code).ok_or_else(|| format!("`{code}` is not a code of 3 or 4 letters like fra"))
}

/// Unix seconds `days` from now, as certificates keep them.
fn expiry(now_unix: u64, days: u32) -> anyhow::Result<u32> {
    let expiry = now_unix + u64::from(days) * 86_400;
    u32::try_from(expiry).context("that many --days reach beyond 2106, where certificates end")
}

/// A public key given as an `ssh-ed25519 …` line, or as a file that holds one.
fn public_key(argument: &str) -> anyhow::Result<VerifyingKey> {
    if argument.trim_start().starts_with("ssh-") {
        return decode_public_key(argument.trim()).context("the public key is damaged");
    }
    let path = Path::new(argument);
    let text = files::read_text(path)?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    decode_public_key(line.unwrap_or_default()).with_context(|| {
        format!("{argument} holds no public key; it is the .pub file that gen-key writes")
    })
}

fn private_key(path: &Path) -> anyhow::Result<SigningKey> {
    let text = files::read_text(path)?;
    decode_private_key(&text).with_context(|| {
        format!("{} holds no usable private key; `gamewire cert gen-key` makes one", path.display())
    })
}

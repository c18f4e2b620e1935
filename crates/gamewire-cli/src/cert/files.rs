//! Files with keys and certificates: read with bounds, written without surprise.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use gamewire_crypto::text::MAX_TEXT_LEN;

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Secrecy {
    /// The owner alone (mode 0600).
    Private,
    /// Whomever the system's defaults let.
    Public,
}

/// Something to be written.
#[derive(Debug)]
pub(super) struct Output<'a> {
    pub(super) path: PathBuf,
    pub(super) text: &'a str,
    pub(super) secrecy: Secrecy,
}

/// Writes all files or, if one of them exists and `force` is not set, none.
pub(super) fn write_all(outputs: &[Output<'_>], force: bool) -> anyhow::Result<()> {
    for output in outputs {
        // A link that leads nowhere is in the way, too.
        if !force && output.path.symlink_metadata().is_ok() {
            bail!("{} exists; name another file or add --force", output.path.display());
        }
    }
    outputs.iter().try_for_each(|output| {
        write(output, force).with_context(|| format!("cannot write {}", output.path.display()))
    })
}

/// Under another name first, so that a file is never half written nor readable for a moment.
fn write(output: &Output<'_>, force: bool) -> anyhow::Result<()> {
    let mut name = output.path.file_name().context("the path names no file")?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = output.path.with_file_name(name);
    let written = create(&fresh, output.secrecy)
        .and_then(|mut file| file.write_all(output.text.as_bytes()).and_then(|()| file.sync_all()));
    let placed = written.and_then(|()| {
        if force {
            fs::rename(&fresh, &output.path)
        } else {
            // Fails if somebody was quicker than we.
            fs::hard_link(&fresh, &output.path)
        }
    });
    if (placed.is_err() || !force)
        && let Err(error) = fs::remove_file(&fresh)
    {
        tracing::debug!(%error, "a temporary file stays behind");
    }
    Ok(placed?)
}

fn create(path: &Path, secrecy: Secrecy) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secrecy == Secrecy::Private {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = secrecy;
    options.open(path)
}

/// What is in a file; `-` is standard input. Longer ones than any key or certificate are refused.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let limit = MAX_TEXT_LEN as u64 + 1;
    let mut bytes = Vec::new();
    let result = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    result.with_context(|| format!("cannot read {shown}"))?;
    if bytes.len() > MAX_TEXT_LEN {
        bail!("{shown} is longer than any key or certificate");
    }
    Ok(bytes)
}

/// The text in a file.
pub(super) fn read_text(path: &Path) -> anyhow::Result<String> {
    let bytes = read(path)?;
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{} is not text", path.display()))
}

/// `path` with something behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;

use super::*;

const NOW: u64 = 1_800_000_000;

#[derive(Parser, Debug)]
struct Line {
    #[command(flatten)]
    cert: CertArgs,
}

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("gamewire-cert-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Runs a line; words that begin with `@` are files of the folder.
    fn run_at(&self, now: u64, line: &str) -> anyhow::Result<String> {
        let words = line.split_whitespace().map(|word| match word.strip_prefix('@') {
            Some(name) => self.file(name).to_str().unwrap().to_owned(),
            None => word.to_owned(),
        });
        let line = Line::try_parse_from(std::iter::once("cert".to_owned()).chain(words))?;
        let mut out = Vec::new();
        run_with(&line.cert, now, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn run(&self, line: &str) -> String {
        self.run_at(NOW, line).unwrap()
    }

    fn fails(&self, line: &str) -> String {
        format!("{:#}", self.run_at(NOW, line).unwrap_err())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_authority_signs_a_certificate_that_its_root_vouches_for() {
    let folder = Folder::new("chain");
    folder.run("gen-ca --out @ca");
    folder.run("gen-key --out @key");
    folder.run(
        "sign --ca-key @ca --app 480 --identity str:alice --public-key @key.pub --days 30 --out @cert",
    );
    let shown = folder.run("show @cert --root @ca.pub");
    for expected in ["str:alice", "480", "expires      2027-02-14", "believed     yes: root"] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    assert!(folder.run("show @cert").contains("not checked"));
    assert!(folder.run("show @ca.cert --root @ca.pub").contains("yes, as an authority"));

    folder.run("gen-ca --out @other");
    assert!(folder.fails("show @cert --root @other.pub").contains("not be believed"));
    assert!(folder.fails("show @ca.cert --root @other.pub").contains("none of the roots"));
    let late = folder.run_at(NOW + 31 * 86_400, "show @cert --root @ca.pub").unwrap_err();
    assert!(format!("{late:#}").contains("expired"), "{late:#}");
}

#[test]
fn intermediates_pass_trust_on_within_their_scope() {
    let folder = Folder::new("intermediate");
    folder.run("gen-ca --out @ca");
    folder.run("gen-key --out @mid");
    folder.run("gen-key --out @key");
    folder.run("sign --ca-key @ca --intermediate --app 480 --public-key @mid.pub --out @mid.cert");
    assert!(folder.run("show @mid.cert --root @ca.pub").contains("yes, as an authority"));
    for (app, name) in [("480", "good"), ("481", "bad")] {
        folder.run(&format!(
            "sign --ca-key @mid --app {app} --identity str:bob --public-key @key.pub --out @{name}"
        ));
    }
    let good = folder.run("show @good --root @ca.pub --chain @mid.cert");
    assert!(good.contains("by one authority between"), "{good}");
    assert!(folder.fails("show @good --root @ca.pub").contains("not known"));
    let outside = folder.fails("show @bad --root @ca.pub --chain @mid.cert");
    assert!(outside.contains("may not vouch for app 481"), "{outside}");
}

#[test]
fn private_files_are_private_and_kept() {
    let folder = Folder::new("files");
    folder.run("gen-key --out @key --comment me");
    let before = folder.text("key");
    #[cfg(unix)]
    assert_eq!(mode(&folder.file("key")), 0o600);
    assert!(folder.text("key.pub").trim_end().ends_with(" me"));
    assert!(folder.fails("gen-key --out @key").contains("--force"));
    assert_eq!(folder.text("key"), before);

    // Neither of the two is written if one is in the way.
    fs::remove_file(folder.file("key")).unwrap();
    assert!(folder.fails("gen-key --out @key").contains("key.pub exists"));
    assert!(!folder.file("key").exists());

    fs::write(folder.file("key"), "something readable by all").unwrap();
    folder.run("gen-key --out @key --force");
    assert_ne!(folder.text("key"), before);
    #[cfg(unix)]
    assert_eq!(mode(&folder.file("key")), 0o600);
    let left: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn secrets_are_never_shown() {
    let folder = Folder::new("secrets");
    folder.run("gen-key --out @key");
    let shown = folder.run("show @key");
    let public = folder.text("key.pub");
    assert!(shown.contains(public.trim()), "{shown}");
    assert!(!shown.contains("PRIVATE"), "{shown}");
    assert!(folder.run("show @key.pub").contains(public.trim()));
}

#[test]
fn keys_may_go_to_standard_output() {
    let folder = Folder::new("stdout");
    let both = folder.run("gen-key");
    let key = decode_private_key(&both).unwrap();
    let line = both.lines().last().unwrap();
    assert_eq!(decode_public_key(line).unwrap(), key.public_key());
}

#[test]
fn requests_are_signed_for_whom_the_authority_says() {
    let folder = Folder::new("request");
    folder.run("gen-ca --out @ca");
    let request = gamewire_crypto::CertificateRequest {
        key: SigningKey::from_seed([9; 32]).public_key(),
        identity: Some("str:mallory".parse().unwrap()),
        pops: vec![],
    };
    fs::write(folder.file("request"), request.encode()).unwrap();
    assert!(folder.run("show @request").contains("str:mallory"));
    let refused = folder.fails("sign --ca-key @ca --app 1 --identity str:alice --request @request");
    assert!(refused.contains("is for str:mallory"), "{refused}");
    assert!(folder.fails("sign --ca-key @ca --app 1 --request @request").contains("--identity"));
    let certificate =
        folder.run("sign --ca-key @ca --app 1 --identity str:mallory --request @request");
    fs::write(folder.file("cert"), certificate).unwrap();
    assert!(folder.run("show @cert --root @ca.pub").contains("believed     yes"));
}

#[test]
fn errors_say_what_to_do() {
    let folder = Folder::new("errors");
    folder.run("gen-ca --out @ca");
    folder.run("gen-key --out @key");
    for (line, hint) in [
        ("sign --ca-key @ca --app 1 --public-key @key.pub", "--identity ID"),
        ("sign --ca-key @ca --identity str:a --public-key @key.pub", "--app N"),
        ("sign --ca-key @ca --app 1 --identity ip:::1 --public-key @key.pub", "nobody"),
        ("sign --ca-key @ca --app 1 --identity alice --public-key @key.pub", "str:alice"),
        ("sign --ca-key @ca --app 1 --identity str:a", "--public-key"),
        ("sign --ca-key @ca.pub --app 1 --identity str:a --public-key @key.pub", "gen-key"),
        ("sign --ca-key @ca --app 1 --identity str:a --public-key @key", ".pub"),
        ("sign --ca-key @ca --app 1 --identity str:a --public-key @key.pub --days 99999", "2106"),
        ("sign --ca-key @ca --pop frankfurt --public-key @key.pub", "3 or 4 letters"),
        ("show @nothing", "cannot read"),
        ("show @ca.cert --chain @ca.cert", "--root"),
    ] {
        let error = folder.fails(line);
        assert!(error.contains(hint), "{line}: {error}");
    }
    fs::write(folder.file("noise"), [0xff; 40]).unwrap();
    assert!(folder.fails("show @noise").contains("no certificate"));
    fs::write(folder.file("long"), vec![b' '; 20_000]).unwrap();
    assert!(folder.fails("show @long").contains("longer than"));
}

#[test]
fn expiry_is_bounded() {
    assert_eq!(expiry(0, 1).unwrap(), 86_400);
    assert!(expiry(u64::from(u32::MAX), 1).is_err());
}

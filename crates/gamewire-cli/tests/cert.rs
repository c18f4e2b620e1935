//! From an authority to a certificate that it vouches for.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::{path::PathBuf, process::Output};

struct Folder(PathBuf);

impl Folder {
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The system clears it otherwise.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn gen_ca_gen_key_sign_show() {
    let folder = Folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cert-flow"));
    std::fs::create_dir_all(&folder.0).unwrap();
    let [ca, ca_pub, key, key_pub, cert] =
        ["ca", "ca.pub", "key", "key.pub", "cert"].map(|name| folder.path(name));
    text(&common::run(&["cert", "gen-ca", "--out", &ca, "--force"]));
    text(&common::run(&["cert", "gen-key", "--out", &key, "--force"]));
    text(&common::run(&[
        "cert",
        "sign",
        "--ca-key",
        &ca,
        "--app",
        "480",
        "--identity",
        "steamid:76561198000000001",
        "--public-key",
        &key_pub,
        "--days",
        "2",
        "--out",
        &cert,
        "--force",
    ]));
    let shown = text(&common::run(&["cert", "show", &cert, "--root", &ca_pub]));
    assert!(shown.contains("steamid:76561198000000001"), "{shown}");
    assert!(shown.contains("believed     yes"), "{shown}");

    // Again without --force: refused, with a hint.
    let again = common::run(&["cert", "gen-key", "--out", &key]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--force"));

    // The authority's public key is what programs are told to trust; then they need a certificate.
    let trusting = |roots: &str| {
        let arguments = ["perf", "client", "--connect", "127.0.0.1:1"];
        let output = common::gamewire(&arguments).env("GAMEWIRE_ROOTS", roots).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let errors = trusting(&format!("@{ca_pub}"));
    assert!(errors.contains("unset GAMEWIRE_ROOTS"), "{errors}");
    let errors = trusting("nonsense");
    assert!(errors.contains("GAMEWIRE_ROOTS: nonsense"), "{errors}");
}

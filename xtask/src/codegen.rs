//! `cargo xtask codegen`: protobuf types without protoc, committed and checked for drift.

use std::{fs, path::Path};

use anyhow::{Context, bail};

const PROTO_DIR: &str = "crates/gamewire-wire/proto";
/// What prost-build writes for each package, and where it goes.
const OUTPUTS: [(&str, &str); 3] = [
    ("gamewire.wire.rs", "crates/gamewire-wire/src/messages/generated.rs"),
    ("gamewire.wire.hub.rs", "crates/gamewire-wire/src/messages/hub/generated.rs"),
    ("gamewire.wire.relay.rs", "crates/gamewire-wire/src/messages/relay/generated.rs"),
];
const FILES: [&str; 9] = [
    "certs.proto",
    "hub.proto",
    "relay_auth.proto",
    "relay_p2p.proto",
    "relay_ping.proto",
    "relay_session.proto",
    "rendezvous.proto",
    "session.proto",
    "udp.proto",
];

/// Generates the types; with `check`, compares them with the committed file instead of writing.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace root")?;
    let descriptors =
        protox::compile(FILES, [root.join(PROTO_DIR)]).context("the .proto files do not parse")?;
    let scratch = root.join("target/codegen");
    fs::create_dir_all(&scratch)?;
    let mut config = prost_build::Config::new();
    config
        .out_dir(&scratch)
        .bytes(["."])
        .enum_attribute(".", "#[allow(missing_docs)]")
        .message_attribute(".", "#[allow(missing_docs)]");
    config.compile_fds(descriptors)?;
    for (package, output) in OUTPUTS {
        let generated = fs::read_to_string(scratch.join(package))?;
        settle(&root.join(output), output, &generated, check)?;
    }
    Ok(())
}

fn settle(path: &Path, name: &str, generated: &str, check: bool) -> anyhow::Result<()> {
    if check {
        let committed = fs::read_to_string(path).unwrap_or_default();
        if committed != generated {
            bail!("{name} is out of date: run `cargo xtask codegen`");
        }
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("the output has a folder")?)?;
    fs::write(path, generated)?;
    println!("wrote {name}");
    Ok(())
}

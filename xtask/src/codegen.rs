//! `cargo xtask codegen`: protobuf types without protoc, committed and checked for drift.

use std::{fs, path::Path};

use anyhow::{Context, bail};

const PROTO_DIR: &str = "crates/gamewire-wire/proto";
const OUTPUT: &str = "crates/gamewire-wire/src/messages/generated.rs";
const FILES: [&str; 5] =
    ["certs.proto", "hub.proto", "rendezvous.proto", "session.proto", "udp.proto"];

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
    let generated = fs::read_to_string(scratch.join("gamewire.wire.rs"))?;
    let output = root.join(OUTPUT);
    if check {
        let committed = fs::read_to_string(&output).unwrap_or_default();
        if committed != generated {
            bail!("{OUTPUT} is out of date: run `cargo xtask codegen`");
        }
        return Ok(());
    }
    fs::create_dir_all(output.parent().context("the output has a folder")?)?;
    fs::write(&output, generated)?;
    println!("wrote {OUTPUT}");
    Ok(())
}

//! What the runs ran on.

use std::process::Command;

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// One line for each property.
pub(crate) fn describe() -> Vec<(&'static str, String)> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = field(&cpu, "flags").unwrap_or_default();
    let crypto: Vec<&str> = ["aes", "vaes", "vpclmulqdq", "avx2", "avx512f"]
        .into_iter()
        .filter(|flag| flags.split(' ').any(|word| word == *flag))
        .collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(", ");
    [
        ("processor", field(&cpu, "model name")),
        ("cores", Some(cores.to_string())),
        ("of use to AES-GCM", Some(crypto.join(", "))),
        ("kernel", output("uname", &["-sr"])),
        ("compiler", output("rustc", &["--version"])),
        ("commit", output("git", &["describe", "--always", "--dirty"])),
        ("load at the end (1, 5, 15 minutes; the bench itself causes 2)", Some(load)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

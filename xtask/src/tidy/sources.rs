//! Rules about Rust sources, and about what no text file may hold.

use super::{
    Repository, layers,
    lexer::{code_only, words},
};
use crate::workspace::SourceFile;

/// Longest file in lines. Longer ones are listed in [`LONG_FILES`] with a reason.
const MAX_LINES: usize = 800;

/// Files above [`MAX_LINES`], each with the reason why it is better in one piece.
const LONG_FILES: [(&str, &str); 1] = [(
    "crates/gamewire-wire/src/messages/relay/generated.rs",
    "generated: as long as the list of public messages",
)];

/// Where `unsafe` may be written, each with the boundary that needs it.
const UNSAFE_PLACES: [(&str, &str); 9] = [
    ("crates/gamewire/src/io/", "system calls for UDP"),
    ("crates/gamewire/tests/allocations.rs", "an allocator that counts"),
    ("crates/gamewire/tests/many_connections.rs", "the same"),
    ("crates/gamewire-relay/src/io/", "system calls for UDP"),
    ("crates/gamewire-capi/", "the C and C++ interface"),
    ("interop/middlebox/", "system calls for TUN devices"),
    ("interop/valve-peer/", "the C interface of Valve's library"),
    ("bench/peers/valve/", "the same"),
    ("bench/peers/enet/", "the C interface of ENet"),
];

/// Crates whose root cannot forbid unsafe code, because one of their modules needs it.
const UNSAFE_CRATES: [&str; 5] = [
    "crates/gamewire",
    "crates/gamewire-capi",
    "crates/gamewire-relay",
    "interop/middlebox",
    "interop/valve-peer",
];

/// What decides is fed with time and bytes; it does not fetch them.
const SANS_IO_FOLDERS: [&str; 6] = [
    "crates/gamewire-wire/src/",
    "crates/gamewire-crypto/src/",
    "crates/gamewire-proto/src/",
    "crates/gamewire-p2p/src/",
    "crates/gamewire-sdr/src/",
    "crates/gamewire-sim/src/",
];

/// The programs among the sans-IO folders: they read the clock to know when to stop, and tell the machines nothing of it.
const PROGRAMS: &str = "/src/bin/";

/// Calls that reach for the outside world.
const OUTSIDE: [&str; 6] =
    ["Instant::now", "SystemTime::now", "thread::sleep", "UdpSocket", "TcpStream", "thread::spawn"];

/// Where tests run against real peers in real time.
const REAL_TIME: [&str; 3] = ["interop/", "xtask/", "bench/"];

/// Words that say nothing about the thing they end.
const EMPTY_WORDS: [&str; 7] =
    ["Manager", "Helper", "Helpers", "Util", "Utils", "Misc", "Miscellaneous"];

/// Where generated code lies: its names are not ours.
const GENERATED: &str = "generated.rs";

fn rust_files(repository: &Repository) -> impl Iterator<Item = &SourceFile> {
    repository.with_extension("rs")
}

/// No file above [`MAX_LINES`] without a reason, and no reason without such a file.
pub(super) fn length(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for file in rust_files(repository) {
        let lines = file.text.lines().count();
        let listed = LONG_FILES.iter().any(|(path, _)| *path == file.path);
        if lines > MAX_LINES && !listed {
            problems.push(format!("{} has {lines} lines", file.path));
        }
        if lines <= MAX_LINES && listed {
            problems.push(format!("{} is short now: take it off the list", file.path));
        }
    }
    problems
}

/// The keyword `unsafe` appears at the boundaries only.
pub(super) fn unsafe_code(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for file in rust_files(repository) {
        if UNSAFE_PLACES.iter().any(|(place, _)| file.path.starts_with(place)) {
            continue;
        }
        for (line, word) in words(&code_only(&file.text)) {
            if word == "unsafe" {
                problems.push(format!("{}:{line}", file.path));
            }
        }
    }
    problems
}

/// Libraries and programs say `#![forbid(unsafe_code)]` at their root.
pub(super) fn forbid_unsafe(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for package in repository.members() {
        if UNSAFE_CRATES.contains(&package.folder.as_str()) {
            continue;
        }
        for root in &package.roots {
            let text = repository.file(root).map(|file| code_only(&file.text)).unwrap_or_default();
            if !text.contains("#![forbid(unsafe_code)]") {
                problems.push(format!("{root} lacks #![forbid(unsafe_code)]"));
            }
        }
    }
    problems
}

/// No clock, socket or thread in the crates that decide.
pub(super) fn sans_io(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for file in rust_files(repository) {
        let inside = SANS_IO_FOLDERS.iter().any(|folder| file.path.starts_with(folder));
        if !inside || file.path.contains(PROGRAMS) {
            continue;
        }
        for (index, line) in code_only(&file.text).lines().enumerate() {
            for call in OUTSIDE.iter().filter(|call| line.contains(**call)) {
                problems.push(format!("{}:{}: {call}", file.path, index + 1));
            }
        }
    }
    debug_assert!(layers::SANS_IO.iter().all(|name| {
        SANS_IO_FOLDERS.iter().any(|folder| *folder == format!("crates/{name}/src/"))
    }));
    problems
}

/// Tests wait for events, not for time.
pub(super) fn sleeping_tests(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for file in rust_files(repository) {
        if REAL_TIME.iter().any(|place| file.path.starts_with(place)) {
            continue;
        }
        let code = code_only(&file.text);
        let first_test_line = if file.path.contains("/tests/") || file.path.ends_with("/tests.rs") {
            Some(1)
        } else {
            code.lines().position(|line| line.contains("#[cfg(test)]")).map(|index| index + 1)
        };
        let Some(first) = first_test_line else {
            continue;
        };
        for (line, word) in words(&code) {
            if line >= first && matches!(word, "sleep" | "sleep_until" | "park_timeout") {
                problems.push(format!("{}:{line}: {word}", file.path));
            }
        }
    }
    problems
}

/// Declared names end in a word that means something, and getters do without `get_`.
pub(super) fn names(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for file in rust_files(repository).filter(|file| !file.path.ends_with(GENERATED)) {
        let stem = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        if EMPTY_WORDS.iter().any(|empty| empty.eq_ignore_ascii_case(stem)) {
            problems.push(file.path.clone());
        }
        let code = code_only(&file.text);
        let found: Vec<(usize, &str)> = words(&code).collect();
        for pair in found.windows(2) {
            let [(_, keyword), (line, name)] = pair else {
                continue;
            };
            if declares_badly(keyword, name) {
                problems.push(format!("{}:{line}: {name}", file.path));
            }
        }
    }
    problems
}

fn declares_badly(keyword: &str, name: &str) -> bool {
    match keyword {
        "struct" | "enum" | "trait" | "type" => {
            EMPTY_WORDS.iter().any(|empty| name.ends_with(empty))
        }
        "mod" => EMPTY_WORDS.iter().any(|empty| empty.eq_ignore_ascii_case(name)),
        "fn" => {
            name.starts_with("get_")
                || EMPTY_WORDS.iter().any(|empty| {
                    name.rsplit('_').next().is_some_and(|last| last.eq_ignore_ascii_case(empty))
                })
        }
        _ => false,
    }
}

/// No macro that stands for code that is not there.
pub(super) fn unfinished(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for file in rust_files(repository) {
        for (index, line) in code_only(&file.text).lines().enumerate() {
            for name in ["todo!", "unimplemented!"] {
                if line.contains(name) {
                    problems.push(format!("{}:{}: {name}", file.path, index + 1));
                }
            }
        }
    }
    problems
}

/// No path that exists on the machine of one developer only.
pub(super) fn machine_paths(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for file in &repository.files {
        for (index, line) in file.text.lines().enumerate() {
            // Put together here, so that this file does not break its own rule.
            for top in ["work", "home", "root", "tmp", "Users"] {
                let path = format!("/{top}/");
                if let Some(at) = line.find(&path)
                    && starts_a_path(line, at)
                {
                    problems.push(format!("{}:{}: {path}", file.path, index + 1));
                }
            }
        }
    }
    problems
}

/// Whether the slash at `at` begins a path, rather than separating two parts of a longer one.
fn starts_a_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    !before.is_some_and(|character| character.is_alphanumeric() || "._-/}>*".contains(character))
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn long_files_are_found() {
        let long = "x\n".repeat(MAX_LINES + 1);
        assert_eq!(length(&sample(&[("a.rs", &long), ("b.md", &long)])).len(), 1);
        assert!(length(&sample(&[("a.rs", &long[2..])])).is_empty());
    }

    #[test]
    fn unsafe_is_found_outside_its_places() {
        let text = "// unsafe\nfn f() { unsafe { g() } }";
        let repository = sample(&[
            ("crates/gamewire-wire/src/lib.rs", text),
            ("crates/gamewire/src/io/socket.rs", text),
        ]);
        assert_eq!(unsafe_code(&repository), ["crates/gamewire-wire/src/lib.rs:2"]);
    }

    #[test]
    fn clocks_and_sockets_are_found() {
        let text =
            "fn f() -> Instant {\n    Instant::now()\n}\n// Instant::now\nuse std::net::UdpSocket;";
        let repository = sample(&[
            ("crates/gamewire-proto/src/x.rs", text),
            ("crates/gamewire-sim/src/bin/swarm.rs", text),
            ("crates/gamewire/src/x.rs", text),
        ]);
        let path = "crates/gamewire-proto/src/x.rs";
        assert_eq!(
            sans_io(&repository),
            [format!("{path}:2: Instant::now"), format!("{path}:5: UdpSocket")]
        );
    }

    #[test]
    fn sleeping_tests_are_found() {
        let text = "fn f() { thread::sleep(x) }\n#[cfg(test)]\nmod tests { fn g() { sleep(x) } }";
        let repository = sample(&[
            ("crates/a/src/lib.rs", text),
            ("crates/a/tests/b.rs", "fn f() { thread::sleep(x) }"),
            ("interop/src/lib.rs", text),
        ]);
        assert_eq!(
            sleeping_tests(&repository),
            ["crates/a/src/lib.rs:3: sleep", "crates/a/tests/b.rs:1: sleep"]
        );
    }

    #[test]
    fn empty_names_are_found() {
        let table = [
            ("struct ConnectionManager;", true),
            ("pub(crate) enum ParseHelper {}", true),
            ("fn get_name() {}", true),
            ("fn test_util() {}", true),
            ("mod utils;", true),
            ("struct Utility;", false),
            ("fn target_name() {}", false),
            ("// struct ConnectionManager", false),
            ("let manager = 1;", false),
        ];
        for (text, bad) in table {
            assert_eq!(!names(&sample(&[("a.rs", text)])).is_empty(), bad, "{text}");
        }
        assert_eq!(names(&sample(&[("src/helpers.rs", "")])), ["src/helpers.rs"]);
    }

    #[test]
    fn unfinished_code_is_found() {
        let repository = sample(&[("a.rs", "// todo!()\nfn f() { todo!() }")]);
        assert_eq!(unfinished(&repository), ["a.rs:2: todo!"]);
    }

    #[test]
    fn machine_paths_are_found() {
        let path = |top: &str| format!("see /{top}/x");
        for top in ["work", "home", "tmp"] {
            assert_eq!(machine_paths(&sample(&[("a.md", &path(top))])).len(), 1, "{top}");
        }
        let fine = "crates/work/x, https://example.org/home/x, a /usr/share file";
        assert!(machine_paths(&sample(&[("a.md", fine)])).is_empty());
    }
}

//! The demonstration ends by itself, and its exit code tells the truth.

mod common;

#[test]
fn it_succeeds_and_explains_itself() {
    let output = common::run(&["demo", "--seconds", "2"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    for expected in
        ["4 clients", "2 %", "quality", "352 KiB", "Success.", "arrived once and in order"]
    {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(!text.contains('\x1b'), "no terminal, no control sequences");
    assert!(!text.contains("WRONG"), "{text}");
}

#[test]
fn a_perfect_network_loses_nothing() {
    let output = common::run(&[
        "demo",
        "--seconds",
        "1",
        "--clients",
        "2",
        "--loss",
        "0",
        "--lag",
        "0",
        "--jitter",
        "0",
    ]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("0.0 % lost where 0.0 %"), "{text}");
}

#[test]
fn failure_is_told_by_the_exit_code() {
    let output = common::run(&["perf", "client", "--connect", "127.0.0.1:1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("is the other side listening there?"), "{errors}");
    let output = common::run(&["demo", "--clients", "none"]);
    assert_eq!(output.status.code(), Some(2));
}

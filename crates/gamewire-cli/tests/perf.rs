//! Measurements between two processes.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use common::Running;
use serde_json::Value;

fn measure(address: &str, arguments: &[&str]) -> Value {
    let fixed = ["perf", "client", "--connect", address, "--duration", "0.5", "--json", "--quiet"];
    let output = common::run(&[&fixed, arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.is_empty(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("{key} in {report}"))
}

#[test]
fn every_mode_reports_plausible_numbers() {
    let server = Running::start(&["perf", "server", "--listen", "127.0.0.1:0"]);
    let address = server.address();
    for (arguments, size) in [
        (&[][..], 16_384.0),
        (&["--reverse"], 16_384.0),
        (&["--unreliable", "--rate", "2000000"], 1200.0),
        (&["--unreliable", "--reverse", "--rate", "2000000"], 1200.0),
        (&["--lanes", "5", "--size", "3000"], 3000.0),
        (&["--size", "1"], 1.0),
        (&["--size", "524288"], 524_288.0),
        (&["--parallel", "2"], 16_384.0),
        (&["--encryption", "none"], 16_384.0),
        (&["--ping-pong"], 64.0),
        (&["--ping-pong", "--unreliable", "--size", "1"], 1.0),
    ] {
        let report = measure(&address, arguments);
        let messages = number(&report, "messages");
        assert!(messages > 0.0, "{report}");
        assert_eq!(number(&report, "bytes"), messages * size, "{report}");
        let rate = number(&report, "bytes_per_s");
        assert!(rate > 0.0, "{report}");
        let quotient = rate / number(&report, "messages_per_s");
        assert!((quotient - size).abs() < size * 0.001, "{report}");
        if report["reliable"] == true {
            assert_eq!(report["lost_messages"], 0, "{report}");
        }
        assert_eq!(report["encrypted"], !arguments.contains(&"none"), "{report}");
        assert!(number(&report, "cpu_seconds") >= 0.0);
        assert!(number(&report, "server_cpu_seconds") >= 0.0);
        let rtt = &report["rtt_us"];
        assert!(number(rtt, "p50") <= number(rtt, "p99"), "{report}");
        assert!(number(rtt, "p99") <= number(rtt, "p999"), "{report}");
    }
}

#[test]
fn a_rate_limit_is_kept() {
    let server = Running::start(&["perf", "server", "--listen", "127.0.0.1:0"]);
    let address = server.address();
    for direction in [&[][..], &["--reverse"]] {
        let arguments = [&["--rate", "1000000", "--size", "5000"], direction].concat();
        let rate = number(&measure(&address, &arguments), "bytes_per_s");
        assert!((200_000.0..1_200_000.0).contains(&rate), "{rate}");
    }
}

#[test]
fn people_get_words_and_progress() {
    let server = Running::start(&["perf", "server", "--listen", "127.0.0.1:0"]);
    let output =
        common::run(&["perf", "client", "--connect", &server.address(), "--duration", "1.5"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("messages/s") && text.contains("round trip"), "{text}");
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(progress.contains("1.0 s  sending"), "{progress}");
    server.expect("messages");
}

#[test]
fn a_server_that_is_none_is_noticed() {
    // An echo server sends the plan back instead of carrying it out.
    let echo = Running::start(&["echo", "--listen", "127.0.0.1:0"]);
    let output =
        common::run(&["perf", "client", "--connect", &echo.address(), "--duration", "0.5"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("something else"), "{errors}");
}

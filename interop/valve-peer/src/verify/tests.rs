use super::*;

const SEED: u64 = 11;

fn expectation(reliable: bool, sizes: &str) -> Expectation {
    let line = format!(
        r#"{{"cmd":"receive_mode","mode":"verify",
             "expect":[{{"reliable":{reliable},"seed":{SEED},"sizes":{sizes},"count":4}}]}}"#
    );
    let request = crate::protocol::parse(&line).expect("valid");
    let crate::protocol::Command::ReceiveMode(crate::protocol::ReceiveMode::Verify(mut list)) =
        request.command
    else {
        panic!("not a verify mode")
    };
    list.remove(0)
}

fn payload(index: u64, size: usize) -> Vec<u8> {
    let mut payload = vec![0; size];
    content::fill(&mut payload, SEED, index);
    payload
}

fn arrival(payload: &[u8], reliable: bool) -> Arrival<'_> {
    Arrival { connection: 1, lane: 0, reliable, payload, received_us: 5 }
}

/// Feeds message indices with the right sizes; returns the one run's summary.
fn feed(verifier: &mut Verifier, reliable: bool, size: usize, indices: &[u64]) -> Value {
    for &index in indices {
        verifier.record(arrival(&payload(index, size), reliable));
    }
    verifier.report()["runs"][0].clone()
}

#[test]
fn a_perfect_run_completes_exactly_once() {
    for size in [0, 1, 7, 8, 100] {
        let mut verifier = Verifier::new(vec![expectation(true, &format!("[{size}]"))]);
        let completions: Vec<bool> = (0..4)
            .map(|index| verifier.record(arrival(&payload(index, size), true)).is_some())
            .collect();
        assert_eq!(completions, [false, false, false, true], "size {size}");
        let report = verifier.report();
        assert_eq!(report["clean"], true);
        assert_eq!(report["runs"][0]["missing"], 0);
    }
}

#[test]
fn each_flaw_is_counted_as_itself() {
    let cases: [(&str, bool, &[u64], bool); 5] = [
        ("duplicates", true, &[0, 1, 1], false),
        ("out_of_order", true, &[1, 0], false),
        ("out_of_order", false, &[1, 0], true),
        ("duplicates", false, &[0, 2, 0], false),
        ("corrupt", true, &[4], false),
    ];
    for (name, reliable, indices, clean) in cases {
        let mut verifier = Verifier::new(vec![expectation(reliable, "[16]")]);
        let summary = feed(&mut verifier, reliable, 16, indices);
        assert_ne!(summary[name], 0, "{name} {indices:?}: {summary}");
        assert_eq!(summary["clean"], clean, "{name} {indices:?}: {summary}");
    }
}

#[test]
fn a_reliable_gap_is_disorder_and_an_unreliable_gap_is_loss() {
    let mut verifier = Verifier::new(vec![expectation(true, "[16]")]);
    assert_eq!(feed(&mut verifier, true, 16, &[0, 2])["clean"], false);
    let mut verifier = Verifier::new(vec![expectation(false, "[16]")]);
    let summary = feed(&mut verifier, false, 16, &[0, 2]);
    assert_eq!((&summary["clean"], &summary["missing"]), (&json!(true), &json!(2)));
}

#[test]
fn damage_and_wrong_sizes_are_noticed() {
    let mut verifier = Verifier::new(vec![expectation(true, "[16, 32]")]);
    let mut damaged = payload(0, 16);
    damaged[15] ^= 1;
    verifier.record(arrival(&damaged, true));
    verifier.record(arrival(&payload(1, 16), true));
    let summary = verifier.report()["runs"][0].clone();
    assert_eq!((&summary["corrupt"], &summary["wrong_size"]), (&json!(1), &json!(1)));
    assert_eq!(summary["distinct"], 0);
}

#[test]
fn what_nobody_expects_is_counted() {
    let mut verifier = Verifier::new(vec![expectation(true, "[16]")]);
    verifier.record(arrival(&payload(0, 16), false));
    let report = verifier.report();
    assert_eq!((&report["unexpected"], &report["clean"]), (&json!(1), &json!(false)));
}

#[test]
fn an_absurd_index_takes_no_memory() {
    let mut verifier = Verifier::new(vec![expectation(true, "[16]")]);
    verifier.record(arrival(&payload(u64::MAX, 16), true));
    assert_eq!(verifier.report()["runs"][0]["corrupt"], 1);
    assert!(verifier.runs[0].seen.is_empty());
}

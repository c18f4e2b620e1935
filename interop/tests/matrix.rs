//! A part of the matrix in plain `cargo test`: enough to notice that the two libraries no longer
//! understand each other. The whole is `cargo xtask interop`.

#![allow(missing_docs, reason = "a test")]

use gamewire_interop::{
    cell::{Cell, Verdict},
    matrix, runner,
    stage::Role,
};

/// What runs here, by name.
const QUICK: [&str; 10] = [
    "address: IPv4",
    "address: IPv6",
    "cipher: Unencrypted 0 with us, 3 with Valve",
    "cipher: Unencrypted 2 with us, 1 with Valve",
    "content: reliable and unreliable mixed",
    "lanes: 0 to 7, reliable and unreliable",
    "end: we close and linger",
    "end: Valve closes",
    "end: the acceptor refuses",
    "identity: steamid",
];

#[test]
fn a_quick_part_of_the_matrix_passes_in_both_roles() {
    let cases = matrix::cases();
    let quick = QUICK.iter().map(|name| {
        let named = cases.iter().find(|case| case.name == *name);
        named.unwrap_or_else(|| panic!("no case is called {name}"))
    });
    let cells: Vec<Cell> =
        quick.flat_map(|case| Role::ALL.map(|role| case.in_role(role))).collect();
    let outcomes = runner::run(&cells, |_| ());
    let failures: String = outcomes
        .iter()
        .filter_map(|outcome| match &outcome.verdict {
            Verdict::Passed { .. } => None,
            Verdict::Failed { reason, diagnosis } => {
                Some(format!("{} ({}): {reason}\n{diagnosis}\n", outcome.name, outcome.role.name()))
            }
        })
        .collect();
    assert!(failures.is_empty(), "{failures}");
}

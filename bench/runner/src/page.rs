//! The page and its tables.

use std::{fmt::Write as _, path::Path};

use crate::{
    cases::{CASES, Case, Column},
    machine,
    peers::{PEERS, Peer},
    plot,
    results::{Results, Spread},
    targets::{BOUNDS, Relation, TARGETS},
};

/// Writes README.md and the plots.
pub(crate) fn write(folder: &Path, results: &Results) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for case in CASES.iter().filter(|case| has_figures(results, case)) {
        let path = folder.join(plot_name(case));
        std::fs::write(path, plot::bars(case, &rows(results, case)))?;
    }
    Ok(std::fs::write(folder.join("README.md"), page(results))?)
}

fn plot_name(case: &Case) -> String {
    format!("{}.svg", case.name.replace(['.', '_'], "-"))
}

fn has_figures(results: &Results, case: &Case) -> bool {
    PEERS.iter().any(|peer| results.remarks(case.name, peer.name).is_some())
}

/// The peers of a case, with their first figure.
fn rows(results: &Results, case: &Case) -> Vec<(&'static str, Spread)> {
    let figure = case.columns[0].figure;
    PEERS
        .iter()
        .filter_map(|peer| Some((peer.name, results.spread(case.name, peer.name, figure)?)))
        .collect()
}

fn page(results: &Results) -> String {
    let mut page = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`; do not edit. What the programs do and how \
         they count is in [bench/README.md](../../bench/README.md); what holds us back where a \
         target is missed is in [notes.md](notes.md).\n\n",
    );
    let _ = writeln!(
        page,
        "Rounds: {} (W4 and W5 at most 3), the peers in turns; the median, and in brackets the least and the most. Server and \
         client are two processes, each kept on a core of its own. Absolute figures hold for this \
         machine alone; the ratios are the point. The loopback interface never cuts a batch, so that \
         what uses GSO is quicker here than on a network card.\n",
        results.rounds
    );
    page.push_str("## Machine\n| | |\n| --- | --- |\n");
    for (name, value) in machine::describe() {
        let _ = writeln!(page, "| {name} | {value} |");
    }
    page.push_str("\n## Peers and settings\n| peer | what it is |\n| --- | --- |\n");
    for peer in PEERS {
        let _ = writeln!(page, "| {} | {} |", peer.name, peer.about);
    }
    page.push_str("\n## Targets\n");
    page.push_str(&targets(results));
    page.push_str("\n## Figures\n");
    for case in CASES.iter().filter(|case| has_figures(results, case)) {
        let _ = writeln!(
            page,
            "{}\n![{}]({})\n",
            case_table(results, case),
            case.title,
            plot_name(case)
        );
    }
    page
}

/// All cases, for the terminal.
pub(crate) fn table(results: &Results) -> String {
    let cases = CASES.iter().filter(|case| has_figures(results, case));
    let mut text: String = cases.map(|case| case_table(results, case) + "\n").collect();
    text.push_str(&targets(results));
    text
}

fn case_table(results: &Results, case: &Case) -> String {
    let mut text = format!("### {} (`{}`)\n| |", case.title, case.name);
    for column in case.columns {
        let _ = write!(text, " {} |", column.title);
    }
    let _ = writeln!(text, " × gamewire |\n|{}", " --- |".repeat(case.columns.len() + 2));
    for peer in PEERS {
        if results.remarks(case.name, peer.name).is_some() {
            text.push_str(&row(results, case, peer));
        }
    }
    text
}

fn row(results: &Results, case: &Case, peer: &Peer) -> String {
    let (step, failure) = results.remarks(case.name, peer.name).unwrap_or_default();
    let mut text = format!("| {}", peer.name);
    let settings = peer.settings(case);
    if settings.len() > 1 {
        let _ = write!(text, " at {}", settings[step]);
    }
    if failure.is_some() {
        text.push_str(" (failed at least once)");
    }
    text.push_str(" |");
    for column in case.columns {
        let spread = results.spread(case.name, peer.name, column.figure);
        let _ = write!(text, " {} |", spread.map_or("–".to_owned(), |spread| cell(spread, column)));
    }
    let Column { figure, .. } = case.columns[0];
    let ratio = results
        .median(case.name, peer.name, figure)
        .zip(results.median(case.name, "gamewire", figure))
        .map_or("–".to_owned(), |(theirs, ours)| number(theirs / ours));
    let _ = writeln!(text, " {ratio} |");
    text
}

fn cell(spread: Spread, column: &Column) -> String {
    let [median, least, most] =
        [spread.median, spread.least, spread.most].map(|value| number(value / column.unit));
    if least == most { median } else { format!("{median} ({least}–{most})") }
}

/// Three digits that count.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn targets(results: &Results) -> String {
    let mut text = String::from("| target | reached | |\n| --- | --- | --- |\n");
    for target in TARGETS {
        let Some(verdict) = target.verdict(results) else {
            continue;
        };
        let _ = writeln!(
            text,
            "| `{}` {}{}: {} × {} | {} × | {} |",
            target.case,
            target.figure,
            if target.ours == "gamewire" { String::new() } else { format!(", {}", target.ours) },
            words(target.relation),
            verdict.other,
            number(verdict.ratio),
            outcome(target.relation, verdict.ratio),
        );
    }
    for bound in BOUNDS {
        let Some(ours) = results.median(bound.case, "gamewire", bound.figure) else {
            continue;
        };
        let _ = writeln!(
            text,
            "| `{}` {}: {} | {} | {} |",
            bound.case,
            bound.figure,
            words(bound.relation),
            number(ours),
            outcome(bound.relation, ours),
        );
    }
    text
}

fn words(relation: Relation) -> String {
    match relation {
        Relation::AtLeast(bound) => format!("at least {bound}"),
        Relation::AtMost(bound) => format!("at most {bound}"),
    }
}

fn outcome(relation: Relation, value: f64) -> String {
    match relation.missed_by(value) {
        0.0 => "met".to_owned(),
        share => format!("**missed by {:.0} %**", share * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Outcome;

    #[test]
    fn a_page_shows_what_was_measured() {
        let mut results = Results::new(2);
        for (peer, speed) in [("gamewire", 3e9), ("valve", 1e8), ("quinn", 2.5e9)] {
            let peer = PEERS.iter().find(|known| known.name == peer).unwrap();
            for factor in [0.9, 1.1] {
                let figures = [("bytes_per_s".to_owned(), speed * factor)].into();
                results.add(&CASES[0], peer, Outcome { step: 0, result: Ok(figures) });
            }
        }
        let page = page(&results);
        assert!(page.contains("| gamewire | 3000 (2700–3300) | – | – | 1.00 |"), "{page}");
        assert!(page.contains("at least 20 × valve | 30.0 × | met |"), "{page}");
        assert!(page.contains("at least 1.25 × quinn | 1.20 × | **missed by 4 %** |"), "{page}");
    }
}

//! What a program prints: lines `key: text`, in order. A key that comes again gets a number.

use std::collections::HashMap;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What was looked at.
    pub key: String,
    /// What was seen.
    pub text: String,
}

/// Where two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key of the lines.
    pub key: String,
    /// What was expected; none where the line was not.
    pub expected: Option<String>,
    /// What came; none where no such line came.
    pub found: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "(no line)".to_owned());
        write!(formatter, "{}: {} | {}", self.key, side(&self.expected), side(&self.found))
    }
}

/// The observations of an output.
#[must_use]
pub fn parse(output: &str) -> Vec<Observation> {
    let mut times: HashMap<&str, u32> = HashMap::new();
    output
        .lines()
        .map(|line| {
            let (key, text) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
            let count = times.entry(key).or_default();
            *count += 1;
            let key = if *count > 1 { format!("{key}#{count}") } else { key.to_owned() };
            Observation { key, text: text.to_owned() }
        })
        .collect()
}

/// Every difference, in the order of the expected lines, then what only the other has.
#[must_use]
pub fn compare(expected: &[Observation], found: &[Observation]) -> Vec<Difference> {
    let text_in = |lines: &[Observation], key: &str| {
        lines.iter().find(|line| line.key == key).map(|line| line.text.clone())
    };
    let mut differences: Vec<Difference> = expected
        .iter()
        .filter_map(|line| {
            let other = text_in(found, &line.key);
            let same = other.as_deref() == Some(&line.text);
            (!same).then(|| Difference {
                key: line.key.clone(),
                expected: Some(line.text.clone()),
                found: other,
            })
        })
        .collect();
    let only_found = found.iter().filter(|line| text_in(expected, &line.key).is_none());
    differences.extend(only_found.map(|line| Difference {
        key: line.key.clone(),
        expected: None,
        found: Some(line.text.clone()),
    }));
    differences.extend(first_disorder(expected, found));
    differences
}

/// The first line that comes in another place among those that both have.
fn first_disorder(expected: &[Observation], found: &[Observation]) -> Option<Difference> {
    let keys = |lines: &[Observation], others: &[Observation]| -> Vec<String> {
        let shared = lines.iter().filter(|line| others.iter().any(|other| other.key == line.key));
        shared.map(|line| line.key.clone()).collect()
    };
    let (expected_keys, found_keys) = (keys(expected, found), keys(found, expected));
    expected_keys.into_iter().zip(found_keys).find(|(one, other)| one != other).map(
        |(one, other)| Difference {
            key: format!("order at {one}"),
            expected: Some(one),
            found: Some(other),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(key: &str, expected: Option<&str>, found: Option<&str>) -> Difference {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Difference { key: key.to_owned(), expected: text(expected), found: text(found) }
    }

    #[test]
    fn a_repeated_key_gets_a_number() {
        let keys: Vec<String> =
            parse("a: 1\na: 2\nb:\na: x: y\n").into_iter().map(|line| line.key).collect();
        assert_eq!(keys, ["a", "a#2", "b", "a#3"]);
        assert_eq!(parse("a: x: y")[0].text, "x: y");
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let differences = compare(&parse("a: 1\nb: 2\nc: 3\n"), &parse("a: 1\nb: 5\nd: 4\n"));
        assert_eq!(
            differences,
            [
                difference("b", Some("2"), Some("5")),
                difference("c", Some("3"), None),
                difference("d", None, Some("4")),
            ]
        );
    }

    #[test]
    fn another_order_is_a_difference() {
        let differences = compare(&parse("a: 1\nb: 2\n"), &parse("b: 2\na: 1\n"));
        assert_eq!(differences, [difference("order at a", Some("a"), Some("b"))]);
    }

    #[test]
    fn the_same_has_no_difference() {
        let lines = parse("a: 1\nb: 2\na: 3\n");
        assert_eq!(compare(&lines, &lines), []);
    }
}

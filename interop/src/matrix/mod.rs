//! The cells, group by group. Every case runs in both roles.

mod addresses;
mod bulk;
mod certificates;
mod ciphers;
mod content;
mod ending;
mod identities;
mod impairments;
mod lanes;
mod nagle;

use crate::cell::Case;

/// All cases, in the order of the table.
pub fn cases() -> Vec<Case> {
    let groups = [
        addresses::cases,
        ciphers::cases,
        content::cases,
        lanes::cases,
        nagle::cases,
        ending::cases,
        impairments::cases,
        identities::cases,
        certificates::cases,
        bulk::cases,
    ];
    groups.into_iter().flat_map(|group| group()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique() {
        let cases = super::cases();
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
    }
}

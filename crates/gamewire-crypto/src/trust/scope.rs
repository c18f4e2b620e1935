//! What a key may vouch for.

/// A set of app ids or PoPs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Allowed {
    /// Every one.
    Any,
    /// These; sorted, maybe none.
    Only(Vec<u32>),
}

impl Allowed {
    /// As certificates write it: an empty list does not limit.
    pub fn from_list(list: &[u32]) -> Self {
        if list.is_empty() {
            return Self::Any;
        }
        let mut sorted = list.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        Self::Only(sorted)
    }

    /// Whether `item` is in it.
    pub fn contains(&self, item: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Only(list) => list.binary_search(&item).is_ok(),
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Any => false,
            Self::Only(list) => list.is_empty(),
        }
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, limit) | (limit, Self::Any) => limit.clone(),
            (Self::Only(list), Self::Only(_)) => {
                Self::Only(list.iter().copied().filter(|&item| other.contains(item)).collect())
            }
        }
    }
}

/// The apps and PoPs that a key may vouch for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// App ids.
    pub apps: Allowed,
    /// PoP ids.
    pub pops: Allowed,
}

impl Scope {
    /// Everything.
    pub const UNLIMITED: Self = Self { apps: Allowed::Any, pops: Allowed::Any };

    /// From lists as in certificates: an empty one does not limit.
    pub fn from_lists(app_ids: &[u32], pops: &[u32]) -> Self {
        Self { apps: Allowed::from_list(app_ids), pops: Allowed::from_list(pops) }
    }

    /// What both cover.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            apps: self.apps.intersection(&other.apps),
            pops: self.pops.intersection(&other.pops),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersections() {
        let only = |list: &[u32]| Allowed::Only(list.to_vec());
        assert_eq!(Allowed::from_list(&[]), Allowed::Any);
        assert_eq!(Allowed::from_list(&[3, 1, 3]), only(&[1, 3]));
        assert_eq!(Allowed::Any.intersection(&Allowed::Any), Allowed::Any);
        assert_eq!(Allowed::Any.intersection(&only(&[1])), only(&[1]));
        assert_eq!(only(&[1]).intersection(&Allowed::Any), only(&[1]));
        assert_eq!(only(&[1, 2]).intersection(&only(&[2, 3])), only(&[2]));
        let none = only(&[1]).intersection(&only(&[2]));
        assert!(none.is_empty(), "excluded is not the same as unlimited");
        assert!(!none.contains(1) && !none.contains(2));
        assert!(none.intersection(&Allowed::Any).is_empty());
        assert!(!Allowed::Any.is_empty() && Allowed::Any.contains(u32::MAX));
    }
}

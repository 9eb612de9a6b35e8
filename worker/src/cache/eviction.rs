//! Pure: which entries make room for another one.

use std::time::SystemTime;

/// An entry that occupies space.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Resident {
    /// The name of the entry.
    pub(super) name: String,
    /// Bytes of its files.
    pub(super) size: u64,
    /// The last use.
    pub(super) used: SystemTime,
    /// True while a worker uses or makes the entry, which must stay then.
    pub(super) is_in_use: bool,
}

/// The names of entries to remove, so that `needed` bytes more fit below the `limit`: the least recently used first. None
/// if too much is in use.
pub(super) fn victims(
    mut residents: Vec<Resident>,
    needed: u64,
    limit: u64,
) -> Option<Vec<String>> {
    let mut total = residents
        .iter()
        .fold(needed, |sum, resident| sum.saturating_add(resident.size));
    residents.sort_by(|one, other| (one.used, &one.name).cmp(&(other.used, &other.name)));
    let mut victims = Vec::new();
    for resident in residents.into_iter().filter(|resident| !resident.is_in_use) {
        if total <= limit {
            break;
        }
        total -= resident.size;
        victims.push(resident.name);
    }
    (total <= limit).then_some(victims)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_least_recently_used_entries_go_and_none_that_is_in_use() {
        let resident = |name: &str, size, age: u64, is_in_use| Resident {
            name: name.to_owned(),
            size,
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(100 - age),
            is_in_use,
        };
        let residents = vec![
            resident("new", 4, 1, false),
            resident("old", 4, 9, false),
            resident("oldest, in use", 4, 10, true),
        ];
        let rows: [(u64, u64, Option<&[&str]>); 6] = [
            (4, 16, Some(&[])),
            (5, 16, Some(&["old"])),
            (8, 16, Some(&["old"])),
            (9, 16, Some(&["old", "new"])),
            (12, 16, Some(&["old", "new"])),
            (13, 16, None),
        ];
        for (needed, limit, expected) in rows {
            let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
            assert_eq!(
                victims(residents.clone(), needed, limit),
                expected,
                "{needed}"
            );
        }
    }
}

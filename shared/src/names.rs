//! Long lists of names in messages.

/// The first `most` names, and the number of further ones: `a, b and 3 more`.
pub fn first_names(names: &[String], most: usize) -> String {
    let shown = names.get(..most).unwrap_or(names).join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_are_counted() {
        let names = ["a", "b", "c"].map(str::to_owned);
        for (most, expected) in [(2, "a, b and 1 more"), (3, "a, b, c"), (4, "a, b, c")] {
            assert_eq!(first_names(&names, most), expected);
        }
        assert_eq!(first_names(&[], 2), "");
    }
}

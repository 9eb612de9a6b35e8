//! Names in messages: long lists, and suggestions for mistyped ones.

/// The least similarity of a suggestion, from 0 to 1: a typing error in a short word passes.
const MIN_SIMILARITY: f64 = 0.7;

/// The first `most` names, and the number of further ones: `a, b and 3 more`.
pub fn first_names(names: &[String], most: usize) -> String {
    let shown = names.get(..most).unwrap_or(names).join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The candidate most like a text, if any is alike.
pub fn similar<'known>(
    text: &str,
    known: impl Iterator<Item = &'known str>,
) -> Option<&'known str> {
    known
        .map(|candidate| {
            (
                strsim::normalized_damerau_levenshtein(text, candidate),
                candidate,
            )
        })
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
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

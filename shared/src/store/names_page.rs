//! A part of a sorted list of names.

/// Some names, sorted, of a list that may have more names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamesPage {
    /// The names; those of directories end with a slash.
    pub names: Vec<String>,
    /// True if the list goes on after the last name.
    pub has_more: bool,
}

impl NamesPage {
    /// At most `most` of the sorted `names`, from `after` on.
    pub(super) fn cut(mut names: Vec<String>, after: &str, most: usize) -> Self {
        names.retain(|name| name.as_str() > after);
        let has_more = names.len() > most;
        names.truncate(most);
        Self { names, has_more }
    }
}

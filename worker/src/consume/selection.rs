//! The pipelines that a worker serves: by name, or by pattern.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use drover_shared::glob::Glob;
use drover_shared::id::PipelineName;

/// Characters that make a pattern of a text.
const SPECIAL: [char; 7] = ['*', '?', '[', '{', '(', '!', '\\'];

/// A name, or a pattern of names.
#[derive(Clone, Debug)]
pub enum PipelineChoice {
    /// One pipeline, which need not exist yet.
    Named(PipelineName),
    /// All pipelines with matching names, as pipelines come and go.
    Matching(Glob),
}

impl FromStr for PipelineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains(SPECIAL) {
            let named = text.parse().map(Self::Named);
            return named.map_err(|error| format!("{error}; or a pattern such as 'thumbs-*'"));
        }
        if text.contains('/') {
            return Err(format!("no pipeline matches {text:?}: a name holds no '/'"));
        }
        let pattern = text.parse().map(Self::Matching);
        pattern.map_err(|error| error.to_string())
    }
}

/// All pipelines that a worker serves.
#[derive(Clone, Debug, Default)]
pub struct PipelineSelection {
    names: BTreeSet<PipelineName>,
    patterns: Vec<Glob>,
}

impl PipelineSelection {
    /// The named pipelines.
    pub(crate) fn names(&self) -> Vec<PipelineName> {
        self.names.iter().cloned().collect()
    }

    /// True if pipelines may come and go.
    pub(crate) fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// True if the worker may serve several pipelines.
    pub(crate) fn is_shared(&self) -> bool {
        self.has_patterns() || self.names.len() > 1
    }

    /// True if the pipeline is selected by a pattern, and not by its name. A pattern too complex for a name does not match.
    pub(crate) fn matches(&self, pipeline: &PipelineName) -> bool {
        let path = format!("/{}", pipeline.as_str());
        let matches = |pattern: &Glob| pattern.matches(&path).unwrap_or(false);
        !self.names.contains(pipeline) && self.patterns.iter().any(matches)
    }
}

impl FromIterator<PipelineChoice> for PipelineSelection {
    fn from_iter<T: IntoIterator<Item = PipelineChoice>>(choices: T) -> Self {
        let mut selection = Self::default();
        for choice in choices {
            match choice {
                PipelineChoice::Named(name) => {
                    selection.names.insert(name);
                }
                PipelineChoice::Matching(pattern) => selection.patterns.push(pattern),
            }
        }
        selection
    }
}

impl From<Vec<PipelineName>> for PipelineSelection {
    fn from(names: Vec<PipelineName>) -> Self {
        names.into_iter().map(PipelineChoice::Named).collect()
    }
}

/// For people: `map, reduce, thumbs-*`.
impl fmt::Display for PipelineSelection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.iter().map(PipelineName::to_string);
        let all: Vec<_> = names
            .chain(self.patterns.iter().map(Glob::to_string))
            .collect();
        out.write_str(&all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_selects_the_pipelines_that_it_matches_as_a_whole() {
        #[rustfmt::skip]
        let rows = [
            ("*",            "thumbs",   true),
            ("thumbs-*",     "thumbs-1", true),
            ("thumbs-*",     "thumbs",   false),
            ("*-{a,b}",      "map-b",    true),
            ("map?",         "map",      false),
            ("[a-m]*",       "map",      true),
            ("!(map)",       "map",      false),
            ("map",          "map",      false),
        ];
        for (pattern, name, expected) in rows {
            let choice: PipelineChoice = pattern.parse().unwrap();
            let selection = PipelineSelection::from_iter([choice]);
            let name = name.parse().unwrap();
            assert_eq!(selection.matches(&name), expected, "{pattern} {name}");
        }
        let both = ["map", "*"].map(|choice| choice.parse().unwrap());
        let both = PipelineSelection::from_iter(both);
        assert!(!both.matches(&"map".parse().unwrap()), "it is named");
        assert_eq!(both.to_string(), "map, *");
    }

    #[test]
    fn a_text_that_can_select_nothing_is_refused() {
        for (text, reason) in [
            ("a/b", "a/b"),
            ("a/*", "no '/'"),
            ("a[", "never closed"),
            ("", "pattern"),
        ] {
            let refused = text.parse::<PipelineChoice>().unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}

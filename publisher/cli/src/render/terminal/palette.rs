//! Colours, where there is somebody to see them.

use std::fmt::Display;

use console::Style;

/// Styles for one of the two streams. Every style also has words, so nothing is lost without colours.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    coloured: bool,
}

impl Palette {
    /// For standard output: coloured on a terminal, unless `NO_COLOR` is set.
    pub fn stdout() -> Self {
        Self {
            coloured: console::colors_enabled(),
        }
    }

    /// For standard error: coloured on a terminal, unless `NO_COLOR` is set.
    pub fn stderr() -> Self {
        Self {
            coloured: console::colors_enabled_stderr(),
        }
    }

    /// No colours.
    pub fn plain() -> Self {
        Self { coloured: false }
    }

    /// Whether there are colours.
    pub fn is_coloured(self) -> bool {
        self.coloured
    }

    /// What to look at first.
    pub fn bold(self, text: impl Display) -> String {
        self.apply(Style::new().bold(), text)
    }

    /// What may be overlooked.
    pub fn dim(self, text: impl Display) -> String {
        self.apply(Style::new().dim(), text)
    }

    /// What went well.
    pub fn good(self, text: impl Display) -> String {
        self.apply(Style::new().green(), text)
    }

    /// What went wrong.
    pub fn bad(self, text: impl Display) -> String {
        self.apply(Style::new().red().bold(), text)
    }

    /// What is going on.
    pub fn busy(self, text: impl Display) -> String {
        self.apply(Style::new().cyan(), text)
    }

    /// What deserves a second look.
    pub fn warning(self, text: impl Display) -> String {
        self.apply(Style::new().yellow(), text)
    }

    fn apply(self, style: Style, text: impl Display) -> String {
        style
            .force_styling(self.coloured)
            .apply_to(text)
            .to_string()
    }
}

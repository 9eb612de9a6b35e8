//! Colours for terminals.

use std::fmt::Display;

use console::Style;

/// Styles for one stream. Every style also has words, so colours carry no information alone.
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

    /// True if colours are used.
    pub fn is_coloured(self) -> bool {
        self.coloured
    }

    /// Highlights a text.
    pub fn bold(self, text: impl Display) -> String {
        self.apply(Style::new().bold(), text)
    }

    /// Dims a text.
    pub fn dim(self, text: impl Display) -> String {
        self.apply(Style::new().dim(), text)
    }

    /// Style of success.
    pub fn good(self, text: impl Display) -> String {
        self.apply(Style::new().green(), text)
    }

    /// Style of failure.
    pub fn bad(self, text: impl Display) -> String {
        self.apply(Style::new().red().bold(), text)
    }

    /// Style of activity.
    pub fn busy(self, text: impl Display) -> String {
        self.apply(Style::new().cyan(), text)
    }

    /// Style of warnings.
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

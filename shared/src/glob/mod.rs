//! Path globs with captures, and the templates that refer to them.
//!
//! A glob is matched against the whole absolute path of a file or directory, without a trailing
//! slash; the root is `/`. The leading `/` of a glob is optional, a trailing one is ignored, `.` and
//! `..` are resolved; `""`, `/` and `.` all mean the root.
//!
//! | token | matches |
//! |---|---|
//! | `*` | any run of characters but `/`, even an empty one |
//! | `**` | any run of characters, `/` too: `/**/x` matches `/a/x` and `/a/b/x`, not `/x` |
//! | `?` | one character but `/` |
//! | `[abc]` `[a-z0-9_]` | one character of the class |
//! | `[!a]` `[^a]` | one character not of the class; it may be `/` |
//! | `[[:alpha:]]` `[[:^digit:]]` | one character of the named class, or not of it |
//! | `{a,b}` | one of the alternatives; no captures inside |
//! | `(a\|b)` `@(a\|b)` | one of the alternatives, captured |
//! | `?(a\|b)` `*(a\|b)` `+(a\|b)` | the alternatives at most once, any number of times, at least once; the whole run is captured |
//! | `!(a\|b)` | a run of characters but `/` that is none of the alternatives, captured |
//! | `\c` | the character `c` |
//!
//! `*(` and the like always open a group: to capture right after a star, write `*@(…)`. Captures
//! are numbered by their opening parentheses, from 1; a [`Template`] refers to a capture as `$1`.
//!
//! `!(a|b)` is compared with the beginning of the following text if any text, `*` or `**` comes
//! after the first negation that closes, and with the whole rest of the path otherwise.
//!
//! This module does no I/O; callers list files and match their paths.

mod bounds;
mod clean;
mod pattern;
mod syntax;
mod template;
mod translate;

#[cfg(test)]
mod tests;

pub use pattern::{Captures, Glob, GlobTooComplex};
pub use syntax::InvalidGlob;
pub use template::Template;

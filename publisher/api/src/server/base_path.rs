//! The path below which a reverse proxy shows the service.

use std::fmt;
use std::str::FromStr;

/// Longest path, in characters.
const MAX_LENGTH: usize = 200;

/// A path such as `/drover`, or nothing: the service is at the root of its host.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BasePath(String);

impl BasePath {
    /// The path, with a slash before and none after it; empty at the root.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for BasePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.trim_end_matches('/');
        if path.is_empty() {
            return Ok(Self::default());
        }
        let is_segment = |segment: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
        };
        let segments = path.strip_prefix('/').map(|path| path.split('/'));
        let is_path = segments.is_some_and(|mut segments| segments.all(is_segment));
        if is_path && path.len() <= MAX_LENGTH {
            return Ok(Self(path.to_owned()));
        }
        Err(
            "a base path begins with a slash and has letters, digits and `-._~` between slashes: /drover",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_plain() {
        let read = |text: &str| text.parse::<BasePath>().ok().map(|path| path.0);
        for (text, path) in [
            ("", ""),
            ("/", ""),
            ("/drover", "/drover"),
            ("/a/b/", "/a/b"),
        ] {
            assert_eq!(read(text).as_deref(), Some(path), "{text:?}");
        }
        for refused in [
            "drover",
            "/a//b",
            "/..",
            "/a b",
            "/\"><script>",
            "/{x}",
            "/ü",
            "//evil.example",
        ] {
            assert_eq!(read(refused), None, "{refused:?}");
        }
    }
}

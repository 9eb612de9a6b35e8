//! Log files of attempts: lines of `2026-11-23T18:31:55.123456Z stdout F text`, as containers write them.
//!
//! `F` ends a line; `P` is a part of a long one. Text of another form is shown unchanged.

use jiff::Timestamp;

/// Longest text of a line in bytes. A longer line is given in parts, so no line of a command costs more memory.
pub(super) const MAX_LINE_BYTES: usize = 1024 * 1024;

/// A whole line that a command printed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogLine {
    /// Time of printing, if known.
    pub time: Option<Timestamp>,
    /// `stdout` or `stderr`; empty if unknown.
    pub stream: String,
    /// The printed text without the line break.
    pub text: Vec<u8>,
    /// True if the line was too long, and goes on in the next one of this stream.
    pub continues: bool,
}

/// Joins the parts of long lines, separately for each stream.
#[derive(Clone, Debug, Default)]
pub struct LogLines {
    open: Vec<LogLine>,
}

impl LogLine {
    /// Time and stream of the line, without its text.
    fn head(&self) -> Self {
        Self {
            time: self.time,
            stream: self.stream.clone(),
            ..Self::default()
        }
    }
}

impl LogLines {
    /// Takes a line of the file; returns the line that is completed by this part, if any.
    pub fn push(&mut self, raw: &[u8]) -> Option<LogLine> {
        let Some((time, stream, is_whole, text)) = parsed(raw) else {
            return Some(LogLine {
                text: raw.to_vec(),
                ..LogLine::default()
            });
        };
        let open = self.open.iter().position(|line| line.stream == stream);
        let fresh = || LogLine {
            time: Some(time),
            stream: stream.to_owned(),
            text: Vec::new(),
            continues: false,
        };
        let mut line = open.map_or_else(fresh, |at| self.open.swap_remove(at));
        line.text.extend_from_slice(text);
        if is_whole {
            return Some(line);
        }
        if line.text.len() >= MAX_LINE_BYTES {
            self.open.push(line.head());
            return Some(LogLine {
                continues: true,
                ..line
            });
        }
        self.open.push(line);
        None
    }

    /// The remaining text without a line break.
    pub fn rest(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.open)
    }
}

fn parsed(raw: &[u8]) -> Option<(Timestamp, &str, bool, &[u8])> {
    let mut fields = raw.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let stream = std::str::from_utf8(fields.next()?).ok()?;
    let is_whole = match fields.next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    Some((time, stream, is_whole, fields.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(file: &str) -> Vec<String> {
        let mut lines = LogLines::default();
        let mut whole: Vec<LogLine> = file
            .lines()
            .filter_map(|raw| lines.push(raw.as_bytes()))
            .collect();
        whole.extend(lines.rest());
        whole
            .iter()
            .map(|line| format!("{}|{}", line.stream, String::from_utf8_lossy(&line.text)))
            .collect()
    }

    #[test]
    fn parts_become_lines_again_each_stream_for_itself() {
        let file = "2026-11-23T18:31:55.1Z stdout P half a\n\
                    2026-11-23T18:31:55.2Z stderr F  with  spaces \n\
                    2026-11-23T18:31:55.3Z stdout F  line\n\
                    2026-11-23T18:31:55.4Z stdout F \n\
                    2026-11-23T18:31:55.5Z stdout F\n\
                    2026-11-23T18:31:55.6Z stderr P cut off";
        assert_eq!(
            texts(file),
            [
                "stderr| with  spaces ",
                "stdout|half a line",
                "stdout|",
                "stdout|",
                "stderr|cut off"
            ]
        );
    }

    #[test]
    fn what_is_not_a_log_line_is_shown_as_it_is() {
        assert_eq!(
            texts("hello there\n\n2026 stdout F x"),
            ["|hello there", "|", "|2026 stdout F x"]
        );
    }

    #[test]
    fn a_line_that_is_too_long_comes_in_parts() {
        let part = "x".repeat(MAX_LINE_BYTES / 2);
        let raw = format!("2026-11-23T18:31:55.1Z stdout P {part}");
        let mut lines = LogLines::default();
        let mut given = Vec::new();
        for _ in 0..5 {
            given.extend(lines.push(raw.as_bytes()));
        }
        given.extend(lines.push(b"2026-11-23T18:31:55.2Z stdout F end"));
        let sizes: Vec<_> = given
            .iter()
            .map(|line| (line.text.len(), line.continues))
            .collect();
        let last = (MAX_LINE_BYTES / 2 + 3, false);
        assert_eq!(
            sizes,
            [(MAX_LINE_BYTES, true), (MAX_LINE_BYTES, true), last]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let mut lines = LogLines::default();
            let _ = lines.push(&raw);
            let _ = lines.rest();
        }
    }
}

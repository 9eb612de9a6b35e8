//! Splits the bytes of a stream into log records in the format of Kubernetes' container logs:
//! `2026-11-23T18:31:55.123456Z stdout F text`, with `P` where the line continues in the next record of the stream.

/// The source of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    /// Name of the stream in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Longer lines are split into records of the size.
const LONGEST_RECORD: usize = 16 * 1024;

/// Limit for the last line.
const LONGEST_LAST_LINE: usize = 4 * 1024;

/// How an error message goes on after a name. In a script from Windows names end with `\r`, which returns nowhere then.
const AFTER_NAME: &[u8] = b":'";

/// Line splitter of one stream.
pub(super) struct LineSplitter {
    stream: Stream,
    /// The current line, except parts already in records.
    unfinished: Vec<u8>,
    /// The beginning of the current line as a terminal shows it: a progress bar writes over its text after each `\r`.
    visible: Vec<u8>,
    /// True after a `\r`, until other text follows.
    is_returned: bool,
    last: Vec<u8>,
}

impl LineSplitter {
    pub(super) fn of(stream: Stream) -> Self {
        Self {
            stream,
            unfinished: Vec::new(),
            visible: Vec::new(),
            is_returned: false,
            last: Vec::new(),
        }
    }

    /// Appends the completed records to `records`.
    pub(super) fn take(&mut self, bytes: &[u8], now: &str, records: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.continue_line(&rest[..end], now, records);
            self.end_line(now, records);
            rest = &rest[end + 1..];
        }
        self.continue_line(rest, now, records);
    }

    /// Appends an unfinished line.
    pub(super) fn finish(&mut self, now: &str, records: &mut Vec<u8>) {
        if self.is_amid_line() {
            self.remember();
            self.record('P', now, records);
        }
    }

    /// True if the last byte read did not end a line.
    pub(super) fn is_amid_line(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// The beginning of the last line that is not blank.
    pub(super) fn last_line(&self) -> Option<String> {
        (!self.last.is_empty()).then(|| String::from_utf8_lossy(&self.last).trim().to_owned())
    }

    fn continue_line(&mut self, mut piece: &[u8], now: &str, records: &mut Vec<u8>) {
        self.show(piece);
        while self.unfinished.len() + piece.len() > LONGEST_RECORD {
            let (fits, rest) = piece.split_at(LONGEST_RECORD - self.unfinished.len());
            self.unfinished.extend_from_slice(fits);
            self.record('P', now, records);
            piece = rest;
        }
        self.unfinished.extend_from_slice(piece);
    }

    fn end_line(&mut self, now: &str, records: &mut Vec<u8>) {
        self.remember();
        self.record('F', now, records);
    }

    /// Adds a piece of the current line to its visible text.
    fn show(&mut self, piece: &[u8]) {
        for (number, text) in piece.split(|&byte| byte == b'\r').enumerate() {
            self.is_returned |= number > 0;
            if text.first().is_some_and(|first| AFTER_NAME.contains(first)) {
                self.is_returned = false;
            }
            if self.is_returned && !text.trim_ascii().is_empty() {
                self.visible.clear();
                self.is_returned = false;
            }
            let room = LONGEST_LAST_LINE - self.visible.len();
            self.visible
                .extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    /// Remembers the visible text of the current line unless blank.
    fn remember(&mut self) {
        if !self.visible.trim_ascii().is_empty() {
            std::mem::swap(&mut self.last, &mut self.visible);
        }
        self.visible.clear();
        self.is_returned = false;
    }

    fn record(&mut self, tag: char, now: &str, records: &mut Vec<u8>) {
        records.extend_from_slice(format!("{now} {} {tag} ", self.stream.name()).as_bytes());
        records.append(&mut self.unfinished);
        records.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(chunks: &[&[u8]]) -> (String, Option<String>) {
        let mut lines = LineSplitter::of(Stream::Stderr);
        let mut records = Vec::new();
        for chunk in chunks {
            lines.take(chunk, "T", &mut records);
        }
        lines.finish("T", &mut records);
        (
            String::from_utf8_lossy(&records).into_owned(),
            lines.last_line(),
        )
    }

    #[test]
    fn output_becomes_a_record_a_line_and_the_last_line_is_kept() {
        for (chunks, expected, last) in [
            (
                &["one\ntwo\n"][..],
                "T stderr F one\nT stderr F two\n",
                Some("two"),
            ),
            (
                &["o", "ne\nt", "wo"],
                "T stderr F one\nT stderr P two\n",
                Some("two"),
            ),
            (
                &["error: no\n", "\n  \n"],
                "T stderr F error: no\nT stderr F \nT stderr F   \n",
                Some("error: no"),
            ),
            (&[""], "", None),
            (&["\n"], "T stderr F \n", None),
        ] {
            let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
            assert_eq!(
                records(&chunks),
                (expected.to_owned(), last.map(str::to_owned)),
                "{chunks:?}"
            );
        }
    }

    #[test]
    fn the_last_line_is_what_a_terminal_shows_of_a_progress_bar() {
        let bar = "\rdownloading 100% of the archive".repeat(1_000);
        let rows = [
            (vec!["10%\r20%\rerror: quota\n"], "error: quota"),
            (vec!["10%\r20%", "\r", "30", "%"], "30%"),
            (
                vec!["sh: 2: frob\r", ": not found\n"],
                "sh: 2: frob: not found",
            ),
            (vec!["error: no\r\n"], "error: no"),
            (vec!["error: no\r", "\n", "\r\r  \r\n"], "error: no"),
            (
                vec![&bar, "\rerror: quota exceeded\n"],
                "error: quota exceeded",
            ),
        ];
        for (chunks, expected) in rows {
            let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
            assert_eq!(records(&chunks).1.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_long_line_is_split_and_its_beginning_kept() {
        let line = vec![b'x'; 40_000];
        let (text, last) = records(&[&line, b"\n"]);
        let sizes: Vec<usize> = text
            .lines()
            .map(|record| record.len() - "T stderr P ".len())
            .collect();
        assert_eq!(sizes, [16_384, 16_384, 7_232]);
        assert_eq!(text.matches(" P ").count(), 2);
        assert_eq!(last.map(|line| line.len()), Some(LONGEST_LAST_LINE));
    }

    proptest! {
        #[test]
        fn records_hold_every_byte_however_the_output_was_cut(
            chunks in prop::collection::vec(prop::collection::vec(prop::sample::select(b"ab\n\xff".to_vec()), 0..20), 0..20)
        ) {
            let mut lines = LineSplitter::of(Stream::Stdout);
            let mut records = Vec::new();
            for chunk in &chunks {
                lines.take(chunk, "T", &mut records);
            }
            lines.finish("T", &mut records);
            let mut restored = Vec::new();
            for record in records.split_inclusive(|&byte| byte == b'\n') {
                let full = record.starts_with(b"T stdout F ");
                let text = &record["T stdout F ".len()..record.len() - usize::from(!full)];
                restored.extend_from_slice(text);
            }
            prop_assert_eq!(restored, chunks.concat());
        }
    }
}

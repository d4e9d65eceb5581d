//! Where lines go.

use std::io::Write;

/// A stream that takes whole lines. That nobody reads it any more is no reason to stop a release.
pub struct Sink {
    stream: Box<dyn Write + Send>,
    lines: usize,
}

impl Sink {
    /// Lines to `stream`.
    pub fn new(stream: impl Write + Send + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            lines: 0,
        }
    }

    /// Writes one line, or several.
    pub fn line(&mut self, text: &str) {
        // One write, so that lines of several processes do not mix.
        let _ = self.stream.write_all(format!("{text}\n").as_bytes());
        let _ = self.stream.flush();
        self.lines += 1;
    }

    /// How often a line was written.
    pub fn lines(&self) -> usize {
        self.lines
    }
}

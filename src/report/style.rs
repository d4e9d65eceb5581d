//! How text is drawn: its colours, its width and the characters that may be used.

use std::borrow::Cow;

use anstyle::{AnsiColor, Effects};
use unicode_width::UnicodeWidthChar;

/// What may be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether colours may be used.
    pub color: bool,
    /// Whether characters beyond ASCII may be used.
    pub unicode: bool,
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Good.
    Good,
    /// Under way.
    Busy,
    /// To be looked at.
    Warning,
    /// Bad.
    Bad,
    /// Of less weight.
    Faint,
    /// Of more weight.
    Strong,
    /// As any other text.
    Plain,
}

impl Tone {
    /// What ECS's word for a task, a target or a deployment means for a release.
    pub fn of_state(state: &str) -> Self {
        match state {
            "RUNNING" | "healthy" | "COMPLETED" | "SUCCESSFUL" | "ok" | "succeeded" => Self::Good,
            "unhealthy" | "FAILED" | "ROLLBACK_FAILED" | "failed" => Self::Bad,
            "STOPPED"
            | "STOP_REQUESTED"
            | "ROLLBACK_REQUESTED"
            | "ROLLBACK_IN_PROGRESS"
            | "ROLLBACK_SUCCESSFUL"
            | "rolled_back"
            | "superseded"
            | "stopped"
            | "unknown"
            | "warning"
            | "unavailable" => Self::Warning,
            "draining" | "unused" | "DEPROVISIONING" | "DEACTIVATING" | "STOPPING" | "skipped" => {
                Self::Faint
            }
            _ => Self::Busy,
        }
    }

    fn ansi(self) -> anstyle::Style {
        let colored = |color: AnsiColor| color.on_default();
        match self {
            Self::Good => colored(AnsiColor::Green),
            Self::Busy => colored(AnsiColor::Cyan),
            Self::Warning => colored(AnsiColor::Yellow),
            Self::Bad => colored(AnsiColor::Red).effects(Effects::BOLD),
            Self::Faint => anstyle::Style::new().effects(Effects::DIMMED),
            Self::Strong => anstyle::Style::new().effects(Effects::BOLD),
            Self::Plain => anstyle::Style::new(),
        }
    }
}

impl Style {
    /// `text` in the colour of `tone`, where colours may be used.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color || tone == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        let ansi = tone.ansi();
        format!("{ansi}{text}{ansi:#}")
    }

    /// `text` in the characters that may be used.
    pub fn letters(self, text: &str) -> Cow<'_, str> {
        if self.unicode || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut plain = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '…' => plain.push_str("..."),
                '→' => plain.push_str("->"),
                '─' | '–' | '—' => plain.push('-'),
                '│' => plain.push('|'),
                '╭' | '╰' | '├' | '┬' | '╮' | '╯' | '┤' | '┴' => plain.push('+'),
                '·' | '•' | '●' | '×' => plain.push('*'),
                '█' => plain.push('#'),
                '░' => plain.push('.'),
                '\u{a0}' => plain.push(' '),
                '‘' | '’' => plain.push('\''),
                '“' | '”' => plain.push('"'),
                ascii if ascii.is_ascii() => plain.push(ascii),
                _ => plain.push('?'),
            }
        }
        Cow::Owned(plain)
    }
}

/// The columns that `text`, without colours, takes.
pub fn columns(text: &str) -> usize {
    text.chars()
        .map(|character| character.width().unwrap_or(0))
        .sum()
}

/// `text` in at most `width` columns; what is cut off is an ellipsis.
pub fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let mut kept = String::new();
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        kept.push(character);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_ascii_where_nothing_else_can_be_shown() {
        let plain = Style {
            color: false,
            unicode: false,
        };
        assert_eq!(plain.letters("10 °C … → ─"), "10 ?C ... -> -");
        assert_eq!(
            Style {
                unicode: true,
                ..plain
            }
            .letters("…"),
            "…"
        );
    }

    #[test]
    fn cutting_counts_columns_not_bytes() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("abc", 0), "…");
    }
}

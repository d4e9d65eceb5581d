//! Text of strangers (a log, an event, an answer), with everything in it made visible that could
//! move a terminal's cursor, change its colours or turn the direction of writing.

use std::fmt::Write as _;

/// `text` on one line: a line break is a space, any other such character is shown by its code.
pub fn one_line(text: &str) -> String {
    shown(text, |character| character == '\t')
}

/// As [`one_line`], keeping the line breaks.
pub fn many_lines(text: &str) -> String {
    shown(text, |character| matches!(character, '\n' | '\t'))
}

fn shown(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.trim_end_matches(['\r', '\n']).chars() {
        if keep(character) || !acts(character) {
            shown.push(character);
        } else if character == '\n' {
            shown.push(' ');
        } else {
            // A String takes everything.
            let _ = write!(shown, "\\u{{{:x}}}", character as u32);
        }
    }
    shown
}

/// Control characters, line separators and the marks of Unicode's bidirectional algorithm (UAX 9,
/// "Directional Formatting Characters").
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{200e}' | '\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shows_what_would_move_the_terminal() {
        for (text, shown) in [
            ("plain grüße \t 日本", "plain grüße \t 日本"),
            ("\u{1b}[2Jgone\r\n", "\\u{1b}[2Jgone"),
            ("one\ntwo", "one two"),
            ("a\rb\u{7}", "a\\u{d}b\\u{7}"),
            ("\u{9b}31m\u{202e}x", "\\u{9b}31m\\u{202e}x"),
            ("a\u{2028}b\u{61c}", "a\\u{2028}b\\u{61c}"),
        ] {
            assert_eq!(one_line(text), shown);
        }
        assert_eq!(many_lines("one\ntwo\u{7}"), "one\ntwo\\u{7}");
    }

    proptest! {
        #[test]
        fn one_line_has_nothing_that_acts(text in any::<String>()) {
            prop_assert!(!one_line(&text).chars().any(|character| character != '\t' && acts(character)));
        }
    }
}

//! Tables for people, from 40 columns on: rows side by side where there is room, one
//! below the other where there is not.

use std::fmt;

use comfy_table::{ContentArrangement, Table, presets};

use super::style::columns;

/// The width of tables where nobody says how wide the terminal is.
pub const WIDTH: u16 = 80;
/// Below this width a table is a list.
const NARROW: u16 = 64;

/// The width that a value is to be shown in: `{status:40}` asks for 40 columns.
pub fn width_of(f: &fmt::Formatter<'_>) -> u16 {
    f.width()
        .and_then(|width| u16::try_from(width).ok())
        .unwrap_or(WIDTH)
}

/// These rows under these headings, in at most `width` columns, without trailing blanks.
pub fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    width: u16,
) -> String {
    if width < NARROW {
        return list(headings, rows, width);
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(headings);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for row in rows {
        table.add_row(row);
    }
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

fn list<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    width: u16,
) -> String {
    let label = headings
        .iter()
        .map(|heading| heading.len())
        .max()
        .unwrap_or(0);
    let mut lines = Vec::new();
    for row in rows {
        for (index, (heading, value)) in headings.iter().zip(&row).enumerate() {
            if value.is_empty() {
                continue;
            }
            let indent = if index == 0 { "" } else { "  " };
            let heading = format!(
                "{indent}{heading:<width$} ",
                width = label + 2 - indent.len()
            );
            lines.push(labelled(&heading, value, width));
        }
    }
    lines.join("\n")
}

/// `value` behind `label`, wrapped to `width` columns under its own first column.
pub fn labelled(label: &str, value: &str, width: u16) -> String {
    let indent = columns(label);
    let room = usize::from(width).saturating_sub(indent).max(8);
    let lines = wrap(value, room);
    let mut text = format!("{label}{}", lines.first().map_or("", String::as_str));
    for line in lines.iter().skip(1) {
        text.push_str(&format!("\n{:indent$}{line}", ""));
    }
    text.trim_end().to_owned()
}

/// `text` in lines of at most `room` columns: broken at blanks, and inside a word where
/// the word alone is longer.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if columns(line) + 1 + columns(word) <= room && !line.is_empty() {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(String::new());
        }
        for character in word.chars() {
            let line = lines.last_mut().expect("there is always a line");
            if columns(line) >= room {
                lines.push(character.to_string());
            } else {
                line.push(character);
            }
        }
    }
    lines
}

/// The first 12 hex digits of a digest, as `sha256:3f2a9c1b0d4e`.
pub fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{}", hex.get(..12).unwrap_or(hex)),
        None => digest.to_owned(),
    }
}

/// The first 8 characters of an id: enough to tell tasks apart.
pub fn short_id(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), [""]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_its_room(text in "[a-z ]{0,80}", room in 8usize..60) {
            prop_assert!(wrap(&text, room).iter().all(|line| columns(line) <= room));
        }

        #[test]
        fn no_table_is_wider_than_its_width(
            rows in proptest::collection::vec(["[a-z]{0,30}", "[a-z ]{0,60}", "[0-9]{0,9}"], 0..5),
            width in 40u16..120,
        ) {
            let text = table(["first", "second", "third"], rows, width);
            prop_assert!(text.lines().all(|line| columns(line) <= usize::from(width)), "{}", text);
        }
    }
}

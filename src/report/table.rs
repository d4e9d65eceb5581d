//! Tables for people: plain, at most [`WIDTH`] columns.

use comfy_table::{ContentArrangement, Table, presets};

/// The width that every table fits.
pub const WIDTH: u16 = 80;

/// A table with these headings that wraps to [`WIDTH`].
pub fn table<const N: usize>(headings: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(headings);
    table
}

/// The table's lines without trailing blanks.
pub fn render(table: &Table) -> String {
    table
        .to_string()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The first 12 hex digits of a digest, as `sha256:3f2a9c1b0d4e`.
pub fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{}", hex.get(..12).unwrap_or(hex)),
        None => digest.to_owned(),
    }
}

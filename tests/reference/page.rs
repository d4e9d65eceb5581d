//! What every page of the reference is made of.

use std::fmt::Write as _;

/// A page that grows.
pub struct Page(String);

impl Page {
    /// A page with a title and what it is made from.
    pub fn new(title: &str, about: &str) -> Self {
        let made = "Made by `cargo test --workspace --test reference`; changes here are lost.";
        Self(format!("# {title}\n\n<!-- {made} -->\n\n{about}\n"))
    }

    pub fn heading(&mut self, level: usize, text: &str) {
        let _ = write!(self.0, "\n{} {text}\n", "#".repeat(level));
    }

    pub fn paragraph(&mut self, text: &str) {
        if !text.trim().is_empty() {
            let _ = write!(self.0, "\n{}\n", text.trim());
        }
    }

    pub fn block(&mut self, text: &str) {
        let _ = write!(self.0, "\n```text\n{}\n```\n", text.trim_end());
    }

    /// A table, unless it has no rows.
    pub fn table<const N: usize>(&mut self, headings: [&str; N], rows: Vec<[String; N]>) {
        if rows.is_empty() {
            return;
        }
        let _ = write!(
            self.0,
            "\n| {} |\n|{}\n",
            headings.join(" | "),
            "---|".repeat(N)
        );
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| in_cell(cell)).collect();
            let _ = writeln!(self.0, "| {} |", cells.join(" | "));
        }
    }

    pub fn text(self) -> String {
        self.0
    }
}

/// A bar would end the cell, a line break the row.
fn in_cell(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").replace('|', "\\|")
}

/// In backquotes, unless it is empty.
pub fn code(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

#[test]
fn a_cell_stays_a_cell() {
    assert_eq!(in_cell("a |\n  b"), "a \\| b");
}

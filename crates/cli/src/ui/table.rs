//! Tables without lines: columns two spaces apart, headings in capitals.

use super::style::{COLUMNS, Style, clip};

/// A table under construction.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    /// A table with these headings; a heading that begins with `>` aligns its column to the right.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            right: head.iter().map(|h| h.starts_with('>')).collect(),
            head: head.iter().map(|h| h.trim_start_matches('>').to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// One more row; missing cells are empty.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, headings first, none longer than 100 columns.
    pub(crate) fn lines(&self, style: Style, indent: usize) -> Vec<String> {
        let mut widths: Vec<usize> = self.head.iter().map(|h| width(h)).collect();
        for row in &self.rows {
            for (place, cell) in row.iter().enumerate().take(widths.len()) {
                widths[place] = widths[place].max(width(cell));
            }
        }
        let mut out = vec![Style::heading(&self.spell(&self.head, &widths, indent))];
        for row in &self.rows {
            out.push(style.text(&self.spell(row, &widths, indent)));
        }
        out
    }

    fn spell(&self, row: &[String], widths: &[usize], indent: usize) -> String {
        let mut line = " ".repeat(indent);
        for (place, wide) in widths.iter().enumerate() {
            let cell = row.get(place).map_or("", String::as_str);
            let pad = " ".repeat(wide.saturating_sub(width(cell)));
            if self.right[place] {
                line.push_str(&pad);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&pad);
            }
            line.push_str("  ");
        }
        let line = line.trim_end();
        if line.contains('\u{1b}') { line.to_owned() } else { clip(line, COLUMNS) }
    }
}

/// Columns that a text takes, its colours left out.
fn width(text: &str) -> usize {
    let mut columns = 0;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            for code in letters.by_ref() {
                if code.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            columns += 1;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["NAME", ">LAG", "STATE"]);
        table.row(vec!["cart-0".into(), "0 B".into(), "ok".into()]);
        table.row(vec!["x".into(), "1.5 K".into(), "\u{1b}[32mok\u{1b}[39m".into()]);
        let lines = table.lines(Style { plain: false }, 2);
        assert!(lines[0].contains("  NAME      LAG  STATE"), "{}", lines[0]);
        assert_eq!(lines[1], "  cart-0    0 B  ok");
        assert_eq!(lines[2], "  x       1.5 K  \u{1b}[32mok\u{1b}[39m");
    }
}

//! Tables of text, printed anew or in place.

use std::io::{self, IsTerminal, Write};

/// Blanks between columns.
const GAP: &str = "  ";

/// Where a column's text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A table whose columns are as wide as their widest cell.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells stay empty.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The head and the rows as lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let head = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut rows: Vec<&Vec<String>> = vec![&head];
        rows.extend(&self.rows);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, ((_, align), width)) in self.columns.iter().zip(widths).enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            if column > 0 {
                line.push_str(GAP);
            }
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            match align {
                Align::Left => line.extend([cell, &padding]),
                Align::Right => line.extend([&padding, cell]),
            }
        }
        line.trim_end().to_owned()
    }
}

/// A place where a block of lines is shown again and again: in place on a terminal, one after the
/// other elsewhere.
#[derive(Debug)]
pub(crate) struct Live<W> {
    out: W,
    style: Style,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Style {
    /// Over the lines that were printed last.
    InPlace {
        lines: usize,
    },
    Appending,
}

impl Live<io::Stdout> {
    /// On standard output.
    pub(crate) fn stdout() -> Self {
        let out = io::stdout();
        let style = if out.is_terminal() { Style::InPlace { lines: 0 } } else { Style::Appending };
        Self { out, style }
    }
}

impl<W: Write> Live<W> {
    /// Whether what is shown replaces what was shown before.
    pub(crate) fn is_in_place(&self) -> bool {
        matches!(self.style, Style::InPlace { .. })
    }

    /// Shows a block.
    ///
    /// # Errors
    /// Nobody reads the output any more.
    pub(crate) fn show(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = String::new();
        match &mut self.style {
            Style::InPlace { lines: shown } => {
                if *shown > 0 {
                    text.push_str(&format!("\x1b[{shown}A"));
                }
                for line in lines {
                    text.push_str(line);
                    // What a longer line left behind goes away.
                    text.push_str("\x1b[K\n");
                }
                text.push_str("\x1b[J");
                *shown = lines.len();
            }
            Style::Appending => {
                for line in lines {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&[("name", Align::Left), ("ping", Align::Right)]);
        table.push(vec!["a".into(), "30 ms".into()]);
        table.push(vec!["longer".into(), "180 µs".into()]);
        table.push(vec!["b".into()]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        let lines = sample().lines();
        assert_eq!(lines, ["name      ping", "a        30 ms", "longer  180 µs", "b"]);
    }

    #[test]
    fn lines_are_appended_where_there_is_no_terminal() {
        let mut live = Live { out: Vec::new(), style: Style::Appending };
        let lines = ["one".to_owned(), "two".to_owned()];
        live.show(&lines).unwrap();
        live.show(&lines).unwrap();
        assert!(!live.is_in_place());
        assert_eq!(live.out, b"one\ntwo\none\ntwo\n");
    }

    #[test]
    fn a_terminal_shows_the_newest_block_only() {
        let mut live = Live { out: Vec::new(), style: Style::InPlace { lines: 0 } };
        live.show(&["one".to_owned(), "two".to_owned()]).unwrap();
        live.show(&["three".to_owned()]).unwrap();
        assert!(live.is_in_place());
        let text = String::from_utf8(live.out).unwrap();
        assert_eq!(text, "one\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[2Athree\x1b[K\n\x1b[J");
    }
}

//! What commands print on standard output: text for people, JSON for scripts. Log lines never go there.

use serde::Serialize;
use std::io::{self, Write as _};

/// Prints text as it is.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints one line of JSON.
pub(crate) fn json_line<T: Serialize>(value: &T) -> io::Result<()> {
    let mut line = serde_json::to_string(value).map_err(io::Error::other)?;
    line.push('\n');
    text(&line)
}

/// Prints JSON over several lines.
pub(crate) fn json<T: Serialize>(value: &T) -> io::Result<()> {
    let mut lines = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    lines.push('\n');
    text(&lines)
}

/// Lays rows out in columns under a heading; the last column is not padded.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let mut line = padded.collect::<Vec<_>>().join("  ").trim_end().to_owned();
        line.push('\n');
        line
    };
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(heading.to_vec())).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["alice".into(), "yes".into()], vec!["bo".into(), String::new()]];
        assert_eq!(super::table(&["NAME", "SUPERUSER"], &rows), "NAME   SUPERUSER\nalice  yes\nbo\n");
    }
}

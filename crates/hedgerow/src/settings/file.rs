//! The settings file: TOML to keys with dots, each with its line.

use std::path::Path;
use toml::de::{DeTable, DeValue};

/// One leaf of the file.
pub(super) struct Entry {
    /// Key with dots.
    pub(super) key: String,
    /// Line, from 1.
    pub(super) line: usize,
    /// The value as text, in the form that a flag or variable would have; `Err` when it has no such form.
    pub(super) text: Result<String, String>,
}

/// What is wrong with the file as a whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The file cannot be read.
    #[error("cannot read the settings file: {0}")]
    Read(#[from] std::io::Error),
    /// The file is not TOML.
    #[error("this is not TOML: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
}

/// Reads the file.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, Error> {
    entries(&std::fs::read_to_string(path)?)
}

fn entries(text: &str) -> Result<Vec<Entry>, Error> {
    let table = DeTable::parse(text).map_err(|error| Error::Syntax {
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    let mut found = Vec::new();
    walk(text, "", table.get_ref(), &mut found);
    found.sort_by_key(|entry| entry.line);
    Ok(found)
}

fn walk(text: &str, prefix: &str, table: &DeTable<'_>, found: &mut Vec<Entry>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) => walk(text, &path, inner, found),
            leaf => {
                let line = line_of(text, key.span().start);
                found.push(Entry { key: path, line, text: leaf_text(leaf) });
            }
        }
    }
}

fn leaf_text(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        DeValue::Array(items) => {
            let texts: Result<Vec<String>, String> = items.iter().map(|item| leaf_text(item.get_ref())).collect();
            Ok(texts?.join(","))
        }
        other => Err(format!("a {} has no place here", other.type_str())),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_have_keys_lines_and_texts() {
        let text = "listen = \"[::1]:1\"\ntrusted_proxies = [\"10.0.0.1\", \"10.0.0.2\"]\n\n[source]\nmax_files = 1_000\nallow_file = true\n";
        let found = entries(text).unwrap();
        let flat: Vec<(&str, usize, &str)> =
            found.iter().map(|e| (e.key.as_str(), e.line, e.text.as_deref().unwrap())).collect();
        assert_eq!(
            flat,
            [
                ("listen", 1, "[::1]:1"),
                ("trusted_proxies", 2, "10.0.0.1,10.0.0.2"),
                ("source.max_files", 5, "1000"),
                ("source.allow_file", 6, "true")
            ]
        );
    }

    #[test]
    fn dotted_keys_and_sections_are_the_same() {
        let found = entries("session.idle = '5m'\nlog = { level = 'warn' }\n").unwrap();
        let keys: Vec<&str> = found.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(keys, ["session.idle", "log.level"]);
    }

    #[test]
    fn a_syntax_error_has_its_line() {
        let Err(Error::Syntax { line, .. }) = entries("listen = '1'\n\nlisten = \n") else { panic!("must be refused") };
        assert_eq!(line, 3);
    }

    #[test]
    fn dates_and_fractions_have_no_place() {
        let found = entries("a = 1.5\nb = 2026-01-01\n").unwrap();
        assert!(found.iter().all(|entry| entry.text.is_err()));
    }
}

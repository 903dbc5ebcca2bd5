//! Splits a YAML stream into its documents, so that a broken one hides none of the others.
//!
//! A line that begins with `---` or `...` can stand in no scalar, not even in a quoted or literal one; YAML forbids
//! it. So cutting at those lines is exact, and needs no parser.

/// One document of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Document<'t> {
    /// Its number, from 1; the text before a first marker is a document only when something stands in it.
    pub number: u32,
    /// The number of its first line, from 1.
    pub first_line: u32,
    /// Its text, with its `---` line.
    pub text: &'t str,
}

impl<'t> Document<'t> {
    /// The first line and column that holds content, both absolute and from 1; `None` when there are only comments,
    /// directives and blanks.
    pub fn content(&self) -> Option<(u32, u32)> {
        for (n, line) in self.text.lines().enumerate() {
            let (skipped, rest) = match marker(line) {
                Some(rest) => (line.len() - rest.len(), rest),
                None if line.starts_with('%') => continue,
                None => (0, line),
            };
            let trimmed = rest.trim_start();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let column = line[..skipped + rest.len() - trimmed.len()].chars().count() + 1;
            return Some((self.first_line + to_u32(n), to_u32(column)));
        }
        None
    }

    /// Whether it holds a comment and nothing else.
    pub fn is_only_comments(&self) -> bool {
        self.content().is_none() && self.text.lines().any(|l| marker(l).unwrap_or(l).trim_start().starts_with('#'))
    }
}

/// A count as a line or column number.
pub(super) fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What follows the marker on a `---` line.
fn marker(line: &str) -> Option<&str> {
    line.strip_prefix("---").filter(|rest| rest.trim_end().is_empty() || rest.starts_with([' ', '\t']))
}

fn is_end(line: &str) -> bool {
    line.strip_prefix("...").is_some_and(|rest| rest.trim_end().is_empty() || rest.starts_with([' ', '\t']))
}

/// The documents of a stream. A stream of nothing but comments has one, so that a file is never silently skipped.
pub(super) fn documents(text: &str) -> Vec<Document<'_>> {
    let mut found: Vec<Document<'_>> = Vec::new();
    let (mut start, mut first_line, mut explicit) = (0, 1, false);
    let mut close = |from: usize, to: usize, first_line: u32, explicit: bool| {
        let document = Document { number: to_u32(found.len()) + 1, first_line, text: &text[from..to] };
        // What stands before the first marker, or after an end marker, is a document only with content in it.
        if explicit || document.content().is_some() {
            found.push(document);
        }
    };
    let (mut at, mut line_number) = (0, 1);
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        if marker(line).is_some() {
            // Directives and comments above a marker belong to the document that it opens.
            close(start, at, first_line, explicit);
            (start, first_line, explicit) = (at, line_number, true);
        } else if is_end(line) {
            close(start, at, first_line, explicit);
            (start, first_line, explicit) = (next, line_number + 1, false);
        }
        at = next;
        line_number += 1;
    }
    close(start, text.len(), first_line, explicit);
    if found.is_empty() {
        found.push(Document { number: 1, first_line: 1, text });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    type Shape = (u32, u32, Option<(u32, u32)>);

    fn shape(text: &str) -> Vec<Shape> {
        documents(text).iter().map(|d| (d.number, d.first_line, d.content())).collect()
    }

    #[test]
    fn documents_keep_their_lines() {
        assert_eq!(shape("a: 1\n---\nb: 2\n"), [(1, 1, Some((1, 1))), (2, 2, Some((3, 1)))]);
        assert_eq!(shape("# head\n---\n# more\n\n  a: 1\n"), [(1, 2, Some((5, 3)))]);
        assert_eq!(shape("--- {a: 1}\n--- # c\r\nb: 1\r\n"), [(1, 1, Some((1, 5))), (2, 2, Some((3, 1)))]);
        assert_eq!(shape("a: 1\n...\n# c\n---\n---\n"), [(1, 1, Some((1, 1))), (2, 4, None), (3, 5, None)]);
        assert_eq!(shape("%YAML 1.2\n---\na: 1\n"), [(1, 2, Some((3, 1)))]);
        assert_eq!(shape(""), [(1, 1, None)]);
        assert_eq!(shape("# only\n"), [(1, 1, None)]);
        assert_eq!(shape("a: |\n  --- not a marker\n----\n---b\n"), [(1, 1, Some((1, 1)))]);
    }
}

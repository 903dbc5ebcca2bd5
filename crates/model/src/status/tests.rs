//! The status table, row by row.

//! The activity as a file, under the filters of the list: CSV for a spreadsheet, JSON for a program.

use super::filter::Wanted;
use super::{attempt, seen, took};
use crate::pages::changes;
use crate::parts::changes::{ChangedField, ChangedObject};
use crate::problem::Problem;
use crate::state::AppState;
use crate::url;
use crate::view::{View, bad};
use crate::when::machine;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use std::collections::HashMap;
use store::Page;
use store::activity::Entry;

/// Rows of a file. Of more, the newest are in it, and it says so by its header.
const ROWS: u32 = 50_000;
/// Rows that are read at once.
const AT_ONCE: u32 = 1_000;

/// The columns, in the order of the CSV.
const COLUMNS: [&str; 19] = [
    "at",
    "kind",
    "id",
    "asked",
    "outcome",
    "actor",
    "address",
    "fabric_id",
    "fabric",
    "subject",
    "http_status",
    "failure_point",
    "code",
    "message",
    "request_id",
    "operation_id",
    "took",
    "token_key",
    "changes",
];

pub(super) async fn export(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let query = view.query();
    let format = query.get("format").unwrap_or("json");
    if !matches!(format, "csv" | "json") {
        return Err(bad("format", format).todo("Ask for csv or json."));
    }
    let wanted = Wanted::read(&state, &view, url::activity_export(), None, None).await?;
    let scope = view.login.access.fabrics();
    let (mut rows, mut total) = (Vec::new(), 0);
    while rows.len() < ROWS as usize {
        let page = Page::new(AT_ONCE, rows.len() as u64);
        let listed = state.store.activity().list(&seen(&view.login, &scope), &wanted.filter, page).await?;
        total = listed.total;
        let names = super::names(&state, &view, &listed.rows).await?;
        let mut changed = changes::of_entries(&view, &listed.rows).await?;
        let before = rows.len();
        rows.extend(listed.rows.iter().map(|entry| one(&view, entry, &names, &mut changed)));
        if rows.len() == before || rows.len() as u64 >= total {
            break;
        }
    }
    let day = view.now.strftime("%Y-%m-%dT%H%M%SZ");
    let file = format!("attachment; filename=\"hedgerow-activity-{day}.{format}\"");
    let (media, body) = match format {
        "csv" => ("text/csv; charset=utf-8", csv(&rows)?),
        _ => ("application/json", json!({ "total": total, "rows": rows }).to_string().into_bytes()),
    };
    let file = HeaderValue::from_str(&file).map_err(|error| Problem::internal("name a file", &error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CONTENT_DISPOSITION, file),
        (header::HeaderName::from_static("x-total-count"), HeaderValue::from(total)),
    ];
    Ok((headers, body).into_response())
}

fn one(
    view: &View,
    entry: &Entry,
    names: &HashMap<i64, String>,
    changed: &mut HashMap<String, Vec<ChangedObject>>,
) -> Value {
    match entry {
        Entry::Operation(operation) => json!({
            "at": machine(operation.queued_at),
            "kind": "operation",
            "id": operation.id,
            "asked": operation.verb.as_str(),
            "outcome": operation.state.as_str(),
            "actor": operation.actor,
            "address": "",
            "fabric_id": operation.fabric_id,
            "fabric": names.get(&operation.fabric_id),
            "subject": "",
            "http_status": Value::Null,
            "failure_point": operation.code.and_then(|code| code.failure_point()),
            "code": operation.code,
            "message": operation.message,
            "request_id": operation.request_id,
            "operation_id": operation.id,
            "took": took(operation, view.now),
            "token_key": Value::Null,
            "changes": [],
        }),
        Entry::Attempt(tried) => json!({
            "at": machine(tried.at),
            "kind": "attempt",
            "id": tried.id,
            "asked": tried.verb.map_or(tried.action.as_str(), |verb| verb.as_str()),
            "outcome": attempt::badge(tried).word,
            "actor": tried.actor,
            "address": tried.address,
            "fabric_id": tried.fabric_id,
            "fabric": tried.fabric_name,
            "subject": if tried.method == "GET" { tried.path.as_str() } else { tried.subject.as_str() },
            "http_status": tried.http_status,
            "failure_point": tried.code.and_then(|code| code.failure_point()),
            "code": tried.code,
            "message": tried.message,
            "request_id": tried.request_id,
            "operation_id": tried.operation_id,
            "took": "",
            "token_key": tried.token_key,
            "changes": changed.remove(&tried.request_id).unwrap_or_default().iter().map(change).collect::<Vec<_>>(),
        }),
    }
}

fn change(object: &ChangedObject) -> Value {
    let field = |field: &ChangedField| json!({ "field": field.name, "before": field.before, "after": field.after });
    json!({ "object": object.title, "fields": object.fields.fields.iter().map(field).collect::<Vec<_>>() })
}

fn csv(rows: &[Value]) -> Result<Vec<u8>, Problem> {
    let failed = |error: &dyn std::fmt::Display| Problem::internal("write a CSV file", error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(|error| failed(&error))?;
    for row in rows {
        writer.write_record(COLUMNS.iter().map(|column| cell(&row[*column]))).map_err(|error| failed(&error))?;
    }
    writer.into_inner().map_err(|error| failed(&error))
}

/// A value as a spreadsheet takes it: text that would be read as a formula is marked as text.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_gets_no_formulas_and_every_column() {
        let row =
            json!({ "at": "2026-02-03T14:02:00Z", "actor": "=cmd|' /C calc'!A0", "message": "a, \"b\"\nc", "id": 7 });
        let text = String::from_utf8(csv(&[row]).unwrap()).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next().unwrap().split(',').count(), COLUMNS.len());
        assert!(text.contains(",'=cmd|' /C calc'!A0,"), "{text}");
        assert!(text.contains("\"a, \"\"b\"\"\nc\""), "{text}");
    }
}

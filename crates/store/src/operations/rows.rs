//! Rows of the tables `operations` and `operation_objects` to values.

use super::Operation;
use crate::Result;
use crate::row::Columns;
use model::operation::ObjectOutcome;
use sqlx::any::AnyRow;
use std::time::Duration;

pub(crate) fn operation(row: &AnyRow) -> Result<Operation> {
    Ok(Operation {
        id: row.int("id")?,
        fabric_id: row.int("fabric_id")?,
        verb: row.word("verb")?,
        writes: row.bool("writes")?,
        state: row.word("state")?,
        actor: row.text("actor")?,
        actor_user_id: row.int_or_null("actor_user_id")?,
        trigger: row.word("trigger_kind")?,
        request_id: row.text("request_id")?,
        fingerprint: row.text("fingerprint")?,
        options: row.json("options")?,
        shown_comparison_id: row.int_or_null("shown_comparison_id")?,
        commit: row.text_or_null("commit_id")?,
        phases: row.json("phases")?,
        code: row.word_or_null("code")?,
        message: row.text("message")?,
        error_object: row.text_or_null("error_object")?,
        result: row.json("result")?,
        queued_at: row.time("queued_at")?,
        started_at: row.time_or_null("started_at")?,
        ended_at: row.time_or_null("ended_at")?,
        time_limit: Duration::from_micros(row.unsigned("time_limit")?),
        deadline_at: row.time_or_null("deadline_at")?,
        lease_owner: row.text_or_null("lease_owner")?,
        heartbeat_at: row.time_or_null("heartbeat_at")?,
        cancel_requested_at: row.time_or_null("cancel_requested_at")?,
        cancel_requested_by: row.text_or_null("cancel_requested_by")?,
    })
}

pub(super) fn outcome(row: &AnyRow) -> Result<ObjectOutcome> {
    Ok(ObjectOutcome {
        key: row.word("object_key")?,
        outcome: row.word("outcome")?,
        verified: row.bool("verified")?,
        code: row.word_or_null("code")?,
        message: row.text("message")?,
        overwrote: row.json("overwrote")?,
        attempts: row.unsigned("attempts")?,
        at: row.time("at")?,
        detail: row.json("detail")?,
    })
}

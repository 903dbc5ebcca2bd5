//! Patches: merge patch and JSON patch. Server-side apply stands in `managed`; a strategic merge patch needs Go types
//! and is refused for these kinds, as by a real API server.

use super::error::ApiError;
use serde_json::Value;

/// What kind of patch a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Merge,
    Apply,
}

pub(super) fn kind(content_type: &str) -> Result<Kind, ApiError> {
    match content_type.split(';').next().unwrap_or_default().trim() {
        "application/json-patch+json" => Ok(Kind::Json),
        "application/merge-patch+json" => Ok(Kind::Merge),
        "application/apply-patch+yaml" => Ok(Kind::Apply),
        other => Err(ApiError::unsupported_media_type(format!(
            "the body of the request was in an unknown format ({other}) - accepted media types include: \
             application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        ))),
    }
}

/// The object after the patch.
pub(super) fn apply(kind: Kind, object: &Value, patch: &Value) -> Result<Value, ApiError> {
    let mut patched = object.clone();
    match kind {
        Kind::Json => {
            let patch: json_patch::Patch = serde_json::from_value(patch.clone())
                .map_err(|e| ApiError::bad_request(format!("error decoding patch: {e}")))?;
            json_patch::patch(&mut patched, &patch).map_err(|e| ApiError {
                code: 422,
                reason: "Invalid",
                ..ApiError::bad_request(format!("the server rejected our request due to an error in our request: {e}"))
            })?;
        }
        Kind::Merge | Kind::Apply => json_patch::merge(&mut patched, patch),
    }
    Ok(patched)
}

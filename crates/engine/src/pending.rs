//! Stand-ins for what the model is about to offer.
#![allow(missing_docs)]
use model::ObjectKey;
use model::manifest::{Finding, Manifest};
use serde_json::Value;
pub fn is_discarded(_: &Finding) -> bool {
    false
}
pub fn check<'a>(_: &[&Manifest], _: &dyn Fn(&ObjectKey) -> Option<&'a Value>) -> Vec<Finding> {
    Vec::new()
}

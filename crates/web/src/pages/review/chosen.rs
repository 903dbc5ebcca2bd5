//! The choices of a review, as the address or the form has them: what the run is about, what is left out. What stands on
//! other pages of the list is kept in hidden fields, and said.

use crate::extract::Fields;
use crate::pages::objects::filter_of;
use crate::pages::verbs;
use crate::problem::Problem;
use crate::state::AppState;
use crate::view::{Query, page_number};
use model::compare::ObjectState;
use model::sync_options::SyncOptions;
use model::{Code, ObjectKey};
use std::collections::BTreeSet;
use store::Fabric;
use store::objects::ObjectFilter;

/// So many objects may be chosen one by one; of more, their kinds.
const MOST: u32 = 1_000;

/// What would be written, in the order of dependencies.
const WRITTEN: [ObjectState; 5] = [
    ObjectState::Conflict,
    ObjectState::Unknown,
    ObjectState::Missing,
    ObjectState::Modified,
    ObjectState::Undelivered,
];

/// The choices.
pub struct Chosen {
    /// As the verb takes them.
    pub options: SyncOptions,
    /// The page of the list, from 1.
    pub page: u64,
}

impl Chosen {
    /// Reads them; `match` chooses what the filters of the list of objects let through.
    pub async fn read(state: &AppState, fabric: &Fabric, fields: &Fields) -> Result<Self, Problem> {
        let mut options = verbs::options(fields)?;
        if let Some(text) = fields.get("match").filter(|text| !text.is_empty()) {
            let filter = filter_of(&Query::of(text))?;
            let listed = state.store.objects().list(fabric.id, &filter, store::Page::first(MOST)).await?;
            if listed.total > u64::from(MOST) {
                let message = format!("{} objects match; no more than {MOST} can be chosen one by one.", listed.total);
                return Err(Problem::new(Code::InvalidInput, message)
                    .todo("Filter further, or choose kinds on the page that reviews everything."));
            }
            options.objects.extend(listed.rows.into_iter().map(|object| object.key));
            if options.objects.is_empty() {
                return Err(Problem::new(Code::InvalidInput, "No object matches, so nothing is chosen."));
            }
        }
        if !options.objects.is_empty() && !options.kinds.is_empty() {
            return Err(Problem::new(Code::InvalidInput, "This page shows chosen objects or chosen kinds, not both."));
        }
        if options.objects.len() > MOST as usize {
            let message = format!("No more than {MOST} objects can be chosen one by one.");
            return Err(Problem::new(Code::InvalidInput, message).todo("Choose kinds instead."));
        }
        Ok(Self { options, page: page_number(fields.text("page"))? })
    }

    /// Whether single objects were chosen.
    pub fn is_selection(&self) -> bool {
        !self.options.objects.is_empty()
    }

    /// Whether the run is about everything.
    pub fn is_everything(&self) -> bool {
        self.options.selects_all()
    }

    /// What the list shows: of chosen objects each, otherwise what would be written.
    pub fn filter(&self) -> ObjectFilter {
        ObjectFilter {
            keys: self.options.objects.iter().cloned().collect(),
            kinds: self.options.kinds.iter().cloned().collect(),
            states: if self.is_selection() { Vec::new() } else { WRITTEN.to_vec() },
            ..ObjectFilter::default()
        }
    }

    /// The choices that have no box on this page, as hidden fields.
    pub fn kept(&self, shown: &BTreeSet<&ObjectKey>) -> Vec<(&'static str, String)> {
        let elsewhere = |key: &&ObjectKey| !shown.contains(key);
        let objects = self.options.objects.iter().filter(elsewhere).map(|key| ("object", key.to_string()));
        let left = self.options.leave_objects.iter().filter(elsewhere).map(|key| ("leave_object", key.to_string()));
        let fields = self.options.leave_fields.iter().filter(|field| elsewhere(&&field.object));
        let fields = fields.map(|field| ("leave_field", format!("{}#{}", field.object, field.path)));
        let mut kept: Vec<_> = objects.chain(left).chain(fields).collect();
        if self.is_selection() {
            kept.push((verbs::SELECTION, "objects".to_owned()));
        }
        kept
    }

    /// The same in words; empty when nothing is kept.
    pub fn kept_words(&self, shown: &BTreeSet<&ObjectKey>) -> String {
        let kept = self.kept(shown);
        let count = |name: &str| kept.iter().filter(|(each, _)| *each == name).count();
        let parts = [
            (count("object"), "chosen object", "chosen objects"),
            (count("leave_object"), "left-out object", "left-out objects"),
            (count("leave_field"), "left-out field", "left-out fields"),
        ];
        let words: Vec<String> = parts
            .iter()
            .filter(|(n, ..)| *n > 0)
            .map(|(n, one, many)| format!("{n} {}", if *n == 1 { one } else { many }))
            .collect();
        if words.is_empty() {
            String::new()
        } else {
            format!("On other pages: {}. They stay chosen.", words.join(", "))
        }
    }
}

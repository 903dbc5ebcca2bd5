//! Constraints as people write them: the JSON of the form with its errors in place, what may be named in it, and what
//! it matches of what the reader may see.

use super::seen;
use crate::problem::{Problem, capitalised};
use crate::routes::{Kind, Needs, Route};
use crate::state::AppState;
use crate::url::pattern;
use crate::view::{self, View};
use auth::ObjectType;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use model::Code;
use serde_json::{Value, json};
use store::nouns::Holds;
use store::scope::Lookup;
use store::{Page, Scope};

/// The routes of the preview.
pub fn routes() -> Vec<Route> {
    vec![Route::get("permission_preview", pattern::permission_preview, Needs::Listing, Kind::Data, preview)]
}

/// Most characters of constraints.
const LONGEST: usize = 20_000;
/// Most names that a preview shows.
const SHOWN: u32 = 20;

/// Reads constraints for these types; an empty text limits nothing.
///
/// # Errors
/// What is wrong, with the line and column of bad JSON, or with the term.
pub fn read(text: &str, object_types: &[ObjectType]) -> Result<Option<Value>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().count() > LONGEST {
        return Err(format!("Constraints have at most {LONGEST} characters."));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        format!("This is no JSON: line {line}, column {column}: {what}.")
    })?;
    // The same term twice: JSON's readers keep one of them, and nobody could say which was meant.
    if let Err(error) = serde_saphyr::from_str::<Value>(text) {
        let text = error.to_string();
        let twice =
            text.to_lowercase().contains("duplicate").then(|| text.lines().next().unwrap_or_default().to_owned());
        if let Some(twice) = twice {
            return Err(format!(
                "A term stands twice in one object, and all of its terms must hold: {twice}. Write two objects in a list when one of them is enough."
            ));
        }
    }
    let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    if value.is_null() || is_empty(&value) || value.as_array().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    auth::check_constraints(object_types, &value).map_err(|error| {
        let about = match &error {
            auth::BadConstraints::Term { error: store::scope::BadTerm::Field(_), object_type, .. } => {
                let names: Vec<&str> = object_type.noun().fields().iter().map(|field| field.name).collect();
                format!(" Its fields are {}.", names.join(", "))
            }
            auth::BadConstraints::Term { error: store::scope::BadTerm::Lookup(_), .. } => {
                let words: Vec<&str> =
                    Lookup::ALL.iter().map(|(_, word, _)| *word).filter(|word| !word.is_empty()).collect();
                format!(" Comparisons are {}.", words.join(", "))
            }
            _ => String::new(),
        };
        format!("{}{about}", capitalised(&error.to_string()))
    })?;
    Ok(Some(value))
}

/// What constraints match of what somebody may see.
pub struct Matches {
    pub plural: &'static str,
    pub names: Vec<String>,
    pub total: u64,
    /// How many of the type may be seen in all.
    pub of: u64,
}

impl Matches {
    /// One sentence.
    pub fn sentence(&self) -> String {
        format!("{} of the {} {} that you may see.", self.total, self.of, self.plural)
    }
}

/// Asks what constraints match. They have been read for this type.
pub async fn matches(view: &View, object_type: ObjectType, constraints: Option<&Value>) -> Result<Matches, Problem> {
    let matching = auth::matching(object_type, constraints, view.login.user.id).unwrap_or(Scope::None);
    let visible = seen(view, object_type);
    let (nouns, noun) = (view.state.store.nouns(), object_type.noun());
    let found = nouns.names(noun, &matching.within(&visible), "", Page::first(SHOWN)).await?;
    let of = nouns.names(noun, &visible, "", Page::first(1)).await?.total;
    let rows = found.rows.into_iter().map(|named| named.name).collect();
    Ok(Matches { plural: object_type.plural(), names: rows, total: found.total, of })
}

/// The names of what is matched, for the script of the editor.
async fn preview(State(_): State<AppState>, view: View) -> Result<Response, Problem> {
    let query = view.query();
    let Some(object_type) = query.get("type") else {
        return Err(Problem::new(Code::InvalidInput, "The parameter type is missing."));
    };
    let object_type: ObjectType = object_type.parse().map_err(|_| view::bad("type", object_type))?;
    let constraints = read(query.get("constraints").unwrap_or_default(), &[object_type])
        .map_err(|message| Problem::field("constraints", message))?;
    let found = matches(&view, object_type, constraints.as_ref()).await?;
    let body = json!({
        "type": object_type.name(), "count": found.total, "of": found.of, "names": found.names,
        "sentence": found.sentence(),
    });
    Ok(view::json(StatusCode::OK, &body))
}

/// One object type, with the fields that constraints may name.
pub struct TypeFields {
    pub name: String,
    pub title: String,
    pub fields: Vec<FieldHelp>,
}

/// One field.
pub struct FieldHelp {
    pub name: &'static str,
    pub holds: &'static str,
}

/// One comparison.
pub struct LookupHelp {
    pub word: &'static str,
    pub meaning: &'static str,
    pub fits_numbers: bool,
}

/// What may be named, for the table beside the form and for its script.
pub fn reference() -> (Vec<TypeFields>, Vec<LookupHelp>) {
    let types = ObjectType::ALL.iter().map(|object_type| TypeFields {
        name: object_type.name(),
        title: capitalised(object_type.plural()).trim_end_matches('.').to_owned(),
        fields: object_type
            .noun()
            .fields()
            .iter()
            .map(|field| FieldHelp {
                name: field.name,
                holds: match field.holds {
                    Holds::Text => "text",
                    Holds::Number => "number",
                    Holds::Flag => "true or false",
                },
            })
            .collect(),
    });
    let lookups = Lookup::ALL.iter().map(|(lookup, word, meaning)| LookupHelp {
        word,
        meaning,
        fits_numbers: lookup.fits_numbers(),
    });
    (types.collect(), lookups.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = |text: &str, types: &[ObjectType]| read(text, types).unwrap_err();
        let fabrics = [ObjectType::Fabric];
        let said = wrong("{\n  \"name\": }", &fabrics);
        assert!(said.starts_with("This is no JSON: line 2, column 11: "), "{said}");
        let said = wrong(r#"{"nmae": "x"}"#, &fabrics);
        assert!(said.contains("the field 'nmae' of fabrics. Its fields are name, id,"), "{said}");
        let said = wrong(r#"[{"name": "x"}, {"name__like": "y"}]"#, &fabrics);
        assert!(
            said.starts_with("In object 2, the term name__like: 'like' is not a comparison. Comparisons are n,"),
            "{said}"
        );
        assert!(wrong(r#"{"id": "x"}"#, &fabrics).contains("The term id:"));
        assert!(wrong(r#"{"branch": "x"}"#, &[ObjectType::Fabric, ObjectType::Group]).contains("of groups"));
        assert!(wrong("\"x\"", &fabrics).contains("an object of terms"));
        let said = wrong(r#"[{"name": "a", "branch": "b", "name": "c"}]"#, &fabrics);
        assert!(said.starts_with("A term stands twice in one object"), "{said}");
        assert!(said.contains("name"), "{said}");
        for nothing in ["  ", "{}", "[]", " [ ] "] {
            assert_eq!(read(nothing, &fabrics).unwrap(), None, "{nothing}: it limits nothing, and is kept as that");
        }
        assert_eq!(read("null", &fabrics).unwrap(), None);
        assert!(read(r#"{"name__startswith": "lab-"}"#, &fabrics).unwrap().is_some());
    }
}

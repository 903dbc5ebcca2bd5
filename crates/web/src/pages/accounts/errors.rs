//! What is wrong with a form of an account: at its fields, or with the whole of it.

use crate::parts::field::Field;
use crate::parts::{Notice, Tone};
use crate::problem::{Problem, capitalised};
use http::StatusCode;
use model::Code;
use store::Error;

/// What is wrong with a form, by field; an empty name is the whole form.
#[derive(Debug, Default)]
pub struct Errors {
    pub fields: Vec<(&'static str, String)>,
    /// Why the whole was refused, when no field is to blame.
    pub denied: Option<Problem>,
}

impl Errors {
    pub fn set(&mut self, name: &'static str, message: impl Into<String>) {
        self.fields.push((name, message.into()));
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.denied.is_none()
    }

    /// Puts what is wrong to its fields.
    pub fn on(&self, fields: &mut [Field]) {
        for field in fields {
            field.error = self.of(field.name);
        }
    }

    pub fn of(&self, name: &str) -> Option<String> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, message)| message.clone())
    }

    /// A name has one line of some length.
    pub fn name(&mut self, field: &'static str, text: &str, whose: &str) {
        if text.is_empty() {
            self.set(field, format!("{whose} needs a name."));
        }
        self.length(field, text, 150);
    }

    /// A text has one line, and not too many characters.
    pub fn length(&mut self, field: &'static str, text: &str, most: usize) {
        if text.chars().count() > most || text.chars().any(char::is_control) {
            self.set(field, format!("At most {most} characters, all of them printable."));
        }
    }

    /// What the store refused, at the field that it is about; what no form can help is the request's problem.
    pub fn of_store(&mut self, error: Error, name: &'static str, flag: &'static str) -> Result<(), Problem> {
        let sentence = capitalised(&error.to_string());
        match &error {
            Error::LastAdministrator => self.set(flag, sentence),
            Error::Conflict(_) | Error::Invalid(_) | Error::OutOfScope(_) | Error::Stale(_) => self.set(name, sentence),
            Error::Dangling(_) => self.set(name, "Something that was chosen has been deleted meanwhile. Choose again."),
            Error::SuperusersOnly(_) | Error::BeyondReach { .. } => {
                let problem = Problem::new(Code::PermissionDenied, sentence);
                self.denied = Some(problem.todo("Ask an administrator to do it, or leave this out."));
            }
            _ => return Err(error.into()),
        }
        Ok(())
    }

    pub fn status(&self) -> StatusCode {
        self.denied.as_ref().map_or(StatusCode::UNPROCESSABLE_ENTITY, |problem| problem.http_status())
    }

    /// The list on top of a form: where each error stands, and what it says.
    pub fn list(&self) -> Vec<(String, String)> {
        self.fields.iter().map(|(name, message)| ((*name).to_owned(), message.clone())).collect()
    }

    pub fn notice(&self) -> Option<Notice> {
        let problem = self.denied.as_ref()?;
        Some(Notice::new(Tone::Bad, format!("Nothing was saved. {}", problem.message), "", problem.what_to_do()))
    }

    /// The problem for a script.
    pub fn problem(&self) -> Problem {
        if let Some(problem) = &self.denied {
            return problem.clone();
        }
        let message = match self.fields.as_slice() {
            [(_, message)] => message.clone(),
            all => format!("{} of the fields cannot be saved as they are.", all.len()),
        };
        let mut problem = Problem::new(Code::InvalidInput, message).status(StatusCode::UNPROCESSABLE_ENTITY);
        problem.fields = self.fields.iter().map(|(name, message)| ((*name).to_owned(), message.clone())).collect();
        problem
    }
}

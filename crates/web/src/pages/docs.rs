//! What each code of a failure means: the pages that codes lead to wherever they are shown, and the `type` of every
//! problem. Everybody may read them; they say nothing of this installation.

use crate::frame::Bare;
use crate::icon::Icon;
use crate::layers::cookies;
use crate::problem::Problem;
use crate::routes::{Kind, Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view;
use askama::Template;
use axum::extract::{RawPathParams, State};
use axum::response::Response;
use http::HeaderMap;
use model::Code;
use model::code::Explained;

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("docs_codes", pattern::docs_codes, Needs::Public, Kind::Page, all),
        Route::get("docs_code", pattern::docs_code, Needs::Public, Kind::Page, one),
    ]
}

fn frame(state: &AppState, headers: &HeaderMap, title: &str, page: &'static str) -> Bare {
    let theme = cookies::theme(&state.settings, headers);
    Bare { title: title.to_owned(), page, theme, now: state.now() }
}

async fn all(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    let page = Codes { frame: frame(&state, &headers, "Codes", "docs_codes"), codes: Code::ALL };
    view::page("docs_codes", &page)
}

async fn one(State(state): State<AppState>, params: RawPathParams, headers: HeaderMap) -> Result<Response, Problem> {
    let word = params.iter().find(|(name, _)| *name == "code").map(|(_, word)| word).unwrap_or_default();
    let code: Code = word.parse().map_err(|_| {
        let shown: String = word.chars().take(60).collect();
        Problem::new(Code::NotFound, format!("There is no code “{shown}”.")).todo("The list of codes has all of them.")
    })?;
    let explained = code.explained();
    let page = OneCode { frame: frame(&state, &headers, explained.title, "docs_code"), code, explained };
    view::page("docs_code", &page)
}

/// The list of all codes.
#[derive(Template)]
#[template(path = "docs_codes.html")]
pub struct Codes {
    pub frame: Bare,
    pub codes: &'static [Code],
}

/// What there is to say about one.
#[derive(Template)]
#[template(path = "docs_code.html")]
pub struct OneCode {
    pub frame: Bare,
    pub code: Code,
    pub explained: Explained,
}

impl OneCode {
    /// Which of the nine failure points it is, in words.
    fn point(&self) -> Option<String> {
        let words = self.code.failure_point_in_words()?;
        self.code.failure_point().map(|point| format!("{point} of 9: {words}"))
    }
}

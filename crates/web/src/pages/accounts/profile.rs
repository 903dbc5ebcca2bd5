//! One's own account: who one is, and what one may do, in words.

use super::users::{permission_items, user_facts};
use super::{Deed, Item, ItemList, Sheet, yes_or_no};
use crate::frame::Nav;
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use auth::Action;
use axum::extract::State;
use axum::response::Response;
use store::{Link, Noun, Scope};

/// The route of this page.
pub fn routes() -> Vec<Route> {
    vec![Route::page("account", pattern::account, Needs::LoggedIn, show)]
}

async fn show(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let user = &view.login.user;
    let everything = (&Scope::All, &Scope::All);
    let groups = state.store.nouns().links(Link::Member, everything, Some((Noun::User, user.id))).await?;
    let mut items = Vec::new();
    for pair in groups {
        // One knows which groups one belongs to; what stands in them is another matter.
        let may_see = view.login.access.group(pair.left.id, Action::View).await.is_ok();
        let href = may_see.then(|| url::group(pair.left.id));
        items.push(Item { label: pair.left.name, href, note: String::new() });
    }
    let id = user.id.to_string();
    let explain = url::with_query(&url::permission_explain(), &[("user", &id)]);
    let page = Sheet {
        frame: view.frame("account", "Account", Nav::Account)?.crumbs(vec![], "Account"),
        title: user.username.clone(),
        mark: Some(yes_or_no(user.is_active, "Active", "Switched off")),
        sections: vec![],
        deeds: vec![Deed { label: "Explain what I may do".to_owned(), href: explain, is_danger: false }],
        facts: user_facts(&view, user),
        text: None,
        lists: vec![
            ItemList { id: "groups", title: "Groups".to_owned(), items, empty: "You belong to no group.".to_owned() },
            ItemList {
                id: "permissions",
                title: "Permissions".to_owned(),
                items: permission_items(&view, user, true).await?,
                empty: match user.is_superuser {
                    true => "As an administrator you may do everything.".to_owned(),
                    false => "Nothing is permitted to you yet. An administrator grants permissions.".to_owned(),
                },
            },
        ],
        sessions: None,
        tokens: None,
        changes: None,
    };
    view::page("account", &page)
}

//! Every page rendered from sample values: what the markup must keep, and files to look at.
//!
//! `HEDGEROW_GALLERY=DIR cargo test -p web gallery` writes the pages there, with the static files beside them, ready
//! for any file server and a browser.

mod checks;
mod contrast;
mod samples;

use std::path::Path;

/// Name and markup of every sample page.
pub fn pages() -> Vec<(&'static str, String)> {
    let render = |page: &dyn askama::DynTemplate| page.dyn_render().expect("a sample page renders");
    vec![
        ("dashboard", render(&samples::dashboard())),
        ("dashboard-empty", render(&samples::dashboard_empty())),
        ("fabric", render(&samples::fabric())),
        ("fabric-suspended", render(&samples::fabric_suspended())),
        ("suspend", render(&samples::suspend())),
        ("fabric-in-sync", render(&samples::fabric_in_sync())),
        ("fabric-unknown", render(&samples::fabric_unknown())),
        ("fabric-new", render(&samples::fabric_new())),
        ("objects", render(&samples::objects())),
        ("object", render(&samples::object())),
        ("adopt", render(&samples::adopt())),
        ("adopt-review", render(&samples::adopt_review())),
        ("server-view", render(&samples::server_view())),
        ("operation-running", render(&samples::operation_running())),
        ("operation-failed", render(&samples::operation_failed())),
        ("operation-dry", render(&samples::operation_dry())),
        ("review", render(&samples::review())),
        ("review-empty", render(&samples::review_empty())),
        ("review-chosen", render(&samples::review_chosen())),
        ("activity", render(&samples::activity())),
        ("timeline", render(&samples::timeline())),
        ("verify", render(&samples::verify())),
        ("verify-off", render(&samples::verify_off())),
        ("verify-runs", render(&samples::verify_runs())),
        ("fabric-form", render(&samples::fabric_form())),
        ("fabric-delete", render(&samples::fabric_delete())),
        ("confirm-cluster", render(&samples::confirm_cluster())),
        ("accounts-users", render(&samples::users())),
        ("accounts-empty", render(&samples::groups_empty())),
        ("accounts-user", render(&samples::user())),
        ("accounts-user-form", render(&samples::user_form())),
        ("accounts-user-delete", render(&samples::user_delete())),
        ("accounts-permission-form", render(&samples::permission_form())),
        ("accounts-explain", render(&samples::explain())),
        ("login", render(&samples::login())),
        ("error", render(&samples::error())),
        ("docs-codes", render(&samples::docs_codes())),
        ("docs-code", render(&samples::docs_code())),
        ("tokens", render(&samples::tokens())),
        ("tokens-made", render(&samples::tokens_made())),
        ("tokens-refused", render(&samples::tokens_refused())),
        ("csrf-again", render(&samples::csrf_again())),
        ("account-sessions", render(&samples::account_sessions())),
        ("account-password", render(&samples::account_password())),
        ("kept", render(&samples::kept())),
        ("logged-out", render(&samples::logged_out())),
        ("password-again", render(&samples::password_again())),
    ]
}

#[test]
fn every_page_renders_and_can_be_looked_at() {
    let pages = pages();
    let Some(folder) = std::env::var_os("HEDGEROW_GALLERY") else { return };
    let folder = Path::new(&folder);
    let files = folder.join("static").join(crate::assets::version());
    std::fs::create_dir_all(&files).unwrap();
    for name in crate::assets::names() {
        std::fs::write(files.join(&name), crate::assets::get(&name).unwrap().0).unwrap();
    }
    for (name, html) in &pages {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
        let dark = html.replacen("<html lang=\"en\">", "<html lang=\"en\" data-theme=\"dark\">", 1);
        std::fs::write(folder.join(format!("{name}-dark.html")), dark).unwrap();
    }
}
